//! The door at which utility modules call: `grid::work` has the routes. JSON that makes no sense is a 400 that says
//! where, a body above 1 MiB a 413, a key or token that isn't known a 401. Each refusal is a line in the log, see
//! [`crate::refusal_log`].

use super::{ImageLibrary, KeyStoreError, ReportError, TransferError, UtilityHub};
use crate::refusal_log::{Note, Reason, RefusalLog, write_refusals};
use axum::body::Body;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRef, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use grid::NodeId;
use grid::identity::TransferId;
use grid::sample::UtilitySample;
use grid::work::{Enrolled, Enrolment, ImageFamily, WorkAnswer, WorkOrder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::io::ReaderStream;

const LONGEST_BODY: usize = 1 << 20;

/// What the routes need.
#[derive(Clone, Debug)]
struct Door {
    hub: Arc<UtilityHub>,
    images: Arc<ImageLibrary>,
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
        .layer(from_fn_with_state(RefusalLog::default(), write_refusals))
        .with_state(Door { hub, images })
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
            Self::Report(ReportError::TooLong) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoImage | Self::Transfer(TransferError::Unknown) => StatusCode::NOT_FOUND,
            Self::Transfer(TransferError::BrokenOff) => StatusCode::BAD_GATEWAY,
            Self::Transfer(TransferError::Alone | TransferError::Stalled) => StatusCode::GATEWAY_TIMEOUT,
            Self::Keys(_) | Self::Io(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    /// The log is told the cause too, and neither is told a text that was sent: it may be a secret.
    fn into_response(self) -> Response {
        let (words, reason) = match &self {
            Self::Nonsense(error) => {
                let words = format!("the body makes no sense: {}", without_text(&error.to_string()));
                (words.clone(), words)
            }
            Self::Keys(cause) => (self.to_string(), format!("{self}: {cause}")),
            Self::Io(cause) => (self.to_string(), format!("{self}: {cause}")),
            other => (other.to_string(), other.to_string()),
        };
        (self.status(), Extension(Reason(reason)), words).into_response()
    }
}

/// `invalid type: string "…", expected u64` without the string.
fn without_text(words: &str) -> String {
    match (words.find("string \""), words.rfind("\", expected")) {
        (Some(begin), Some(end)) if begin < end => format!("{}a text{}", &words[..begin], &words[end + 1..]),
        _ => words.to_owned(),
    }
}

/// The node whose module calls, by its key.
struct Caller(NodeId);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Door: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let door = Door::from_ref(state);
        let key =
            parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let found = match key {
            Some(key) => door.hub.node_of_key(key).await?,
            None => None,
        };
        let node = found.ok_or(Refusal::Unknown)?;
        if let Some(note) = parts.extensions.get::<Note>() {
            note.caller(format_args!("utility module of node {node}"));
        }
        Ok(Self(node))
    }
}

/// A body as it came, or why it did not.
type Taken = Result<Bytes, BytesRejection>;

fn read<T: DeserializeOwned>(body: Taken) -> Result<T, Refusal> {
    Ok(serde_json::from_slice(&body?)?)
}

async fn enrol(State(door): State<Door>, body: Taken) -> Result<Json<Enrolled>, Refusal> {
    let enrolment: Enrolment = read(body)?;
    let enrolled = door.hub.enrol(&enrolment).await?.ok_or(Refusal::Unknown)?;
    tracing::info!(node = %enrolled.node, "a utility module has enrolled");
    Ok(Json(enrolled))
}

async fn report(State(door): State<Door>, Caller(node): Caller, body: Taken) -> Result<StatusCode, Refusal> {
    door.hub.report(node, read::<UtilitySample>(body)?)?;
    Ok(StatusCode::NO_CONTENT)
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
) -> Result<Json<Vec<WorkOrder>>, Refusal> {
    let answers: Vec<WorkAnswer> = read(body)?;
    Ok(Json(door.hub.exchange(node, answers, Duration::from_secs(u64::from(wait))).await))
}

async fn image(
    State(door): State<Door>,
    _: Caller,
    Path((family, name)): Path<(ImageFamily, String)>,
) -> Result<Response, Refusal> {
    let image = door.images.find(family, &name).ok_or(Refusal::NoImage)?;
    let file = tokio::fs::File::open(door.images.path(&image)).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, image.bytes.to_string()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, 256 * 1024))).into_response())
}

async fn transfer_send(
    State(door): State<Door>,
    Caller(node): Caller,
    Path(id): Path<TransferId>,
    body: Body,
) -> Result<StatusCode, Refusal> {
    door.hub.transfer_send(id, node, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn transfer_receive(
    State(door): State<Door>,
    Caller(node): Caller,
    Path(id): Path<TransferId>,
) -> Result<Body, Refusal> {
    Ok(door.hub.transfer_receive(id, node).await?)
}

#[cfg(test)]
mod tests;
