//! What a working operation holds for its VM: room on nodes, and the tenant's quota.

use super::columns::{Columns, bind_resources, each_resource, for_each_resource, stored_resources};
use super::many::{insert_all, push_resources};
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
    let into = concat!("INSERT INTO reservation (operation, node, ", each_resource!("", ""), ") ");
    insert_all(connection, into, &rows, |tuple, (operation, node, amounts)| {
        push_resources(tuple.push_bind(operation.clone()).push_bind(node.clone()), amounts);
    })
    .await
    .map_err(constraint(NOWHERE))
}

/// The operation that works on the VM now.
pub(super) async fn holding_of(connection: &mut SqliteConnection, vm: VmId) -> Result<Option<Holding>, StoreError> {
    const WORKING: &str =
        concat!("SELECT id, ", each_resource!("quota_", ""), " FROM operation WHERE vm = ? AND ended_ms IS NULL");
    let row = sqlx::query(WORKING).bind(vm.to_string()).fetch_optional(connection).await.map_err(database)?;
    row.map(|row| {
        let columns = Columns(&row);
        Ok(Holding { operation: columns.text("id")?, quota: columns.resources("quota_")? })
    })
    .transpose()
}

impl Holding {
    /// What it reserves on a node.
    pub(super) async fn on(&self, connection: &mut SqliteConnection, node: NodeId) -> Result<Resources, StoreError> {
        let row = sqlx::query("SELECT * FROM reservation WHERE node = ? AND operation = ?")
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
        let statement = sqlx::query(concat!(
            "INSERT INTO reservation (node, operation, ",
            each_resource!("", ""),
            ") VALUES (?, ?",
            for_each_resource!(", ?"),
            ") ON CONFLICT (node, operation) DO UPDATE SET ",
            each_resource!("", " = excluded.", "")
        ));
        bind_resources(statement.bind(node.to_string()).bind(&self.operation), amount)?
            .execute(connection)
            .await
            .map_err(constraint(NOWHERE))?;
        Ok(())
    }

    /// Holds this much of the tenant's quota from now on.
    pub(super) async fn charge(&self, connection: &mut SqliteConnection, amount: Resources) -> Result<(), StoreError> {
        let statement =
            sqlx::query(concat!("UPDATE operation SET ", each_resource!("quota_", " = ?"), " WHERE id = ?"));
        bind_resources(statement, amount)?.bind(&self.operation).execute(connection).await.map_err(database)?;
        Ok(())
    }
}
