//! Settling: what was verified is recorded, and counts in the map from then on.

use super::verify::is_same;
use crate::hypervisor::Observation;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::operation::OperationKind;
use grid::sample::DomainState;
use grid::vm::VmState;
use grid::work::Work;
use grid::{NodeId, Size};
use std::time::Duration;

/// The module's record of a size is the second set of statistics; it must not lag behind for long.
const TELL_MODULE: Duration = Duration::from_secs(15);

/// The home becomes the destination, at the size with which it arrives: the VM is seen running there and not at the
/// source.
pub(in crate::operations) struct SettleHome;

#[async_trait]
impl Step for SettleHome {
    fn name(&self) -> &'static str {
        "settle-home"
    }

    fn cleans_up(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let vm = run.vm().await?;
        run.settle(run.destination()?, run.plan()?.arrives_with(), vm.maxima).await?;
        Ok(None)
    }
}

/// The utility module is told the size that the VM now has. One that is away does not hold the operation up.
pub(in crate::operations) struct RecordSize;

#[async_trait]
impl Step for RecordSize {
    fn name(&self) -> &'static str {
        "record-size"
    }

    fn deadline(&self, _pace: &Pace) -> Duration {
        TELL_MODULE * 2
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        Ok(tell_module(run, run.place().await?, run.plan()?.to).await)
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        tell_module(run, run.place().await?, run.plan()?.arrives_with()).await;
        Ok(())
    }
}

pub(in crate::operations) async fn tell_module(run: &Run, node: NodeId, size: Size) -> Note {
    let work = Work::RecordSize { vm: run.vm_id(), size };
    let failed = run.order(node, work, TELL_MODULE).await.err()?;
    tracing::warn!(error = %failed, vm = %run.vm_id(), "the utility module does not know the VM's new size");
    Some("the utility module was not told".into())
}

/// Size, home, maxima and state are recorded as the hypervisor tells them.
pub(in crate::operations) struct Settle {
    /// Whether, where nothing ran on the way, this is where the home changes for good.
    pub(in crate::operations) no_return: bool,
}

#[async_trait]
impl Step for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    fn no_return(&self) -> bool {
        self.no_return
    }

    fn cleans_up(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let place = run.place().await?;
        record_what_is(run, place).await.map(|_| None)
    }
}

/// Records what the hypervisor of `node` says of the VM as its home, size and state; answers the size.
pub(in crate::operations) async fn record_what_is(run: &Run, node: NodeId) -> Result<Size, StepError> {
    let vm = run.vm().await?;
    let seen = run.observe(node).await?.ok_or_else(|| StepError::new("the VM is not where it should be"))?;
    // Where no size was to change, the configuration says it: a machine that has just been started plugs its memory only
    // when its guest has booted.
    let told = if run.plan().is_ok() { seen.live.or(seen.persistent) } else { seen.persistent.or(seen.live) };
    let told = told.ok_or_else(|| StepError::new("the VM has no size"))?;
    let known = [run.plan().ok().map(|plan| plan.to), Some(vm.size)];
    let size = known.into_iter().flatten().find(|known| is_same(told, *known)).unwrap_or(told);
    run.shared.store.vm_settle(vm.id, node, size, run.maxima().await?, Some(run.claim())).await?;
    // Whoever had it stopped wants it off, by whatever it went.
    let state = match run.operation.kind {
        OperationKind::Stop { .. } => as_recorded(seen.state),
        _ => state_after(vm.state, &seen),
    };
    run.shared.store.vm_state_set(vm.id, state, Some(run.claim())).await?;
    run.recorded().await?;
    Ok(size)
}

/// A VM that ran and went off with its node is to run again: whoever follows its state sees to that.
pub(in crate::operations) fn state_after(before: VmState, seen: &Observation) -> VmState {
    let may_have_run = matches!(before, VmState::Running | VmState::Unknown);
    if seen.off_unexplained && may_have_run { before } else { as_recorded(seen.state) }
}

/// A domain's state as the state of its VM.
pub(in crate::operations) const fn as_recorded(state: DomainState) -> VmState {
    match state {
        DomainState::Running | DomainState::Paused => VmState::Running,
        DomainState::ShutOff | DomainState::Other => VmState::Stopped,
    }
}
