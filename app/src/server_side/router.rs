//! The router of everything that people's browsers ask for: pages, doors, files, the stream of changes.

use super::refusals::PlainPages;
use super::{events, policy, refusals, shell};
use crate::App;
use axum::Router;
use axum::http::header;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use leptos::prelude::{LeptosOptions, provide_context};
use leptos_axum::{LeptosRoutes, generate_route_list};
use manager::Manager;
use manager::accounts::sessions::{self, StoreSessions};
use manager::refusal_log::{RefusalLog, write_refusals};
use manager::store::Store;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::services::ServeDir;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, SessionManagerLayer};

/// More than any form has.
pub(super) const LARGEST_BODY: usize = 256 * 1024;

/// What the pages need from the server around them.
#[derive(Clone, Debug)]
pub struct AppState {
    pub manager: Manager,
    /// Keeps the sessions.
    pub store: Arc<dyn Store>,
    /// Where the site's files are.
    pub leptos_options: LeptosOptions,
    /// Whether people come by HTTPS only; their cookie is then never sent otherwise.
    pub secure_cookies: bool,
    /// Ends the open streams when the server stops.
    pub stopping: CancellationToken,
}

/// Pages, doors, files and the stream, with sessions, same-origin check, security headers and compression.
pub fn router(state: AppState) -> Router {
    let options = state.leptos_options.clone();
    let manager = state.manager.clone();
    let plain = PlainPages { is_simulated: manager.is_simulated() };
    let files = files(&format!("{}/{}", options.site_root, options.site_pkg_dir));
    let with_sessions = SessionManagerLayer::new(StoreSessions::new(Arc::clone(&state.store)))
        .with_name("hostgrid")
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(sessions::LASTS))
        .with_secure(state.secure_cookies);
    let pages: Router = Router::new()
        .leptos_routes_with_context(&options, generate_route_list(App), move || provide_context(manager.clone()), {
            let options = options.clone();
            move || shell::shell(options.clone())
        })
        .with_state(options.clone());
    let stream: Router = Router::new().route("/events", get(events::events)).with_state(state);
    pages
        .merge(stream)
        .layer(middleware::from_fn_with_state(plain, policy::same_origin))
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(middleware::from_fn(refusals::too_large))
        .layer(middleware::from_fn_with_state(plain, refusals::speak_plainly))
        .layer(middleware::from_fn_with_state(RefusalLog::default(), write_refusals))
        .layer(with_sessions)
        .nest_service(&format!("/{}", options.site_pkg_dir), files)
        .route("/favicon.svg", get(favicon))
        .layer(middleware::from_fn(policy::headers))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
}

/// The site's files: as the build has compressed them, where that was after it last wrote them.
fn files(directory: &str) -> ServeDir {
    let written = |name: &str| std::fs::metadata(format!("{directory}/{name}")).and_then(|file| file.modified()).ok();
    let is_fresh = written("hostgrid.wasm.br") >= written("hostgrid.wasm");
    let files = ServeDir::new(directory);
    if is_fresh { files.precompressed_br() } else { files }
}

async fn favicon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], include_str!("../../assets/favicon.svg"))
}
