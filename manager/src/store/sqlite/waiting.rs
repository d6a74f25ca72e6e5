//! What people decide about an operation: how it comes to wait for them, is taken up again, claimed, and cancelled.

use super::accounts::audit;
use super::columns::Columns;
use super::end::refusal;
use super::{SqliteStore, begin, database};
use crate::store::StoreError;
use crate::store::rows::{AuditRow, OperationWait};
use grid::operation::StepState;
use grid::{OperationId, UserId};

impl SqliteStore {
    /// Raises the epoch of an unfinished operation that waits, or of one that doesn't.
    pub(super) async fn claim(&self, id: OperationId, waiting: bool) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let id = id.to_string();
        let row = sqlx::query(
            "UPDATE operation SET epoch = epoch + 1
             WHERE id = ? AND ended_ms IS NULL AND (waiting_ms IS NOT NULL) = ? RETURNING epoch",
        )
        .bind(&id)
        .bind(waiting)
        .fetch_optional(&mut *tx)
        .await
        .map_err(database)?;
        let Some(row) = row else {
            let ended: Option<Option<i64>> = sqlx::query_scalar("SELECT ended_ms FROM operation WHERE id = ?")
                .bind(&id)
                .fetch_optional(&mut *tx)
                .await
                .map_err(database)?;
            return Err(match (ended, waiting) {
                (None, _) => StoreError::NotFound,
                (Some(Some(_)), _) => StoreError::Conflict("the operation is over"),
                (Some(None), true) => StoreError::Conflict("the operation does not wait for the operator"),
                (Some(None), false) => StoreError::Conflict("the operation waits for the operator"),
            });
        };
        tx.commit().await.map_err(database)?;
        Columns(&row).amount("epoch")
    }

    /// See [`crate::store::OperationStore::operation_wait`].
    pub(super) async fn wait(&self, id: OperationId, epoch: i64, wait: &OperationWait) -> Result<(), StoreError> {
        let id = id.to_string();
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let row = sqlx::query(
            "UPDATE operation SET waiting_ms = ?, reason = ?, detail = ?
             WHERE id = ? AND epoch = ? AND ended_ms IS NULL
             RETURNING kind, vm, tenant, actor",
        )
        .bind(wait.now.0)
        .bind(&wait.reason)
        .bind(&wait.detail)
        .bind(&id)
        .bind(epoch)
        .fetch_optional(&mut *tx)
        .await
        .map_err(database)?;
        let Some(row) = row else { return Err(refusal(&mut tx, &id, epoch).await?) };
        let columns = Columns(&row);
        let row = AuditRow {
            at: wait.now,
            actor: Some(columns.parsed("actor")?),
            tenant: Some(columns.parsed("tenant")?),
            action: format!("vm_{}", columns.text("kind")?),
            target: columns.text("vm")?,
            outcome: format!("waiting: {}", wait.reason),
        };
        audit(&mut tx, &row).await?;
        tx.commit().await.map_err(database)
    }

    /// See [`crate::store::OperationStore::operation_cancel`].
    pub(super) async fn cancel(&self, id: OperationId, by: UserId, row: &AuditRow) -> Result<(), StoreError> {
        let statement = sqlx::query(
            "UPDATE operation SET cancelled_by = ?
             WHERE id = ? AND state IN ('pending', 'running') AND waiting_ms IS NULL AND cancelled_by IS NULL",
        );
        let statement = statement.bind(by.to_string()).bind(id.to_string());
        self.decide(statement, "it can't be cancelled any more", row).await
    }

    /// See [`crate::store::OperationStore::operation_resume`].
    pub(super) async fn resume(&self, id: OperationId, row: &AuditRow) -> Result<(), StoreError> {
        let id = id.to_string();
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query(
            "UPDATE operation SET waiting_ms = NULL, reason = NULL, detail = NULL, epoch = epoch + 1
             WHERE id = ? AND ended_ms IS NULL AND waiting_ms IS NOT NULL",
        )
        .bind(&id)
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict("the operation does not wait for the operator"));
        }
        // Begun and not known to be done: it is carried out again, and looks first. What is being undone stays failed.
        sqlx::query(
            "UPDATE operation_step SET state = ?1, ended_ms = NULL
             WHERE operation = ?2 AND state = ?3 AND (SELECT state FROM operation WHERE id = ?2) <> 'undoing'",
        )
        .bind(StepState::Started.as_str())
        .bind(&id)
        .bind(StepState::Failed.as_str())
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        audit(&mut tx, row).await?;
        tx.commit().await.map_err(database)
    }
}
