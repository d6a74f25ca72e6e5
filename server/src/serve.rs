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
