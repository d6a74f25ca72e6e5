//! Many rows by few statements.

use super::database;
use crate::store::StoreError;
use grid::{Resource, Resources};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

/// So many rows go into one statement at most: as many as are accepted together.
const MOST: usize = 256;

/// One row's values, in the order of its columns.
pub(super) type Tuple<'a, 'b> = Separated<'a, Sqlite, &'b str>;

/// Inserts them all, in their order: `into` ends before `VALUES`. By runs of a power of two, so that there are few
/// statements to prepare.
pub(super) async fn insert_all<T>(
    connection: &mut SqliteConnection,
    into: &'static str,
    rows: &[T],
    bind: impl Fn(&mut Tuple<'_, '_>, &T),
) -> Result<(), sqlx::Error> {
    put_all(connection, into, "", rows, bind).await
}

/// The same, where `then` says what becomes of a row that is there already.
pub(super) async fn put_all<T>(
    connection: &mut SqliteConnection,
    into: &'static str,
    then: &'static str,
    rows: &[T],
    bind: impl Fn(&mut Tuple<'_, '_>, &T),
) -> Result<(), sqlx::Error> {
    let mut left = rows;
    while !left.is_empty() {
        let (run, rest) = left.split_at((1 << left.len().ilog2()).min(MOST));
        let mut query = QueryBuilder::<Sqlite>::new(into);
        query.push_values(run, |mut tuple, row| bind(&mut tuple, row));
        query.push(then).build().execute(&mut *connection).await?;
        left = rest;
    }
    Ok(())
}

/// Binds the amount of each resource, which are the last of the row's values.
pub(super) fn push_resources(tuple: &mut Tuple<'_, '_>, amounts: &[i64; Resource::COUNT]) {
    for amount in amounts {
        tuple.push_bind(*amount);
    }
}

/// As one argument, which `json_each` makes rows of.
pub(super) fn json(all: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(all).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// What a statement with this one argument finds, all of it as one JSON array: rows come from the connection's thread one
/// by one, and wake who waits for each.
pub(super) async fn found<T: DeserializeOwned>(
    connection: &mut SqliteConnection,
    statement: &'static str,
    all: &(impl Serialize + Sync),
) -> Result<Vec<T>, StoreError> {
    let found: String = sqlx::query_scalar(statement).bind(json(all)?).fetch_one(connection).await.map_err(database)?;
    read(&found)
}

/// What [`found`] reads: amounts in the order of [`Resource::ALL`].
pub(super) type Amounts = [u64; Resource::COUNT];

pub(super) fn resources(amounts: Amounts) -> Resources {
    let mut all = Resources::ZERO;
    for (resource, amount) in Resource::ALL.into_iter().zip(amounts) {
        all.set(resource, amount);
    }
    all
}

pub(super) fn read<T: DeserializeOwned>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The rows that a statement with this one argument finds.
pub(super) async fn rows_of(
    connection: &mut SqliteConnection,
    statement: &'static str,
    all: &(impl Serialize + Sync),
) -> Result<Vec<sqlx::sqlite::SqliteRow>, StoreError> {
    sqlx::query(statement).bind(json(all)?).fetch_all(connection).await.map_err(database)
}
