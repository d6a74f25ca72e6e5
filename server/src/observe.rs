//! What other machines ask: alive, ready, and how much of what.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use grid::map::ResourceMap;
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

/// `/healthz`: the process answers. `/readyz`: the store answers, and there is a map with a node in it.
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

impl Readiness {
    async fn look(store: &dyn Store, map: &ResourceMap) -> Self {
        let store = store.node_list().await.is_ok();
        Self { ready: store && map.version > 0, store, map_version: map.version, nodes: map.nodes().len() }
    }
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        let status = if self.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(self)).into_response()
    }
}

async fn ready(State(observed): State<Observed>) -> Readiness {
    Readiness::look(observed.store.as_ref(), &observed.manager.map()).await
}

async fn render(State(metrics): State<PrometheusHandle>) -> impl IntoResponse {
    metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

#[cfg(test)]
mod tests {
    use super::*;
    use manager::store::sqlite::SqliteStore;

    #[tokio::test]
    async fn it_is_ready_where_the_store_answers_and_there_is_a_map_and_unavailable_otherwise() {
        let directory = std::env::temp_dir().join(format!("hostgrid-observed-{}", uuid::Uuid::new_v4()));
        let (none, mut made) = (ResourceMap::default(), ResourceMap::default());
        made.version = 1;
        let store = SqliteStore::open(&directory).await.unwrap();
        let status = async |store: &SqliteStore, map: &ResourceMap| {
            Readiness::look(store, map).await.into_response().status().as_u16()
        };
        assert_eq!((status(&store, &made).await, status(&store, &none).await), (200, 503));

        // One that has not read yet finds no database any more.
        let gone = SqliteStore::open(&directory).await.unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        let look = Readiness::look(&gone, &made).await;
        assert!(!look.store && !look.ready);
        assert_eq!(look.into_response().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
