//! What every store promises, told once and run against each of them. Only [`empty`] and [`open`] know which database
//! it is.

mod accounts;
mod begin;
mod consents;
mod history;
mod kills;
mod lease;
mod nodes;
mod operations;
mod races;
mod relocations;
pub(super) mod schedules;
mod vms;
pub(super) mod world;

use super::Store;
use super::sqlite::SqliteStore;
use std::path::Path;
use std::sync::Arc;

/// An empty store of the kind under test.
async fn empty() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_temporary().await.unwrap())
}

/// The store that is kept in this directory.
async fn open(directory: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(directory).await.unwrap())
}
