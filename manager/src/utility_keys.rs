//! Lets the utility modules' hub keep its keys in the store: the two don't know each other.

use crate::store::{Store, StoreError};
use crate::utility::{KeyStore, KeyStoreError};
use async_trait::async_trait;
use grid::{NodeId, UnixMillis};
use std::sync::Arc;

/// Keys and one-time tokens of utility modules, in the store.
#[derive(Clone, Debug)]
pub struct StoreKeys(pub Arc<dyn Store>);

fn failed(error: StoreError) -> KeyStoreError {
    KeyStoreError(error.to_string())
}

#[async_trait]
impl KeyStore for StoreKeys {
    async fn utility_key_put(&self, node: NodeId, hash: &str, now: UnixMillis) -> Result<(), KeyStoreError> {
        self.0.utility_key_put(node, hash, now).await.map_err(failed)
    }

    async fn utility_key_find(&self, hash: &str) -> Result<Option<NodeId>, KeyStoreError> {
        self.0.utility_key_find(hash).await.map_err(failed)
    }

    async fn utility_token_put(&self, node: NodeId, hash: &str, expires: UnixMillis) -> Result<(), KeyStoreError> {
        self.0.utility_token_put(node, hash, expires).await.map_err(failed)
    }

    async fn utility_token_take(&self, hash: &str, now: UnixMillis) -> Result<Option<NodeId>, KeyStoreError> {
        self.0.utility_token_take(hash, now).await.map_err(failed)
    }
}
