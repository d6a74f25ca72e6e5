//! The program dies at a step, in its do or in its undo, and another takes up where it stood.

use super::rig::{Rig, TINY, size};
use crate::operations::steps_of;
use crate::operations::trial::{Moment, Orders};
use grid::operation::{OperationKind, OperationState};
use grid::{Size, VmId};

async fn prepared(node: &str, full: bool) -> (Rig, VmId) {
    let rig = Rig::new().await;
    let vm = rig.vm_on(node).await;
    if full {
        rig.fill(node, 100).await;
    }
    (rig, vm)
}

/// Dies at each step of this resize, before and after its work; each time it goes on and succeeds.
async fn die_everywhere(node: &str, full: bool, to: Size) {
    let (rig, vm) = prepared(node, full).await;
    let plan = rig.plan(vm, to).await;
    let steps = steps_of(&OperationKind::Resize { plan, force_off: false, not_after: None }).len();
    drop(rig);
    for at in 0..u32::try_from(steps).unwrap() {
        for moment in [Moment::Before, Moment::After] {
            let (mut rig, vm) = prepared(node, full).await;
            rig.order(Orders { hang: Some((at, moment)), ..Orders::default() });
            let operation = rig.resize(vm, to).await;
            rig.reached(operation, at, false).await;
            rig.reopen().await;
            rig.succeeded(operation).await;
            assert_eq!(rig.vm(vm).await.size, to, "step {at} {moment:?}");
            rig.check().await;
            rig.manager.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growing_in_place_goes_on_after_a_crash_at_any_step() {
    die_everywhere("qemu-a", false, size(2, 256, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growing_by_a_restart_goes_on_after_a_crash_at_any_step() {
    die_everywhere("qemu-a", false, size(5, 1024, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_live_goes_on_after_a_crash_at_any_step() {
    die_everywhere("qemu-a", true, size(2, 512, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_cold_goes_on_after_a_crash_at_any_step() {
    die_everywhere("lxc-a", true, size(2, 1024, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_goes_on_after_a_crash_in_it() {
    for at in 0..4 {
        for moment in [Moment::Before, Moment::After] {
            let (mut rig, vm) = prepared("lxc-a", true).await;
            rig.order(Orders { fail: Some((4, Moment::Before)), hang_undo: Some((at, moment)), ..Orders::default() });
            let operation = rig.resize(vm, size(2, 1024, 2)).await;
            rig.reached(operation, at, true).await;
            rig.reopen().await;
            let ended = rig.ended(operation).await;
            assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
            assert_eq!(rig.vm(vm).await.size, TINY);
            rig.check().await;
            rig.manager.stop().await;
        }
    }
}
