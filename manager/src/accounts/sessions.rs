//! Sessions over the store, for `tower_sessions`.
//!
//! The store holds hashes of the ids that the cookies carry: who reads the database can't become anybody. A session
//! that was ended stays so, even where a request that began before saves it again. The id changes at every sign-in,
//! so that an id that somebody planted is worth nothing.

use super::Principal;
use crate::clock;
use crate::store::rows::SessionRow;
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use grid::{UnixMillis, UserId};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Error, Id, Record};
use tower_sessions::session_store::{self, SessionStore};
use tower_sessions::{Expiry, Session};

/// Under which a session carries the signed-in person's id.
const USER: &str = "user";

/// How long a session lasts after signing in. The layer should be told the same, for sessions that it changes later.
pub const LASTS: Duration = Duration::hours(12);

/// Signs the person in: a new id, a new expiry, and whose session it is.
pub async fn begin(session: &Session, principal: &Principal) -> Result<(), Error> {
    session.cycle_id().await?;
    session.set_expiry(Some(Expiry::AtDateTime(OffsetDateTime::now_utc() + LASTS)));
    session.insert(USER, principal.user).await
}

/// Whose session it is.
pub async fn user(session: &Session) -> Result<Option<UserId>, Error> {
    session.get(USER).await
}

/// Signs out.
pub async fn end(session: &Session) -> Result<(), Error> {
    session.flush().await
}

/// Keeps sessions in the store.
#[derive(Clone, Debug)]
pub struct StoreSessions {
    store: Arc<dyn Store>,
}

impl StoreSessions {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl SessionStore for StoreSessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        while self.store.session_get(&hash(&record.id)).await.map_err(backend)?.is_some() {
            record.id = Id::default();
        }
        // Sign-ins are rare, and nobody looks for what is over: a good time to forget it.
        self.store.sessions_delete_expired(clock::now()).await.map_err(backend)?;
        self.store.session_put(&row(record)?).await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        if !self.store.session_update(&row(record)?).await.map_err(backend)? {
            tracing::debug!("a session ended while a request used it");
        }
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let row = self.store.session_get(&hash(id)).await.map_err(backend)?;
        let Some(row) = row.filter(|row| row.expires > clock::now()) else { return Ok(None) };
        let data = serde_json::from_str(&row.data).map_err(|error| decode(&error))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(row.expires.0) * 1_000_000)
            .map_err(|error| decode(&error))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.store.session_delete(&hash(id)).await.map_err(backend)
    }
}

fn row(record: &Record) -> session_store::Result<SessionRow> {
    let encode = |error: serde_json::Error| session_store::Error::Encode(error.to_string());
    let user = record.data.get(USER).cloned().map(serde_json::from_value).transpose().map_err(encode)?;
    let expires = i64::try_from(record.expiry_date.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    Ok(SessionRow {
        id: hash(&record.id),
        user,
        data: serde_json::to_string(&record.data).map_err(encode)?,
        expires: UnixMillis(expires),
    })
}

/// The id's 128 bits are random, so that a plain hash can't be turned back.
fn hash(id: &Id) -> String {
    Sha256::digest(id.to_string()).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Logged here: what goes up from here becomes a bare status.
fn backend(error: StoreError) -> session_store::Error {
    tracing::error!(%error, "a session could not be read or written");
    session_store::Error::Backend(error.to_string())
}

fn decode(error: &dyn std::fmt::Display) -> session_store::Error {
    session_store::Error::Decode(error.to_string())
}

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
