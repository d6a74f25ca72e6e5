//! Doors that refuse answer with the status that says so.
//!
//! The framework answers every error of a door with 500, and sends a plain form back to where it came from with the
//! error in the address. Here the first gets its own status, and the second becomes a plain page.

use crate::AppError;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

/// An error is one word.
const LARGEST_ERROR: usize = 4096;

pub(super) async fn speak_plainly(request: Request<Body>, next: Next) -> Response {
    if !request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let response = next.run(request).await;
    let went_back_with_error = response
        .headers()
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok())
        .is_some_and(|location| location.contains("__err="));
    if went_back_with_error {
        let status = if response.status().is_redirection() { StatusCode::BAD_REQUEST } else { response.status() };
        return (status, page(status)).into_response();
    }
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR { with_own_status(response).await } else { response }
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

/// A page without anything of the request in it.
fn page(status: StatusCode) -> Html<String> {
    let (title, text) = match status {
        StatusCode::NOT_FOUND => ("Not found", "There is nothing at this address, or it is not yours."),
        StatusCode::FORBIDDEN => ("Not allowed", "This is for administrators."),
        StatusCode::BAD_REQUEST => ("Not understood", "The form could not be read."),
        _ => ("Something went wrong", "The cause was written down on our side. Try again later."),
    };
    Html(format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Hostgrid</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/pkg/hostgrid.css\"></head><body><main class=\"page\">\
         <section class=\"error-panel\"><p class=\"error-panel-status\">{}</p><h1>{title}</h1><p>{text}</p>\
         <p><a class=\"button\" href=\"/\">To the start</a></p></section></main></body></html>",
        status.as_u16()
    ))
}
