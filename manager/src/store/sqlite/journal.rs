//! The journal (SQLite's WAL): what is committed stands there first, and is folded into the database from time to time.
//!
//! SQLite has it folded by the commit that made it long, and whoever waits for that commit waits for thousands of pages.
//! Here a connection of its own folds most of it while the writer goes on, then, in the writer's turn, the little that
//! came meanwhile, so that the journal begins anew.
//!
//! ```text
//!   writer's turns   ──[commit]──[commit]──[commit]──(the rest)──[commit, at the journal's beginning]──
//!   folder             └─ looks ─> long? ──── folds ────┘
//! ```
//!
//! Where that fails or lags behind, the writer does it in the end, as SQLite would.

use super::database;
use crate::store::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Row};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// It is folded from so many pages on (128 MiB): pages that are written again and again meanwhile are folded in once.
pub(super) const LONG: i64 = 32_768;

/// At so many pages the writer folds it by itself.
pub(super) const FAR_TOO_LONG: i64 = 4 * LONG;

/// A page's place in the journal's file.
const BYTES_A_PAGE: u64 = 4_096 + 24;

/// Between two looks at how long it is.
const TURNS_BETWEEN: u32 = 8;

/// So long readers of older pages are waited for, by the writer too.
const PATIENCE: Duration = Duration::from_millis(50);

/// The connection that folds; none before there is anything to fold.
type Folder = Option<SqliteConnection>;

pub(super) struct Journal {
    options: SqliteConnectOptions,
    file: PathBuf,
    /// From so many pages on it is folded.
    long: i64,
    turns: AtomicU32,
    folder: Arc<Mutex<Folder>>,
    /// Held by whoever writes.
    writer: Arc<Mutex<SqliteConnection>>,
}

impl Journal {
    pub(super) fn new(options: SqliteConnectOptions, writer: Arc<Mutex<SqliteConnection>>, long: i64) -> Arc<Self> {
        let mut file = options.get_filename().as_os_str().to_owned();
        file.push("-wal");
        let (file, options) = (file.into(), options.busy_timeout(PATIENCE));
        Arc::new(Self { options, file, long, turns: AtomicU32::new(0), folder: Arc::default(), writer })
    }

    /// Somebody writes. Every few times it is looked at, in a task of its own: nobody waits for that.
    pub(super) fn is_written(self: &Arc<Self>) {
        if !self.turns.fetch_add(1, Ordering::Relaxed).is_multiple_of(TURNS_BETWEEN) {
            return;
        }
        // The file never shrinks: a small one was never long.
        if !std::fs::metadata(&self.file).is_ok_and(|it| it.len() >= BYTES_A_PAGE * self.long.unsigned_abs()) {
            return;
        }
        let Ok(mut folder) = Arc::clone(&self.folder).try_lock_owned() else { return };
        let journal = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = journal.fold(&mut folder).await {
                tracing::warn!(%error, "the journal could not be folded in");
                *folder = None;
            }
        });
    }

    async fn fold(&self, folder: &mut OwnedMutexGuard<Folder>) -> Result<(), StoreError> {
        let connection = match folder.as_mut() {
            Some(connection) => connection,
            None => folder.insert(self.options.connect().await.map_err(database)?),
        };
        // Also what is folded but could not begin anew, for somebody read.
        if checkpoint(connection, "PRAGMA wal_checkpoint(NOOP)").await?.written < self.long {
            return Ok(());
        }
        checkpoint(connection, "PRAGMA wal_checkpoint(PASSIVE)").await?;
        let _turn = self.writer.lock().await;
        let Pages { busy, written, folded } = checkpoint(connection, "PRAGMA wal_checkpoint(RESTART)").await?;
        if busy && written >= FAR_TOO_LONG {
            tracing::warn!(written, folded, "the journal grows: somebody reads for long");
        }
        Ok(())
    }
}

/// Of the journal.
struct Pages {
    /// Whether somebody reads what stands in it.
    busy: bool,
    written: i64,
    /// Of these are in the database too.
    folded: i64,
}

/// What there is after this.
async fn checkpoint(connection: &mut SqliteConnection, statement: &'static str) -> Result<Pages, StoreError> {
    let row = sqlx::query(statement).fetch_one(connection).await.map_err(database)?;
    let pages = |column: usize| row.try_get(column).map_err(database);
    Ok(Pages { busy: pages(0)? != 0, written: pages(1)?, folded: pages(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{AccountStore, rows::AuditRow};
    use grid::UnixMillis;

    const SHORT: i64 = 8;

    /// A store with a journal that is longer than that.
    async fn written() -> (SqliteStore, Arc<Journal>) {
        let store = SqliteStore::open_temporary().await.unwrap();
        let journal = Journal::new(store.writer.options.clone(), Arc::clone(&store.writer.connection), SHORT);
        for _ in 0..SHORT {
            write(&store).await;
        }
        (store, journal)
    }

    async fn write(store: &SqliteStore) {
        let text = || String::from("x");
        let row =
            AuditRow { at: UnixMillis(1), actor: None, tenant: None, action: text(), target: text(), outcome: text() };
        store.audit_add(&row).await.unwrap();
    }

    async fn pages(journal: &Journal) -> (i64, i64) {
        let mut connection = journal.options.connect().await.unwrap();
        let Pages { written, folded, .. } = checkpoint(&mut connection, "PRAGMA wal_checkpoint(NOOP)").await.unwrap();
        (written, folded)
    }

    #[tokio::test]
    async fn a_long_journal_is_folded_in_and_begins_anew() {
        let (store, journal) = written().await;
        let mut connection = Arc::clone(&journal.folder).lock_owned().await;
        journal.fold(&mut connection).await.unwrap();
        let (written, folded) = pages(&journal).await;
        assert!(written >= SHORT && folded == written, "{folded} of {written}");
        write(&store).await;
        let (written, folded) = pages(&journal).await;
        assert!((1..SHORT).contains(&written) && folded == 0, "{folded} of {written}");
        journal.fold(&mut connection).await.unwrap();
        assert_eq!(pages(&journal).await, (written, 0), "a short one is left");
    }

    #[tokio::test]
    async fn who_reads_an_older_picture_keeps_it() {
        let (store, journal) = written().await;
        let mut connection = Arc::clone(&journal.folder).lock_owned().await;
        let count = || sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM audit");
        let mut reader = store.readers.begin().await.unwrap();
        let before = count().fetch_one(&mut *reader).await.unwrap();
        write(&store).await;
        journal.fold(&mut connection).await.unwrap();
        write(&store).await;
        assert_eq!(count().fetch_one(&mut *reader).await.unwrap(), before);
        let kept = pages(&journal).await;
        assert!(kept.0 > SHORT, "it could not begin anew: {kept:?}");
        reader.rollback().await.unwrap();
        assert_eq!(count().fetch_one(&store.readers).await.unwrap(), before + 2);
        // What is folded already, but for the last write, begins anew once nobody reads it.
        journal.fold(&mut connection).await.unwrap();
        write(&store).await;
        let (written, folded) = pages(&journal).await;
        assert!(written < SHORT && folded == 0, "{folded} of {written}");
    }

    #[tokio::test]
    async fn who_writes_has_it_folded_by_somebody_else() {
        let (_store, journal) = written().await;
        for _ in 0..TURNS_BETWEEN {
            journal.is_written();
        }
        for _ in 0..500 {
            let (written, folded) = pages(&journal).await;
            if written == folded {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it was not folded: {:?}", pages(&journal).await);
    }
}
