//! The door at which utility modules call: `grid::work` has the routes. JSON that makes no sense is a 400 that says
//! where, a body above 1 MiB a 413, a key or token that isn't known a 401. Each refusal is a log line, of which only
//! so many are written a minute.

use super::{ImageLibrary, KeyStoreError, ReportError, TransferError, UtilityHub};
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use grid::NodeId;
use grid::identity::TransferId;
use grid::sample::UtilitySample;
use grid::work::{Enrolled, Enrolment, ImageFamily, WorkAnswer, WorkOrder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::io::ReaderStream;

const LONGEST_BODY: usize = 1 << 20;
const LOG_LINES_A_MINUTE: u32 = 30;

/// What the routes need.
#[derive(Clone, Debug)]
struct Door {
    hub: Arc<UtilityHub>,
    images: Arc<ImageLibrary>,
    log: Arc<BoundedLog>,
}

/// The routes for utility modules. To be served on an address that only their network reaches.
pub fn router(hub: Arc<UtilityHub>, images: Arc<ImageLibrary>) -> Router {
    Router::new()
        .route("/utility/enrol", post(enrol))
        .route("/utility/report", post(report))
        .route("/utility/work", post(work))
        .route("/utility/images/{family}/{name}", get(image))
        .route("/utility/transfers/{id}", put(transfer_send).get(transfer_receive))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .with_state(Door { hub, images, log: Arc::default() })
}

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the key or token is not known")]
    Unknown,
    #[error("the body makes no sense: {0}")]
    Nonsense(#[from] serde_json::Error),
    /// Too large, or cut off.
    #[error("{0}")]
    Body(#[from] BytesRejection),
    #[error("{0}")]
    Report(#[from] ReportError),
    #[error("there is no such image")]
    NoImage,
    #[error("{0}")]
    Transfer(#[from] TransferError),
    #[error("the manager can't do it now")]
    Keys(#[from] KeyStoreError),
    #[error("the manager can't do it now")]
    Io(#[from] std::io::Error),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Body(rejection) => rejection.status(),
            Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::Nonsense(_) => StatusCode::BAD_REQUEST,
            Self::Report(ReportError::Backwards) | Self::Transfer(TransferError::Begun) => StatusCode::CONFLICT,
            Self::Report(ReportError::Clock | ReportError::TooLong) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoImage | Self::Transfer(TransferError::Unknown) => StatusCode::NOT_FOUND,
            Self::Transfer(TransferError::BrokenOff) => StatusCode::BAD_GATEWAY,
            Self::Transfer(TransferError::Alone | TransferError::Stalled) => StatusCode::GATEWAY_TIMEOUT,
            Self::Keys(_) | Self::Io(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Log lines about refused calls, bounded: a module gone wild must not fill the log.
#[derive(Debug, Default)]
struct BoundedLog {
    minute: Mutex<Option<(Instant, u32)>>,
}

impl BoundedLog {
    fn refused(&self, route: &'static str, node: Option<NodeId>, refusal: Refusal) -> Response {
        let number = self.next(Instant::now());
        let node = node.map(|node| node.to_string());
        if number <= LOG_LINES_A_MINUTE {
            // With its cause, which the caller isn't told.
            tracing::warn!(route, node, refusal = %refusal, cause = ?refusal, "a utility module's call was refused");
        }
        if number == LOG_LINES_A_MINUTE {
            tracing::warn!("more refused calls within this minute are not logged");
        }
        (refusal.status(), refusal.to_string()).into_response()
    }

    /// The number of this refusal within its minute, from 1.
    fn next(&self, now: Instant) -> u32 {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let (begin, count) =
            minute.filter(|(begin, _)| now.duration_since(*begin) < Duration::from_mins(1)).unwrap_or((now, 0));
        *minute = Some((begin, count.saturating_add(1)));
        count.saturating_add(1)
    }
}

/// The node whose module calls, by its key.
struct Caller(NodeId);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Door: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let door = Door::from_ref(state);
        let key =
            parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let found = match key {
            Some(key) => door.hub.node_of_key(key).await.map_err(Refusal::from),
            None => Err(Refusal::Unknown),
        };
        match found.and_then(|node| node.ok_or(Refusal::Unknown)) {
            Ok(node) => Ok(Self(node)),
            Err(refusal) => Err(door.log.refused("key", None, refusal)),
        }
    }
}

/// A body as it came, or why it did not.
type Taken = Result<Bytes, BytesRejection>;

fn read<T: DeserializeOwned>(body: Taken) -> Result<T, Refusal> {
    Ok(serde_json::from_slice(&body?)?)
}

async fn enrol(State(door): State<Door>, body: Taken) -> Result<Json<Enrolled>, Response> {
    let enrolled = async {
        let enrolment: Enrolment = read(body)?;
        door.hub.enrol(&enrolment).await?.ok_or(Refusal::Unknown)
    };
    let enrolled = enrolled.await.map_err(|refusal| door.log.refused("enrol", None, refusal))?;
    tracing::info!(node = %enrolled.node, "a utility module has enrolled");
    Ok(Json(enrolled))
}

async fn report(State(door): State<Door>, Caller(node): Caller, body: Taken) -> Result<StatusCode, Response> {
    let taken = read::<UtilitySample>(body).and_then(|sample| Ok(door.hub.report(node, sample)?));
    taken.map(|()| StatusCode::NO_CONTENT).map_err(|refusal| door.log.refused("report", Some(node), refusal))
}

#[derive(Debug, Deserialize)]
struct Wait {
    /// Seconds.
    #[serde(default)]
    wait: u32,
}

async fn work(
    State(door): State<Door>,
    Caller(node): Caller,
    Query(Wait { wait }): Query<Wait>,
    body: Taken,
) -> Result<Json<Vec<WorkOrder>>, Response> {
    let answers: Vec<WorkAnswer> = read(body).map_err(|refusal| door.log.refused("work", Some(node), refusal))?;
    Ok(Json(door.hub.exchange(node, answers, Duration::from_secs(u64::from(wait))).await))
}

async fn image(
    State(door): State<Door>,
    Caller(node): Caller,
    Path((family, name)): Path<(ImageFamily, String)>,
) -> Result<Response, Response> {
    let opened = async {
        let image = door.images.find(family, &name).ok_or(Refusal::NoImage)?;
        let file = tokio::fs::File::open(door.images.path(&image)).await?;
        Ok((image.bytes, file))
    };
    let (bytes, file) = opened.await.map_err(|refusal| door.log.refused("images", Some(node), refusal))?;
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::CONTENT_LENGTH, bytes.to_string())];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, 256 * 1024))).into_response())
}

async fn transfer_send(
    State(door): State<Door>,
    Caller(node): Caller,
    Path(id): Path<TransferId>,
    body: Body,
) -> Result<StatusCode, Response> {
    let sent = door.hub.transfer_send(id, node, body).await;
    sent.map(|()| StatusCode::NO_CONTENT).map_err(|error| door.log.refused("transfers", Some(node), error.into()))
}

async fn transfer_receive(
    State(door): State<Door>,
    Caller(node): Caller,
    Path(id): Path<TransferId>,
) -> Result<Body, Response> {
    let received = door.hub.transfer_receive(id, node).await;
    received.map_err(|error| door.log.refused("transfers", Some(node), error.into()))
}

#[cfg(test)]
mod tests;
