//! Operations as their rows say, with their steps.

use super::columns::Columns;
use super::database;
use crate::store::StoreError;
use grid::OperationId;
use grid::operation::{Operation, OperationKind, OperationState, OperationStep, StepState};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::HashMap;

fn operation(row: &SqliteRow) -> Result<Operation, StoreError> {
    let columns = Columns(row);
    Ok(Operation {
        id: columns.parsed("id")?,
        kind: kind(&columns)?,
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
        steps: steps(&columns)?,
    })
}

/// One that this program can't read, for another version wrote it, still works on its VM, and is told as what it is.
fn kind(columns: &Columns<'_>) -> Result<OperationKind, StoreError> {
    let read = serde_json::from_str(&columns.text("body")?);
    read.or_else(|error| {
        let id = columns.text("id")?;
        tracing::error!(%error, operation = id, "an operation can't be read, and is left to an operator");
        let (from, to) = (columns.parsed_or_none("source")?, columns.parsed_or_none("destination")?);
        Ok(OperationKind::Unreadable { vm: columns.parsed("vm")?, from, to })
    })
}

/// As they are before the first of them begins.
fn steps(columns: &Columns<'_>) -> Result<Vec<OperationStep>, StoreError> {
    let names: Vec<String> = serde_json::from_str(&columns.text("steps")?)
        .map_err(|error| StoreError::Corrupt(format!("steps: {error}")))?;
    let waiting = |(position, name)| OperationStep {
        position,
        name,
        state: StepState::Waiting,
        started_at: None,
        ended_at: None,
        note: None,
    };
    Ok((0..).zip(names).map(waiting).collect())
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

/// The operations of these rows in their order, with what has begun of their steps by one more query. One whose columns are
/// damaged is kept as it is and holds up no other: the log says so.
pub(super) async fn with_steps(
    connection: &mut SqliteConnection,
    rows: &[SqliteRow],
) -> Result<Vec<Operation>, StoreError> {
    let mut operations: Vec<Operation> = rows.iter().filter_map(readable).collect();
    let ids: Vec<String> = operations.iter().map(|operation| operation.id.to_string()).collect();
    let ids = serde_json::to_string(&ids).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let begun = sqlx::query(
        "SELECT operation, position, name, state, started_ms, ended_ms, note FROM operation_step
         WHERE operation IN (SELECT value FROM json_each(?))",
    )
    .bind(ids)
    .fetch_all(connection)
    .await
    .map_err(database)?;
    let places: HashMap<OperationId, usize> =
        operations.iter().enumerate().map(|(place, operation)| (operation.id, place)).collect();
    for row in &begun {
        let (id, step): (OperationId, _) = (Columns(row).parsed("operation")?, step(row)?);
        let of_operation = places.get(&id).and_then(|place| operations.get_mut(*place));
        let known = of_operation.and_then(|operation| operation.steps.get_mut(usize::try_from(step.position).ok()?));
        if let Some(known) = known {
            *known = step;
        } else {
            tracing::error!(operation = %id, step = step.name, "a step that is not the operation's");
        }
    }
    Ok(operations)
}
