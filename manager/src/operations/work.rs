//! Walking the steps of one operation: forward, or back and clean. See the picture in `driver.rs`.

use super::cancel;
use super::run::Run;
use super::step::{Note, Step, StepError};
#[cfg(any(test, feature = "trial"))]
use super::trial::Moment;
use crate::clock;
use crate::shared::Change;
use crate::store::StoreError;
use futures::FutureExt;
use grid::operation::{OperationState, StepState};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The facts in which the reason of a failure survives a restart.
const REASON: &str = "reason";
const DETAIL: &str = "detail";
/// Why nothing was done: what reads this takes it for no failure.
pub(crate) const TOO_LATE: &str = "its window was over before it could begin";
/// There where an undo was given up so that what was done stays.
const STAYS: &str = "stays";
/// How much longer an undo is tried than a do, where the VM itself waits for it.
const UNDO_PATIENCE: u32 = 3;
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How an operation ends.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) state: OperationState,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
}

impl Outcome {
    /// Nothing is done until an operator has looked.
    fn waiting(error: &StepError) -> Self {
        let (reason, detail) = (error.reason.clone(), error.detail.clone());
        Self { state: OperationState::Waiting, reason: Some(reason), detail: Some(detail) }
    }

    /// An operation that an other version of this program accepted.
    pub(super) fn not_understood() -> Self {
        let reason = "this version of Hostgrid does not know how to go on with it: nothing was touched";
        Self::waiting(&StepError::new(reason))
    }
}

/// All steps that are not done yet; at the first failure back again.
pub(super) async fn forward(run: &Run, steps: &[Box<dyn Step>]) -> Result<Outcome, StoreError> {
    for (position, step) in positions(steps) {
        if run.state_of(position) == StepState::Done {
            continue;
        }
        // A crash may have come between a failure and the word that all is to be undone.
        let ended = match run.state_of(position) {
            StepState::Failed if !step.may_fail() => Err(StepError::new("a step had failed")),
            StepState::Waiting if run.cancelled.is_cancelled() && can_turn_back(run, steps) => {
                Err(StepError::new("cancelled"))
            }
            _ if can_turn_back(run, steps) && step.can_be_broken_off() => {
                unless_cancelled(run, position, step.as_ref()).await?
            }
            _ => carry_out(run, position, step.as_ref()).await?,
        };
        let Err(error) = ended else { continue };
        if error.unknown {
            return Ok(Outcome::waiting(&error));
        }
        if step.may_fail() && run.state_of(position) == StepState::Failed {
            continue;
        }
        match happened(run, position, step.as_ref()).await? {
            Ok(true) => {}
            Ok(false) => return turn_back(run, steps, &error).await,
            Err(unknown) => return Ok(Outcome::waiting(&unknown)),
        }
    }
    Ok(Outcome { state: OperationState::Succeeded, reason: None, detail: None })
}

/// Whether all steps that were begun can be taken back.
fn can_turn_back(run: &Run, steps: &[Box<dyn Step>]) -> bool {
    positions(steps).all(|(position, step)| cancel::can_turn_back(step.as_ref(), run.state_of(position)))
}

/// Carries a step out, and breaks it off when the operation is cancelled. That it has begun is not broken off: it would stand
/// in the store, and nobody here would know.
async fn unless_cancelled(run: &Run, position: u32, step: &dyn Step) -> Result<Result<(), StepError>, StoreError> {
    begin(run, position).await?;
    tokio::select! {
        biased;
        () = run.cancelled.cancelled() => {}
        ended = go_on(run, position, step) => return ended,
    }
    record(run, position, StepState::Failed, Some("cancelled")).await?;
    Ok(Err(StepError::new("cancelled")))
}

/// Whether a step of no return, failed or cut off, has done all the same what can't be taken back; then it counts as
/// done.
async fn happened(run: &Run, position: u32, step: &dyn Step) -> Result<Result<bool, StepError>, StoreError> {
    if !step.no_return() || matches!(run.state_of(position), StepState::Waiting | StepState::Done) {
        return Ok(Ok(false));
    }
    let happened = guarded(step.deadline(run.pace()), step.has_happened(run)).await;
    if happened == Ok(true) {
        record(run, position, StepState::Done, Some("it had happened all the same")).await?;
    }
    Ok(happened.map_err(StepError::unknown))
}

/// Whether a step was begun that does more than prepare.
pub(super) fn has_disturbed(run: &Run, steps: &[Box<dyn Step>]) -> bool {
    positions(steps).any(|(position, step)| !step.prepares() && run.state_of(position) != StepState::Waiting)
}

/// Goes back where the window that it was agreed to for is over.
pub(super) async fn too_late(run: &Run, steps: &[Box<dyn Step>]) -> Result<Outcome, StoreError> {
    turn_back(run, steps, &StepError::new(TOO_LATE)).await
}

/// Remembers why, and goes back.
async fn turn_back(run: &Run, steps: &[Box<dyn Step>], error: &StepError) -> Result<Outcome, StoreError> {
    let (store, id) = (&run.shared.store, run.operation.id);
    store.operation_fact_set(id, run.epoch, REASON, &error.reason).await?;
    store.operation_fact_set(id, run.epoch, DETAIL, &error.detail).await?;
    store.operation_state_set(id, run.epoch, OperationState::Undoing).await?;
    run.shared.tell(Change::Operation(id));
    back(run, steps).await
}

/// Undoes in reverse, down to the point of no return if that was passed; then what cleans up is carried out.
pub(super) async fn back(run: &Run, steps: &[Box<dyn Step>]) -> Result<Outcome, StoreError> {
    let store = &run.shared.store;
    let mut reason =
        store.operation_fact_get(run.operation.id, REASON).await?.unwrap_or_else(|| "a step failed".into());
    let mut detail = store.operation_fact_get(run.operation.id, DETAIL).await?.unwrap_or_else(|| reason.clone());
    for (position, step) in positions(steps) {
        if let Err(unknown) = happened(run, position, step.as_ref()).await? {
            return Ok(Outcome::waiting(&unknown));
        }
    }
    let passed = positions(steps)
        .filter(|(position, step)| step.no_return() && run.state_of(*position) == StepState::Done)
        .map(|(position, _)| position)
        .last();
    let first = passed.map_or(0, |position| position + 1);
    if store.operation_fact_get(run.operation.id, STAYS).await?.is_some() {
        return clean_up(run, steps, first, &reason, &detail).await;
    }
    for (position, step) in positions(steps).rev().filter(|(position, _)| *position >= first) {
        let kept = passed.is_some() && step.cleans_up();
        if kept || matches!(run.state_of(position), StepState::Waiting | StepState::Undone) {
            continue;
        }
        let Err(error) = undo(run, position, step.as_ref()).await? else { continue };
        if error.stays {
            record(run, position, StepState::Failed, Some(&error.reason)).await?;
            let (reason, detail) = (format!("{reason}; {}", error.reason), format!("{detail}; {error}"));
            // Nobody asks the guest a second time, whenever this goes on.
            for (fact, value) in [(REASON, reason.as_str()), (DETAIL, detail.as_str()), (STAYS, "yes")] {
                store.operation_fact_set(run.operation.id, run.epoch, fact, value).await?;
            }
            return clean_up(run, steps, first, &reason, &detail).await;
        }
        if error.unknown || !step.leaves_behind() {
            let told = StepError::new(format!("{reason}; it could not be undone: {}", error.reason));
            return Ok(Outcome::waiting(&told.detail(format!("{detail}; {error}"))));
        }
        record(run, position, StepState::Failed, Some(&format!("left behind: {}", error.reason))).await?;
        reason = format!("{reason}; something was left behind that could not be removed: {}", error.reason);
        detail = format!("{detail}; left behind by {}: {error}", step.name());
    }
    if passed.is_none() {
        return Ok(Outcome { state: OperationState::Undone, reason: Some(reason), detail: Some(detail) });
    }
    clean_up(run, steps, first, &reason, &detail).await
}

async fn clean_up(
    run: &Run,
    steps: &[Box<dyn Step>],
    first: u32,
    reason: &str,
    detail: &str,
) -> Result<Outcome, StoreError> {
    let (mut reason, mut detail) = (reason.to_owned(), detail.to_owned());
    for (position, step) in positions(steps).filter(|(position, step)| *position >= first && step.cleans_up()) {
        if run.state_of(position) == StepState::Done {
            continue;
        }
        if let Err(error) = carry_out(run, position, step.as_ref()).await? {
            reason = format!("{reason}; {}", error.reason);
            detail = format!("{detail}; {error}");
        }
    }
    Ok(Outcome { state: OperationState::Failed, reason: Some(reason), detail: Some(detail) })
}

/// One step, recorded before and after, tried again where that can help.
async fn carry_out(run: &Run, position: u32, step: &dyn Step) -> Result<Result<(), StepError>, StoreError> {
    begin(run, position).await?;
    go_on(run, position, step).await
}

async fn begin(run: &Run, position: u32) -> Result<(), StoreError> {
    let before = run.state_of(position);
    run.position.store(position, Ordering::Relaxed);
    run.again.store(before != StepState::Waiting, Ordering::Relaxed);
    record(run, position, StepState::Started, None).await
}

/// The work of a step that is recorded as begun.
async fn go_on(run: &Run, position: u32, step: &dyn Step) -> Result<Result<(), StepError>, StoreError> {
    let began = Instant::now();
    let mut tries = 1;
    let ended = loop {
        run.shared.lease.until_held().await;
        let ended = guarded(step.deadline(run.pace()), once(run, position, step)).await;
        match &ended {
            Err(error) if error.passes && !error.unknown && tries < run.pace().tries => {
                tracing::info!(operation = %run.operation.id, step = step.name(), %error, tries, "tried again");
                run.tell_progress(&format!("tried again: {}", error.reason)).await;
                tokio::time::sleep(wait(run, tries)).await;
                tries += 1;
                run.again.store(true, Ordering::Relaxed);
            }
            _ => break ended,
        }
    };
    metrics::histogram!("hostgrid_step_duration_seconds", "step" => step.name()).record(began.elapsed());
    match ended {
        Ok(note) => {
            record(run, position, StepState::Done, note.as_deref()).await?;
            Ok(Ok(()))
        }
        Err(error) => {
            tracing::warn!(operation = %run.operation.id, step = step.name(), %error, "a step failed");
            record(run, position, StepState::Failed, Some(&error.reason)).await?;
            Ok(Err(error))
        }
    }
}

async fn undo(run: &Run, position: u32, step: &dyn Step) -> Result<Result<(), StepError>, StoreError> {
    run.position.store(position, Ordering::Relaxed);
    record(run, position, StepState::UndoStarted, None).await?;
    let mut tries = 1;
    loop {
        run.shared.lease.until_held().await;
        let Err(error) = guarded(step.deadline(run.pace()), undo_once(run, position, step)).await else {
            record(run, position, StepState::Undone, None).await?;
            return Ok(Ok(()));
        };
        let patience = if step.leaves_behind() { 1 } else { UNDO_PATIENCE };
        if error.unknown || error.stays || !error.passes || tries >= run.pace().tries.saturating_mul(patience) {
            tracing::error!(operation = %run.operation.id, step = step.name(), %error, "an undo failed");
            return Ok(Err(error));
        }
        tokio::time::sleep(wait(run, tries)).await;
        tries += 1;
    }
}

#[cfg(not(any(test, feature = "trial")))]
async fn once(run: &Run, _position: u32, step: &dyn Step) -> Result<Note, StepError> {
    step.run(run).await
}

#[cfg(not(any(test, feature = "trial")))]
async fn undo_once(run: &Run, _position: u32, step: &dyn Step) -> Result<(), StepError> {
    step.undo(run).await
}

#[cfg(any(test, feature = "trial"))]
async fn once(run: &Run, position: u32, step: &dyn Step) -> Result<Note, StepError> {
    let trial = &run.shared.trial;
    trial.meet(position, Moment::Before).await?;
    let mut note = step.run(run).await?;
    if trial.twice() {
        note = step.run(run).await?;
    }
    trial.meet(position, Moment::After).await?;
    Ok(note)
}

#[cfg(any(test, feature = "trial"))]
async fn undo_once(run: &Run, position: u32, step: &dyn Step) -> Result<(), StepError> {
    let trial = &run.shared.trial;
    trial.meet_undo(position, Moment::Before).await;
    step.undo(run).await?;
    if trial.twice() {
        step.undo(run).await?;
    }
    trial.meet_undo(position, Moment::After).await;
    Ok(())
}

/// A step with its deadline; a panic is a failure.
async fn guarded<T>(deadline: Duration, step: impl Future<Output = Result<T, StepError>>) -> Result<T, StepError> {
    match tokio::time::timeout(deadline, AssertUnwindSafe(step).catch_unwind()).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(_)) => Err(StepError::new("a fault in Hostgrid itself")),
        Err(_) => Err(StepError::new(format!("it took longer than {} s", deadline.as_secs()))),
    }
}

/// Doubles from try to try.
fn wait(run: &Run, tries: u32) -> Duration {
    run.pace().retry_first.saturating_mul(1 << (tries - 1).min(10)).min(LONGEST_WAIT)
}

async fn record(run: &Run, position: u32, state: StepState, note: Option<&str>) -> Result<(), StoreError> {
    let (store, id) = (&run.shared.store, run.operation.id);
    store.step_set(id, run.epoch, position, state, note, clock::now()).await?;
    run.state_is(position, state);
    #[cfg(any(test, feature = "trial"))]
    run.shared.trial.recorded(position, state);
    run.shared.tell(Change::Operation(id));
    Ok(())
}

fn positions(steps: &[Box<dyn Step>]) -> impl DoubleEndedIterator<Item = (u32, &Box<dyn Step>)> {
    (0_u32..).take(steps.len()).zip(steps).collect::<Vec<_>>().into_iter()
}
