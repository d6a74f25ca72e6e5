//! The store in SQLite, inside the program: what matters in one database file, the history in another.
//!
//! One connection writes, by `BEGIN IMMEDIATE` transactions that are on the disk when they are answered
//! (`synchronous=FULL`); operations that wait to be accepted go into one together (`accept.rs`); a pool of connections reads, and never waits for the writer (WAL). The history may lose its
//! last moments in a power cut (`synchronous=NORMAL`). Statements are prepared once a connection. A constraint of
//! the database becomes an error of the domain at the query that can violate it.

mod accept;
mod accounts;
mod asked;
mod begin;
mod columns;
mod consents;
mod end;
mod facts;
mod history;
mod holding;
mod journal;
mod lease;
mod line;
mod many;
mod nodes;
mod open;
mod operation_rows;
mod operations;
mod relocations;
mod room_made;
mod schedules;
mod vms;
mod waiting;

use super::rows::AuditRow;
use super::{Store, StoreError};
use accept::Acceptance;
use asked::{Offers, Standings};
use columns::Statement;
use futures::TryStreamExt;
use journal::Journal;
use line::Line;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// A [`super::Store`] in a directory of its own.
#[derive(Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    writer: Arc<Writer>,
    acceptance: Line<Acceptance>,
    offers: Line<Offers>,
    standings: Line<Standings>,
    history: history::History,
    /// The directory of a temporary store goes with it, after its connections.
    _temporary: Option<open::TemporaryDirectory>,
}

impl Store for SqliteStore {}

impl SqliteStore {
    /// Opens the store in `directory`, makes what is missing and brings the databases up to this program's version.
    /// [`StoreError::Schema`] where they are of a newer program or were changed by hand.
    pub async fn open(directory: &Path) -> Result<Self, StoreError> {
        open::open(directory, None).await
    }

    /// Opens the store in `directory` as it is: nothing is made or migrated. [`StoreError::Database`] where there is none,
    /// [`StoreError::Version`] where it is of another program.
    pub async fn open_unchanged(directory: &Path) -> Result<Self, StoreError> {
        open::open_unchanged(directory).await
    }

    /// An empty store that goes when it is dropped, for tests.
    pub async fn open_temporary() -> Result<Self, StoreError> {
        let temporary = open::TemporaryDirectory::new();
        let directory = temporary.path().to_owned();
        open::open(&directory, Some(temporary)).await
    }
}

/// How a row is read.
type Read<T> = fn(&SqliteRow) -> Result<T, StoreError>;

impl SqliteStore {
    /// What a statement finds, each row read by `read`.
    async fn all<T>(&self, statement: Statement<'_>, read: Read<T>) -> Result<Vec<T>, StoreError> {
        let (mut rows, mut all) = (statement.fetch(&self.readers), Vec::new());
        // One after the other: as rows they take several times the memory.
        while let Some(row) = rows.try_next().await.map_err(database)? {
            all.push(read(&row)?);
        }
        Ok(all)
    }

    /// The one row that a statement finds, or none.
    async fn one<T>(&self, statement: Statement<'_>, read: Read<T>) -> Result<Option<T>, StoreError> {
        let row = statement.fetch_optional(&self.readers).await.map_err(database)?;
        row.as_ref().map(read).transpose()
    }

    /// What a person decides: one statement, which must meet a row, and this row of the audit, in one transaction.
    async fn decide(&self, statement: Statement<'_>, conflict: &'static str, row: &AuditRow) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = statement.execute(&mut *tx).await.map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict(conflict));
        }
        accounts::audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }
}

/// The only connection that writes; who wants to write waits in line.
struct Writer {
    connection: Arc<Mutex<SqliteConnection>>,
    options: SqliteConnectOptions,
    journal: Arc<Journal>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Writer")
    }
}

impl Writer {
    async fn lock(&self) -> OwnedMutexGuard<SqliteConnection> {
        self.journal.is_written();
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        // A transaction that was dropped is being undone, and behind a ping it is. One that the database has undone by
        // itself, for its disk was full, sqlx counts as open for ever.
        if connection.is_in_transaction() && connection.ping().await.is_ok() && connection.is_in_transaction() {
            match self.options.connect().await {
                Ok(another) => *connection = another,
                Err(error) => tracing::error!(%error, "the database can't be connected anew"),
            }
        }
        connection
    }
}

/// Begins a transaction that may write, so that it never has to be repeated. Undone unless it is committed.
async fn begin(writer: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>, StoreError> {
    writer.begin_with("BEGIN IMMEDIATE").await.map_err(database)
}

/// The error of a query that can violate no constraint, or none that a caller could mean something by.
fn database(error: sqlx::Error) -> StoreError {
    StoreError::Database(error.to_string())
}

/// The error of a query that can: `conflict` says what it means there.
fn constraint(conflict: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    use sqlx::error::ErrorKind;
    move |error| match error.as_database_error().map(sqlx::error::DatabaseError::kind) {
        Some(
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::CheckViolation
            | ErrorKind::NotNullViolation,
        ) => StoreError::Conflict(conflict),
        _ => database(error),
    }
}

/// Whether something of this id is there already, as `statement` asks.
async fn is_known(tx: &mut SqliteConnection, statement: &'static str, id: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar(statement).bind(id).fetch_one(tx).await.map_err(database)
}

/// A statement that must have met one row.
fn met(rows: u64) -> Result<(), StoreError> {
    if rows == 0 { Err(StoreError::NotFound) } else { Ok(()) }
}

#[cfg(test)]
mod index_tests;

#[cfg(test)]
mod sums_tests;
#[cfg(test)]
mod tests;
