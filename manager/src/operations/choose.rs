//! Who decides: one at a time chooses over the map, and its choice counts there before the next one looks, so that many
//! callers don't all pick the same node. Then the store commits many of them at once, in a transaction that re-checks the
//! room; what it refuses is taken back from the map.

use crate::accounts::Principal;
use crate::attempt::Refused;
use crate::collector::{Chosen, Collector};
use crate::shared::Shared;
use crate::store::rows::{NewOperation, NewVm, RoomCheck, VmRecord};
use crate::store::{Begun, StoreError};
use crate::{ManagerError, clock};
use grid::operation::OperationKind;
use grid::plan::{Plan, Refusal, RefusalReason};
use grid::vm::{Vm, commitment};
use grid::{NodeId, OperationId, RelocationId, Resource, Resources, Size, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use tokio::sync::{Mutex, MutexGuard, Notify};
use uuid::Uuid;

/// Held by whoever decides.
#[derive(Debug, Default)]
pub(crate) struct Chooser {
    turn: Mutex<()>,
    /// What is being decided about, and not committed yet.
    keys: std::sync::Mutex<BTreeSet<Key>>,
    key_over: Notify,
}

/// Whose key, and which.
type Key = (UserId, String);

impl Chooser {
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// A second click counts in the map no more than the first: while that is on its way to the store, the same key waits.
    pub(crate) async fn key(&self, user: UserId, key: &str) -> KeyTurn<'_> {
        let key = (user, key.to_owned());
        let mut has_waited = false;
        loop {
            let over = self.key_over.notified();
            tokio::pin!(over);
            // From before the look on, so that no end falls between it and the wait.
            over.as_mut().enable();
            if self.keys().insert(key.clone()) {
                return KeyTurn { chooser: self, key, has_waited };
            }
            has_waited = true;
            over.await;
        }
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, BTreeSet<Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held from the decision to the answer.
#[derive(Debug)]
pub(crate) struct KeyTurn<'a> {
    chooser: &'a Chooser,
    key: Key,
    /// Whether the same key was decided about a moment ago: the store may know it by now.
    pub(crate) has_waited: bool,
}

impl Drop for KeyTurn<'_> {
    fn drop(&mut self) {
        self.chooser.keys().remove(&self.key);
        self.chooser.key_over.notify_waiters();
    }
}

/// An operation as a use case wants it.
pub(crate) struct Wanted<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) kind: OperationKind,
    pub(crate) key: &'a str,
    /// The VM that it works on; for a deployment the one to be recorded.
    pub(crate) vm: Vm,
    pub(crate) is_new: bool,
    /// What it is a move of.
    pub(crate) relocation: Option<RelocationId>,
}

impl Wanted<'_> {
    /// What it holds on each node while it runs.
    fn reservations(&self) -> Vec<(NodeId, Resources)> {
        let (vm, kind) = (&self.vm, self.vm.kind);
        match &self.kind {
            OperationKind::Deploy { node, size, .. } | OperationKind::Rebuild { node, size, .. } => {
                vec![(*node, commitment(kind, *size))]
            }
            kind if kind.waits_for_room() => Vec::new(),
            OperationKind::Resize { plan, .. } => vec![held_by(plan, vm)],
            _ => Vec::new(),
        }
    }

    /// What its tenant holds more when it is done.
    fn quota_delta(&self) -> Resources {
        match &self.kind {
            OperationKind::Deploy { size, .. } => Resources::from(*size),
            OperationKind::Resize { plan, .. } => Resources::from(plan.to).minus(plan.from.into()),
            _ => Resources::ZERO,
        }
    }

    fn tenant(&self) -> grid::TenantId {
        self.vm.tenant
    }
}

/// In place the growth; at a second node all of it, as it arrives and as it will be.
fn held_by(plan: &Plan, vm: &Vm) -> (NodeId, Resources) {
    let to = commitment(vm.kind, plan.to);
    match plan.destination {
        None => (plan.source, to.minus(commitment(vm.kind, plan.from))),
        Some(destination) => (destination, to.larger(commitment(vm.kind, plan.arrives_with()))),
    }
}

/// What has been decided, counts in the map, and is to be committed.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    new: NewOperation,
    room: Vec<RoomCheck>,
    /// What the store will have recorded of the VM.
    record: VmRecord,
    chosen: Chosen<'a>,
}

/// An operation that the store has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    pub(crate) operation: OperationId,
    /// False where the key stood for it already: it may be another one than was wanted.
    pub(crate) is_new: bool,
}

/// Decides, and commits it with the room that it holds. What reserves room is to be called in one's turn; who would give the turn
/// back before the commit says [`decide`] and [`commit`].
pub(crate) async fn begin(shared: &Shared, collector: &Collector, wanted: Wanted<'_>) -> Result<OperationId, Refused> {
    let decided = decide(shared, collector, wanted)?;
    commit(shared, decided).await.map(|accepted| accepted.operation)
}

/// Has it count in the map. To be called in one's turn, which is over then.
pub(crate) fn decide<'a>(
    shared: &Shared,
    collector: &'a Collector,
    wanted: Wanted<'_>,
) -> Result<Decided<'a>, ManagerError> {
    let steps = super::steps_of(&wanted.kind);
    let reservations = wanted.reservations();
    let room =
        reservations.iter().map(|(node, asked)| room_check(collector, *node, *asked)).collect::<Result<Vec<_>, _>>()?;
    let network = &shared.network;
    let new = NewOperation {
        id: OperationId(Uuid::now_v7()),
        tenant: wanted.tenant(),
        actor: wanted.principal.user,
        idempotency_key: wanted.key.to_owned(),
        generation: (!wanted.is_new).then_some(wanted.vm.generation),
        deploy: wanted.is_new.then(|| NewVm { vm: wanted.vm.clone(), addresses: (network.first, network.last) }),
        quota_delta: wanted.quota_delta(),
        steps: steps.iter().map(|step| step.name()).collect(),
        relocation: wanted.relocation,
        kind: wanted.kind,
        reservations,
        now: clock::now(),
    };
    let mac = wanted.is_new.then_some(wanted.vm.mac.as_str());
    let chosen = collector.choose(new.id, &new.reservations, mac);
    let record = VmRecord {
        // A new one's address is chosen by the store; nothing that counts depends on it.
        vm: Some(wanted.vm),
        operation: Some((new.id, new.kind.clone())),
        reservations: new.reservations.iter().map(|(node, amount)| (*node, new.id, *amount)).collect(),
    };
    Ok(Decided { new, room, record, chosen })
}

/// Commits it. What is refused counts in the map no more.
pub(crate) async fn commit(shared: &Shared, decided: Decided<'_>) -> Result<Accepted, Refused> {
    let Decided { new, room, record, chosen } = decided;
    let begun = shared.store.operation_begin(&new, &room).await.map_err(Refused::by_store)?;
    let is_new = matches!(begun, Begun::Started(_));
    if is_new {
        chosen.counts_as(new.kind.vm(), record);
    }
    // What the store refused has its row.
    answer(begun, &new).map(|operation| Accepted { operation, is_new }).map_err(Refused::Told)
}

/// Has an operation that waited for room go on by this plan, with the room that it holds. To be called in one's turn.
/// Whether it does: not where the room was taken a moment ago, or the VM has just changed.
pub(crate) async fn go_on_with(
    shared: &Shared,
    collector: &Collector,
    (id, kind): (OperationId, &OperationKind),
    vm: &Vm,
) -> Result<bool, ManagerError> {
    let OperationKind::Resize { plan, .. } = kind else { return Ok(false) };
    let (node, asked) = held_by(plan, vm);
    let room = room_check(collector, node, asked)?;
    let steps: Vec<&'static str> = super::steps_of(kind).iter().map(|step| step.name()).collect();
    let begun = shared.store.operation_room_made(id, kind, &steps, &room).await?;
    if matches!(begun, Begun::Started(_)) {
        // Before the next one looks.
        collector.vms_changed(&[vm.id]).await?;
    }
    Ok(matches!(begun, Begun::Started(_)))
}

/// The room that must still be there: what the store does not know is told to it.
fn room_check(collector: &Collector, node: NodeId, asked: Resources) -> Result<RoomCheck, ManagerError> {
    let room = collector.room_on(node).ok_or_else(|| unavailable("the node is not in the map any more"))?;
    Ok(RoomCheck { node, usable: room.usable, outside: room.outside, asked })
}

fn answer(begun: Begun, new: &NewOperation) -> Result<OperationId, ManagerError> {
    match begun {
        Begun::Started(id) | Begun::Already(id) => Ok(id),
        Begun::Busy(operation) => Err(ManagerError::Busy { operation }),
        Begun::Changed => Err(unavailable("the VM has just changed; look again")),
        Begun::NoRoom { .. } => Err(unavailable("the room was taken a moment ago; try again")),
        Begun::OverQuota { limit, used } => Err(over_quota(limit, used, new)),
        Begun::TooManyVms { limit } => {
            Err(unavailable(&format!("the quota is {limit} VMs, and all of them are there")))
        }
        Begun::NameTaken => Err(ManagerError::NameTaken),
        Begun::NoAddressLeft => Err(unavailable("the customers' network has no address left")),
    }
}

fn over_quota(limit: Resources, used: Resources, new: &NewOperation) -> ManagerError {
    let (left, delta) = (limit.minus(used), new.quota_delta);
    let over = |resource: &Resource| delta.get(*resource) > left.get(*resource);
    let resource = Resource::ALL.into_iter().find(over).unwrap_or(Resource::Memory);
    let asked: Size = match &new.kind {
        OperationKind::Deploy { size, .. } => *size,
        OperationKind::Resize { plan, .. } => plan.to,
        _ => return unavailable("the quota is used up"),
    };
    let reason = RefusalReason::QuotaExceeded { resource, asked: delta.get(resource), left: left.get(resource) };
    ManagerError::Refused { refusal: Box::new(Refusal { reason, asked, largest: None, nodes: Vec::new() }) }
}

fn unavailable(reason: &str) -> ManagerError {
    ManagerError::Unavailable { reason: reason.to_owned() }
}

/// What a tenant may still add.
pub(crate) async fn quota_left(shared: &Shared, tenant: grid::TenantId) -> Result<Resources, StoreError> {
    let standing = shared.store.tenant_standing(tenant).await?;
    Ok(standing.quota.limit.minus(standing.used))
}

/// What is committed to the recorded VMs of a node, as the store sums it.
pub(crate) fn recorded(vms: &BTreeMap<NodeId, Vec<Vm>>, node: NodeId) -> Resources {
    let of_node = vms.get(&node).map_or(&[][..], Vec::as_slice);
    of_node.iter().map(Vm::commitment).fold(Resources::ZERO, Resources::plus)
}
