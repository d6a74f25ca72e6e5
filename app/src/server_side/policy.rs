//! What a browser may do with our pages, and from where it may change something.

use super::refusals::PlainPages;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use leptos::nonce::use_nonce;
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use manager::refusal_log::Note;

/// What goes with every answer that doesn't say otherwise.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Lets the page that is being rendered run our own scripts, those with this answer's nonce, and WebAssembly.
pub(super) fn allow_nonce() {
    let (Some(response), Some(nonce)) = (use_context::<ResponseOptions>(), use_nonce()) else { return };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    if let Ok(value) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, value);
    }
}

/// Adds [`HEADERS`] where the answer has none of the name. Files may be kept if they are asked for again each time.
pub(super) async fn headers(request: Request<Body>, next: Next) -> Response {
    let is_file = request.uri().path().starts_with("/pkg/") || request.uri().path() == "/favicon.svg";
    let mut response = next.run(request).await;
    if is_file {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Refuses to change anything on behalf of another site's page.
pub(super) async fn same_origin(State(pages): State<PlainPages>, request: Request<Body>, next: Next) -> Response {
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let (why, text) = match Sender::of(request.headers()) {
        _ if is_reading => return next.run(request).await,
        Sender::Here => return next.run(request).await,
        Sender::Elsewhere => {
            ("it came from another site's page", "This request came from another site, so nothing was changed.")
        }
        Sender::Untold => (
            "it does not say from which page it came",
            "This request does not say which site it came from, so nothing was changed.",
        ),
    };
    if let Some(note) = request.extensions().get::<Note>() {
        note.refused(why);
    }
    (StatusCode::FORBIDDEN, pages.worded(StatusCode::FORBIDDEN, "Not allowed", text)).into_response()
}

/// Whose page a browser sends something for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Here,
    Elsewhere,
    /// No browser that is in use today leaves it out of what changes something.
    Untold,
}

impl Sender {
    /// By what the browser says of the page that asks: `Sec-Fetch-Site`, or else `Origin` against `Host`.
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let is_here = match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => {
                let host = text(header::HOST).unwrap_or("");
                let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
                !host.is_empty() && authority.eq_ignore_ascii_case(host)
            }
            (None, None) => return Self::Untold,
        };
        if is_here { Self::Here } else { Self::Elsewhere }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&'static str, &'static str)]) -> Sender {
        let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
        Sender::of(&pairs.iter().map(pair).collect())
    }

    #[test]
    fn a_page_of_ours_may_change_things() {
        for pairs in [
            [("sec-fetch-site", "same-origin"), ("origin", "http://other")],
            [("origin", "http://grid.example:3000"), ("host", "grid.example:3000")],
        ] {
            assert_eq!(from(&pairs), Sender::Here, "{pairs:?}");
        }
    }

    #[test]
    fn another_sites_page_may_not() {
        for pairs in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://grid.example"), ("host", "grid.example")],
            &[("origin", "https://evil.example"), ("host", "grid.example")],
            &[("origin", "null"), ("host", "grid.example")],
            &[("origin", "http://grid.example:3001"), ("host", "grid.example:3000")],
            &[("origin", "http://")],
        ] {
            assert_eq!(from(pairs), Sender::Elsewhere, "{pairs:?}");
        }
    }

    #[test]
    fn whoever_says_nothing_of_a_page_may_not_either() {
        assert_eq!(from(&[("host", "grid.example"), ("referer", "http://grid.example/vms")]), Sender::Untold);
        assert_eq!(from(&[]), Sender::Untold);
    }
}
