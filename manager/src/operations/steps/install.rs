//! Installing a VM's configuration: its seed in the pool, its definition at the hypervisor.

use super::remove::undefine;
use crate::hypervisor::Definition;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use async_trait::async_trait;
use grid::Size;
use grid::operation::OperationKind;
use grid::work::{ImageFamily, Seed, Work};

/// The seed is written in the pool of the VM's place: the same host name, keys and address as ever.
pub(in crate::operations) struct WriteSeed;

#[async_trait]
impl Step for WriteSeed {
    fn name(&self) -> &'static str {
        "write-seed"
    }

    fn prepares(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let vm = run.vm().await?;
        let network = &run.shared.network;
        let seed = Seed {
            family: ImageFamily::of(vm.kind),
            host_name: vm.name,
            keys: vm.keys.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect(),
            mac: vm.mac,
            address: vm.address,
            prefix_length: network.prefix_length,
            gateway: network.gateway,
            name_servers: network.name_servers.clone(),
        };
        run.order(run.place().await?, Work::WriteSeed { vm: vm.id, seed }, run.pace().short_step).await?;
        Ok(None)
    }
    // No undo of its own: the disk's removes all that the pool holds of the VM.
}

/// The VM is defined at its place, at the size that it is to have.
pub(in crate::operations) struct Define;

#[async_trait]
impl Step for Define {
    fn name(&self) -> &'static str {
        "define"
    }

    /// A definition that does not run and starts by nobody's will harms nobody.
    fn leaves_behind(&self) -> bool {
        true
    }

    fn prepares(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (vm, place) = (run.vm().await?, run.place().await?);
        let size: Size = match &run.operation.kind {
            OperationKind::Resize { plan, .. } => plan.to,
            _ => vm.size,
        };
        let maxima = run.new_maxima(place, size).await?;
        let definition = Definition { vm: vm.id, title: vm.name, size, maxima, mac: vm.mac, address: vm.address };
        run.call(run.hypervisor(place)?.define(&definition)).await?;
        Ok(Some(size.to_string()))
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        undefine(run, run.place().await?).await
    }
}

/// The persistent configuration of a VM that is off gets its new size and new maxima.
pub(in crate::operations) struct Redefine;

#[async_trait]
impl Step for Redefine {
    fn name(&self) -> &'static str {
        "redefine"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (plan, place) = (run.plan()?, run.place().await?);
        let maxima = run.new_maxima(place, plan.to).await?;
        run.call(run.hypervisor(place)?.redefine(plan.vm, plan.to, maxima)).await?;
        Ok(Some(plan.to.to_string()))
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let (plan, place, vm) = (run.plan()?, run.place().await?, run.vm().await?);
        run.call(run.hypervisor(place)?.redefine(plan.vm, plan.from, vm.maxima)).await?;
        run.fact_set("maxima", "").await
    }
}
