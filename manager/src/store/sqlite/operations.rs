//! Operations in SQLite, once they are accepted: reading them, their steps and facts, and their end.

use super::accounts::audit;
use super::columns::{Columns, stored, stored_resources};
use super::{SqliteStore, begin, constraint, database, vms};
use crate::store::rows::{AuditRow, NewOperation, OperationEnd, OperationFilter, RoomCheck};
use crate::store::{Begun, OperationStore, StoreError};
use async_trait::async_trait;
use grid::operation::{Operation, OperationState, OperationStep, StepState};
use grid::{NodeId, OperationId, Resources, UnixMillis, UserId, VmId};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{QueryBuilder, Sqlite};
use std::collections::HashMap;

/// The working operation of a VM, and what of the tenant's quota it holds.
pub(super) struct Holding {
    pub(super) operation: String,
    pub(super) quota: Resources,
}

/// The operation that works on the VM now.
pub(super) async fn holding_of(connection: &mut SqliteConnection, vm: VmId) -> Result<Option<Holding>, StoreError> {
    let row = sqlx::query(
        "SELECT id, quota_vcpus, quota_memory_mib, quota_disk_mib FROM operation WHERE vm = ? AND ended_ms IS NULL",
    )
    .bind(vm.to_string())
    .fetch_optional(connection)
    .await
    .map_err(database)?;
    row.map(|row| {
        let columns = Columns(&row);
        Ok(Holding { operation: columns.text("id")?, quota: columns.resources("quota_")? })
    })
    .transpose()
}

impl Holding {
    /// What it reserves on a node.
    pub(super) async fn on(&self, connection: &mut SqliteConnection, node: NodeId) -> Result<Resources, StoreError> {
        let row = sqlx::query("SELECT vcpus, memory_mib, disk_mib FROM reservation WHERE node = ? AND operation = ?")
            .bind(node.to_string())
            .bind(&self.operation)
            .fetch_optional(connection)
            .await
            .map_err(database)?;
        row.map_or(Ok(Resources::ZERO), |row| Columns(&row).resources(""))
    }

    /// Reserves `amount` on a node from now on.
    pub(super) async fn hold(
        &self,
        connection: &mut SqliteConnection,
        node: NodeId,
        amount: Resources,
    ) -> Result<(), StoreError> {
        if amount == Resources::ZERO {
            sqlx::query("DELETE FROM reservation WHERE node = ? AND operation = ?")
                .bind(node.to_string())
                .bind(&self.operation)
                .execute(connection)
                .await
                .map_err(database)?;
            return Ok(());
        }
        let [vcpus, memory, disk] = stored_resources(amount)?;
        sqlx::query(
            "INSERT INTO reservation (node, operation, vcpus, memory_mib, disk_mib) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (node, operation) DO UPDATE SET
                vcpus = excluded.vcpus, memory_mib = excluded.memory_mib, disk_mib = excluded.disk_mib",
        )
        .bind(node.to_string())
        .bind(&self.operation)
        .bind(vcpus)
        .bind(memory)
        .bind(disk)
        .execute(connection)
        .await
        .map_err(constraint("the node is not there, or the amount is out of bounds"))?;
        Ok(())
    }

    /// Holds this much of the tenant's quota from now on.
    pub(super) async fn charge(&self, connection: &mut SqliteConnection, amount: Resources) -> Result<(), StoreError> {
        let [vcpus, memory, disk] = stored_resources(amount)?;
        sqlx::query("UPDATE operation SET quota_vcpus = ?, quota_memory_mib = ?, quota_disk_mib = ? WHERE id = ?")
            .bind(vcpus)
            .bind(memory)
            .bind(disk)
            .bind(&self.operation)
            .execute(connection)
            .await
            .map_err(database)?;
        Ok(())
    }
}

fn operation(row: &SqliteRow) -> Result<Operation, StoreError> {
    let columns = Columns(row);
    let body = columns.text("body")?;
    Ok(Operation {
        id: columns.parsed("id")?,
        kind: serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(format!("body: {error}")))?,
        tenant: columns.parsed("tenant")?,
        actor: columns.parsed("actor")?,
        state: columns.operation_state("state")?,
        reason: columns.text_or_none("reason")?,
        detail: columns.text_or_none("detail")?,
        created_at: columns.time("created_ms")?,
        ended_at: columns.time_or_none("ended_ms")?,
        downtime_ms: columns.amount_or_none("downtime_ms")?,
        called_ms: columns.amount("called_ms")?,
        steps: Vec::new(),
    })
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

/// The operations of these rows in their order, with the steps of all of them by one more query.
async fn with_steps(connection: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Vec<Operation>, StoreError> {
    let mut operations = rows.iter().map(operation).collect::<Result<Vec<_>, _>>()?;
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

/// Why a write with this epoch met no working operation.
async fn refusal(connection: &mut SqliteConnection, id: &str, epoch: i64) -> Result<StoreError, StoreError> {
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

#[async_trait]
impl OperationStore for SqliteStore {
    async fn operation_begin(&self, new: &NewOperation, room: &[RoomCheck]) -> Result<Begun, StoreError> {
        self.begin_operation(new, room).await
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
        let mut query = QueryBuilder::<Sqlite>::new("SELECT * FROM operation WHERE TRUE");
        if let Some(tenant) = filter.tenant {
            query.push(" AND tenant = ").push_bind(tenant.to_string());
        }
        if let Some(vm) = filter.vm {
            query.push(" AND vm = ").push_bind(vm.to_string());
        }
        if let Some(node) = filter.node {
            query.push(" AND (source = ").push_bind(node.to_string());
            query.push(" OR destination = ").push_bind(node.to_string()).push(")");
        }
        let limit = if filter.limit == 0 { OperationFilter::DEFAULT_LIMIT } else { filter.limit };
        query.push(" ORDER BY created_ms DESC, id DESC LIMIT ").push_bind(i64::from(limit));
        let mut reader = self.readers.begin().await.map_err(database)?;
        let rows = query.build().fetch_all(&mut *reader).await.map_err(database)?;
        with_steps(&mut reader, &rows).await
    }

    async fn operation_unfinished(&self) -> Result<Vec<Operation>, StoreError> {
        let mut reader = self.readers.begin().await.map_err(database)?;
        let rows = sqlx::query("SELECT * FROM operation WHERE ended_ms IS NULL ORDER BY created_ms, id")
            .fetch_all(&mut *reader)
            .await
            .map_err(database)?;
        with_steps(&mut reader, &rows).await
    }

    async fn operation_claim(&self, id: OperationId) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let id = id.to_string();
        let row =
            sqlx::query("UPDATE operation SET epoch = epoch + 1 WHERE id = ? AND ended_ms IS NULL RETURNING epoch")
                .bind(&id)
                .fetch_optional(&mut *tx)
                .await
                .map_err(database)?;
        let Some(row) = row else {
            let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM operation WHERE id = ?")
                .bind(&id)
                .fetch_optional(&mut *tx)
                .await
                .map_err(database)?;
            return Err(there.map_or(StoreError::NotFound, |_| StoreError::Conflict("the operation is over")));
        };
        tx.commit().await.map_err(database)?;
        Columns(&row).amount("epoch")
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
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query(
            "UPDATE operation_step
             SET state = ?3, started_ms = COALESCE(started_ms, ?4), ended_ms = ?5, note = COALESCE(?6, note)
             WHERE operation = ?1 AND position = ?2
               AND EXISTS (SELECT 1 FROM operation WHERE id = ?1 AND epoch = ?7 AND ended_ms IS NULL)",
        )
        .bind(&id)
        .bind(i64::from(position))
        .bind(state.as_str())
        .bind(started)
        .bind(ended)
        .bind(note)
        .bind(epoch)
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(refusal(&mut tx, &id, epoch).await?);
        }
        tx.commit().await.map_err(database)
    }

    async fn operation_state_set(
        &self,
        operation: OperationId,
        epoch: u64,
        state: OperationState,
    ) -> Result<(), StoreError> {
        if state.is_over() {
            return Err(StoreError::Conflict("an operation is ended by operation_end"));
        }
        let (id, epoch) = (operation.to_string(), stored(epoch)?);
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query("UPDATE operation SET state = ? WHERE id = ? AND epoch = ? AND ended_ms IS NULL")
            .bind(state.as_str())
            .bind(&id)
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(refusal(&mut tx, &id, epoch).await?);
        }
        tx.commit().await.map_err(database)
    }

    async fn operation_fact_set(
        &self,
        operation: OperationId,
        epoch: u64,
        key: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let (id, epoch) = (operation.to_string(), stored(epoch)?);
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let done = sqlx::query(
            "INSERT INTO operation_fact (operation, key, value)
             SELECT id, ?2, ?3 FROM operation WHERE id = ?1 AND epoch = ?4 AND ended_ms IS NULL
             ON CONFLICT (operation, key) DO UPDATE SET value = excluded.value",
        )
        .bind(&id)
        .bind(key)
        .bind(value)
        .bind(epoch)
        .execute(&mut *tx)
        .await
        .map_err(database)?;
        if done.rows_affected() == 0 {
            return Err(refusal(&mut tx, &id, epoch).await?);
        }
        tx.commit().await.map_err(database)
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

async fn end_operation(
    connection: &mut SqliteConnection,
    id: &str,
    epoch: i64,
    end: &OperationEnd,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "UPDATE operation SET state = ?, reason = ?, detail = ?, downtime_ms = ?, called_ms = ?, ended_ms = ?,
                              quota_vcpus = 0, quota_memory_mib = 0, quota_disk_mib = 0
         WHERE id = ? AND epoch = ? AND ended_ms IS NULL
         RETURNING kind, vm, tenant, actor",
    )
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
    let row = AuditRow {
        at: end.now,
        actor: Some(columns.parsed("actor")?),
        tenant: Some(columns.parsed("tenant")?),
        action: format!("vm_{}", columns.text("kind")?),
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
