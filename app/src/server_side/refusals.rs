//! Doors that refuse answer with the status that says so, and browsers are shown a page.
//!
//! The framework answers every error of a door with 500, and sends a plain form back to where it came from with the
//! error in the address. Here the first gets its own status, and the second becomes a plain page; so does whatever the
//! layers below refuse in bare text. A script of ours is answered an [`AppError`] instead.

use super::router::LARGEST_BODY;
use crate::AppError;
use crate::components::layout::SIMULATED;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use futures::StreamExt;
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;
use std::time::Duration;

/// An error is one word.
const LARGEST_ERROR: usize = 4096;
/// So much of what is too large is read and thrown away, and for so long: a browser shows no answer before it has sent
/// all it had.
const MOST_THROWN_AWAY: usize = 32 * 1024 * 1024;
const LONGEST_THROWING_AWAY: Duration = Duration::from_secs(10);

/// Pages in the product's look that need nothing to be made.
#[derive(Clone, Copy)]
pub(super) struct PlainPages {
    /// Every page says so.
    pub(super) is_simulated: bool,
}

pub(super) async fn speak_plainly(State(pages): State<PlainPages>, request: Request<Body>, next: Next) -> Response {
    let wants_page = wants_page(request.headers());
    let is_door = request.uri().path().starts_with("/api/");
    let response = next.run(request).await;
    if is_bare(&response) {
        return pages.plainly(response.status(), wants_page);
    }
    if is_door && went_back_with_error(&response) {
        let status = if response.status().is_redirection() { StatusCode::BAD_REQUEST } else { response.status() };
        return (status, pages.page(status)).into_response();
    }
    let has_own_status = is_door && response.status() == StatusCode::INTERNAL_SERVER_ERROR;
    if has_own_status { with_own_status(response).await } else { response }
}

/// The framework's way back for a plain form: with the error in the address, or to the start where nobody says where the
/// form stood, whatever status the door gave it. Our own way to sign in is none.
fn went_back_with_error(response: &Response) -> bool {
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let is_lost = response.headers().contains_key(SERVER_FN_ERROR_HEADER);
    location.is_some_and(|location| location.contains("__err=") || (is_lost && !location.starts_with("/login")))
}

/// Refuses a body that says by itself that it is too large; the layer below stops those that don't say it.
pub(super) async fn too_large(request: Request<Body>, next: Next) -> Response {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_none_or(|length: usize| length <= LARGEST_BODY) {
        return next.run(request).await;
    }
    if length.is_some_and(|length| length <= MOST_THROWN_AWAY) {
        let mut body = request.into_body().into_data_stream();
        let thrown_away = async { while let Some(Ok(_)) = body.next().await {} };
        // Whoever takes longer is answered all the same.
        let _ = tokio::time::timeout(LONGEST_THROWING_AWAY, thrown_away).await;
    }
    StatusCode::PAYLOAD_TOO_LARGE.into_response()
}

/// A refusal that no page of ours and no door has worded.
fn is_bare(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
    response.status().is_client_error() && !is_page && !response.headers().contains_key(SERVER_FN_ERROR_HEADER)
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The same answer, under the status of the error that it carries.
async fn with_own_status(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_ERROR).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Ok(error) = serde_json::from_slice::<AppError>(&bytes) {
        parts.status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Response::from_parts(parts, Body::from(bytes))
}

impl PlainPages {
    fn plainly(self, status: StatusCode, wants_page: bool) -> Response {
        if wants_page {
            return (status, self.page(status)).into_response();
        }
        let error = match status {
            StatusCode::UNAUTHORIZED => AppError::SignedOut,
            StatusCode::FORBIDDEN => AppError::Forbidden,
            StatusCode::NOT_FOUND => AppError::NotFound,
            StatusCode::PAYLOAD_TOO_LARGE => AppError::TooLarge,
            _ => AppError::BadRequest,
        };
        (status, axum::Json(error)).into_response()
    }

    /// A page without anything of the request in it.
    fn page(self, status: StatusCode) -> Html<String> {
        let (title, text) = match status {
            StatusCode::NOT_FOUND => ("Not found", "There is nothing at this address, or it is not yours."),
            StatusCode::FORBIDDEN => ("Not allowed", "This is for administrators."),
            StatusCode::PAYLOAD_TOO_LARGE => {
                ("Too much", "This is more than a form may have, so nothing was changed. Go back and send less.")
            }
            status if status.is_client_error() => {
                ("Not understood", "The request could not be read, so nothing was changed.")
            }
            _ => ("Something went wrong", "The cause was written down on our side. Try again later."),
        };
        self.worded(status, title, text)
    }

    pub(super) fn worded(self, status: StatusCode, title: &str, text: &str) -> Html<String> {
        let (word, more) = SIMULATED;
        let banner = format!("<p class=\"banner\" data-simulated=\"\"><strong>{word}</strong>{more}</p>");
        let banner = if self.is_simulated { banner } else { String::new() };
        Html(format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Hostgrid</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <link rel=\"icon\" type=\"image/svg+xml\" href=\"/favicon.svg\">\
             <link rel=\"stylesheet\" href=\"/pkg/hostgrid.css\"></head><body>{banner}<main class=\"page\">\
             <section class=\"error-panel\"><p class=\"error-panel-status\">{}</p><h1>{title}</h1><p>{text}</p>\
             <p><a class=\"button\" href=\"/\">To the start</a></p></section></main></body></html>",
            status.as_u16()
        ))
    }
}
