//! Start and stop: opens what the configuration names, binds two listeners (pages for people, a narrow door for
//! utility modules), and stops in the opposite order.

use crate::configuration::{Configuration, ConfigurationError};
use crate::{observe, seed};
use axum::Router;
use grid::node::Node;
use grid::{Mib, NodeId};
use manager::hypervisor::{Hypervisor, HypervisorError, UtilityImages};
use manager::store::sqlite::SqliteStore;
use manager::store::{Store, StoreError};
use manager::utility::{ImageLibrary, UtilityHub};
use manager::{Manager, ManagerOptions, NetworkOptions, Pace, UtilityOptions};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub(crate) struct ServeArguments {
    /// The configuration; `hostgrid config` prints an example.
    #[arg(long, default_value = "hostgrid.toml")]
    config: PathBuf,
    /// Make what this file names, where it is not there yet.
    #[arg(long, requires = "lab_file")]
    seed: Option<PathBuf>,
    /// Where to write addresses, sign-ins and VMs once the seed is there.
    #[arg(long)]
    lab_file: Option<PathBuf>,
}

/// Why the program did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("node {0}: {1}")]
    Node(String, HypervisorError),
    #[error("images: {0}")]
    Images(std::io::Error),
    #[error("{0} can't be listened on: {1}")]
    Bind(SocketAddr, std::io::Error),
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("seed: {0}")]
    Seed(#[from] seed::SeedError),
    #[error("{0}")]
    Manager(#[from] manager::OpenError),
    #[error("a listener failed: {0}")]
    Listener(#[from] std::io::Error),
}

/// Runs until the process is told to stop (SIGINT or SIGTERM), or something that can't be mended fails.
pub(crate) async fn serve(arguments: ServeArguments) -> Result<(), Box<dyn std::error::Error>> {
    let configuration = Configuration::load(&arguments.config)?;
    run(&configuration, &arguments).await.map_err(Into::into)
}

async fn run(configuration: &Configuration, arguments: &ServeArguments) -> Result<(), ServeError> {
    let metrics = observe::recorder()?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&configuration.storage.directory).await?);
    let nodes = record_nodes(&store, configuration).await?;
    let manager = open(configuration, &store, &nodes).await?;

    let pages = app::router(app::AppState { manager: manager.clone(), ..app_state(configuration) })
        .merge(observe::router(manager.clone(), metrics));
    let pages_at = bind(configuration.web.address).await?;
    let modules_at = bind(configuration.utility.address).await?;
    let modules = manager.utility_router();

    let stop = CancellationToken::new();
    let tasks = tokio_util::task::TaskTracker::new();
    let pages = tasks.spawn(listen(pages_at, pages, stop.clone()));
    let modules = tasks.spawn(listen(modules_at, modules, stop.clone()));
    manager.start();
    tracing::info!(pages = %configuration.web.address, modules = %configuration.utility.address, nodes = nodes.len(), "started");

    let seeding = async {
        if let (Some(seed), Some(lab)) = (&arguments.seed, &arguments.lab_file) {
            seed::seed(&manager, &store, configuration, &nodes, seed, lab).await?;
        }
        std::future::pending::<Result<(), ServeError>>().await
    };
    let ended = tokio::select! {
        () = told_to_stop() => Ok(()),
        ended = seeding => ended,
        ended = pages => ended.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(Into::into),
        ended = modules => ended.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(Into::into),
    };
    tracing::info!("stopping");
    stop.cancel();
    manager.stop().await;
    ended
}

/// Each configured node in the store; those that are there keep their ids and what the admin set.
async fn record_nodes(store: &Arc<dyn Store>, configuration: &Configuration) -> Result<Vec<Node>, ServeError> {
    let mut nodes = Vec::with_capacity(configuration.nodes.len());
    for entry in &configuration.nodes {
        nodes.push(store.node_put(&entry.to_node(NodeId(uuid::Uuid::now_v7()))).await?);
    }
    Ok(nodes)
}
