//! What a move tells while it goes on, and a guest that changes its memory faster than that is carried: its live move is
//! given up, and a move with a restart is offered instead.

use super::rig::{Rig, TINY, size};
use crate::hypervisor::HypervisorError;
use crate::hypervisor::simulated::Call;
use grid::operation::{OperationState, StepState};
use grid::plan::PlanKind;
use grid::vm::VmState;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_move_that_does_not_converge_is_undone_and_the_next_plan_is_one_with_a_restart() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.fail(Call::Migrate, 1, HypervisorError::NotConverging));
    let to = size(2, 512, 2);
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::MoveLive);
    let ended = rig.ended(rig.resize(vm, to).await).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    assert!(ended.reason.as_deref().is_some_and(|why| why.contains("with a restart it can be moved")), "{ended:#?}");
    assert_eq!((rig.vm(vm).await.size, rig.vm(vm).await.state), (TINY, VmState::Running));
    let instead = rig.plan(vm, to).await;
    assert_eq!(instead.kind, PlanKind::MoveCold);
    let moved = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&instead)).await.unwrap();
    rig.succeeded(moved).await;
    assert_eq!((rig.vm(vm).await.size, rig.vm(vm).await.node), (to, rig.id("qemu-b")));
    // What is over and done with is not held against it.
    rig.fill("qemu-a", 1_024).await;
    rig.fill("qemu-b", 0).await;
    let back = rig.plan(vm, size(2, 576, 2)).await;
    assert_eq!(back.kind, PlanKind::MoveLive, "{back:?}");
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_on_its_way_tells_how_far_it_has_come() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.fill("lxc-a", 100).await;
    rig.modules["lxc-b"].faults(|faults| faults.slow = Duration::from_millis(1_300));
    let operation = rig.resize(vm, size(2, 512, 2)).await;
    let mut told = None;
    for _ in 0..500 {
        let now = rig.store.operation_get(operation).await.unwrap().unwrap();
        let copy = now.steps.into_iter().find(|step| step.name == "copy-disk").unwrap();
        if copy.state == StepState::Started && copy.note.is_some() {
            told = copy.note;
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // What the simulated module carries does not pass the manager.
    assert!(told.as_deref().is_some_and(|note| note.starts_with("0 MiB carried of about")), "{told:?}");
    rig.succeeded(operation).await;
}
