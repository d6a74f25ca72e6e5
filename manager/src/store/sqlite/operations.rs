//! Operations in SQLite, once they are accepted: reading them, and writing how they go on.

use super::columns::{Columns, stored};
use super::end::{end_operation, refusal};
use super::operation_rows::with_steps;
use super::{SqliteStore, begin, database};
use crate::store::rows::{AuditRow, NewOperation, OperationEnd, OperationFilter, OperationWait, RoomCheck};
use crate::store::{Begun, OperationStore, StoreError};
use async_trait::async_trait;
use grid::operation::{Operation, OperationKind, OperationState, StepState};
use grid::{OperationId, UnixMillis, UserId};
use sqlx::query::Query;
use sqlx::{Database, QueryBuilder, Sqlite};

impl SqliteStore {
    /// One statement by which the holder of an operation writes about it: it meets a row as long as the operation goes
    /// on and nobody else has taken it over.
    async fn write_as_holder(
        &self,
        (id, epoch): (&str, i64),
        statement: Query<'_, Sqlite, <Sqlite as Database>::Arguments>,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = statement.execute(&mut *tx).await.map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(refusal(&mut tx, id, epoch).await?);
        }
        tx.commit().await.map_err(database)
    }
}

#[async_trait]
impl OperationStore for SqliteStore {
    async fn operation_begin(&self, new: &NewOperation, room: &[RoomCheck]) -> Result<Begun, StoreError> {
        self.acceptance.ask((new.clone(), room.to_vec())).await?
    }

    async fn operation_room_made(
        &self,
        operation: OperationId,
        kind: &OperationKind,
        steps: &[&'static str],
        room: &RoomCheck,
    ) -> Result<Begun, StoreError> {
        self.room_made(operation, kind, steps, room).await
    }

    async fn operation_by_key(&self, actor: UserId, key: &str) -> Result<Option<OperationId>, StoreError> {
        let row = sqlx::query("SELECT id FROM operation WHERE actor = ? AND idempotency_key = ?")
            .bind(actor.to_string())
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(database)?;
        row.map(|row| Columns(&row).parsed("id")).transpose()
    }

    async fn operation_get(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let mut reader = self.readers.begin().await.map_err(database)?;
        let rows = sqlx::query("SELECT * FROM operation WHERE id = ?")
            .bind(id.to_string())
            .fetch_all(&mut *reader)
            .await
            .map_err(database)?;
        Ok(with_steps(&mut reader, &rows).await?.pop())
    }

    async fn operation_list(&self, filter: &OperationFilter) -> Result<Vec<Operation>, StoreError> {
        let whose = |query: &mut QueryBuilder<Sqlite>| {
            if let Some(tenant) = filter.tenant {
                query.push(" AND tenant = ").push_bind(tenant.to_string());
            }
            if let Some(vm) = filter.vm {
                query.push(" AND vm = ").push_bind(vm.to_string());
            }
        };
        let mut query = QueryBuilder::new("SELECT * FROM operation WHERE TRUE");
        whose(&mut query);
        let limit = i64::from(if filter.limit == 0 { OperationFilter::DEFAULT_LIMIT } else { filter.limit });
        if let Some(node) = filter.node {
            // The latest from there and the latest to there, each by its index: no more of them can be the latest of all.
            query.push(" AND rowid IN (");
            for (position, column) in ["source", "destination"].into_iter().enumerate() {
                query.push(if position == 0 { "SELECT * FROM (" } else { " UNION SELECT * FROM (" });
                query.push("SELECT rowid FROM operation WHERE ").push(column).push(" = ").push_bind(node.to_string());
                whose(&mut query);
                query.push(" ORDER BY rowid DESC LIMIT ").push_bind(limit).push(")");
            }
            query.push(")");
        }
        // In the order in which they were accepted, which no clock that is set back changes.
        query.push(" ORDER BY rowid DESC LIMIT ").push_bind(limit);
        let mut reader = self.readers.begin().await.map_err(database)?;
        let rows = query.build().fetch_all(&mut *reader).await.map_err(database)?;
        with_steps(&mut reader, &rows).await
    }

    async fn operation_unfinished(&self) -> Result<Vec<Operation>, StoreError> {
        let mut reader = self.readers.begin().await.map_err(database)?;
        let rows = sqlx::query("SELECT * FROM operation WHERE ended_ms IS NULL ORDER BY +rowid")
            .fetch_all(&mut *reader)
            .await
            .map_err(database)?;
        with_steps(&mut reader, &rows).await
    }

    async fn operation_claim(&self, id: OperationId) -> Result<u64, StoreError> {
        self.claim(id, false).await
    }

    async fn operation_claim_waiting(&self, id: OperationId) -> Result<u64, StoreError> {
        self.claim(id, true).await
    }

    async fn operation_wait(&self, operation: OperationId, epoch: u64, wait: &OperationWait) -> Result<(), StoreError> {
        self.wait(operation, stored(epoch)?, wait).await
    }

    async fn operation_resume(&self, operation: OperationId, audit: &AuditRow) -> Result<(), StoreError> {
        self.resume(operation, audit).await
    }

    async fn operation_cancel(&self, operation: OperationId, by: UserId, audit: &AuditRow) -> Result<(), StoreError> {
        self.cancel(operation, by, audit).await
    }

    async fn step_set(
        &self,
        operation: OperationId,
        epoch: u64,
        position: u32,
        state: StepState,
        note: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let (id, epoch) = (operation.to_string(), stored(epoch)?);
        let ended = matches!(state, StepState::Done | StepState::Failed | StepState::Undone).then_some(now.0);
        let started = (state != StepState::Waiting).then_some(now.0);
        let statement = sqlx::query(
            "INSERT INTO operation_step (operation, position, name, state, started_ms, ended_ms, note)
             SELECT operation.id, step.key, step.value, ?3, ?4, ?5, ?6 FROM operation, json_each(steps) AS step
             WHERE operation.id = ?1 AND step.key = ?2 AND epoch = ?7 AND ended_ms IS NULL
             ON CONFLICT (operation, position) DO UPDATE
             SET state = excluded.state, started_ms = COALESCE(started_ms, excluded.started_ms),
                 ended_ms = excluded.ended_ms, note = COALESCE(excluded.note, note)",
        )
        .bind(&id)
        .bind(i64::from(position))
        .bind(state.as_str())
        .bind(started)
        .bind(ended)
        .bind(note)
        .bind(epoch);
        self.write_as_holder((&id, epoch), statement).await
    }

    async fn operation_state_set(
        &self,
        operation: OperationId,
        epoch: u64,
        state: OperationState,
    ) -> Result<(), StoreError> {
        if state.is_over() || state == OperationState::Waiting {
            return Err(StoreError::Conflict("an operation ends by operation_end and waits by operation_wait"));
        }
        let (id, epoch) = (operation.to_string(), stored(epoch)?);
        let statement = sqlx::query("UPDATE operation SET state = ? WHERE id = ? AND epoch = ? AND ended_ms IS NULL")
            .bind(state.as_str())
            .bind(&id)
            .bind(epoch);
        self.write_as_holder((&id, epoch), statement).await
    }

    async fn operation_fact_set(
        &self,
        operation: OperationId,
        epoch: u64,
        key: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let (id, epoch) = (operation.to_string(), stored(epoch)?);
        let statement = sqlx::query(
            "INSERT INTO operation_fact (operation, key, value)
             SELECT id, ?2, ?3 FROM operation WHERE id = ?1 AND epoch = ?4 AND ended_ms IS NULL
             ON CONFLICT (operation, key) DO UPDATE SET value = excluded.value",
        )
        .bind(&id)
        .bind(key)
        .bind(value)
        .bind(epoch);
        self.write_as_holder((&id, epoch), statement).await
    }

    async fn operation_fact_get(&self, operation: OperationId, key: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT value FROM operation_fact WHERE operation = ? AND key = ?")
            .bind(operation.to_string())
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(database)
    }

    async fn operation_end(&self, operation: OperationId, epoch: u64, end: &OperationEnd) -> Result<(), StoreError> {
        if !end.state.is_over() {
            return Err(StoreError::Conflict("this state is no end"));
        }
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        end_operation(&mut tx, &operation.to_string(), stored(epoch)?, end).await?;
        tx.commit().await.map_err(database)
    }
}
