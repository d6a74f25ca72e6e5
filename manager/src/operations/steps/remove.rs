//! Removing what a VM leaves behind: its definition, and its disk.

use crate::hypervisor::HypervisorError;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use crate::utility::UtilityError;
use async_trait::async_trait;
use grid::NodeId;
use grid::sample::DomainState;
use grid::work::{Work, WorkFailure};
use std::time::Duration;

/// Definition, disk and seed of the source go, once the VM is seen at its destination.
pub(in crate::operations) struct RemoveSource;

#[async_trait]
impl Step for RemoveSource {
    fn name(&self) -> &'static str {
        "remove-source"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.short_step * 3
    }

    fn cleans_up(&self) -> bool {
        true
    }

    /// The VM is at its destination for good; what is left is removed later, once that can be done.
    fn may_fail(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (plan, destination) = (run.plan()?, run.destination()?);
        let there = run.observe(destination).await?;
        let proven = there.is_some_and(|seen| !plan.running || seen.state == DomainState::Running);
        if !proven || run.vm().await?.node != destination {
            return Err(StepError::new("the VM is not proven at its destination: the source is kept"));
        }
        remove(run, plan.source).await?;
        Ok(None)
    }
}

/// Removes the VM from a node on which it does not execute.
pub(in crate::operations) async fn remove(run: &Run, node: NodeId) -> Result<(), StepError> {
    let vm = run.vm_id();
    let seen = run.observe(node).await?;
    if seen.as_ref().is_some_and(|seen| seen.state != DomainState::ShutOff) {
        return Err(StepError::new("the VM runs where its copy should be removed").unknown());
    }
    if seen.is_some() {
        undefine(run, node).await?;
    }
    delete_disk(run, node).await?;
    tracing::debug!(%vm, %node, "removed");
    Ok(())
}

pub(in crate::operations) async fn undefine(run: &Run, node: NodeId) -> Result<(), StepError> {
    match run.call(run.hypervisor(node)?.undefine(run.vm_id())).await {
        Ok(()) | Err(HypervisorError::NoSuchVm) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(in crate::operations) async fn delete_disk(run: &Run, node: NodeId) -> Result<(), StepError> {
    let vm = run.vm_id();
    match run.call(run.order_uncounted(node, Work::Delete { vm }, run.pace().short_step)).await {
        Ok(_) | Err(UtilityError::Failed(WorkFailure::NoDisk)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
