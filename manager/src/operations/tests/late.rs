//! What comes late, and what is only left behind: a guest that goes off after nobody waits for it any more, one that is
//! gone when its change is taken back, a source that can't be cleared away, a power cut that nobody agreed to.

use super::cancel::{hanging, position};
use super::rig::{Rig, TINY, size};
use crate::ManagerError;
use crate::hypervisor::HypervisorError;
use crate::hypervisor::simulated::Call;
use crate::operations::trial::{Moment, Orders};
use grid::operation::{Operation, OperationState, StepState};
use grid::plan::PlanKind;
use grid::vm::VmState;
use grid::{OperationId, VmId};
use std::time::Duration;

async fn cancelled(rig: &Rig, operation: OperationId) -> Operation {
    rig.manager.operation_cancel(&rig.customer, operation).await.unwrap();
    rig.ended(operation).await
}

/// Forcing it off fails, and tells of itself by that.
fn refuse_force(rig: &Rig, node: &str) {
    let refusal = HypervisorError::Refused("it was to be forced off".into());
    rig.grid.faults(rig.id(node), |faults| faults.fail(Call::ForceOff, 1, refusal));
}

fn slow(rig: &Rig, node: &str, vm: VmId, needs: u64) {
    rig.grid.faults(rig.id(node), |faults| {
        faults.slow.insert(vm, Duration::from_millis(needs));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_goes_off_after_its_deadline_runs_again() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    slow(&rig, "qemu-a", vm, 300);
    let ended = rig.ended(rig.resize(vm, size(5, 1024, 1)).await).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(rig.vm(vm).await.state, VmState::Running);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_goes_off_after_the_cancel_runs_again() {
    for (node, to) in [("qemu-a", size(5, 1024, 1)), ("lxc-a", size(2, 1024, 2))] {
        let rig = Rig::new().await;
        let vm = rig.vm_on(node).await;
        if node == "lxc-a" {
            rig.fill(node, 100).await;
        }
        // It needs longer than anybody waits, and is cancelled before that.
        slow(&rig, node, vm, 220);
        let at = position(&rig, vm, to, "shut-down").await;
        let operation = rig.resize(vm, to).await;
        rig.reached(operation, at, false).await;
        let ended = cancelled(&rig, operation).await;
        assert_eq!((ended.state, ended.reason.as_deref()), (OperationState::Undone, Some("cancelled")), "{ended:#?}");
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(rig.vm(vm).await.state, VmState::Running);
        rig.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_whose_source_can_not_be_cleared_has_succeeded_and_what_is_left_is_removed_later() {
    for (kind, node, to) in [
        (PlanKind::MoveLive, "qemu-a", size(2, 512, 2)),
        (PlanKind::MoveLiveRestart, "qemu-a", size(5, 1024, 2)),
        (PlanKind::MoveCold, "lxc-a", size(2, 1024, 2)),
    ] {
        for step in ["remove-source", "measure-downtime"] {
            let rig = Rig::new().await;
            let vm = rig.vm_on(node).await;
            rig.fill(node, 100).await;
            assert_eq!(rig.plan(vm, to).await.kind, kind);
            let at = position(&rig, vm, to, step).await;
            rig.order(Orders { fail: Some((at, Moment::Before)), ..Orders::default() });
            let ended = rig.ended(rig.resize(vm, to).await).await;
            assert_eq!(ended.state, OperationState::Succeeded, "{kind:?} {step}: {ended:#?}");
            let told = ended.steps.iter().find(|it| it.name == step).unwrap();
            assert_eq!(told.state, StepState::Failed, "{ended:#?}");
            assert!(told.note.is_some(), "{ended:#?}");
            let now = rig.vm(vm).await;
            assert_eq!((now.size, now.state), (to, VmState::Running), "{kind:?} {step}");
            assert_ne!(now.node, rig.id(node), "{kind:?} {step}");
            rig.looks().await;
            rig.check().await;
            let broken = rig.manager.promises_check(&rig.admin).await.unwrap().broken;
            assert!(broken.is_empty(), "{broken:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cancelled_after_its_start_is_asked_to_shut_down_and_not_cut_off() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let operation = hanging(&rig, vm, size(5, 1024, 1), "verify", Moment::Before).await;
    refuse_force(&rig, "qemu-a");
    let ended = cancelled(&rig, operation).await;
    assert_eq!((ended.state, ended.reason.as_deref()), (OperationState::Undone, Some("cancelled")), "{ended:#?}");
    assert_eq!((rig.vm(vm).await.size, rig.vm(vm).await.state), (TINY, VmState::Running));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_guest_is_not_cut_off_to_take_a_restart_back_unless_that_was_agreed_to() {
    for force_off in [false, true] {
        let rig = Rig::new().await;
        let vm = rig.vm_on("qemu-a").await;
        let to = size(5, 1024, 1);
        let at = position(&rig, vm, to, "verify").await;
        rig.order(Orders { hang: Some((at, Moment::Before)), ..Orders::default() });
        let plan = rig.plan(vm, to).await;
        let agreement = crate::vms::Agreement { force_off, ..Rig::agree(&plan) };
        let operation = rig.manager.vm_resize(&rig.customer, vm, agreement).await.unwrap();
        rig.reached(operation, at, false).await;
        rig.grid.faults(rig.id("qemu-a"), |faults| {
            faults.stubborn.insert(vm);
        });
        let boot = rig.grid.boot_id(vm);
        let ended = cancelled(&rig, operation).await;
        if force_off {
            assert_eq!((ended.state, rig.vm(vm).await.size), (OperationState::Undone, TINY), "{ended:#?}");
        } else {
            assert_eq!((ended.state, rig.vm(vm).await.size), (OperationState::Failed, to), "{ended:#?}");
            let reason = ended.reason.unwrap();
            assert!(reason.starts_with("cancelled; the guest did not shut down within"), "{reason}");
            assert!(reason.ends_with("the VM now has 5 vCPUs, 1,024 MiB memory, 1 GiB disk"), "{reason}");
            assert_eq!(rig.grid.boot_id(vm), boot, "it runs on");
        }
        assert_eq!(rig.vm(vm).await.state, VmState::Running);
        rig.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_is_gone_when_its_growth_is_taken_back_has_its_old_size_when_it_starts() {
    for by_itself in [false, true] {
        let rig = Rig::new().await;
        let vm = rig.vm_on("qemu-a").await;
        let operation = hanging(&rig, vm, size(2, 256, 1), "verify", Moment::Before).await;
        if by_itself {
            rig.hypervisors["qemu-a"].force_off(vm).await.unwrap();
        } else {
            rig.grid.dies(rig.id("qemu-a"), vm);
        }
        let ended = cancelled(&rig, operation).await;
        // What nobody switched off is started again.
        let reason = if by_itself { "cancelled; the VM is off now" } else { "cancelled" };
        assert_eq!((ended.state, ended.reason.as_deref()), (OperationState::Undone, Some(reason)), "{ended:#?}");
        assert_eq!(rig.vm(vm).await.size, TINY, "{ended:#?}");
        let seen = rig.hypervisors["qemu-a"].observe(vm).await.unwrap().unwrap();
        assert_eq!(seen.persistent, Some(TINY));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_stands_still_is_not_moved_and_nobody_waits_for_an_operator() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    let plan = rig.plan(vm, size(2, 512, 1)).await;
    assert_eq!(plan.kind, PlanKind::MoveLive);
    rig.grid.stands_still(rig.id("qemu-a"), vm);
    let operation = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await.unwrap();
    let ended = rig.ended(operation).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    assert_eq!(ended.reason.as_deref(), Some("the VM is paused: its node's storage may be full"));
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.size), (rig.id("qemu-a"), TINY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_has_begun_to_grow_is_not_cancelled() {
    for (kind, to) in [(PlanKind::InPlaceLive, size(2, 256, 2)), (PlanKind::InPlaceRestart, size(5, 1024, 2))] {
        let rig = Rig::new().await;
        let vm = rig.vm_on("qemu-a").await;
        assert_eq!(rig.plan(vm, to).await.kind, kind);
        let operation = hanging(&rig, vm, to, "verify", Moment::Before).await;
        let refused = rig.manager.operation_cancel(&rig.customer, operation).await;
        let reason = "it has come so far that it only goes forward".to_owned();
        assert_eq!(refused, Err(ManagerError::Unavailable { reason }), "{kind:?}");
    }
}
