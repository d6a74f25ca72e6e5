//! The end of an operation: what is true of the VM now is recorded, reservations are freed, the audit gets its row. Or
//! its wait for the operator: nothing is freed, and the VM's state says what is seen.

use super::kinds::steps_of;
use super::run::Run;
use super::step::StepError;
use super::steps::settle::{record_what_is, state_after, tell_module};
use super::steps::verify::is_same;
use super::steps::watch::{DOWNTIME, was_silent};
use super::work::Outcome;
use crate::clock;
use crate::shared::Change;
use crate::store::StoreError;
use crate::store::rows::{OperationEnd, OperationWait};
use grid::operation::{OperationKind, OperationState, StepState};
use grid::plan::Plan;
use grid::sample::DomainState;
use grid::vm::VmState;
use grid::{NodeId, UserId};

/// It waits for the operator, and holds what it holds.
pub(super) async fn wait(run: &Run, outcome: Outcome) -> Result<(), StoreError> {
    let reason = outcome.reason.unwrap_or_else(|| "it is not known how to go on".into());
    let wait = OperationWait { detail: outcome.detail.unwrap_or_else(|| reason.clone()), reason, now: clock::now() };
    run.shared.store.operation_wait(run.operation.id, run.epoch, &wait).await?;
    state_as_seen(run).await;
    tell(run).await;
    Ok(())
}

/// While nobody goes on with it, the VM's state is what its home's hypervisor says.
async fn state_as_seen(run: &Run) {
    let Ok(vm) = run.vm().await else { return };
    if !matches!(vm.state, VmState::Running | VmState::Stopped) {
        return;
    }
    let seen = run.observe(vm.node).await.ok().flatten();
    let state = seen.map_or(VmState::Unknown, |seen| state_after(vm.state, &seen));
    if let Err(error) = state_set(run, state).await {
        tracing::error!(%error, vm = %vm.id, "a VM's state was not recorded");
    }
}

/// Ends it, of itself or because an operator gave it up.
pub(super) async fn end(run: &Run, outcome: Outcome, given_up_by: Option<UserId>) -> Result<(), StoreError> {
    let outcome = match record_truth(run, outcome).await {
        Ok(outcome) => outcome,
        Err(NotRecorded::Store(error)) => return Err(error),
        // An operator who gives it up has been told so.
        Err(NotRecorded::Unseen(outcome, _)) if given_up_by.is_some() => {
            state_set(run, VmState::Unknown).await?;
            outcome
        }
        Err(NotRecorded::Unseen(outcome, error)) => return Box::pin(wait(run, not_known(outcome, &error))).await,
    };
    let downtime = run.shared.store.operation_fact_get(run.operation.id, DOWNTIME).await?;
    let end = OperationEnd {
        state: outcome.state,
        reason: outcome.reason,
        detail: outcome.detail,
        downtime_ms: downtime.and_then(|text| text.parse().ok()),
        called_ms: run.called_ms(),
        given_up_by,
        now: clock::now(),
    };
    run.shared.store.operation_end(run.operation.id, run.epoch, &end).await?;
    tell(run).await;
    Ok(())
}

async fn tell(run: &Run) {
    if let Err(error) = run.collector.vms_changed(&[run.vm_id()]).await {
        tracing::warn!(%error, "the map counts what it knew until the store can be read");
    }
    run.shared.tell(Change::Vm(run.vm_id()));
    run.shared.tell(Change::Operation(run.operation.id));
    run.shared.tell(Change::Ended(run.operation.id));
}

/// What became of the VM can't be seen now, and would never be recorded: a disk that has grown does not shrink again.
fn not_known(outcome: Outcome, error: &StepError) -> Outcome {
    let reason = outcome.reason.map(|text| format!("{text}; it is not known what became of the VM: {}", error.reason));
    let detail = outcome.detail.map(|text| format!("{text}; it is not known what became of the VM: {error}"));
    Outcome { state: OperationState::Waiting, reason, detail }
}

/// Why the end can't be recorded now.
enum NotRecorded {
    /// It is tried again.
    Store(StoreError),
    /// No hypervisor says what became of the VM.
    Unseen(Outcome, StepError),
}

impl From<StoreError> for NotRecorded {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// After a failure the VM's row says what its hypervisor says; an undo that left something is no undo.
async fn record_truth(run: &Run, outcome: Outcome) -> Result<Outcome, NotRecorded> {
    Ok(match (&run.operation.kind, outcome.state) {
        (_, OperationState::Succeeded) => outcome,
        // Nothing was begun.
        (kind, _) if kind.waits_for_room() => outcome,
        (OperationKind::Resize { .. }, OperationState::Undone) if !was_touched(run) => outcome,
        (OperationKind::Deploy { .. }, OperationState::Undone) => {
            state_set(run, VmState::Failed).await?;
            outcome
        }
        (OperationKind::Deploy { .. }, _) => {
            state_set(run, VmState::Unknown).await?;
            outcome
        }
        (OperationKind::Resize { plan, .. }, _) => {
            let Ok(vm) = run.vm().await else { return Ok(outcome) };
            let home = executes_at(run, plan).await.unwrap_or(vm.node);
            match record_what_is(run, home).await {
                Ok(size) if is_same(size, plan.from) && home == plan.source => as_it_is_now(run, plan, outcome).await,
                Ok(size) => {
                    tell_module(run, home, size).await;
                    let now = |text: String| format!("{text}; the VM now has {size}");
                    let (reason, detail) = (outcome.reason.map(now), outcome.detail.map(now));
                    Outcome { state: OperationState::Failed, reason, detail }
                }
                Err(error) => {
                    tracing::warn!(%error, vm = %vm.id, "what became of the VM is not known");
                    return Err(NotRecorded::Unseen(outcome, error));
                }
            }
        }
        // Where it was not seen to execute anew, its home is the node that was fenced.
        (OperationKind::Rebuild { node, .. }, OperationState::Failed) => match run.observe(*node).await {
            Ok(Some(seen)) if seen.state == DomainState::Running => {
                record_what_is(run, *node).await.map_err(|error| NotRecorded::Unseen(outcome.clone(), error))?;
                outcome
            }
            Ok(_) => outcome,
            Err(error) => return Err(NotRecorded::Unseen(outcome, error)),
        },
        // One that can't be started is off, and is not started again by itself.
        (OperationKind::Start { .. }, OperationState::Undone) => {
            if let Ok(vm) = run.vm().await
                && vm.state == VmState::Running
                && let Ok(Some(seen)) = run.observe(vm.node).await
                && seen.state == DomainState::ShutOff
            {
                state_set(run, VmState::Stopped).await?;
            }
            outcome
        }
        // What was begun of a deletion is not taken back; what is left of the VM can be deleted.
        (OperationKind::Delete { .. }, _) => {
            if run.vm().await.is_ok_and(|vm| vm.state == VmState::Deleting) {
                state_set(run, VmState::Unknown).await?;
            }
            outcome
        }
        _ => outcome,
    })
}

/// Whether any step was begun that does something to the VM itself.
fn was_touched(run: &Run) -> bool {
    let steps = steps_of(&run.operation.kind);
    (0..).zip(&steps).any(|(position, step)| !step.prepares() && run.state_of(position) != StepState::Waiting)
}

/// Where all was taken back, whoever reads why is told that a VM which ran has gone off, or that the old size is back where
/// its guest did not answer at the new one.
async fn as_it_is_now(run: &Run, plan: &Plan, outcome: Outcome) -> Outcome {
    if outcome.state != OperationState::Undone {
        return outcome;
    }
    let told = match run.vm().await.map(|vm| vm.state) {
        Ok(VmState::Stopped) if plan.running => "; the VM is off now",
        Ok(VmState::Running) if was_silent(run).await => "; it runs at its old size again",
        _ => return outcome,
    };
    let with = |text: String| format!("{text}{told}");
    Outcome { reason: outcome.reason.map(with), detail: outcome.detail.map(with), ..outcome }
}

/// The destination, where the VM is seen running there: its home could not be recorded.
async fn executes_at(run: &Run, plan: &Plan) -> Option<NodeId> {
    let destination = plan.destination?;
    let seen = run.observe(destination).await.ok()??;
    (seen.state == DomainState::Running).then_some(destination)
}

/// A VM that is not recorded any more has no state.
async fn state_set(run: &Run, state: VmState) -> Result<(), StoreError> {
    match run.shared.store.vm_state_set(run.vm_id(), state, Some(run.claim())).await {
        Err(StoreError::NotFound) => Ok(()),
        done => done,
    }
}
