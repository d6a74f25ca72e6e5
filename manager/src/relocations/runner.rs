//! Carries relocations out: plans anew, begins the next move as an operation, waits for its end; and again.
//!
//! All that is to be known is in the rows: the relocation, and its operations. So a restart, or another server, goes on
//! by looking. A move's idempotency key has its number, so that it is begun once whoever looks.

use super::next::{NEEDS_CONSENT, draw, reason};
use crate::accounts::Principal;
use crate::collector::Collector;
use crate::operations::{Chooser, Driver, TOO_LATE, Wanted, begin};
use crate::shared::{Change, Shared};
use crate::store::StoreError;
use crate::store::rows::AuditRow;
use crate::vms::RELOCATION_KEY;
use crate::{ManagerError, clock};
use grid::moves::Move;
use grid::node::Administration;
use grid::operation::{Operation, OperationKind, OperationState};
use grid::plan::relocate;
use grid::relocation::{MoveGiven, Relocation, RelocationKind, RelocationState};
use grid::vm::Vm;
use grid::{NodeId, OperationId, RelocationId, VmId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two looks at a move that is under way, where nothing tells of a change: another server may carry it out.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How many times it is looked whether what can't be moved can be, before that is believed.
const LOOKS_WHILE_STUCK: u32 = 4;
const TAKE_UP: Duration = Duration::from_secs(5);

/// Runs relocations in tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Relocator {
    pub(super) shared: Arc<Shared>,
    pub(super) collector: Arc<Collector>,
    pub(super) driver: Driver,
    pub(super) chooser: Arc<Chooser>,
    running: Arc<Mutex<BTreeSet<RelocationId>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
    #[cfg(test)]
    pub(super) looks: Arc<std::sync::atomic::AtomicU32>,
}

/// What a look found.
pub(super) enum Look {
    Over,
    /// These operations are under way, or were begun.
    Moving(Vec<OperationId>),
    /// For what owners agree to, and for its time.
    Waits,
    /// Nothing can be moved now: it ends so where that stays so.
    Stuck(String),
}

impl Relocator {
    pub(crate) fn new(shared: Arc<Shared>, collector: Arc<Collector>, driver: Driver, chooser: Arc<Chooser>) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        Self {
            shared,
            collector,
            driver,
            chooser,
            running: Arc::default(),
            stop,
            tasks,
            #[cfg(test)]
            looks: Arc::default(),
        }
    }

    /// Takes up, on a clock, what nobody carries out: left by an earlier run, or begun with an answer that was lost.
    pub(crate) fn start(&self) {
        let relocator = self.clone();
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(async move {
            loop {
                match relocator.shared.store.relocation_unfinished().await {
                    Ok(left) => left.iter().for_each(|each| relocator.spawn(each.id)),
                    Err(error) => tracing::error!(%error, "unfinished relocations can't be read"),
                }
                tokio::time::sleep(TAKE_UP).await;
            }
        }));
    }

    /// Stops where each stands; they go on at the next start.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(crate) fn spawn(&self, id: RelocationId) {
        if !self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id) {
            return;
        }
        let relocator = self.clone();
        self.tasks.spawn(async move {
            relocator.stop.clone().run_until_cancelled(relocator.carry_out(id)).await;
            relocator.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }

    /// A map may be as old as a sample may be: only what stays so for that long is believed.
    async fn carry_out(&self, id: RelocationId) {
        let patience = Duration::from_millis(self.shared.pace.freshness.stale_after_ms);
        let mut stuck_since: Option<Instant> = None;
        // From before the look on, so that no change falls between it and the wait.
        let mut changes = self.shared.changes.subscribe();
        loop {
            let mut awaited = Vec::new();
            let mut at_most = patience / LOOKS_WHILE_STUCK;
            match self.look(id).await {
                Ok(Look::Over) => return,
                Ok(Look::Moving(operations)) => {
                    stuck_since = None;
                    (awaited, at_most) = (operations, LOOK_AGAIN);
                }
                Ok(Look::Waits) => stuck_since = None,
                Ok(Look::Stuck(why)) => {
                    let since = *stuck_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= patience
                        && let Err(error) = self.give_up(id, &why).await
                    {
                        tracing::error!(relocation = %id, %error, "its end is recorded later");
                    }
                }
                Err(error) => tracing::error!(relocation = %id, %error, "looked at again soon"),
            }
            let woken = until(&mut changes, |change| match change {
                // Also when the operation ends that room is made for: it was cancelled.
                Change::Ended(operation) => awaited.is_empty() || awaited.contains(operation) || operation.0 == id.0,
                Change::Relocation(relocation) => *relocation == id,
                Change::Vm(_) => awaited.is_empty(),
                // It changes with every sample: the clock is enough.
                Change::Map | Change::Operation(_) => false,
            });
            // Where nothing tells, the clock ends the wait.
            let _ = tokio::time::timeout(at_most, woken).await;
        }
    }

    async fn give_up(&self, id: RelocationId, why: &str) -> Result<(), ManagerError> {
        match self.shared.store.relocation_get(id).await? {
            Some(relocation) => self.end(&relocation, RelocationState::Failed, Some(why)).await,
            None => Ok(()),
        }
    }

    async fn look(&self, id: RelocationId) -> Result<Look, ManagerError> {
        #[cfg(test)]
        self.looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let store = &self.shared.store;
        let Some(relocation) = store.relocation_get(id).await?.filter(|found| !found.state.is_over()) else {
            return Ok(Look::Over);
        };
        let moves = store.relocation_operations(id).await?;
        let under_way: Vec<OperationId> = moves.iter().filter(|it| !it.state.is_over()).map(|it| it.id).collect();
        if !under_way.is_empty() {
            return Ok(Look::Moving(under_way));
        }
        if relocation.cancelled_by.is_some() {
            return self.over(&relocation, RelocationState::Cancelled, Some("cancelled")).await;
        }
        match &relocation.kind {
            RelocationKind::Drain { node } => self.look_at_drain(&relocation, *node, &moves).await,
            RelocationKind::MakeRoom { vm } => self.look_at_room(&relocation, *vm, &moves).await,
            RelocationKind::Rebalance { moves: reviewed } => {
                self.look_at_rebalance(&relocation, reviewed, &moves).await
            }
        }
    }

    async fn look_at_drain(
        &self,
        relocation: &Relocation,
        node: NodeId,
        moves: &[Operation],
    ) -> Result<Look, ManagerError> {
        let store = &self.shared.store;
        if !self.is_draining(node).await? {
            return self.over(relocation, RelocationState::Cancelled, Some("the node is no longer draining")).await;
        }
        let vms = store.vm_list(None).await?;
        if !vms.iter().any(|vm| vm.node == node) {
            return self.over(relocation, RelocationState::Succeeded, None).await;
        }
        let busy = busy(&self.shared).await?;
        let waits_for: Vec<OperationId> =
            vms.iter().filter(|vm| vm.node == node).filter_map(|vm| busy.get(&vm.id).copied()).collect();
        let (asked, now) = (store.consent_list(relocation.id).await?, clock::now());
        let agreed: BTreeMap<VmId, MoveGiven> = asked.iter().filter_map(|it| Some((it.vm, it.agreed(now)?))).collect();
        // Who agrees anew after a move that failed has it tried again.
        let is_tried_again =
            |each: &Operation| agreed.get(&each.kind.vm()).is_some_and(|it| Some(it.at) > each.ended_at);
        let failed = failed(moves).filter(|each| !is_tried_again(each)).map(|each| each.kind.vm());
        let left_out = failed.chain(busy.into_keys()).collect();
        let agreed = agreed.into_keys().collect();
        let drawn = draw(self.collector.map(), vms, node, left_out, agreed).await?;
        self.ask_owners(relocation.id, &drawn, &asked).await?;
        match drawn.plan.moves.first().and_then(|first| Some((first, drawn.vms.get(&first.vm)?))) {
            Some((first, vm)) => self.begin(relocation, vm, first, moves.len()).await,
            // What works on them now ends first.
            None if !waits_for.is_empty() => Ok(Look::Moving(waits_for)),
            None if drawn.waiting().next().is_some() => Ok(Look::Waits),
            None => Ok(Look::Stuck(reason(&drawn))),
        }
    }

    async fn is_draining(&self, node: NodeId) -> Result<bool, ManagerError> {
        let nodes = self.shared.store.node_list().await?;
        let drains = |node: &grid::node::Node| node.administration == Administration::Draining;
        Ok(nodes.iter().any(|each| each.id == node && drains(each)))
    }

    /// Begins a move as an operation of the VM's own; `number` is its own among the moves of the relocation. Where it
    /// can't be begun now, the next look plans anew.
    pub(super) async fn begin(
        &self,
        relocation: &Relocation,
        vm: &Vm,
        first: &Move,
        number: usize,
    ) -> Result<Look, ManagerError> {
        let vm = vm.clone();
        let Some(plan) = relocate(&self.collector.map(), &vm, first, &self.shared.pace.plans) else {
            return Ok(Look::Stuck("what is to be moved has changed".to_owned()));
        };
        let Some(user) = self.shared.store.user_get(relocation.actor).await? else {
            return Ok(Look::Stuck("who began it is not there any more".to_owned()));
        };
        let principal = Principal::from(user);
        let key = format!("{RELOCATION_KEY}{} move {number}", relocation.id);
        let turn = self.chooser.turn().await;
        // Nobody's VM is interrupted without consent, whoever planned it.
        let agreed = if plan.interrupts() { self.agreed_now(relocation.id, vm.id).await? } else { None };
        if plan.interrupts() && agreed.is_none() {
            return Ok(Look::Stuck(NEEDS_CONSENT.to_owned()));
        }
        let (force_off, not_after) = agreed.map_or((false, None), |given| (given.force_off, Some(given.window.closes)));
        let kind = OperationKind::Resize { plan, force_off, not_after };
        let relocation = Some(relocation.id);
        let wanted = Wanted { principal: &principal, kind, key: &key, vm, is_new: false, relocation };
        let begun = begin(&self.shared, &self.collector, wanted).await;
        drop(turn);
        match begun.map_err(ManagerError::from) {
            Ok(operation) => {
                self.driver.spawn(operation);
                self.shared.tell(Change::Map);
                Ok(Look::Moving(vec![operation]))
            }
            Err(error @ ManagerError::Internal) => Err(error),
            Err(refused) => Ok(Look::Stuck(refused.to_string())),
        }
    }

    pub(super) async fn over(
        &self,
        relocation: &Relocation,
        state: RelocationState,
        reason: Option<&str>,
    ) -> Result<Look, ManagerError> {
        self.end(relocation, state, reason).await?;
        Ok(Look::Over)
    }

    async fn end(
        &self,
        relocation: &Relocation,
        state: RelocationState,
        reason: Option<&str>,
    ) -> Result<(), ManagerError> {
        let row = AuditRow {
            at: clock::now(),
            actor: Some(relocation.actor),
            tenant: None,
            action: super::action(&relocation.kind).to_owned(),
            target: relocation.id.to_string(),
            outcome: reason.map_or_else(|| state.as_str().to_owned(), |why| format!("{}: {why}", state.as_str())),
        };
        self.shared.store.relocation_end(relocation.id, state, reason, &row).await?;
        self.shared.tell(Change::Relocation(relocation.id));
        if let Some(operation) = relocation.makes_room_for() {
            self.driver.spawn(operation);
        }
        Ok(())
    }
}

/// The VMs that operations work on.
pub(super) async fn busy(shared: &Shared) -> Result<BTreeMap<VmId, OperationId>, StoreError> {
    Ok(shared.store.operation_unfinished().await?.iter().map(|each| (each.kind.vm(), each.id)).collect())
}

/// Until something changes that matters; at once where changes were missed.
async fn until(changes: &mut Receiver<Change>, matters: impl Fn(&Change) -> bool) {
    loop {
        match changes.recv().await {
            Ok(change) if !matters(&change) => {}
            Err(RecvError::Closed) => std::future::pending().await,
            Ok(_) | Err(RecvError::Lagged(_)) => return,
        }
    }
}

/// Moves of this relocation that did not bring their VMs away. One that did not come to its turn in its window is to be
/// agreed to anew.
fn failed(moves: &[Operation]) -> impl Iterator<Item = &Operation> {
    let came_to_it = |each: &&Operation| each.reason.as_deref() != Some(TOO_LATE);
    moves.iter().filter(|each| each.state != OperationState::Succeeded).filter(came_to_it)
}
