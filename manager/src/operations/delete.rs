//! Deleting a VM: off, undefined, its disk removed, its row gone. Goes forward only: what was begun can't be taken
//! back, and a deletion that failed can be asked for again.

use super::run::Run;
use super::step::{Note, Step, StepError};
use super::steps::cut_off::runs_nowhere_else;
use super::steps::remove::{delete_disk, undefine};
use crate::hypervisor::HypervisorError;
use crate::shared::Change;
use crate::store::StoreError;
use async_trait::async_trait;
use grid::vm::VmState;

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    vec![Box::new(ForceOff), Box::new(Undefine), Box::new(DeleteDisk), Box::new(Forget)]
}

struct ForceOff;

#[async_trait]
impl Step for ForceOff {
    fn name(&self) -> &'static str {
        "force-off"
    }

    fn no_return(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let vm = run.vm().await?;
        runs_nowhere_else(run).await?;
        // A failed one takes no room, and its removal asks for none.
        if vm.state != VmState::Failed {
            run.shared.store.vm_state_set(vm.id, VmState::Deleting, Some(run.claim())).await?;
            run.recorded().await?;
        }
        match run.call(run.hypervisor(vm.node)?.force_off(vm.id)).await {
            Ok(()) | Err(HypervisorError::NoSuchVm) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

struct Undefine;

#[async_trait]
impl Step for Undefine {
    fn name(&self) -> &'static str {
        "undefine"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let node = run.vm().await?.node;
        undefine(run, node).await.map(|()| None)
    }
}

struct DeleteDisk;

#[async_trait]
impl Step for DeleteDisk {
    fn name(&self) -> &'static str {
        "delete-disk"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let node = run.vm().await?.node;
        delete_disk(run, node).await.map(|()| None)
    }
}

struct Forget;

#[async_trait]
impl Step for Forget {
    fn name(&self) -> &'static str {
        "forget"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        match run.shared.store.vm_remove(run.vm_id(), Some(run.claim())).await {
            Ok(()) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        run.collector.vms_changed(&[run.vm_id()]).await?;
        run.shared.tell(Change::Vm(run.vm_id()));
        Ok(None)
    }
}
