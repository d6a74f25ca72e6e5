//! The history of samples in SQLite, in a database file of its own: it is written in batches, read by ranges, and
//! forgotten by age.

use super::columns::Columns;
use super::line::{Desk, Line};
use super::many::put_all;
use super::{SqliteStore, begin, database};
use crate::store::rows::{LastSample, MetricPoint, MetricSeries};
use crate::store::{HistoryStore, StoreError};
use async_trait::async_trait;
use grid::sample::Source;
use grid::{NodeId, UnixMillis};
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqliteRow};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Those behind a node and a source.
const SAMPLES: &str = "
    SELECT node, source, at_ms, body FROM last_sample WHERE (node, source) > (?, ?) ORDER BY node, source LIMIT ?";

pub(super) struct History {
    readers: SqlitePool,
    writer: Arc<Mutex<HistoryWriter>>,
    samples: Line<Samples>,
}

/// Where last samples are kept: those of many nodes that come together are written together.
struct Samples(Arc<Mutex<HistoryWriter>>);

impl Desk for Samples {
    type Question = LastSample;
    type Answer = ();
    type Connection = OwnedMutexGuard<HistoryWriter>;

    async fn connect(&self) -> Result<Self::Connection, StoreError> {
        Ok(Arc::clone(&self.0).lock_owned().await)
    }

    async fn answer(writer: &mut Self::Connection, samples: &[LastSample]) -> Result<Vec<()>, StoreError> {
        let mut tx = begin(&mut writer.connection).await?;
        let into = "INSERT INTO last_sample (node, source, at_ms, body) ";
        let then = " ON CONFLICT (node, source) DO UPDATE SET at_ms = excluded.at_ms, body = excluded.body";
        put_all(&mut tx, into, then, samples, |tuple, sample| {
            tuple
                .push_bind(sample.node.to_string())
                .push_bind(sample.source.as_str())
                .push_bind(sample.at.0)
                .push_bind(sample.json.clone());
        })
        .await
        .map_err(database)?;
        tx.commit().await.map_err(database)?;
        Ok(vec![(); samples.len()])
    }
}

/// The only connection that writes the history, and the numbers of the series that it has seen.
struct HistoryWriter {
    connection: SqliteConnection,
    series: HashMap<MetricSeries, i64>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("History")
    }
}

impl History {
    pub(super) fn new(readers: SqlitePool, connection: SqliteConnection) -> Self {
        let writer = Arc::new(Mutex::new(HistoryWriter { connection, series: HashMap::new() }));
        Self { readers, samples: Line::at(Samples(Arc::clone(&writer))), writer }
    }
}

/// The series' number, made where it is new.
async fn series_number(connection: &mut SqliteConnection, series: &MetricSeries) -> Result<i64, StoreError> {
    sqlx::query("INSERT INTO series (subject, metric) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(&series.subject)
        .bind(&series.metric)
        .execute(&mut *connection)
        .await
        .map_err(database)?;
    sqlx::query_scalar("SELECT id FROM series WHERE subject = ? AND metric = ?")
        .bind(&series.subject)
        .bind(&series.metric)
        .fetch_one(connection)
        .await
        .map_err(database)
}

#[async_trait]
impl HistoryStore for SqliteStore {
    async fn metrics_add(&self, points: &[MetricPoint]) -> Result<(), StoreError> {
        let mut writer = self.history.writer.lock().await;
        let HistoryWriter { connection, series } = &mut *writer;
        let mut tx = begin(connection).await?;
        // Numbers made here are kept only once the transaction holds.
        let mut made: HashMap<&MetricSeries, i64> = HashMap::new();
        let mut rows = Vec::with_capacity(points.len());
        // What is no number is no point; who took the sample has said so.
        for point in points.iter().filter(|point| point.value.is_finite()) {
            let known = series.get(&point.series).or_else(|| made.get(&point.series)).copied();
            let number = if let Some(number) = known { number } else { series_number(&mut tx, &point.series).await? };
            if known.is_none() {
                made.insert(&point.series, number);
            }
            rows.push((number, point.at.0, point.value));
        }
        let rows = serde_json::to_string(&rows).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        sqlx::query(
            "INSERT INTO point (series, at_ms, value)
             SELECT value ->> 0, value ->> 1, CAST(value ->> 2 AS REAL) FROM json_each(?) WHERE TRUE
             ON CONFLICT (series, at_ms) DO UPDATE SET value = excluded.value",
        )
        .bind(rows)
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        tx.commit().await.map_err(database)?;
        series.extend(made.into_iter().map(|(series, number)| (series.clone(), number)));
        Ok(())
    }

    async fn metrics_read(
        &self,
        series: &MetricSeries,
        from: UnixMillis,
        to: UnixMillis,
        limit: u32,
    ) -> Result<Vec<(UnixMillis, f64)>, StoreError> {
        if limit == 0 || from > to {
            return Ok(Vec::new());
        }
        let mut reader = self.history.readers.begin().await.map_err(database)?;
        let number: Option<i64> = sqlx::query_scalar("SELECT id FROM series WHERE subject = ? AND metric = ?")
            .bind(&series.subject)
            .bind(&series.metric)
            .fetch_optional(&mut *reader)
            .await
            .map_err(database)?;
        let Some(number) = number else { return Ok(Vec::new()) };
        // One more than asked for tells whether they must be thinned.
        let mut points: Vec<(i64, f64)> = sqlx::query_as(
            "SELECT at_ms, value FROM point WHERE series = ? AND at_ms BETWEEN ? AND ? ORDER BY at_ms LIMIT ?",
        )
        .bind(number)
        .bind(from.0)
        .bind(to.0)
        .bind(i64::from(limit) + 1)
        .fetch_all(&mut *reader)
        .await
        .map_err(database)?;
        if points.len() > limit as usize {
            let width = to.since(from) / u64::from(limit) + 1;
            points = sqlx::query_as(
                "SELECT CAST(AVG(at_ms) AS INTEGER), AVG(value) FROM point
                 WHERE series = ?1 AND at_ms BETWEEN ?2 AND ?3 GROUP BY (at_ms - ?2) / ?4 ORDER BY 1",
            )
            .bind(number)
            .bind(from.0)
            .bind(to.0)
            .bind(i64::try_from(width).unwrap_or(i64::MAX))
            .fetch_all(&mut *reader)
            .await
            .map_err(database)?;
        }
        Ok(points.into_iter().map(|(at, value)| (UnixMillis(at), value)).collect())
    }

    async fn metrics_forget(&self, before: UnixMillis) -> Result<u64, StoreError> {
        let mut writer = self.history.writer.lock().await;
        let HistoryWriter { connection, series } = &mut *writer;
        let mut tx = begin(connection).await?;
        let done = sqlx::query("DELETE FROM point WHERE series IN (SELECT id FROM series) AND at_ms < ?")
            .bind(before.0)
            .execute(&mut *tx)
            .await
            .map_err(database)?;
        sqlx::query("DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM point WHERE point.series = series.id)")
            .execute(&mut *tx)
            .await
            .map_err(database)?;
        tx.commit().await.map_err(database)?;
        series.clear();
        Ok(done.rows_affected())
    }

    async fn sample_put(&self, node: NodeId, source: Source, at: UnixMillis, json: &str) -> Result<(), StoreError> {
        self.history.samples.ask(LastSample { node, source, at, json: json.to_owned() }).await
    }

    async fn sample_get(&self, node: NodeId, source: Source) -> Result<Option<(UnixMillis, String)>, StoreError> {
        let row = sqlx::query("SELECT at_ms, body FROM last_sample WHERE node = ? AND source = ?")
            .bind(node.to_string())
            .bind(source.as_str())
            .fetch_optional(&self.history.readers)
            .await
            .map_err(database)?;
        row.map(|row| {
            let columns = Columns(&row);
            Ok((columns.time("at_ms")?, columns.text("body")?))
        })
        .transpose()
    }

    async fn sample_list(&self, after: Option<(NodeId, Source)>, limit: u32) -> Result<Vec<LastSample>, StoreError> {
        let (node, source) = after.map_or_else(Default::default, |(node, source)| (node.to_string(), source.as_str()));
        let rows = sqlx::query(SAMPLES).bind(node).bind(source).bind(limit).fetch_all(&self.history.readers).await;
        let sample = |row: &SqliteRow| {
            let columns = Columns(row);
            Ok(LastSample {
                node: columns.parsed("node")?,
                source: columns.source("source")?,
                at: columns.time("at_ms")?,
                json: columns.text("body")?,
            })
        };
        rows.map_err(database)?.iter().map(sample).collect()
    }
}
