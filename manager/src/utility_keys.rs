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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;
    use grid::HypervisorKind;
    use grid::node::{Administration, Node, NodeSettings};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_module_that_enrolled_is_known_to_a_hub_that_starts_again() {
        let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
        let node = Node {
            id: NodeId(Uuid::new_v4()),
            name: "a".to_owned(),
            kind: HypervisorKind::Qemu,
            region: "north".to_owned(),
            uri: "simulated:///a".to_owned(),
            settings: NodeSettings::default(),
            administration: Administration::Open,
            failure_domain: None,
        };
        crate::store::NodeStore::node_put(store.as_ref(), &node).await.unwrap();
        let (before, after) = (StoreKeys(store.clone()), StoreKeys(store));
        before.utility_token_put(node.id, "token", UnixMillis(10)).await.unwrap();
        assert_eq!(before.utility_token_take("token", UnixMillis(9)).await, Ok(Some(node.id)));
        before.utility_key_put(node.id, "key", UnixMillis(9)).await.unwrap();
        assert_eq!(after.utility_token_take("token", UnixMillis(9)).await, Ok(None));
        assert_eq!(after.utility_key_find("key").await, Ok(Some(node.id)));
        assert_eq!(after.utility_key_find("other").await, Ok(None));
        let nowhere = after.utility_key_put(NodeId(Uuid::new_v4()), "lost", UnixMillis(9)).await;
        assert!(nowhere.is_err());
    }
}
