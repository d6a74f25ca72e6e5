//! Relocations in SQLite.

use super::accounts::audit;
use super::columns::{Columns, administration_word};
use super::operation_rows::with_steps;
use super::{SqliteStore, begin, database};
use crate::store::rows::AuditRow;
use crate::store::{RelocationStore, StoreError};
use async_trait::async_trait;
use grid::node::Administration;
use grid::operation::Operation;
use grid::relocation::{Relocation, RelocationState};
use grid::{NodeId, RelocationId, UserId};
use sqlx::sqlite::SqliteRow;

fn relocation(row: &SqliteRow) -> Result<Relocation, StoreError> {
    let columns = Columns(row);
    Ok(Relocation {
        id: columns.parsed("id")?,
        node: columns.parsed("node")?,
        actor: columns.parsed("actor")?,
        state: columns.relocation_state("state")?,
        reason: columns.text_or_none("reason")?,
        cancelled_by: columns.parsed_or_none("cancelled_by")?,
        created_at: columns.time("created_ms")?,
        ended_at: columns.time_or_none("ended_ms")?,
    })
}

#[async_trait]
impl RelocationStore for SqliteStore {
    async fn relocation_begin(&self, new: &Relocation, row: &AuditRow) -> Result<(), StoreError> {
        let (id, node) = (new.id.to_string(), new.node.to_string());
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let known: Option<String> = sqlx::query_scalar(
            "SELECT id FROM relocation WHERE id = ?1 OR (node = ?2 AND ended_ms IS NULL) ORDER BY id = ?1 DESC LIMIT 1",
        )
        .bind(&id)
        .bind(&node)
        .fetch_optional(&mut *tx)
        .await
        .map_err(database)?;
        match known {
            Some(known) if known == id => return Ok(()),
            Some(_) => return Err(StoreError::Conflict("the node is being emptied already")),
            None => {}
        }
        sqlx::query("INSERT INTO relocation (id, node, actor, state, created_ms) VALUES (?, ?, ?, ?, ?)")
            .bind(&id)
            .bind(&node)
            .bind(new.actor.to_string())
            .bind(RelocationState::Running.as_str())
            .bind(new.created_at.0)
            .execute(&mut *tx)
            .await
            .map_err(database)?;
        sqlx::query("UPDATE node SET administration = ? WHERE id = ?")
            .bind(administration_word(Administration::Draining))
            .bind(&node)
            .execute(&mut *tx)
            .await
            .map_err(database)?;
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn relocation_get(&self, id: RelocationId) -> Result<Option<Relocation>, StoreError> {
        let row = sqlx::query("SELECT * FROM relocation WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(database)?;
        row.as_ref().map(relocation).transpose()
    }

    async fn relocation_newest(&self, node: NodeId) -> Result<Option<Relocation>, StoreError> {
        let row = sqlx::query("SELECT * FROM relocation WHERE node = ? ORDER BY created_ms DESC, id DESC LIMIT 1")
            .bind(node.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(database)?;
        row.as_ref().map(relocation).transpose()
    }

    async fn relocation_unfinished(&self) -> Result<Vec<Relocation>, StoreError> {
        let rows = sqlx::query("SELECT * FROM relocation WHERE ended_ms IS NULL ORDER BY created_ms, id")
            .fetch_all(&self.readers)
            .await
            .map_err(database)?;
        rows.iter().map(relocation).collect()
    }

    async fn relocation_operations(&self, id: RelocationId) -> Result<Vec<Operation>, StoreError> {
        let mut reader = self.readers.begin().await.map_err(database)?;
        let rows = sqlx::query("SELECT * FROM operation WHERE relocation = ? ORDER BY created_ms, id")
            .bind(id.to_string())
            .fetch_all(&mut *reader)
            .await
            .map_err(database)?;
        with_steps(&mut reader, &rows).await
    }

    async fn relocation_cancel(&self, id: RelocationId, by: UserId, row: &AuditRow) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query(
            "UPDATE relocation SET cancelled_by = ? WHERE id = ? AND ended_ms IS NULL AND cancelled_by IS NULL",
        )
        .bind(by.to_string())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict("it is over, or was cancelled already"));
        }
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
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
