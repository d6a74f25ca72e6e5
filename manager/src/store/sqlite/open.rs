//! Opening the databases and bringing them up to this program's version.

use super::accept::Acceptance;
use super::asked::{Offers, Standings};
use super::history::History;
use super::journal::{FAR_TOO_LONG, Journal, LONG};
use super::line::Line;
use super::{SqliteStore, Writer, database};
use crate::store::StoreError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::sleep;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
static HISTORY_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite/history");

/// How long a lock of somebody else is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections read each database.
const READERS: u32 = 4;

/// What the connection that writes holds in memory, in KiB: a transaction of many operations touches a few thousand pages, and
/// what has no place here is written to the journal before its time.
const WRITERS_CACHE_KIB: u32 = 64 * 1024;

pub(super) async fn open(directory: &Path, temporary: Option<TemporaryDirectory>) -> Result<SqliteStore, StoreError> {
    // Password hashes and customers' keys are in it: nobody else's to read.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| StoreError::Database(format!("can't make {}: {error}", directory.display())))?;

    let main = migrated(&directory.join("hostgrid.db"), MAIN, &MIGRATIONS).await?;
    let history = migrated(&directory.join("history.db"), HISTORY, &HISTORY_MIGRATIONS).await?;
    Ok(store(main, history, temporary))
}

/// Opens what is there and makes nothing: both databases, of this program's version.
pub(super) async fn open_unchanged(directory: &Path) -> Result<SqliteStore, StoreError> {
    let main = unchanged(&directory.join("hostgrid.db"), MAIN, &MIGRATIONS).await?;
    let history = unchanged(&directory.join("history.db"), HISTORY, &HISTORY_MIGRATIONS).await?;
    Ok(store(main, history, None))
}

/// What is on the disk when a commit is answered, and at how many pages the writer folds its journal in.
type Written = (SqliteSynchronous, i64);

const MAIN: Written = (SqliteSynchronous::Full, FAR_TOO_LONG);
const HISTORY: Written = (SqliteSynchronous::Normal, 16_384);

/// How a database is reached, and the connection that writes it.
type Opened = (SqliteConnectOptions, SqliteConnection);

fn store(main: Opened, history: Opened, temporary: Option<TemporaryDirectory>) -> SqliteStore {
    let pool = readers(main.0.clone());
    let connection = Arc::new(Mutex::new(main.1));
    let journal = Journal::new(main.0.clone(), Arc::clone(&connection), LONG);
    let writer = Arc::new(Writer { connection, options: main.0, journal });
    SqliteStore {
        offers: Line::at(Offers(pool.clone())),
        standings: Line::at(Standings(pool.clone())),
        readers: pool,
        acceptance: Line::at(Acceptance(Arc::clone(&writer))),
        writer,
        history: History::new(readers(history.0), history.1),
        _temporary: temporary,
    }
}

async fn migrated(file: &Path, written: Written, migrations: &Migrator) -> Result<Opened, StoreError> {
    let options = options(file, written);
    let mut connection = connect(&options).await?;
    migrate(migrations, &mut connection).await?;
    Ok((options, connection))
}

async fn unchanged(file: &Path, written: Written, migrations: &Migrator) -> Result<Opened, StoreError> {
    if !file.exists() {
        return Err(StoreError::Database(format!("{} is not there", file.display())));
    }
    let options = options(file, written).create_if_missing(false);
    let mut connection = connect(&options).await?;
    let applied: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(&mut connection)
        .await
        .map_err(database)?;
    let known = migrations.iter().map(|migration| migration.version).max();
    if applied != known {
        let (applied, known) = (applied.unwrap_or(0), known.unwrap_or(0));
        return Err(StoreError::Version { applied, known });
    }
    Ok((options, connection))
}

fn options(file: &Path, (synchronous, journal_pages): Written) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(PATIENCE)
        .statement_cache_capacity(256)
        .disable_statement_logging()
        .pragma("cache_size", format!("-{WRITERS_CACHE_KIB}"))
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", journal_pages.to_string())
}

/// Connects a writer. The change to WAL is refused at once, whatever the time-out for locks, where another program is
/// just making the same new database.
async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    let begun = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => sleep(Duration::from_millis(20)).await,
            done => return done.map_err(database),
        }
    }
}

/// `SQLITE_BUSY` and its extended codes, which keep it in their lowest byte.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

fn readers(options: SqliteConnectOptions) -> sqlx::SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options.pragma("cache_size", "-2000").read_only(true).create_if_missing(false))
}

async fn migrate(migrations: &Migrator, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    // SQLite has no lock for migrations: two programs that start at once must not both apply one.
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(database)?;
    migrations.run_direct(None, &mut *tx, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::Schema(format!(
            "it has migration {version}, which this program doesn't know; start the newer program, or go back to a \
             copy of the database from before"
        )),
        MigrateError::VersionMismatch(version) => {
            StoreError::Schema(format!("migration {version} is not the one that was applied"))
        }
        MigrateError::Dirty(version) => StoreError::Schema(format!("migration {version} was applied in part")),
        other => StoreError::Database(other.to_string()),
    })?;
    tx.commit().await.map_err(database)
}

/// A directory that goes when it is dropped.
#[derive(Debug)]
pub(super) struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    pub(super) fn new() -> Self {
        Self(std::env::temp_dir().join(format!("hostgrid-store-{}", uuid::Uuid::new_v4().simple())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // Nothing depends on it: what stays behind is in the system's place for temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
