//! What a step works with: the frozen operation, the nodes it touches, its facts, and the time it spends in calls.

use super::step::StepError;
use crate::clock;
use crate::collector::Collector;
use crate::hypervisor::{Hypervisor, Observation};
use crate::options::Pace;
use crate::shared::{Change, Shared};
use crate::store::rows::Claim;
use crate::utility::UtilityError;
use grid::map::Condition;
use grid::operation::{Operation, OperationKind, StepState};
use grid::plan::Plan;
use grid::vm::{Maxima, Vm};
use grid::work::{Work, WorkDone};
use grid::{NodeId, Size, VmId};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// One operation, being carried out by this process.
#[derive(Debug)]
pub(crate) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) collector: Arc<Collector>,
    pub(super) operation: Operation,
    pub(super) epoch: u64,
    /// Says that it is to turn back.
    pub(super) cancelled: CancellationToken,
    /// The step that is being carried out.
    pub(super) position: AtomicU32,
    /// Whether that step had been begun before, by an earlier try or an earlier process.
    pub(super) again: AtomicBool,
    /// Microseconds spent inside calls of hypervisors and utility modules.
    called_us: AtomicU64,
    /// The steps' states as they were recorded last.
    states: Mutex<Vec<StepState>>,
}

impl Run {
    pub(super) fn new(shared: Arc<Shared>, collector: Arc<Collector>, operation: Operation, epoch: u64) -> Self {
        let (position, again, called_us) = (AtomicU32::new(0), AtomicBool::new(false), AtomicU64::new(0));
        let states = Mutex::new(operation.steps.iter().map(|step| step.state).collect());
        let cancelled = CancellationToken::new();
        if operation.cancelled_by.is_some() {
            cancelled.cancel();
        }
        Self { shared, collector, operation, epoch, cancelled, position, again, called_us, states }
    }

    pub(super) fn state_of(&self, position: u32) -> StepState {
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(position).ok().and_then(|at| states.get(at).copied()).unwrap_or(StepState::Waiting)
    }

    pub(super) fn state_is(&self, position: u32, state: StepState) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = usize::try_from(position).ok().and_then(|at| states.get_mut(at)) {
            *known = state;
        }
    }

    /// By what right this process writes about the VM.
    pub(super) fn claim(&self) -> Claim {
        Claim { operation: self.operation.id, epoch: self.epoch }
    }

    pub(super) fn pace(&self) -> &Pace {
        &self.shared.pace
    }

    pub(super) fn vm_id(&self) -> VmId {
        self.operation.kind.vm()
    }

    /// The VM as it is recorded now.
    pub(super) async fn vm(&self) -> Result<Vm, StepError> {
        let found = self.shared.store.vm_get(self.vm_id()).await?;
        found.ok_or_else(|| StepError::new("the VM is not recorded any more"))
    }

    pub(super) fn plan(&self) -> Result<&Plan, StepError> {
        match &self.operation.kind {
            OperationKind::Resize { plan, .. } => Ok(plan),
            _ => Err(StepError::new("this operation has no plan")),
        }
    }

    /// Whether the customer agreed that a guest which ignores the request to shut down is forced off.
    pub(super) fn may_force_off(&self) -> bool {
        matches!(self.operation.kind, OperationKind::Resize { force_off: true, .. })
    }

    /// Where the VM is to be in the end.
    pub(super) async fn place(&self) -> Result<NodeId, StepError> {
        match &self.operation.kind {
            OperationKind::Deploy { node, .. } | OperationKind::Rebuild { node, .. } => Ok(*node),
            OperationKind::Resize { plan, .. } => Ok(plan.destination.unwrap_or(plan.source)),
            _ => Ok(self.vm().await?.node),
        }
    }

    pub(super) fn destination(&self) -> Result<NodeId, StepError> {
        self.plan()?.destination.ok_or_else(|| StepError::new("the plan has no destination"))
    }

    /// Whether an admin has said that the node is cut off.
    pub(super) fn is_fenced(&self, node: NodeId) -> bool {
        self.collector.map().get(node).is_some_and(|entry| entry.condition == Condition::Fenced)
    }

    /// Nothing is asked of a fenced node, and nothing done there.
    pub(super) fn hypervisor(&self, node: NodeId) -> Result<&Arc<dyn Hypervisor>, StepError> {
        if self.is_fenced(node) {
            return Err(StepError::new("the VM's node is out of service").detail("it is fenced"));
        }
        let found = self.shared.hypervisor(node);
        found.ok_or_else(|| StepError::new("the node is not connected").detail(node))
    }

    /// Waits for a call and counts its time. Nothing is called for by a server that does not hold the lease.
    pub(super) async fn call<T, E>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.shared.lease.until_held().await;
        let began = Instant::now();
        let answer = call.await;
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.called_us.fetch_add(took, Ordering::Relaxed);
        answer
    }

    /// Has a node's utility module do something.
    pub(super) async fn order(&self, node: NodeId, work: Work, deadline: Duration) -> Result<WorkDone, StepError> {
        Ok(self.call(self.order_uncounted(node, work, deadline)).await?)
    }

    /// The same, for several at once: their time is counted around them.
    pub(super) async fn order_uncounted(
        &self,
        node: NodeId,
        work: Work,
        deadline: Duration,
    ) -> Result<WorkDone, UtilityError> {
        if self.is_fenced(node) {
            return Err(UtilityError::Silent);
        }
        self.shared.hub.module(node).carry_out(work, deadline).await
    }

    pub(super) async fn observe(&self, node: NodeId) -> Result<Option<Observation>, StepError> {
        Ok(self.call(self.hypervisor(node)?.observe(self.vm_id())).await?)
    }

    pub(super) fn called_ms(&self) -> u64 {
        self.called_us.load(Ordering::Relaxed) / 1000
    }

    pub(super) async fn fact(&self, key: &str) -> Result<Option<String>, StepError> {
        Ok(self.shared.store.operation_fact_get(self.operation.id, key).await?)
    }

    pub(super) async fn fact_set(&self, key: &str, value: &str) -> Result<(), StepError> {
        Ok(self.shared.store.operation_fact_set(self.operation.id, self.epoch, key, value).await?)
    }

    /// A fact that is a number.
    pub(super) async fn number(&self, key: &str) -> Result<Option<u64>, StepError> {
        Ok(self.fact(key).await?.and_then(|text| text.parse().ok()))
    }

    /// Says how far the step has come; a note that is lost doesn't matter.
    /// Waits for a call that takes its time, and tells every second how far it has come.
    pub(super) async fn telling<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        how_far: impl Fn() -> String,
    ) -> Result<T, E> {
        let mut call = pin!(self.call(call));
        let mut tick = interval(Duration::from_secs(1));
        tick.tick().await;
        loop {
            tokio::select! {
                answer = &mut call => return answer,
                _ = tick.tick() => self.tell_progress(&how_far()).await,
            }
        }
    }

    pub(super) async fn tell_progress(&self, note: &str) {
        let position = self.position.load(Ordering::Relaxed);
        let (store, id) = (&self.shared.store, self.operation.id);
        let state = StepState::Started;
        if let Err(error) = store.step_set(id, self.epoch, position, state, Some(note), clock::now()).await {
            tracing::debug!(%error, operation = %id, "a note on progress was lost");
        }
        self.shared.tell(Change::Operation(id));
    }

    /// Home, size and maxima become what was seen; the map counts it at once.
    pub(super) async fn settle(&self, node: NodeId, size: Size, maxima: Maxima) -> Result<(), StepError> {
        self.shared.store.vm_settle(self.vm_id(), node, size, maxima, Some(self.claim())).await?;
        self.recorded().await
    }

    /// Tells the map and the pages that the VM's row has changed.
    pub(super) async fn recorded(&self) -> Result<(), StepError> {
        self.collector.vms_changed(&[self.vm_id()]).await?;
        self.shared.tell(Change::Vm(self.vm_id()));
        Ok(())
    }

    /// The maxima with which the VM is started anew at a size: chosen once, then remembered.
    pub(super) async fn new_maxima(&self, node: NodeId, size: Size) -> Result<Maxima, StepError> {
        if let Some(known) = self.fact("maxima").await?
            && let Ok(maxima) = serde_json::from_str(&known)
        {
            return Ok(maxima);
        }
        let usable = self.collector.map().get(node).map(|entry| entry.usable);
        let maxima = super::maxima::choose(size, usable);
        let text = serde_json::to_string(&maxima).map_err(|error| StepError::new("internal").detail(error))?;
        self.fact_set("maxima", &text).await?;
        Ok(maxima)
    }

    /// The maxima that the VM has by now: those of this operation's new start, else the recorded ones.
    pub(super) async fn maxima(&self) -> Result<Maxima, StepError> {
        let known = self.fact("maxima").await?;
        match known.and_then(|text| serde_json::from_str(&text).ok()) {
            Some(maxima) => Ok(maxima),
            None => Ok(self.vm().await?.maxima),
        }
    }
}
