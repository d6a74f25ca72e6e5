//! The stream of changes: server-sent events that name what changed, and only what the person may see.

use super::AppState;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use manager::accounts::{Principal, Role, sessions};
use manager::{Change, Manager};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tower_sessions::Session;

/// How often the stream says that it lives.
const BEAT: Duration = Duration::from_secs(10);
/// The map changes with every sample; a page needs it no more often than this.
const MAP_EVERY: Duration = Duration::from_secs(5);
/// The data of an event whose name says it all: a browser tells its page nothing of an event without data.
const SAID: &str = "now";
/// After this the browser connects again, and who it is is asked again.
const LASTS: Duration = Duration::from_mins(10);

pub(super) async fn events(State(state): State<AppState>, session: Session) -> Response {
    let principal = match sessions::user(&session).await {
        Ok(Some(user)) => state.manager.accounts().principal(user).await,
        Ok(None) => None,
        Err(error) => {
            tracing::error!(%error, "the session failed");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let Some(principal) = principal else { return StatusCode::UNAUTHORIZED.into_response() };
    let feed = Feed {
        changes: state.manager.changes(),
        manager: state.manager,
        principal,
        beat: interval(BEAT),
        map_from: Instant::now(),
        map_waits: false,
        until: Instant::now() + LASTS,
        stopping: state.stopping,
    };
    Sse::new(stream::unfold(feed, Feed::next)).into_response()
}

/// One browser's stream.
struct Feed {
    manager: Manager,
    principal: Principal,
    changes: Receiver<Change>,
    beat: Interval,
    /// When the next word about the map may be sent, and whether there is one to send.
    map_from: Instant,
    map_waits: bool,
    until: Instant,
    stopping: CancellationToken,
}

impl Feed {
    /// Waits for the next event; ends when the server stops or the stream's time is over.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            let event = tokio::select! {
                () = self.stopping.cancelled() => return None,
                () = sleep_until(self.until) => return None,
                _ = self.beat.tick() => Some(Event::default().event("beat").data(SAID)),
                () = sleep_until(self.map_from), if self.map_waits => {
                    self.map_waits = false;
                    self.map_from = Instant::now() + MAP_EVERY;
                    Some(Event::default().event("map").data(SAID))
                }
                change = self.changes.recv() => match change {
                    Ok(change) => self.event(change).await,
                    Err(RecvError::Lagged(_)) => Some(Event::default().event("missed").data(SAID)),
                    Err(RecvError::Closed) => return None,
                },
            };
            if let Some(event) = event {
                return Some((Ok(event), self));
            }
        }
    }

    /// The change as an event, where the person may see what changed.
    async fn event(&mut self, change: Change) -> Option<Event> {
        let is_admin = self.principal.role == Role::Admin;
        match change {
            Change::Map | Change::Relocation(_) => {
                self.map_waits = true;
                None
            }
            Change::Ended(_) => None,
            Change::Operation(id) => {
                let may_see = is_admin || self.manager.operation_get(&self.principal, id).await.is_ok();
                may_see.then(|| Event::default().event("operation").data(id.to_string()))
            }
            Change::Vm(id) => {
                let may_see = is_admin || self.manager.vm_get(&self.principal, id).await.is_ok();
                may_see.then(|| Event::default().event("vm").data(id.to_string()))
            }
        }
    }
}
