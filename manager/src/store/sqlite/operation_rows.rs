//! Operations as their rows say, with their steps.

use super::columns::Columns;
use super::database;
use crate::store::StoreError;
use grid::OperationId;
use grid::operation::{Operation, OperationState, OperationStep};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::HashMap;

fn operation(row: &SqliteRow) -> Result<Operation, StoreError> {
    let columns = Columns(row);
    let body = columns.text("body")?;
    Ok(Operation {
        id: columns.parsed("id")?,
        kind: serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(format!("body: {error}")))?,
        tenant: columns.parsed("tenant")?,
        actor: columns.parsed("actor")?,
        state: match columns.time_or_none("waiting_ms")? {
            Some(_) => OperationState::Waiting,
            None => columns.operation_state("state")?,
        },
        reason: columns.text_or_none("reason")?,
        detail: columns.text_or_none("detail")?,
        cancelled_by: columns.parsed_or_none("cancelled_by")?,
        created_at: columns.time("created_ms")?,
        ended_at: columns.time_or_none("ended_ms")?,
        downtime_ms: columns.amount_or_none("downtime_ms")?,
        called_ms: columns.amount("called_ms")?,
        steps: Vec::new(),
    })
}

fn readable(row: &SqliteRow) -> Option<Operation> {
    match operation(row) {
        Ok(operation) => Some(operation),
        Err(error) => {
            let id = Columns(row).text("id").unwrap_or_default();
            tracing::error!(%error, operation = id, "an operation can't be read and is left as it is");
            None
        }
    }
}

fn step(row: &SqliteRow) -> Result<OperationStep, StoreError> {
    let columns = Columns(row);
    Ok(OperationStep {
        position: columns.count("position")?,
        name: columns.text("name")?,
        state: columns.step_state("state")?,
        started_at: columns.time_or_none("started_ms")?,
        ended_at: columns.time_or_none("ended_ms")?,
        note: columns.text_or_none("note")?,
    })
}

/// The operations of these rows in their order, with the steps of all of them by one more query. One that this program
/// can't read, for another version wrote it, is kept as it is and holds up no other: the log says so.
pub(super) async fn with_steps(
    connection: &mut SqliteConnection,
    rows: &[SqliteRow],
) -> Result<Vec<Operation>, StoreError> {
    let mut operations: Vec<Operation> = rows.iter().filter_map(readable).collect();
    let ids: Vec<String> = operations.iter().map(|operation| operation.id.to_string()).collect();
    let ids = serde_json::to_string(&ids).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let steps = sqlx::query(
        "SELECT operation, position, name, state, started_ms, ended_ms, note FROM operation_step
         WHERE operation IN (SELECT value FROM json_each(?)) ORDER BY operation, position",
    )
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(database)?;
    let mut by_operation: HashMap<OperationId, Vec<OperationStep>> = HashMap::with_capacity(operations.len());
    for row in &steps {
        by_operation.entry(Columns(row).parsed("operation")?).or_default().push(step(row)?);
    }
    for operation in &mut operations {
        operation.steps = by_operation.remove(&operation.id).unwrap_or_default();
    }
    Ok(operations)
}
