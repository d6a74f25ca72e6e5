//! Changing a running VM: memory, vCPUs, disk. At the VM's home, which is the destination once it has moved. Memory
//! comes first, for it needs the guest most, and the disk last, for it can't be undone.

use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::plan::Plan;
use grid::sample::DomainState;
use grid::{NodeId, Size};
use std::time::Duration;

/// The steps that a live change of size needs.
pub(in crate::operations) fn steps(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    if plan.to.memory != plan.from.memory {
        steps.push(Box::new(SetMemory));
    }
    if plan.to.vcpus != plan.from.vcpus {
        steps.push(Box::new(SetVcpus));
    }
    if plan.to.disk != plan.from.disk {
        steps.push(Box::new(GrowDisk));
    }
    steps
}

/// A VM that has gone off meanwhile has nothing that could be unplugged: what it starts with next is set. Whether it was
/// so.
async fn reconfigured_while_off(run: &Run, node: NodeId, with: impl Fn(Size) -> Size) -> Result<bool, StepError> {
    let Some(seen) = run.observe(node).await?.filter(|seen| seen.state == DomainState::ShutOff) else {
        return Ok(false);
    };
    if let Some(has) = seen.persistent {
        run.call(run.hypervisor(node)?.redefine(run.vm_id(), with(has), run.maxima().await?)).await?;
    }
    Ok(true)
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
        let (node, plan) = (run.place().await?, run.plan()?);
        run.call(run.hypervisor(node)?.set_memory(plan.vm, plan.to.memory)).await?;
        Ok(Some(format!("{} to {}", plan.from.memory, plan.to.memory)))
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let (node, plan) = (run.place().await?, run.plan()?);
        if reconfigured_while_off(run, node, |has| Size { memory: plan.from.memory, ..has }).await? {
            return Ok(());
        }
        Ok(run.call(run.hypervisor(node)?.set_memory(plan.vm, plan.from.memory)).await?)
    }
}

struct SetVcpus;

#[async_trait]
impl Step for SetVcpus {
    fn name(&self) -> &'static str {
        "set-vcpus"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (node, plan) = (run.place().await?, run.plan()?);
        run.call(run.hypervisor(node)?.set_vcpus(plan.vm, plan.to.vcpus)).await?;
        Ok(Some(format!("{} to {}", plan.from.vcpus, plan.to.vcpus)))
    }

    /// Where vCPUs can't be taken away while it runs, the VM keeps them; what it has become is recorded.
    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let (node, plan) = (run.place().await?, run.plan()?);
        if reconfigured_while_off(run, node, |has| Size { vcpus: plan.from.vcpus, ..has }).await? {
            return Ok(());
        }
        let hypervisor = run.hypervisor(node)?;
        if plan.from.vcpus < plan.to.vcpus && !hypervisor.kind().unplugs_vcpus() {
            return Ok(());
        }
        Ok(run.call(hypervisor.set_vcpus(plan.vm, plan.from.vcpus)).await?)
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
