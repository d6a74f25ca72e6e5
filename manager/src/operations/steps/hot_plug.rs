//! Changing a running VM: memory, vCPUs, disk. At the VM's home, which is the destination once it has moved. What shrinks
//! comes first, before a move; then what grows: memory first, for it needs the guest most, and the disk last, for it
//! can't be undone.

use crate::hypervisor::HypervisorError;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::plan::Plan;
use grid::sample::DomainState;
use grid::{NodeId, Size};
use std::time::Duration;

/// The steps that a live change of size needs: what shrinks comes first.
pub(in crate::operations) fn steps(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps = shrinking(plan);
    steps.extend(growing(plan));
    steps
}

/// Those of them that take something away.
pub(in crate::operations) fn shrinking(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    if plan.to.memory < plan.from.memory {
        steps.push(Box::new(SetMemory));
    }
    if plan.to.vcpus < plan.from.vcpus {
        steps.push(Box::new(SetVcpus));
    }
    steps
}

/// Those of them that add something.
pub(in crate::operations) fn growing(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    if plan.to.memory > plan.from.memory {
        steps.push(Box::new(SetMemory));
    }
    if plan.to.vcpus > plan.from.vcpus {
        steps.push(Box::new(SetVcpus));
    }
    if plan.to.disk > plan.from.disk {
        steps.push(Box::new(GrowDisk));
    }
    steps
}

/// What shrinks does so where it comes from, what grows where it has arrived.
async fn node_of(run: &Run, shrinks: bool) -> Result<NodeId, StepError> {
    if shrinks { Ok(run.plan()?.source) } else { run.place().await }
}

/// Where what was plugged could not be taken back: a VM that has gone off meanwhile has nothing that could be unplugged, and
/// what it starts with next is set.
async fn or_off(
    run: &Run,
    node: NodeId,
    unplugged: Result<(), HypervisorError>,
    with: impl Fn(Size) -> Size,
) -> Result<(), StepError> {
    let Err(error) = unplugged else { return Ok(()) };
    let off = run.observe(node).await.ok().flatten().filter(|seen| seen.state == DomainState::ShutOff);
    let Some(seen) = off else { return Err(error.into()) };
    if let Some(has) = seen.persistent {
        run.call(run.hypervisor(node)?.redefine(run.vm_id(), with(has), run.maxima().await?)).await?;
    }
    Ok(())
}

struct SetMemory;

#[async_trait]
impl Step for SetMemory {
    fn name(&self) -> &'static str {
        "set-memory"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.short_step + pace.verify
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let plan = run.plan()?;
        let node = node_of(run, plan.to.memory < plan.from.memory).await?;
        run.call(run.hypervisor(node)?.set_memory(plan.vm, plan.to.memory)).await?;
        Ok(Some(format!("{} to {}", plan.from.memory, plan.to.memory)))
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let plan = run.plan()?;
        let node = node_of(run, plan.to.memory < plan.from.memory).await?;
        let unplugged = run.call(run.hypervisor(node)?.set_memory(plan.vm, plan.from.memory)).await;
        or_off(run, node, unplugged, |has| Size { memory: plan.from.memory, ..has }).await
    }
}

struct SetVcpus;

#[async_trait]
impl Step for SetVcpus {
    fn name(&self) -> &'static str {
        "set-vcpus"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let plan = run.plan()?;
        let node = node_of(run, plan.to.vcpus < plan.from.vcpus).await?;
        run.call(run.hypervisor(node)?.set_vcpus(plan.vm, plan.to.vcpus)).await?;
        Ok(Some(format!("{} to {}", plan.from.vcpus, plan.to.vcpus)))
    }

    /// Where vCPUs can't be taken away while it runs, the VM keeps them; what it has become is recorded.
    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let plan = run.plan()?;
        let node = node_of(run, plan.to.vcpus < plan.from.vcpus).await?;
        let hypervisor = run.hypervisor(node)?;
        let keeps = plan.from.vcpus < plan.to.vcpus && !hypervisor.kind().unplugs_vcpus();
        let unplugged = if keeps {
            Err(HypervisorError::Unsupported("vCPUs are taken away while it is off"))
        } else {
            run.call(hypervisor.set_vcpus(plan.vm, plan.from.vcpus)).await
        };
        match or_off(run, node, unplugged, |has| Size { vcpus: plan.from.vcpus, ..has }).await {
            Err(_) if keeps => Ok(()),
            undone => undone,
        }
    }
}

struct GrowDisk;

#[async_trait]
impl Step for GrowDisk {
    fn name(&self) -> &'static str {
        "grow-disk"
    }

    fn can_be_broken_off(&self) -> bool {
        false
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (node, plan) = (run.place().await?, run.plan()?);
        run.call(run.hypervisor(node)?.grow_disk(plan.vm, plan.to.disk)).await?;
        Ok(Some(format!("{} to {}", plan.from.disk, plan.to.disk)))
    }
    // No undo: a disk never shrinks. What it has become is recorded.
}
