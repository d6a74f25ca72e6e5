//! Accepting operations: what is written for those that are accepted, and what the audit is told (see `accept.rs`).

use super::columns::{each_resource, stored_resources};
use super::facts::Decided;
use super::many::{insert_all, json, push_resources};
use super::{constraint, database, holding, relocations, vms};
use crate::store::rows::{AuditRow, NewOperation, NewVm, RoomCheck};
use crate::store::{Begun, StoreError};
use grid::operation::{OperationKind, OperationState};
use grid::relocation::{Relocation, RelocationKind, RelocationState};
use grid::vm::{Vm, commitment};
use grid::{NodeId, PerResource, RelocationId, Resource, Resources};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeMap;

/// Each row of its argument: a node, and an amount or nothing of each resource.
pub(super) const GRANT: &str = concat!(
    "UPDATE node SET ",
    each_resource!("granted_", " = COALESCE(given.value ->> '$[1].", "', granted_", ")"),
    " FROM json_each(?) AS given WHERE node.id = given.value ->> 0"
);

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

/// What is written for operations that were accepted, all together: VMs, what they take, operations with their steps.
pub(super) async fn write(tx: &mut SqliteConnection, accepted: &[Decided<'_>]) -> Result<(), StoreError> {
    grant(tx, accepted.iter().flat_map(|decided| decided.room)).await?;
    let new_vms: Vec<&Vm> =
        accepted.iter().filter(|decided| decided.new.deploy.is_some()).map(|decided| &decided.vm).collect();
    if let Some(newest) = new_vms.last() {
        sqlx::query("UPDATE address_cursor SET next = ?")
            .bind(i64::from(newest.address.to_bits()) + 1)
            .execute(&mut *tx)
            .await
            .map_err(database)?;
    }
    vms::insert(tx, &new_vms).await?;
    write_operations(tx, accepted).await?;
    for decided in accepted.iter().filter(|decided| decided.new.kind.waits_for_room()) {
        relocations::insert(tx, &room_maker(decided.new)).await?;
    }
    let held = |decided: &Decided<'_>| {
        let operation = decided.new.id.to_string();
        reservations(decided.new).into_iter().map(move |(node, amount)| (operation.clone(), node, amount))
    };
    holding::insert(tx, &accepted.iter().flat_map(held).collect::<Vec<_>>()).await
}

async fn write_operations(tx: &mut SqliteConnection, accepted: &[Decided<'_>]) -> Result<(), StoreError> {
    let charged = |new: &NewOperation| if new.deploy.is_some() { Resources::ZERO } else { new.quota_delta };
    let mut rows = Vec::with_capacity(accepted.len());
    for Decided { new, vm, .. } in accepted {
        let (body, steps, charged) = (json(&new.kind)?, json(&new.steps)?, stored_resources(charged(new))?);
        rows.push((new, body, steps, places(&new.kind, vm), charged));
    }
    let into = concat!(
        "INSERT INTO operation (id, kind, body, steps, vm, tenant, actor, idempotency_key, source, destination, state,
                                epoch, created_ms, called_ms, relocation, ",
        each_resource!("quota_", ""),
        ") "
    );
    insert_all(tx, into, &rows, |tuple, (new, body, steps, (source, destination), charged)| {
        tuple
            .push_bind(new.id.to_string())
            .push_bind(new.kind.as_str())
            .push_bind(body.clone())
            .push_bind(steps.clone())
            .push_bind(new.kind.vm().to_string())
            .push_bind(new.tenant.to_string())
            .push_bind(new.actor.to_string())
            .push_bind(new.idempotency_key.clone())
            .push_bind(source.map(|node| node.to_string()))
            .push_bind(destination.map(|node| node.to_string()))
            .push_bind(OperationState::Pending.as_str())
            .push_bind(0)
            .push_bind(new.now.0)
            .push_bind(0)
            .push_bind(new.relocation.map(|relocation| relocation.to_string()));
        push_resources(tuple, charged);
    })
    .await
    .map_err(constraint("the operation's id is taken, or its tenant, actor or a node is not there"))
}

/// Remembers what was usable when room was last given: see `granted_vcpus` in the migrations.
pub(super) async fn grant<'a>(
    tx: &mut SqliteConnection,
    room: impl Iterator<Item = &'a RoomCheck>,
) -> Result<(), StoreError> {
    let mut granted: BTreeMap<NodeId, PerResource<Option<i64>>> = BTreeMap::new();
    for check in room {
        let usable = check.usable.minus(check.outside);
        let of_node = granted.entry(check.node).or_default();
        for resource in Resource::ALL.into_iter().filter(|resource| check.asked.get(*resource) > 0) {
            of_node.set(resource, Some(i64::try_from(usable.get(resource)).unwrap_or(i64::MAX)));
        }
    }
    if !granted.is_empty() {
        sqlx::query(GRANT).bind(json(&granted.into_iter().collect::<Vec<_>>())?).execute(tx).await.map_err(database)?;
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

/// Each node once; for a VM that is deployed at least all that it will take.
pub(super) fn reservations(new: &NewOperation) -> Vec<(NodeId, Resources)> {
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
fn places(kind: &OperationKind, vm: &Vm) -> (Option<NodeId>, Option<NodeId>) {
    match kind {
        OperationKind::Deploy { node, .. } => (None, Some(*node)),
        OperationKind::Rebuild { from, node, .. } => (Some(*from), Some(*node)),
        OperationKind::Resize { plan, .. } => (Some(plan.source), plan.destination),
        OperationKind::Start { .. }
        | OperationKind::Stop { .. }
        | OperationKind::Delete { .. }
        | OperationKind::Unreadable { .. } => (Some(vm.node), None),
    }
}
