//! One-time tokens and keys of utility modules. Only their hashes are kept: both are 256 random bits, so that a hash
//! can't be turned back, and a look-up by hash tells nothing by its time.

use async_trait::async_trait;
use grid::{NodeId, UnixMillis};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Where tokens and keys are kept, so that a module stays known when the manager starts again.
#[async_trait]
pub trait KeyStore: Send + Sync + std::fmt::Debug {
    /// Gives the node this key, in place of an earlier one.
    async fn utility_key_put(&self, node: NodeId, hash: &str, now: UnixMillis) -> Result<(), KeyStoreError>;
    async fn utility_key_find(&self, hash: &str) -> Result<Option<NodeId>, KeyStoreError>;
    /// Gives the node this token, in place of an earlier one.
    async fn utility_token_put(&self, node: NodeId, hash: &str, expires: UnixMillis) -> Result<(), KeyStoreError>;
    /// Takes the token away; `None` where it is unknown, used or expired.
    async fn utility_token_take(&self, hash: &str, now: UnixMillis) -> Result<Option<NodeId>, KeyStoreError>;
}

/// The keys could not be read or written; the cause is told where it was seen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys of utility modules can't be read: {0}")]
pub struct KeyStoreError(pub String);

/// A new token or key: 256 bits from the operating system, in hexadecimal.
pub(super) fn secret() -> Result<String, KeyStoreError> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| KeyStoreError(error.to_string()))?;
    Ok(hexadecimal(&bytes))
}

/// The hash of a token or key.
pub(super) fn hash(secret: &str) -> String {
    hexadecimal(&Sha256::digest(secret.as_bytes()))
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Keys in memory, for tests and for the simulated grid.
#[derive(Debug, Default)]
pub struct MemoryKeys {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    keys: HashMap<NodeId, String>,
    tokens: HashMap<String, (NodeId, UnixMillis)>,
}

impl MemoryKeys {
    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl KeyStore for MemoryKeys {
    async fn utility_key_put(&self, node: NodeId, hash: &str, _now: UnixMillis) -> Result<(), KeyStoreError> {
        self.with(|inner| inner.keys.insert(node, hash.to_owned()));
        Ok(())
    }

    async fn utility_key_find(&self, hash: &str) -> Result<Option<NodeId>, KeyStoreError> {
        Ok(self.with(|inner| inner.keys.iter().find(|(_, key)| *key == hash).map(|(node, _)| *node)))
    }

    async fn utility_token_put(&self, node: NodeId, hash: &str, expires: UnixMillis) -> Result<(), KeyStoreError> {
        self.with(|inner| {
            inner.tokens.retain(|_, (of, _)| *of != node);
            inner.tokens.insert(hash.to_owned(), (node, expires));
        });
        Ok(())
    }

    async fn utility_token_take(&self, hash: &str, now: UnixMillis) -> Result<Option<NodeId>, KeyStoreError> {
        let taken = self.with(|inner| inner.tokens.remove(hash));
        Ok(taken.filter(|(_, expires)| *expires > now).map(|(node, _)| node))
    }
}
