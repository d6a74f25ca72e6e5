//! `hostgrid check`: reads the hypervisors, what the utility modules said last, and the store, and tells which promises
//! of ARCHITECTURE.md are broken. It changes nothing, and can be run beside the server.

use crate::configuration::{Configuration, ConfigurationError};
use grid::node::Node;
use grid::sample::{Source, UtilitySample};
use manager::hypervisor::directory::Directory;
use manager::hypervisor::simulated::SimulatedGrid;
use manager::hypervisor::{Hypervisor, HypervisorError};
use manager::promises::{self, PoolLists, Report};
use manager::store::sqlite::SqliteStore;
use manager::store::{HistoryStore, NodeStore, StoreError};
use std::path::Path;
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("node {0}: {1}")]
    Node(String, HypervisorError),
    #[error("the simulated grid: {0}")]
    SimulatedGrid(std::io::Error),
    #[error("{0} promises are broken")]
    Broken(usize),
}

/// Prints what it finds; an error where a promise is broken.
pub(crate) async fn check(path: &Path) -> Result<(), CheckError> {
    let configuration = Configuration::load(path)?;
    let store = SqliteStore::open_unchanged(&configuration.storage.directory).await?;
    let names: Vec<&str> = configuration.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut nodes = store.node_list().await?;
    nodes.retain(|node| names.contains(&node.name.as_str()));
    let hypervisors = connect(&configuration, &nodes)?;
    let pools = pool_lists(&store, &nodes).await?;
    let report = promises::check(&store, &hypervisors, &pools).await?;
    print(&report);
    if report.broken.is_empty() { Ok(()) } else { Err(CheckError::Broken(report.broken.len())) }
}

fn connect(configuration: &Configuration, nodes: &[Node]) -> Result<Vec<Arc<dyn Hypervisor>>, CheckError> {
    if configuration.is_simulated() {
        let kept = configuration.storage.directory.join("simulated-grid.json");
        let grid = SimulatedGrid::copy_of(kept).map_err(CheckError::SimulatedGrid)?;
        return Ok(nodes.iter().map(|node| grid.hypervisor(node) as Arc<dyn Hypervisor>).collect());
    }
    let directory = Directory::default();
    let connect = |node: &Node| directory.connect(node).map_err(|error| CheckError::Node(node.name.clone(), error));
    nodes.iter().map(connect).collect()
}

/// What each module said last: modules talk to the server only, which keeps their last reports.
async fn pool_lists(store: &SqliteStore, nodes: &[Node]) -> Result<PoolLists, CheckError> {
    let mut lists = PoolLists::new();
    for node in nodes {
        let Some((at, json)) = store.sample_get(node.id, Source::Utility).await? else { continue };
        match serde_json::from_str::<UtilitySample>(&json) {
            Ok(sample) => drop(lists.insert(node.id, (at, sample.disks))),
            Err(error) => tracing::warn!(%error, node = node.name, "its module's last report is of another version"),
        }
    }
    Ok(lists)
}

fn print(report: &Report) {
    for unseen in &report.unseen {
        println!("not looked at: {unseen}");
    }
    for broken in &report.broken {
        println!("broken: {broken}");
    }
    if report.broken.is_empty() {
        println!("every promise is kept");
    }
}
