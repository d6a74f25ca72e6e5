//! Ending an operation, and why a write to one is refused.

use super::accounts::audit;
use super::columns::{Columns, each_resource, stored};
use super::{database, vms};
use crate::store::StoreError;
use crate::store::rows::{AuditRow, OperationEnd};
use grid::operation::OperationState;
use sqlx::sqlite::SqliteConnection;

/// Why a write with this epoch met no working operation.
pub(super) async fn refusal(connection: &mut SqliteConnection, id: &str, epoch: i64) -> Result<StoreError, StoreError> {
    let found: Option<(i64, Option<i64>)> = sqlx::query_as("SELECT epoch, ended_ms FROM operation WHERE id = ?")
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(database)?;
    Ok(match found {
        Some((now, _)) if now != epoch => StoreError::Fenced,
        Some((_, Some(_))) => StoreError::Conflict("the operation is over"),
        None | Some((_, None)) => StoreError::NotFound,
    })
}

/// Ends it, frees all that it holds, and tells the audit.
pub(super) async fn end_operation(
    connection: &mut SqliteConnection,
    id: &str,
    epoch: i64,
    end: &OperationEnd,
) -> Result<(), StoreError> {
    let row = sqlx::query(concat!(
        "UPDATE operation SET state = ?, reason = ?, detail = ?, downtime_ms = ?, called_ms = ?, ended_ms = ?,
                              waiting_ms = NULL, ",
        each_resource!("quota_", " = 0"),
        " WHERE id = ? AND epoch = ? AND ended_ms IS NULL
         RETURNING kind, vm, tenant, actor",
    ))
    .bind(end.state.as_str())
    .bind(&end.reason)
    .bind(&end.detail)
    .bind(end.downtime_ms.map(stored).transpose()?)
    .bind(stored(end.called_ms)?)
    .bind(end.now.0)
    .bind(id)
    .bind(epoch)
    .fetch_optional(&mut *connection)
    .await
    .map_err(database)?;
    let Some(row) = row else {
        return ended_already(connection, id, epoch, end.state).await;
    };
    sqlx::query("DELETE FROM reservation WHERE operation = ?")
        .bind(id)
        .execute(&mut *connection)
        .await
        .map_err(database)?;
    let columns = Columns(&row);
    if columns.text("kind")? == "deploy" {
        vms::count_what_is_left(connection, &columns.text("vm")?).await?;
    }
    let state = end.state.as_str();
    let outcome = end.reason.as_ref().map_or_else(|| state.to_owned(), |reason| format!("{state}: {reason}"));
    let (actor, action) = match end.given_up_by {
        Some(operator) => (operator, "operation_give_up".to_owned()),
        None => (columns.parsed("actor")?, format!("vm_{}", columns.text("kind")?)),
    };
    let row = AuditRow {
        at: end.now,
        actor: Some(actor),
        tenant: Some(columns.parsed("tenant")?),
        action,
        target: columns.text("vm")?,
        outcome,
    };
    audit(connection, &row).await
}

/// The same end again is an answer that was lost.
async fn ended_already(
    connection: &mut SqliteConnection,
    id: &str,
    epoch: i64,
    state: OperationState,
) -> Result<(), StoreError> {
    let same: Option<i64> = sqlx::query_scalar("SELECT 1 FROM operation WHERE id = ? AND epoch = ? AND state = ?")
        .bind(id)
        .bind(epoch)
        .bind(state.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(database)?;
    if same.is_some() { Ok(()) } else { Err(refusal(connection, id, epoch).await?) }
}
