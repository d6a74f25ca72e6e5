//! What every store promises, told once and run against each of them.
//!
//! Only [`empty`] knows which database it is.

mod operations;
mod world;

use super::Store;
use super::sqlite::SqliteStore;
use std::sync::Arc;

/// An empty store of the kind under test.
pub(super) async fn empty() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_temporary().await.unwrap())
}
