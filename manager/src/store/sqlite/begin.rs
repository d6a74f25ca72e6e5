//! Accepting an operation: what decides whether there is room, and holds it, inside one transaction (see `line.rs`).

use super::accounts::{quota, usage};
use super::columns::{Columns, bind_resources, each_resource, for_each_resource};
use super::holding::Holding;
use super::{constraint, database, relocations, vms};
use crate::store::rows::{AuditRow, NewOperation, NewVm, RoomCheck};
use crate::store::{Begun, StoreError};
use grid::operation::{OperationKind, OperationState, StepState};
use grid::relocation::{Relocation, RelocationKind, RelocationState};
use grid::vm::{Vm, commitment};
use grid::{NodeId, RelocationId, Resource, Resources};
use sqlx::sqlite::SqliteConnection;
use std::net::Ipv4Addr;

pub(super) fn audit_row(new: &NewOperation, outcome: &str) -> AuditRow {
    AuditRow {
        at: new.now,
        actor: Some(new.actor),
        tenant: Some(new.tenant),
        action: format!("vm_{}", new.kind.as_str()),
        target: new.kind.vm().to_string(),
        outcome: outcome.to_owned(),
    }
}

pub(super) const fn refusal_word(begun: &Begun) -> &'static str {
    match begun {
        Begun::Started(_) | Begun::Already(_) => "accepted",
        Begun::Busy(_) => "refused: another operation works on it",
        Begun::Changed => "refused: it changed since it was planned for",
        Begun::NoRoom { .. } => "refused: no room",
        Begun::OverQuota { .. } => "refused: over quota",
        Begun::TooManyVms { .. } => "refused: too many VMs",
        Begun::NameTaken => "refused: the name is taken",
        Begun::NoAddressLeft => "refused: no address is left",
    }
}

/// Checks in the order in which a person should hear of it, then writes.
pub(super) async fn decide(
    tx: &mut SqliteConnection,
    new: &NewOperation,
    room: &[RoomCheck],
) -> Result<Begun, StoreError> {
    if let Some(id) = by_key(tx, new).await? {
        return Ok(Begun::Already(id));
    }
    if let Some(id) = working_on(tx, new).await? {
        return Ok(Begun::Busy(id));
    }
    let vm = match &new.deploy {
        Some(_) => None,
        None => Some(vms::get(tx, &new.kind.vm().to_string()).await?.ok_or(StoreError::NotFound)?),
    };
    if let (Some(vm), Some(planned)) = (&vm, new.generation)
        && vm.generation != planned
    {
        return Ok(Begun::Changed);
    }
    if let Some(refused) = over_quota(tx, new).await? {
        return Ok(refused);
    }
    if let Some(deploy) = &new.deploy
        && name_taken(tx, &deploy.vm).await?
    {
        return Ok(Begun::NameTaken);
    }
    for check in room {
        let available = available(tx, check).await?;
        if !available.covers(&check.asked) {
            return Ok(Begun::NoRoom { node: check.node, asked: check.asked, available });
        }
        grant(tx, check).await?;
    }
    if let Some(NewVm { vm, addresses }) = &new.deploy {
        let Some(address) = next_address(tx, *addresses).await? else {
            return Ok(Begun::NoAddressLeft);
        };
        vms::insert(tx, &Vm { address, ..vm.clone() }).await?;
    }
    write(tx, new, vm.as_ref()).await?;
    Ok(Begun::Started(new.id))
}

async fn by_key(tx: &mut SqliteConnection, new: &NewOperation) -> Result<Option<grid::OperationId>, StoreError> {
    let row = sqlx::query("SELECT id FROM operation WHERE actor = ? AND idempotency_key = ?")
        .bind(new.actor.to_string())
        .bind(&new.idempotency_key)
        .fetch_optional(tx)
        .await
        .map_err(database)?;
    row.map(|row| Columns(&row).parsed("id")).transpose()
}

async fn working_on(tx: &mut SqliteConnection, new: &NewOperation) -> Result<Option<grid::OperationId>, StoreError> {
    let row = sqlx::query("SELECT id FROM operation WHERE vm = ? AND ended_ms IS NULL")
        .bind(new.kind.vm().to_string())
        .fetch_optional(tx)
        .await
        .map_err(database)?;
    row.map(|row| Columns(&row).parsed("id")).transpose()
}

/// Only what grows is measured against the quota: who is over it may still start, stop and shrink.
async fn over_quota(tx: &mut SqliteConnection, new: &NewOperation) -> Result<Option<Begun>, StoreError> {
    if new.quota_delta == Resources::ZERO && new.deploy.is_none() {
        return Ok(None);
    }
    let tenant = new.tenant.to_string();
    let quota = quota(tx, &tenant).await?;
    let (used, vms) = usage(tx, &tenant).await?;
    if new.deploy.is_some() && vms >= quota.vms {
        return Ok(Some(Begun::TooManyVms { limit: quota.vms }));
    }
    let after = used.plus(new.quota_delta);
    let exceeds = |resource| new.quota_delta.get(resource) > 0 && after.get(resource) > quota.limit.get(resource);
    Ok(Resource::ALL.into_iter().any(exceeds).then_some(Begun::OverQuota { limit: quota.limit, used }))
}

async fn name_taken(tx: &mut SqliteConnection, vm: &Vm) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM vm WHERE tenant = ? AND name = ?)")
        .bind(vm.tenant.to_string())
        .bind(&vm.name)
        .fetch_one(tx)
        .await
        .map_err(database)
}

/// What the node still has: usable, less what VMs commit, what operations reserve, and what is held outside.
pub(super) async fn available(tx: &mut SqliteConnection, check: &RoomCheck) -> Result<Resources, StoreError> {
    let row = sqlx::query(concat!(
        "SELECT ",
        each_resource!("COALESCE(SUM(", "), 0) AS ", ""),
        " FROM (
            SELECT ",
        each_resource!("SUM(committed_", ") AS ", ""),
        " FROM vm WHERE node = ?1
            UNION ALL
            SELECT ",
        each_resource!("SUM(", ")"),
        " FROM reservation WHERE node = ?1
         )",
    ))
    .bind(check.node.to_string())
    .fetch_one(tx)
    .await
    .map_err(database)?;
    Ok(check.usable.minus(Columns(&row).resources("")?).minus(check.outside))
}

/// Remembers what was usable when room was given: see `granted_vcpus` in the migrations.
pub(super) async fn grant(tx: &mut SqliteConnection, check: &RoomCheck) -> Result<(), StoreError> {
    let usable = check.usable.minus(check.outside);
    let given =
        |resource| (check.asked.get(resource) > 0).then(|| i64::try_from(usable.get(resource)).unwrap_or(i64::MAX));
    let granted = sqlx::query(concat!(
        "UPDATE node SET ",
        each_resource!("granted_", " = COALESCE(?, granted_", ")"),
        " WHERE id = ?"
    ));
    let granted = Resource::ALL.into_iter().fold(granted, |statement, resource| statement.bind(given(resource)));
    granted.bind(check.node.to_string()).execute(tx).await.map_err(database)?;
    Ok(())
}

/// The next free address after the one that was given out last, round and round.
async fn next_address(
    tx: &mut SqliteConnection,
    (first, last): (Ipv4Addr, Ipv4Addr),
) -> Result<Option<Ipv4Addr>, StoreError> {
    let (first, last) = (i64::from(first.to_bits()), i64::from(last.to_bits()));
    let next: i64 =
        sqlx::query_scalar("SELECT next FROM address_cursor").fetch_one(&mut *tx).await.map_err(database)?;
    let next = if (first..=last).contains(&next) { next } else { first };
    let found = match free_address(tx, next, last).await? {
        None => free_address(tx, first, next - 1).await?,
        found => found,
    };
    let Some(address) = found else { return Ok(None) };
    sqlx::query("UPDATE address_cursor SET next = ?").bind(address + 1).execute(&mut *tx).await.map_err(database)?;
    let address = u32::try_from(address).map_err(|error| StoreError::Corrupt(format!("address: {error}")))?;
    Ok(Some(Ipv4Addr::from_bits(address)))
}

/// The first free address between these two: the first itself, or the one behind a taken one.
async fn free_address(tx: &mut SqliteConnection, first: i64, last: i64) -> Result<Option<i64>, StoreError> {
    if first > last {
        return Ok(None);
    }
    let taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM vm WHERE address = ?)")
        .bind(first)
        .fetch_one(&mut *tx)
        .await
        .map_err(database)?;
    if !taken {
        return Ok(Some(first));
    }
    sqlx::query_scalar(
        "SELECT taken.address + 1 FROM vm AS taken
         WHERE taken.address >= ?1 AND taken.address < ?2
           AND NOT EXISTS (SELECT 1 FROM vm AS next WHERE next.address = taken.address + 1)
         ORDER BY taken.address LIMIT 1",
    )
    .bind(first)
    .bind(last)
    .fetch_optional(tx)
    .await
    .map_err(database)
}

/// Writes the operation with its steps, and what it holds.
async fn write(tx: &mut SqliteConnection, new: &NewOperation, vm: Option<&Vm>) -> Result<(), StoreError> {
    let id = new.id.to_string();
    let body = serde_json::to_string(&new.kind).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let (source, destination) = places(&new.kind, vm);
    let charged = if new.deploy.is_some() { Resources::ZERO } else { new.quota_delta };
    let statement = sqlx::query(concat!(
        "INSERT INTO operation (id, kind, body, vm, tenant, actor, idempotency_key, source, destination, state, epoch,
                                created_ms, called_ms, relocation, ",
        each_resource!("quota_", ""),
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?",
        for_each_resource!(", ?"),
        ")",
    ))
    .bind(&id)
    .bind(new.kind.as_str())
    .bind(body)
    .bind(new.kind.vm().to_string())
    .bind(new.tenant.to_string())
    .bind(new.actor.to_string())
    .bind(&new.idempotency_key)
    .bind(source.map(|node| node.to_string()))
    .bind(destination.map(|node| node.to_string()))
    .bind(OperationState::Pending.as_str())
    .bind(new.now.0)
    .bind(new.relocation.map(|relocation| relocation.to_string()));
    bind_resources(statement, charged)?
        .execute(&mut *tx)
        .await
        .map_err(constraint("the operation's id is taken, or its tenant, actor or a node is not there"))?;
    write_steps(tx, &id, &new.steps).await?;
    if new.kind.waits_for_room() {
        relocations::insert(tx, &room_maker(new)).await?;
    }
    let holding = Holding { operation: id, quota: charged };
    for (node, amount) in reservations(new) {
        holding.hold(tx, node, amount).await?;
    }
    Ok(())
}

/// What makes the room that an operation waits for.
fn room_maker(new: &NewOperation) -> Relocation {
    Relocation {
        id: RelocationId(new.id.0),
        kind: RelocationKind::MakeRoom { vm: new.kind.vm() },
        actor: new.actor,
        state: RelocationState::Running,
        reason: None,
        cancelled_by: None,
        created_at: new.now,
        ended_at: None,
    }
}

pub(super) async fn write_steps(
    tx: &mut SqliteConnection,
    operation: &str,
    steps: &[&'static str],
) -> Result<(), StoreError> {
    let names = serde_json::to_string(steps).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    sqlx::query(
        "INSERT INTO operation_step (operation, position, name, state) SELECT ?, key, value, ? FROM json_each(?)",
    )
    .bind(operation)
    .bind(StepState::Waiting.as_str())
    .bind(names)
    .execute(tx)
    .await
    .map_err(database)?;
    Ok(())
}

/// Each node once; for a VM that is deployed at least all that it will take.
fn reservations(new: &NewOperation) -> Vec<(NodeId, Resources)> {
    let mut sums: Vec<(NodeId, Resources)> = Vec::with_capacity(new.reservations.len() + 1);
    for (node, amount) in &new.reservations {
        match sums.iter_mut().find(|(known, _)| known == node) {
            Some((_, sum)) => *sum = sum.plus(*amount),
            None => sums.push((*node, *amount)),
        }
    }
    if let Some(NewVm { vm, .. }) = &new.deploy {
        let takes = commitment(vm.kind, vm.size);
        match sums.iter_mut().find(|(node, _)| *node == vm.node) {
            Some((_, sum)) => *sum = sum.larger(takes),
            None => sums.push((vm.node, takes)),
        }
    }
    sums.retain(|(_, sum)| *sum != Resources::ZERO);
    sums
}

/// From where to where: a node's page lists operations by these.
fn places(kind: &OperationKind, vm: Option<&Vm>) -> (Option<NodeId>, Option<NodeId>) {
    match kind {
        OperationKind::Deploy { node, .. } => (None, Some(*node)),
        OperationKind::Rebuild { from, node, .. } => (Some(*from), Some(*node)),
        OperationKind::Resize { plan, .. } => (Some(plan.source), plan.destination),
        OperationKind::Start { .. } | OperationKind::Stop { .. } | OperationKind::Delete { .. } => {
            (vm.map(|vm| vm.node), None)
        }
    }
}
