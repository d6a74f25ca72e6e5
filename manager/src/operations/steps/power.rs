//! Switching a VM off and on.

use super::cut_off::{must_be_cut_off, runs_nowhere_else};
use super::watch::{OFF_AT, ON_AT};
use crate::clock;
use crate::hypervisor::HypervisorError;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::NodeId;
use grid::operation::OperationKind;
use grid::sample::DomainState;
use std::time::Duration;
use tokio::time::Instant;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Asks the guest to shut down, at the VM's home; forces it off where the customer agreed to that.
pub(in crate::operations) struct ShutDown;

#[async_trait]
impl Step for ShutDown {
    fn name(&self) -> &'static str {
        "shut-down"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        // Taking it back looks at the guest for as long, and starts it.
        pace.shut_down + pace.short_step * 2
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let node = run.vm().await?.node;
        if run.fact(OFF_AT).await?.is_none() {
            run.fact_set(OFF_AT, &clock::now().0.to_string()).await?;
        }
        switch_off(run, node, run.may_force_off()).await
    }

    /// The VM ran, so it runs again. A guest that was asked may go off yet, though nobody waits for it any more: it is
    /// looked at for as long as it may take.
    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let node = run.vm().await?.node;
        let until = Instant::now() + run.pace().shut_down;
        loop {
            let on = is_on(run, node).await;
            if on != Ok(true) {
                // Nothing is done to one that runs.
                run.call(run.hypervisor(node)?.start(run.vm_id())).await?;
            }
            if on == Ok(false) || Instant::now() >= until {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Asks, waits, and forces where that is allowed.
pub(in crate::operations) async fn switch_off(run: &Run, node: NodeId, force: bool) -> Result<Note, StepError> {
    let (hypervisor, vm) = (run.hypervisor(node)?, run.vm_id());
    let patience = run.pace().shut_down;
    match run.call(hypervisor.shut_down(vm, patience)).await {
        Ok(()) => return Ok(None),
        Err(HypervisorError::Deadline | HypervisorError::Guest(_)) => {}
        Err(error) => return Err(error.into()),
    }
    if !is_on(run, node).await? {
        return Ok(None);
    }
    if !force {
        let waited = patience.as_secs();
        return Err(StepError::new(format!("the guest did not shut down within {waited} s")));
    }
    run.call(hypervisor.force_off(vm)).await?;
    Ok(Some("the guest did not shut down and was forced off, as agreed".into()))
}

async fn is_on(run: &Run, node: NodeId) -> Result<bool, StepError> {
    let seen = run.observe(node).await?;
    Ok(seen.is_some_and(|seen| seen.state != DomainState::ShutOff))
}

/// Starts the VM at its place.
pub(in crate::operations) struct Start {
    /// Whether this is the first time that it executes at a destination.
    pub(in crate::operations) no_return: bool,
}

#[async_trait]
impl Step for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        // Taking it back asks the guest to shut down first.
        pace.short_step + pace.unknown + pace.shut_down
    }

    fn no_return(&self) -> bool {
        self.no_return
    }

    /// A start at a second node that was asked for may come yet: nobody starts the first copy again meanwhile.
    fn can_be_broken_off(&self) -> bool {
        !self.no_return
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let place = run.place().await?;
        let home = run.vm().await?.node;
        // A VM executes once: its home must say that it is off there. Silence says nothing, unless an admin has spoken.
        if matches!(run.operation.kind, OperationKind::Rebuild { .. }) {
            must_be_cut_off(run, home).await?;
        } else if home != place && is_on(run, home).await? {
            return Err(StepError::new("the VM runs where it was").lasting());
        }
        runs_nowhere_else(run).await?;
        if let Err(error) = run.call(run.hypervisor(place)?.start(run.vm_id())).await {
            after_failed_start(run, place, error.into()).await?;
        }
        if run.fact(ON_AT).await?.is_none() {
            run.fact_set(ON_AT, &clock::now().0.to_string()).await?;
        }
        Ok(None)
    }

    async fn has_happened(&self, run: &Run) -> Result<bool, StepError> {
        is_on(run, run.place().await?).await
    }

    /// What was started a moment ago is stopped again, so that the steps before can be undone. Its guest is asked; it is
    /// forced where that was agreed to, or where it holds nothing yet. Else it runs on as it is.
    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let place = run.place().await?;
        if matches!(run.operation.kind, OperationKind::Deploy { .. }) {
            return match run.call(run.hypervisor(place)?.force_off(run.vm_id())).await {
                Ok(()) | Err(HypervisorError::NoSuchVm) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        if is_on(run, place).await == Ok(false) {
            return Ok(());
        }
        match switch_off(run, place, run.may_force_off()).await {
            Ok(_) => Ok(()),
            Err(error) if error.passes => Err(error),
            Err(error) => Err(error.staying()),
        }
    }
}

/// A start that failed, or whose answer was lost: what is seen decides; where nothing is seen, it is unknown.
async fn after_failed_start(run: &Run, place: NodeId, error: StepError) -> Result<(), StepError> {
    let until = Instant::now() + run.pace().unknown;
    loop {
        match is_on(run, place).await {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(error),
            Err(_) if Instant::now() < until => tokio::time::sleep(run.pace().retry_first).await,
            Err(_) => return Err(error.lasting().unknown()),
        }
    }
}
