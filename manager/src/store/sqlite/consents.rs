//! Consents to being moved cold, in SQLite.

use super::accounts::audit;
use super::columns::{Columns, stored};
use super::{SqliteStore, begin, constraint, database};
use crate::store::rows::AuditRow;
use crate::store::{ConsentStore, StoreError};
use async_trait::async_trait;
use grid::plan::Estimate;
use grid::relocation::{MoveConsent, MoveGiven};
use grid::window::Window;
use grid::{RelocationId, UnixMillis, VmId};
use sqlx::sqlite::SqliteRow;

fn consent(row: &SqliteRow) -> Result<MoveConsent, StoreError> {
    let columns = &Columns(row);
    let given = match columns.parsed_or_none("actor")? {
        None => None,
        Some(by) => Some(MoveGiven {
            by,
            at: columns.time("agreed_ms")?,
            window: Window { opens: columns.time("opens_ms")?, closes: columns.time("closes_ms")? },
            force_off: columns.amount("force_off")? > 0,
        }),
    };
    Ok(MoveConsent {
        relocation: columns.parsed("relocation")?,
        vm: columns.parsed("vm")?,
        asked_at: columns.time("asked_ms")?,
        estimate: Estimate { duration_ms: columns.amount("duration_ms")?, downtime_ms: columns.amount("downtime_ms")? },
        given,
    })
}

#[async_trait]
impl ConsentStore for SqliteStore {
    async fn consent_ask(
        &self,
        relocation: RelocationId,
        vm: VmId,
        expected: Estimate,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        sqlx::query(
            "INSERT INTO move_consent (relocation, vm, asked_ms, duration_ms, downtime_ms) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(relocation.to_string())
        .bind(vm.to_string())
        .bind(now.0)
        .bind(stored(expected.duration_ms)?)
        .bind(stored(expected.downtime_ms)?)
        .execute(&mut *writer)
        .await
        .map_err(constraint("the relocation is not there"))?;
        Ok(())
    }

    async fn consent_set(
        &self,
        (relocation, vm): (RelocationId, VmId),
        given: Option<&MoveGiven>,
        row: &AuditRow,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query(
            "UPDATE move_consent SET actor = ?, agreed_ms = ?, opens_ms = ?, closes_ms = ?, force_off = ?
             WHERE vm = ? AND relocation = (
                SELECT id FROM relocation WHERE id = ? AND ended_ms IS NULL AND cancelled_by IS NULL
             )",
        )
        .bind(given.map(|given| given.by.to_string()))
        .bind(given.map(|given| given.at.0))
        .bind(given.map(|given| given.window.opens.0))
        .bind(given.map(|given| given.window.closes.0))
        .bind(given.map(|given| i64::from(given.force_off)))
        .bind(vm.to_string())
        .bind(relocation.to_string())
        .execute(&mut *tx)
        .await
        .map_err(constraint("the window closes before it opens, or who agrees is not there"))?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict("nobody asks for this move any more"));
        }
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }

    async fn consent_list(&self, relocation: RelocationId) -> Result<Vec<MoveConsent>, StoreError> {
        let statement = sqlx::query("SELECT * FROM move_consent WHERE relocation = ? ORDER BY asked_ms, vm");
        self.all(statement.bind(relocation.to_string()), consent).await
    }

    async fn consent_asked(&self, vm: VmId) -> Result<Option<MoveConsent>, StoreError> {
        let statement = sqlx::query(
            "SELECT move_consent.* FROM move_consent JOIN relocation ON relocation.id = move_consent.relocation
             WHERE move_consent.vm = ? AND relocation.ended_ms IS NULL AND relocation.cancelled_by IS NULL
             ORDER BY asked_ms DESC LIMIT 1",
        );
        self.one(statement.bind(vm.to_string()), consent).await
    }
}
