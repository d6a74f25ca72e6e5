//! VMs in SQLite.

use super::columns::{Columns, bind_resources, each_resource, stored, stored_resources};
use super::end::refusal;
use super::holding::{Holding, holding_of};
use super::many::{insert_all, push_resources};
use super::operation_rows::with_steps;
use super::{SqliteStore, begin, constraint, database};
use crate::store::rows::{Claim, VmRecord};
use crate::store::{StoreError, VmStore};
use async_trait::async_trait;
use grid::vm::{Maxima, Vm, VmState, commitment};
use grid::{Mib, NodeId, Resources, Size, TenantId, Vcpus, VmId};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::net::Ipv4Addr;

pub(super) fn vm(row: &SqliteRow) -> Result<Vm, StoreError> {
    let columns = Columns(row);
    Ok(Vm {
        id: columns.parsed("id")?,
        name: columns.text("name")?,
        tenant: columns.parsed("tenant")?,
        owner: columns.parsed("owner")?,
        node: columns.parsed("node")?,
        kind: columns.parsed("kind")?,
        region: columns.text("region")?,
        image: columns.text("image")?,
        size: columns.size()?,
        maxima: Maxima {
            vcpus: Vcpus(columns.count("maxima_vcpus")?),
            memory: Mib(columns.amount("maxima_memory_mib")?),
        },
        state: columns.vm_state("state")?,
        mac: columns.text("mac")?,
        address: Ipv4Addr::from_bits(columns.count("address")?),
        keys: columns.text("keys")?,
        created_at: columns.time("created_ms")?,
        generation: columns.amount("generation")?,
    })
}

/// The VM as this connection sees it.
pub(super) async fn get(connection: &mut SqliteConnection, id: &str) -> Result<Option<Vm>, StoreError> {
    let row =
        sqlx::query("SELECT * FROM vm WHERE id = ?").bind(id).fetch_optional(connection).await.map_err(database)?;
    row.as_ref().map(vm).transpose()
}

/// The VM with what works on it, in the one transaction that this connection is in.
async fn record(connection: &mut SqliteConnection, id: &str) -> Result<VmRecord, StoreError> {
    let vm = get(connection, id).await?;
    let rows = sqlx::query("SELECT * FROM operation WHERE vm = ? AND ended_ms IS NULL")
        .bind(id)
        .fetch_all(&mut *connection)
        .await
        .map_err(database)?;
    let operation = with_steps(connection, &rows).await?.pop().map(|operation| (operation.id, operation.kind));
    let reservations = sqlx::query(
        "SELECT * FROM reservation
         WHERE operation IN (SELECT id FROM operation WHERE vm = ? AND ended_ms IS NULL)",
    )
    .bind(id)
    .fetch_all(connection)
    .await
    .map_err(database)?;
    let held = |row: &SqliteRow| {
        let columns = Columns(row);
        Ok((columns.parsed("node")?, columns.parsed("operation")?, columns.resources("")?))
    };
    let reservations = reservations.iter().map(held).collect::<Result<_, StoreError>>()?;
    Ok(VmRecord { vm, operation, reservations })
}

/// Records new VMs.
pub(super) async fn insert(connection: &mut SqliteConnection, vms: &[&Vm]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(vms.len());
    for vm in vms {
        let [memory, disk, network, maxima_memory, generation] =
            [vm.size.memory.0, vm.size.disk.0, vm.size.network.0, vm.maxima.memory.0, vm.generation].map(stored);
        let amounts = [memory?, disk?, network?, maxima_memory?, generation?];
        rows.push((vm, amounts, stored_resources(vm.commitment())?));
    }
    let into = concat!(
        "INSERT INTO vm (id, name, tenant, owner, node, kind, region, image, vcpus, memory_mib, disk_gib, network_mbit,
                         maxima_vcpus, maxima_memory_mib, state, mac, address, keys, created_ms, generation, ",
        each_resource!("committed_", ""),
        ") "
    );
    insert_all(connection, into, &rows, |tuple, (vm, [memory, disk, network, maxima_memory, generation], committed)| {
        tuple
            .push_bind(vm.id.to_string())
            .push_bind(vm.name.clone())
            .push_bind(vm.tenant.to_string())
            .push_bind(vm.owner.to_string())
            .push_bind(vm.node.to_string())
            .push_bind(vm.kind.as_str())
            .push_bind(vm.region.clone())
            .push_bind(vm.image.clone())
            .push_bind(i64::from(vm.size.vcpus.0))
            .push_bind(*memory)
            .push_bind(*disk)
            .push_bind(*network)
            .push_bind(i64::from(vm.maxima.vcpus.0))
            .push_bind(*maxima_memory)
            .push_bind(vm.state.as_str())
            .push_bind(vm.mac.clone())
            .push_bind(i64::from(vm.address.to_bits()))
            .push_bind(vm.keys.clone())
            .push_bind(vm.created_at.0)
            .push_bind(*generation);
        push_resources(tuple, committed);
    })
    .await
    .map_err(constraint("the VM's id, MAC or address is taken, or its size is out of bounds"))
}

/// Writes what may change of a VM, and what it takes of its node; raises its generation.
async fn update(connection: &mut SqliteConnection, vm: &Vm, committed: Resources) -> Result<(), StoreError> {
    let statement = sqlx::query(concat!(
        "UPDATE vm SET node = ?, vcpus = ?, memory_mib = ?, disk_gib = ?, network_mbit = ?,
                       maxima_vcpus = ?, maxima_memory_mib = ?, generation = generation + 1, state = ?,
                       ran = (? AND (state = 'running' OR (state = 'unknown' AND ran))), ",
        each_resource!("committed_", " = ?"),
        " WHERE id = ?",
    ))
    .bind(vm.node.to_string())
    .bind(i64::from(vm.size.vcpus.0))
    .bind(stored(vm.size.memory.0)?)
    .bind(stored(vm.size.disk.0)?)
    .bind(stored(vm.size.network.0)?)
    .bind(i64::from(vm.maxima.vcpus.0))
    .bind(stored(vm.maxima.memory.0)?)
    .bind(vm.state.as_str())
    .bind(vm.state == VmState::Unknown);
    bind_resources(statement, committed)?
        .bind(vm.id.to_string())
        .execute(connection)
        .await
        .map_err(constraint("the node is not there, or the size is out of bounds"))?;
    Ok(())
}

#[async_trait]
impl VmStore for SqliteStore {
    async fn vm_get(&self, vm: VmId) -> Result<Option<Vm>, StoreError> {
        get(&mut *self.readers.acquire().await.map_err(database)?, &vm.to_string()).await
    }

    async fn vm_record(&self, vm: VmId) -> Result<VmRecord, StoreError> {
        record(&mut *self.readers.begin().await.map_err(database)?, &vm.to_string()).await
    }

    async fn vm_list(&self, tenant: Option<TenantId>) -> Result<Vec<Vm>, StoreError> {
        let query = match tenant {
            Some(tenant) => sqlx::query("SELECT * FROM vm WHERE tenant = ? ORDER BY name, id").bind(tenant.to_string()),
            None => sqlx::query("SELECT * FROM vm ORDER BY name, id"),
        };
        self.all(query, vm).await
    }

    async fn vm_ran(&self, vm: VmId) -> Result<bool, StoreError> {
        let query = sqlx::query("SELECT state = 'running' OR ran AS ran FROM vm WHERE id = ?").bind(vm.to_string());
        Ok(self.one(query, |row| Ok(Columns(row).count("ran")? == 1)).await?.unwrap_or(false))
    }

    async fn vm_state_set(&self, id: VmId, state: VmState, by: Option<Claim>) -> Result<(), StoreError> {
        self.vm_change(id, by, |vm| vm.state = state).await
    }

    async fn vm_settle(
        &self,
        id: VmId,
        node: NodeId,
        size: Size,
        maxima: Maxima,
        by: Option<Claim>,
    ) -> Result<(), StoreError> {
        self.vm_change(id, by, |vm| {
            vm.node = node;
            vm.size = size;
            vm.maxima = maxima;
        })
        .await
    }

    async fn vm_remove(&self, id: VmId, by: Option<Claim>) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        still_claimed(&mut tx, by).await?;
        sqlx::query("DELETE FROM vm WHERE id = ?").bind(id.to_string()).execute(&mut *tx).await.map_err(database)?;
        tx.commit().await.map_err(database)
    }
}

impl SqliteStore {
    /// Changes a VM, and with it what its running operation still has to hold for it.
    async fn vm_change(
        &self,
        id: VmId,
        by: Option<Claim>,
        change: impl FnOnce(&mut Vm) + Send,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        still_claimed(&mut tx, by).await?;
        let before = get(&mut tx, &id.to_string()).await?.ok_or(StoreError::NotFound)?;
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            update(&mut tx, &after, after.commitment()).await?;
            if let Some(holding) = holding_of(&mut tx, id).await? {
                hold_the_rest(&mut tx, &holding, &before, &after).await?;
            }
        }
        tx.commit().await.map_err(database)
    }
}

/// Whether who writes still carries the operation out.
async fn still_claimed(connection: &mut SqliteConnection, by: Option<Claim>) -> Result<(), StoreError> {
    let Some(Claim { operation, epoch }) = by else { return Ok(()) };
    let (id, epoch) = (operation.to_string(), stored(epoch)?);
    let held: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM operation WHERE id = ? AND epoch = ? AND ended_ms IS NULL)")
            .bind(&id)
            .bind(epoch)
            .fetch_one(&mut *connection)
            .await
            .map_err(database)?;
    if held { Ok(()) } else { Err(refusal(connection, &id, epoch).await?) }
}

/// A deployment that ended and left its VM as being deployed: no reservation stands for it any more.
pub(super) async fn count_what_is_left(connection: &mut SqliteConnection, id: &str) -> Result<(), StoreError> {
    match get(connection, id).await? {
        Some(vm) if vm.state == VmState::Deploying => update(connection, &vm, commitment(vm.kind, vm.size)).await,
        _ => Ok(()),
    }
}

/// What the VM now takes by itself, its operation no longer holds for it; and a node that it left stays held until
/// the operation has removed what is there.
async fn hold_the_rest(
    connection: &mut SqliteConnection,
    holding: &Holding,
    before: &Vm,
    after: &Vm,
) -> Result<(), StoreError> {
    let moved = before.node != after.node;
    let took = if moved { Resources::ZERO } else { before.commitment() };
    let held = holding.on(connection, after.node).await?;
    holding.hold(connection, after.node, held.minus(after.commitment().minus(took))).await?;
    if moved {
        let held = holding.on(connection, before.node).await?;
        holding.hold(connection, before.node, held.plus(before.commitment())).await?;
    }
    let charged = Resources::from(after.size).minus(before.size.into());
    holding.charge(connection, holding.quota.minus(charged)).await
}
