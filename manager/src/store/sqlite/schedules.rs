//! Scheduled resizes in SQLite.

use super::accounts::audit;
use super::columns::Columns;
use super::{SqliteStore, begin, constraint, database, is_known};
use crate::store::rows::{AuditRow, ScheduleEnd};
use crate::store::{ScheduleStore, StoreError};
use async_trait::async_trait;
use grid::schedule::ScheduledResize;
use grid::window::Window;
use grid::{ScheduleId, VmId};
use sqlx::sqlite::SqliteRow;

fn schedule(row: &SqliteRow) -> Result<ScheduledResize, StoreError> {
    let columns = &Columns(row);
    let agreed = serde_json::from_str(&columns.text("agreed")?);
    Ok(ScheduledResize {
        id: columns.parsed("id")?,
        vm: columns.parsed("vm")?,
        tenant: columns.parsed("tenant")?,
        actor: columns.parsed("actor")?,
        window: Window { opens: columns.time("opens_ms")?, closes: columns.time("closes_ms")? },
        agreed: agreed.map_err(|error| StoreError::Corrupt(format!("agreed: {error}")))?,
        state: columns.schedule_state("state")?,
        reason: columns.text_or_none("reason")?,
        operation: columns.parsed_or_none("operation")?,
        created_at: columns.time("created_ms")?,
        ended_at: columns.time_or_none("ended_ms")?,
    })
}

/// One that this program can't read, for another version wrote it, is kept as it is and holds up no other.
#[expect(clippy::unnecessary_wraps, reason = "it reads a row as all others are read")]
fn readable(row: &SqliteRow) -> Result<Option<ScheduledResize>, StoreError> {
    let read = schedule(row);
    if let Err(error) = &read {
        let id = Columns(row).text("id").unwrap_or_default();
        tracing::error!(%error, schedule = id, "a scheduled resize can't be read and is left as it is");
    }
    Ok(read.ok())
}

#[async_trait]
impl ScheduleStore for SqliteStore {
    async fn schedule_add(&self, new: &ScheduledResize, row: &AuditRow) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        if is_known(&mut tx, "SELECT EXISTS (SELECT 1 FROM schedule WHERE id = ?)", &new.id.to_string()).await? {
            return Ok(());
        }
        let agreed = serde_json::to_string(&new.agreed).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let done = sqlx::query(
            "INSERT INTO schedule (id, vm, tenant, actor, opens_ms, closes_ms, agreed, state, created_ms)
             SELECT ?1, id, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM vm WHERE id = ?2",
        )
        .bind(new.id.to_string())
        .bind(new.vm.to_string())
        .bind(new.tenant.to_string())
        .bind(new.actor.to_string())
        .bind(new.window.opens.0)
        .bind(new.window.closes.0)
        .bind(agreed)
        .bind(new.state.as_str())
        .bind(new.created_at.0)
        .execute(&mut *tx)
        .await
        .map_err(constraint("another change of its size is scheduled already: cancel that one first"))?;
        super::met(done.rows_affected())?;
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn schedule_get(&self, id: ScheduleId) -> Result<Option<ScheduledResize>, StoreError> {
        self.one(sqlx::query("SELECT * FROM schedule WHERE id = ?").bind(id.to_string()), schedule).await
    }

    async fn schedule_list(&self, vm: VmId, limit: u32) -> Result<Vec<ScheduledResize>, StoreError> {
        // What waits was agreed to last, whatever the clock said since.
        let statement = sqlx::query(
            "SELECT * FROM schedule WHERE vm = ? ORDER BY ended_ms IS NULL DESC, created_ms DESC, id DESC LIMIT ?",
        );
        let found = self.all(statement.bind(vm.to_string()).bind(i64::from(limit)), readable).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn schedule_waiting(&self) -> Result<Vec<ScheduledResize>, StoreError> {
        let statement = sqlx::query("SELECT * FROM schedule WHERE ended_ms IS NULL ORDER BY opens_ms, id");
        Ok(self.all(statement, readable).await?.into_iter().flatten().collect())
    }

    async fn schedule_note(&self, id: ScheduleId, reason: &str) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        sqlx::query("UPDATE schedule SET reason = ? WHERE id = ? AND ended_ms IS NULL")
            .bind(reason)
            .bind(id.to_string())
            .execute(&mut *writer)
            .await
            .map_err(database)?;
        Ok(())
    }

    async fn schedule_end(&self, id: ScheduleId, end: &ScheduleEnd, row: &AuditRow) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "UPDATE schedule SET state = ?, reason = ?, operation = ?, ended_ms = ? WHERE id = ? AND ended_ms IS NULL",
        );
        let statement = statement
            .bind(end.state.as_str())
            .bind(&end.reason)
            .bind(end.operation.map(|operation| operation.to_string()))
            .bind(end.now.0)
            .bind(id.to_string());
        self.decide(statement, "it is over already", row).await
    }
}
