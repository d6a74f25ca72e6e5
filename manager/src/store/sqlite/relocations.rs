//! Relocations in SQLite.

use super::accounts::audit;
use super::columns::Columns;
use super::nodes::{FENCED, administer, is_fenced};
use super::operation_rows::with_steps;
use super::{SqliteStore, begin, constraint, database, is_known};
use crate::store::rows::AuditRow;
use crate::store::{RelocationStore, StoreError};
use async_trait::async_trait;
use grid::node::Administration;
use grid::operation::Operation;
use grid::relocation::{Relocation, RelocationKind, RelocationState};
use grid::{NodeId, RelocationId, UserId};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

fn relocation(row: &SqliteRow) -> Result<Relocation, StoreError> {
    let columns = &Columns(row);
    Ok(Relocation {
        id: columns.parsed("id")?,
        kind: kind(columns)?,
        actor: columns.parsed("actor")?,
        state: columns.relocation_state("state")?,
        reason: columns.text_or_none("reason")?,
        cancelled_by: columns.parsed_or_none("cancelled_by")?,
        created_at: columns.time("created_ms")?,
        ended_at: columns.time_or_none("ended_ms")?,
    })
}

/// A drain that an older program began has its node alone.
fn kind(columns: &Columns<'_>) -> Result<RelocationKind, StoreError> {
    match columns.text_or_none("body")? {
        Some(body) => serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(format!("body: {error}"))),
        None => Ok(RelocationKind::Drain { node: columns.parsed("node")? }),
    }
}

/// Writes one that begins.
pub(super) async fn insert(tx: &mut SqliteConnection, new: &Relocation) -> Result<(), StoreError> {
    let body = serde_json::to_string(&new.kind).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    sqlx::query("INSERT INTO relocation (id, kind, body, node, actor, state, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(new.id.to_string())
        .bind(new.kind.as_str())
        .bind(body)
        .bind(new.kind.node().map(|node| node.to_string()))
        .bind(new.actor.to_string())
        .bind(RelocationState::Running.as_str())
        .bind(new.created_at.0)
        .execute(tx)
        .await
        .map_err(constraint("another of its kind is under way, or its node or actor is not there"))?;
    Ok(())
}

#[async_trait]
impl RelocationStore for SqliteStore {
    async fn relocation_begin(&self, new: &Relocation, row: &AuditRow) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if is_known(&mut tx, "SELECT EXISTS (SELECT 1 FROM relocation WHERE id = ?)", &new.id.to_string()).await? {
            return Ok(());
        }
        insert(&mut tx, new).await?;
        if let Some(node) = new.kind.node() {
            if is_fenced(&mut tx, node).await? {
                return Err(StoreError::Conflict(FENCED));
            }
            administer(&mut tx, node, Administration::Draining).await?;
        }
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn relocation_get(&self, id: RelocationId) -> Result<Option<Relocation>, StoreError> {
        self.one(sqlx::query("SELECT * FROM relocation WHERE id = ?").bind(id.to_string()), relocation).await
    }

    async fn relocation_newest(&self, node: Option<NodeId>) -> Result<Option<Relocation>, StoreError> {
        // What goes on was begun last, whatever the clock said since.
        let statement = sqlx::query(
            "SELECT * FROM relocation WHERE kind = ? AND node IS ?
             ORDER BY ended_ms IS NULL DESC, created_ms DESC, id DESC LIMIT 1",
        )
        .bind(if node.is_some() { "drain" } else { "rebalance" })
        .bind(node.map(|node| node.to_string()));
        self.one(statement, relocation).await
    }

    async fn relocation_list(&self) -> Result<Vec<Relocation>, StoreError> {
        self.all(sqlx::query("SELECT * FROM relocation ORDER BY created_ms, id"), relocation).await
    }

    async fn relocation_unfinished(&self) -> Result<Vec<Relocation>, StoreError> {
        let statement = sqlx::query("SELECT * FROM relocation WHERE ended_ms IS NULL ORDER BY created_ms, id");
        self.all(statement, relocation).await
    }

    async fn relocation_operations(&self, id: RelocationId) -> Result<Vec<Operation>, StoreError> {
        let mut reader = self.readers.begin().await.map_err(database)?;
        let rows = sqlx::query("SELECT * FROM operation WHERE relocation = ? ORDER BY rowid")
            .bind(id.to_string())
            .fetch_all(&mut *reader)
            .await
            .map_err(database)?;
        with_steps(&mut reader, &rows).await
    }

    async fn relocation_cancel(&self, id: RelocationId, by: UserId, row: &AuditRow) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "UPDATE relocation SET cancelled_by = ? WHERE id = ? AND ended_ms IS NULL AND cancelled_by IS NULL",
        );
        let statement = statement.bind(by.to_string()).bind(id.to_string());
        self.decide(statement, "it is over, or was cancelled already", row).await
    }

    async fn relocation_end(
        &self,
        id: RelocationId,
        state: RelocationState,
        reason: Option<&str>,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done =
            sqlx::query("UPDATE relocation SET state = ?, reason = ?, ended_ms = ? WHERE id = ? AND ended_ms IS NULL")
                .bind(state.as_str())
                .bind(reason)
                .bind(row.at.0)
                .bind(id.to_string())
                .execute(&mut *tx)
                .await
                .map_err(database)?;
        if done.rows_affected() > 0 {
            audit(&mut tx, row).await?;
        }
        tx.commit().await.map_err(database)
    }
}
