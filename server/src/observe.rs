//! What other machines ask: alive, ready, and how much of what.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use manager::Manager;
use manager::store::Store;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use std::sync::Arc;

#[derive(Clone)]
struct Observed {
    manager: Manager,
    store: Arc<dyn Store>,
}

/// Installs the recorder; once a process.
pub(crate) fn recorder() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    const SECONDS: &[f64] = &[0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?.install_recorder()
}

/// `/healthz`: the process answers. `/readyz`: the store answers and the map is being made.
pub(crate) fn router(manager: Manager, store: Arc<dyn Store>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(Observed { manager, store })
}

/// `/metrics`: Prometheus text. It names nodes, which no customer learns.
pub(crate) fn metrics_router(metrics: PrometheusHandle) -> Router {
    Router::new().route("/metrics", get(render)).with_state(metrics)
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    store: bool,
    map_version: u64,
    nodes: usize,
}

async fn ready(State(observed): State<Observed>) -> impl IntoResponse {
    let store = observed.store.node_list().await.is_ok();
    let map = observed.manager.map();
    let ready = store && map.version > 0;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, store, map_version: map.version, nodes: map.nodes().len() }))
}

async fn render(State(metrics): State<PrometheusHandle>) -> impl IntoResponse {
    metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}
