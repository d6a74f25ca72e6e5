//! What a working operation holds for its VM: room on nodes, and the tenant's quota.

use super::columns::{Columns, stored_resources};
use super::many::insert_all;
use super::{constraint, database};
use crate::store::StoreError;
use grid::{NodeId, Resources, VmId};
use sqlx::sqlite::SqliteConnection;

const NOWHERE: &str = "the node is not there, or the amount is out of bounds";

/// The working operation of a VM, and what of the tenant's quota it holds.
pub(super) struct Holding {
    pub(super) operation: String,
    pub(super) quota: Resources,
}

/// Reserves these amounts for operations that hold nothing yet.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    held: &[(String, NodeId, Resources)],
) -> Result<(), StoreError> {
    let row = |(operation, node, amount): &(String, NodeId, Resources)| {
        Ok((operation.clone(), node.to_string(), stored_resources(*amount)?))
    };
    let rows = held.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
    let into = "INSERT INTO reservation (operation, node, vcpus, memory_mib, disk_mib) ";
    insert_all(connection, into, &rows, |tuple, (operation, node, [vcpus, memory, disk])| {
        tuple.push_bind(operation.clone()).push_bind(node.clone());
        tuple.push_bind(*vcpus).push_bind(*memory).push_bind(*disk);
    })
    .await
    .map_err(constraint(NOWHERE))
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
        .map_err(constraint(NOWHERE))?;
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
