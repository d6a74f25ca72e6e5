//! The driver: carries operations out, step by step, each recorded before and after.
//!
//! ```text
//!              ┌──────────── steps, in order ────────────┐
//!   pending ──>│ running: waiting ─> started ─> done ... │──> succeeded
//!              └──────────────┬──────────────────────────┘
//!                             │ a step failed (tried again first, where that can help)
//!           ┌─────────────────┼──────────────────────────────┐
//!           │ no point of     │ past the point of no return  │ unknown where the VM executes,
//!           │ no return yet   │                              │ or an undo failed
//!           v                 v                              v
//!   undoing: all steps    undoing: back to that point,     waiting for the operator, and nothing is touched:
//!   in reverse            then what cleans up              it holds what it holds
//!           │                 │                              │ tried again: goes on where it stood
//!           v                 v                              │ given up: the VM's row says what is seen of it
//!        undone            failed: the VM is at its          v
//!                          destination, at the size        running, undoing; or failed
//!                          that the reason says
//! ```
//!
//! A pending operation whose plan makes room is nobody's here: what makes the room (`relocations/make_room.rs`) gives it
//! another plan and then has it carried out; where no room could be made, or it was cancelled, it is undone.
//!
//! A node that was lost and answers again has those that wait and concern it tried again (`restore.rs`).
//!
//! An undo that fails and leaves no more behind than a copy that does not run keeps no operation waiting. One that would take
//! what nobody agreed to is given up: what was done stays, and the operation has failed (`StepError::stays`). Where a step
//! fails that only measures or tidies up after all is settled, it has succeeded (`Step::may_fail`).
//!
//! The rows say all that is needed to go on after a crash: a step that was `started` is carried out again, one whose
//! undo was begun is undone again. The point of no return is the last step of that mark that is `done`. An operation
//! runs in a task of its own; a panic in a step is a failed step.

use super::kinds::steps_of;
use super::restore::restore;
use super::room;
use super::run::Run;
use super::step::Step;
use super::turns::{Move, Turn, Turns, has_begun};
use super::work::Outcome;
use super::{ending, work};
use crate::clock;
use crate::collector::Collector;
use crate::shared::{Change, Shared};
use crate::store::StoreError;
use grid::OperationId;
use grid::operation::{Operation, OperationState};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two tries to reach the store.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// Runs operations in tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    collector: Arc<Collector>,
    /// Those that this process carries out, so that none is begun twice here.
    running: Arc<Mutex<BTreeMap<OperationId, Running>>>,
    turns: Turns,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// An operation that this process carries out.
#[derive(Debug, Default)]
struct Running {
    /// It was to be begun meanwhile, because what it waited for is decided.
    again: bool,
    /// Says that it is to turn back.
    cancelled: CancellationToken,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, collector: Arc<Collector>) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let turns = Turns::new(shared.pace.moves);
        Self { shared, collector, running: Arc::default(), turns, stop, tasks }
    }

    /// Takes up what an earlier run left.
    pub(crate) fn start(&self) {
        if let Some(returns) = self.collector.returns() {
            let restoring = restore(Arc::clone(&self.shared), Arc::clone(&self.collector), self.clone(), returns);
            self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(restoring));
        }
        let driver = self.clone();
        self.tasks.spawn(async move {
            while let Err(error) = driver.take_up().await {
                tracing::error!(%error, "unfinished operations can't be read");
                tokio::select! {
                    () = driver.stop.cancelled() => return,
                    () = tokio::time::sleep(STORE_AGAIN) => {}
                }
            }
        });
    }

    /// Takes up what nobody carries out: left by an earlier run, or accepted with an answer that was lost.
    pub(crate) async fn take_up(&self) -> Result<(), StoreError> {
        for operation in self.shared.store.operation_unfinished().await? {
            let is_known = self.with_running(|running| running.contains_key(&operation.id));
            if operation.state == OperationState::Waiting || is_known {
                continue;
            }
            tracing::info!(operation = %operation.id, kind = operation.kind.as_str(), "taken up");
            self.spawn(operation.id);
        }
        Ok(())
    }

    /// Stops where each operation stands; they go on at the next start.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Carries an accepted operation out, in a task of its own.
    pub(crate) fn spawn(&self, id: OperationId) {
        let is_new = self.with_running(|running| match running.get_mut(&id) {
            None => running.insert(id, Running::default()).is_none(),
            Some(known) => {
                known.again = true;
                false
            }
        });
        if !is_new {
            return;
        }
        metrics::gauge!("hostgrid_operations_running").increment(1);
        let driver = self.clone();
        self.tasks.spawn(async move {
            let ended = tokio::select! {
                biased;
                () = driver.stop.cancelled() => Ok(()),
                ended = driver.carry_out_whatever(id) => ended,
            };
            match ended {
                Ok(()) => {}
                Err(StoreError::Fenced) => tracing::warn!(operation = %id, "another server has taken it over"),
                Err(StoreError::Conflict(why)) => tracing::info!(operation = %id, why, "nothing to do"),
                Err(error) => tracing::error!(operation = %id, %error, "left as it stands"),
            }
            let again = driver.with_running(|running| running.remove(&id));
            metrics::gauge!("hostgrid_operations_running").decrement(1);
            if again.is_some_and(|it| it.again) && !driver.stop.is_cancelled() {
                driver.spawn(id);
            }
        });
    }

    /// Has an operation turn back where it can: the store knows already. One that nobody carries out, for it waits for
    /// room, is ended.
    pub(crate) fn cancel(&self, id: OperationId) {
        if self.with_running(|running| running.get(&id).map(|it| it.cancelled.cancel())).is_none() {
            self.spawn(id);
        }
    }

    fn with_running<T>(&self, change: impl FnOnce(&mut BTreeMap<OperationId, Running>) -> T) -> T {
        change(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A store that can't be reached delays an operation, and loses none.
    async fn carry_out_whatever(&self, id: OperationId) -> Result<(), StoreError> {
        loop {
            match self.carry_out(id).await {
                Err(StoreError::Database(error)) => tracing::error!(operation = %id, %error, "taken up again soon"),
                ended => return ended,
            }
            tokio::time::sleep(STORE_AGAIN).await;
        }
    }

    async fn carry_out(&self, id: OperationId) -> Result<(), StoreError> {
        self.shared.lease.until_held().await;
        let store = &self.shared.store;
        if room::is_being_made(store.as_ref(), id).await? {
            return Ok(());
        }
        let epoch = store.operation_claim(id).await?;
        let operation = store.operation_get(id).await?.ok_or(StoreError::NotFound)?;
        let began = Instant::now();
        let kind = operation.kind.clone();
        let mut run = Run::new(Arc::clone(&self.shared), Arc::clone(&self.collector), operation, epoch);
        if let Some(cancelled) = self.with_running(|running| running.get(&id).map(|it| it.cancelled.clone()))
            && !run.cancelled.is_cancelled()
        {
            run.cancelled = cancelled;
        }
        let outcome = match known_steps(&run.operation) {
            _ if kind.waits_for_room() => room::none_was_made(&run).await?,
            Some(steps) if !steps.is_empty() => self.walk(&run, &steps).await?,
            _ => Outcome::not_understood(),
        };
        let word = outcome.state.as_str();
        match outcome.state {
            OperationState::Waiting => ending::wait(&run, outcome).await?,
            _ => ending::end(&run, outcome, None).await?,
        }
        metrics::counter!("hostgrid_operations_total", "kind" => kind.as_str(), "outcome" => word).increment(1);
        metrics::histogram!("hostgrid_operation_duration_seconds", "kind" => kind.as_str()).record(began.elapsed());
        tracing::info!(operation = %id, kind = kind.as_str(), outcome = word, "as far as it goes");
        Ok(())
    }

    async fn walk(&self, run: &Run, steps: &[Box<dyn Step>]) -> Result<Outcome, StoreError> {
        self.shared.mending.until_left(run.vm_id()).await;
        if run.operation.state == OperationState::Undoing {
            return work::back(run, steps).await;
        }
        let _turn = self.turn(run).await;
        if run.operation.kind.is_too_late(clock::now())
            && !work::has_disturbed(run, steps)
            && !run.cancelled.is_cancelled()
        {
            return work::too_late(run, steps).await;
        }
        self.shared.store.operation_state_set(run.operation.id, run.epoch, OperationState::Running).await?;
        self.shared.tell(Change::Operation(run.operation.id));
        work::forward(run, steps).await
    }
}

impl Driver {
    /// A move's turn to go; one that is cancelled meanwhile goes on to be ended.
    async fn turn(&self, run: &Run) -> Option<Turn> {
        let wanted = Move::of(&run.operation)?;
        if has_begun(&run.operation) {
            return Some(self.turns.go(wanted));
        }
        run.cancelled.run_until_cancelled(self.turns.take(wanted)).await
    }
}

/// The steps of the operation, where they are the ones that were written down when it was accepted.
fn known_steps(operation: &Operation) -> Option<Vec<Box<dyn Step>>> {
    let steps = steps_of(&operation.kind);
    let recorded = operation.steps.iter().map(|step| step.name.as_str());
    steps.iter().map(|step| step.name()).eq(recorded).then_some(steps)
}
