//! Every step and every undo of what deploys, stops, starts and deletes a VM, carried out twice: as where the program died
//! before the end of it was recorded. Those of resizes are in `faults`, those of a rebuilding in `fencing`.

use super::rig::Rig;
use crate::ManagerError;
use crate::operations::steps_of;
use crate::operations::trial::{Moment, Orders};
use grid::operation::{Operation, OperationKind, OperationState, StepState};
use grid::vm::VmState;
use grid::{OperationId, VmId};
use std::time::Duration;
use uuid::Uuid;

const KINDS: [(&str, &str); 2] = [("qemu-a", "disk-tiny"), ("lxc-a", "root-tiny")];
const MOMENTS: [Moment; 2] = [Moment::Before, Moment::After];

fn twice(fail: Option<(u32, Moment)>) -> Orders {
    Orders { fail, twice: true, ..Orders::default() }
}

/// One of everything that is asked of a VM but a resize.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Stop { force: bool },
    Start,
    Delete,
}

impl Ask {
    async fn begin(self, rig: &Rig, vm: VmId) -> OperationId {
        // Its row may just follow what is seen of it, and then it is asked for again.
        for _ in 0..100 {
            match self.once(rig, vm).await {
                Err(ManagerError::Unavailable { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                begun => return begun.unwrap(),
            }
        }
        panic!("it never stands still: {:#?}", rig.vm(vm).await);
    }

    async fn once(self, rig: &Rig, vm: VmId) -> Result<OperationId, ManagerError> {
        let key = Uuid::new_v4().to_string();
        match self {
            Self::Stop { force } => rig.manager.vm_stop(&rig.customer, vm, force, &key).await,
            Self::Start => rig.manager.vm_start(&rig.customer, vm, &key).await,
            Self::Delete => rig.manager.vm_delete(&rig.customer, vm, &key).await,
        }
    }

    /// Its steps, each of which can fail before its work and after it.
    fn failures(self) -> impl Iterator<Item = (u32, Moment)> {
        let vm = VmId(Uuid::nil());
        let kind = match self {
            Self::Stop { force } => OperationKind::Stop { vm, force },
            Self::Start => OperationKind::Start { vm },
            Self::Delete => OperationKind::Delete { vm },
        };
        (0..).zip(steps_of(&kind)).flat_map(|(at, _)| MOMENTS.map(|moment| (at, moment)))
    }
}

/// Carries it out with each step done twice, and looks at everything.
async fn done_twice(rig: &Rig, vm: VmId, ask: Ask) -> Operation {
    rig.order(twice(None));
    let operation = rig.succeeded(ask.begin(rig, vm).await).await;
    rig.order(Orders::default());
    assert!(operation.steps.iter().all(|step| step.state == StepState::Done), "{operation:#?}");
    rig.check().await;
    operation
}

/// Fails it there, with each step done twice and undone twice.
async fn fails(rig: &Rig, vm: VmId, ask: Ask, at: (u32, Moment)) -> Operation {
    rig.order(twice(Some(at)));
    let operation = rig.ended(ask.begin(rig, vm).await).await;
    rig.order(Orders::default());
    assert_ne!(operation.state, OperationState::Succeeded, "{ask:?} {at:?}: {operation:#?}");
    operation
}

/// Until the VM's row says what is seen of it.
async fn row_follows(rig: &Rig, vm: VmId) {
    for _ in 0..500 {
        let runs = !rig.grid.executing(vm).is_empty();
        if rig.vm(vm).await.state == if runs { VmState::Running } else { VmState::Stopped } {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("its row does not follow: {:#?}", rig.vm(vm).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_a_vms_life_can_be_carried_out_twice() {
    let rig = Rig::new().await;
    for (node, _) in KINDS {
        rig.order(twice(None));
        let vm = rig.vm_on(node).await;
        rig.check().await;
        done_twice(&rig, vm, Ask::Stop { force: false }).await;
        assert_eq!(rig.vm(vm).await.state, VmState::Stopped);
        done_twice(&rig, vm, Ask::Start).await;
        assert_eq!(rig.vm(vm).await.state, VmState::Running);
        // One that does not obey is forced off.
        rig.grid.faults(rig.id(node), |faults| {
            faults.stubborn.insert(vm);
        });
        done_twice(&rig, vm, Ask::Stop { force: true }).await;
        rig.grid.faults(rig.id(node), |faults| faults.stubborn.clear());
        done_twice(&rig, vm, Ask::Start).await;
        done_twice(&rig, vm, Ask::Delete).await;
        assert_eq!(rig.store.vm_list(None).await.unwrap(), []);
        assert_eq!((rig.grid.disk(rig.id(node), vm), rig.grid.executing(vm)), (None, vec![]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_undo_of_a_deployment_can_be_carried_out_twice() {
    let rig = Rig::new().await;
    for (_, image) in KINDS {
        for (at, moment) in (0..7).flat_map(|at| MOMENTS.map(|moment| (at, moment))) {
            rig.order(twice(Some((at, moment))));
            let (vm, operation) = rig.manager.vm_deploy(&rig.customer, Rig::request("web", image)).await.unwrap();
            let ended = rig.ended(operation).await;
            rig.order(Orders::default());
            assert_eq!(ended.state, OperationState::Undone, "{image} {at} {moment:?}: {ended:#?}");
            assert_eq!(rig.vm(vm).await.state, VmState::Failed);
            rig.check().await;
            done_twice(&rig, vm, Ask::Delete).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_undo_of_a_start_can_be_carried_out_twice_and_a_stop_that_failed_be_asked_for_again() {
    let rig = Rig::new().await;
    for (node, _) in KINDS {
        let vm = rig.vm_on(node).await;
        done_twice(&rig, vm, Ask::Stop { force: false }).await;
        for at in Ask::Start.failures() {
            let ended = fails(&rig, vm, Ask::Start, at).await;
            assert_eq!(ended.state, OperationState::Undone, "{at:?}: {ended:#?}");
            assert_eq!(rig.vm(vm).await.state, VmState::Stopped, "{at:?}");
            rig.check().await;
        }
        for force in [false, true] {
            for at in (Ask::Stop { force }).failures() {
                done_twice(&rig, vm, Ask::Start).await;
                let ended = fails(&rig, vm, Ask::Stop { force }, at).await;
                assert_eq!(ended.state, OperationState::Undone, "{at:?}: {ended:#?}");
                row_follows(&rig, vm).await;
                rig.check().await;
                if rig.vm(vm).await.state == VmState::Running {
                    done_twice(&rig, vm, Ask::Stop { force }).await;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_failed_anywhere_can_be_asked_for_again_with_every_step_carried_out_twice() {
    let rig = Rig::new().await;
    for (node, _) in KINDS {
        for at in Ask::Delete.failures() {
            let vm = rig.vm_on(node).await;
            let ended = fails(&rig, vm, Ask::Delete, at).await;
            assert!(matches!(ended.state, OperationState::Undone | OperationState::Failed), "{at:?}: {ended:#?}");
            if rig.store.vm_get(vm).await.unwrap().is_some() {
                done_twice(&rig, vm, Ask::Delete).await;
            }
            assert_eq!(rig.store.vm_list(None).await.unwrap(), [], "{at:?}");
            rig.check().await;
        }
    }
}
