//! What fails is undone, or ends where the reason says; nothing leaks, and the VM runs once.

use super::rig::{Rig, TINY, size};
use crate::hypervisor::HypervisorError;
use crate::hypervisor::simulated::Call;
use crate::operations::steps_of;
use crate::operations::trial::{Moment, Orders};
use grid::operation::{Operation, OperationKind, OperationState, StepState};
use grid::plan::PlanKind;
use grid::vm::VmState;
use grid::work::WorkFailure;
use grid::{Resource, Size, VmId};

/// A resize to try.
#[derive(Clone, Copy)]
struct Resize {
    plan: PlanKind,
    node: &'static str,
    /// What the VM has before.
    from: Size,
    to: Size,
    /// Of what its node has none left.
    full: Option<Resource>,
}

const fn resize(plan: PlanKind, node: &'static str, full: Option<Resource>, from: Size, to: Size) -> Resize {
    Resize { plan, node, from, to, full }
}

/// One of each kind of plan, and a live move in which one thing shrinks and another grows.
const RESIZES: [Resize; 6] = [
    resize(PlanKind::InPlaceLive, "qemu-a", None, TINY, size(2, 256, 2)),
    resize(PlanKind::InPlaceRestart, "qemu-a", None, TINY, size(5, 1024, 2)),
    resize(PlanKind::MoveLive, "qemu-a", Some(Resource::Memory), TINY, size(2, 512, 2)),
    resize(PlanKind::MoveLiveRestart, "qemu-a", Some(Resource::Memory), TINY, size(5, 1024, 2)),
    resize(PlanKind::MoveCold, "lxc-a", Some(Resource::Memory), TINY, size(2, 1024, 2)),
    resize(PlanKind::MoveLive, "qemu-a", Some(Resource::Vcpus), size(1, 512, 1), size(2, 256, 2)),
];

/// A VM for which this is the plan, and its node.
async fn about_to(rig: &Rig, Resize { plan, node, from, to, full }: Resize) -> VmId {
    let vm = rig.vm_on(node).await;
    if from != TINY {
        rig.succeeded(rig.resize(vm, from).await).await;
    }
    match full {
        Some(Resource::Memory) => rig.fill(node, 100).await,
        Some(resource) => rig.fill_up(node, resource, 0).await,
        None => {}
    }
    assert_eq!(rig.plan(vm, to).await.kind, plan);
    vm
}

/// Tries a resize with these orders; answers the VM and how it ended.
async fn tried(rig: &Rig, resize: Resize, orders: Orders) -> (VmId, Operation) {
    let vm = about_to(rig, resize).await;
    rig.order(orders);
    let operation = rig.ended(rig.resize(vm, resize.to).await).await;
    rig.order(Orders::default());
    (vm, operation)
}

async fn clear(rig: &Rig, vm: VmId, node: &str) {
    rig.succeeded(rig.manager.vm_delete(&rig.customer, vm, &vm.to_string()).await.unwrap()).await;
    let settings = grid::node::NodeSettings::default();
    rig.manager.node_settings_set(&rig.admin, node, settings).await.unwrap();
}

/// Fails each step of a plan, before and after its work, and checks what is left.
async fn fail_everywhere(which: usize) {
    let rig = Rig::new().await;
    let resize = RESIZES[which];
    let probe = about_to(&rig, resize).await;
    let plan = rig.plan(probe, resize.to).await;
    let steps = steps_of(&OperationKind::Resize { plan, force_off: false, not_after: None });
    clear(&rig, probe, resize.node).await;
    let no_return = steps.iter().position(|step| step.no_return());
    for (at, step) in steps.iter().enumerate() {
        for moment in [Moment::Before, Moment::After] {
            let orders = Orders { fail: Some((u32::try_from(at).unwrap(), moment)), ..Orders::default() };
            let (vm, operation) = tried(&rig, resize, orders).await;
            let told = format!("{:?} {} {moment:?}: {operation:#?}", resize.plan, step.name());
            // Where the VM has executed at its destination there is only forward: the failure was of the answer.
            if no_return == Some(at) && moment == Moment::After {
                assert_eq!(operation.state, OperationState::Succeeded, "{told}");
                rig.check().await;
                clear(&rig, vm, resize.node).await;
                continue;
            }
            // What it was for is done.
            if step.may_fail() {
                assert_eq!((operation.state, rig.vm(vm).await.size), (OperationState::Succeeded, resize.to), "{told}");
                if left_at(&rig, vm, resize.node).await {
                    sources_are_kept(&rig, vm, resize.node).await;
                }
                rig.check().await;
                clear(&rig, vm, resize.node).await;
                continue;
            }
            assert!(matches!(operation.state, OperationState::Undone | OperationState::Failed), "{told}");
            if no_return.is_none_or(|passed| at <= passed) && rig.vm(vm).await.size == resize.from {
                assert_eq!(operation.state, OperationState::Undone, "{told}");
                assert_eq!(rig.vm(vm).await.node, rig.id(resize.node), "{told}");
            }
            let kept = ["settle", "settle-home"].contains(&step.name()) && moment == Moment::Before;
            if kept && no_return.is_some_and(|passed| at > passed) && left_at(&rig, vm, resize.node).await {
                sources_are_kept(&rig, vm, resize.node).await;
            } else {
                rig.check().await;
            }
            assert!(operation.reason.is_some(), "{told}");
            clear(&rig, vm, resize.node).await;
        }
    }
}

async fn left_at(rig: &Rig, vm: VmId, source: &str) -> bool {
    rig.vm(vm).await.node != rig.id(source) && rig.hypervisors[source].observe(vm).await.unwrap().is_some()
}

/// The copy that was not removed is harmless and told of: it does not run.
async fn sources_are_kept(rig: &Rig, vm: VmId, source: &str) {
    assert_eq!(rig.grid.executing(vm), [rig.vm(vm).await.node]);
    let left = rig.hypervisors[source].observe(vm).await.unwrap().unwrap();
    assert_eq!(left.live, None);
    rig.hypervisors[source].undefine(vm).await.unwrap();
    rig.grid.disk_remove(rig.id(source), vm);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growing_in_place_live_survives_a_failure_at_every_step() {
    fail_everywhere(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growing_by_a_restart_survives_a_failure_at_every_step() {
    fail_everywhere(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_live_survives_a_failure_at_every_step() {
    fail_everywhere(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_live_and_restarting_survives_a_failure_at_every_step() {
    fail_everywhere(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_live_while_something_shrinks_survives_a_failure_at_every_step() {
    fail_everywhere(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moving_cold_survives_a_failure_at_every_step() {
    fail_everywhere(4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_can_be_carried_out_twice() {
    let rig = Rig::new().await;
    for resize in RESIZES {
        let (vm, operation) = tried(&rig, resize, Orders { twice: true, ..Orders::default() }).await;
        assert_eq!(operation.state, OperationState::Succeeded, "{operation:#?}");
        assert_eq!(rig.vm(vm).await.size, resize.to);
        rig.check().await;
        clear(&rig, vm, resize.node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_undo_can_be_carried_out_twice() {
    let rig = Rig::new().await;
    for resize in RESIZES {
        let fail = Some((if resize.plan.moves() { 5 } else { 2 }, Moment::Before));
        let (vm, operation) = tried(&rig, resize, Orders { fail, twice: true, ..Orders::default() }).await;
        assert_eq!(operation.state, OperationState::Undone, "{operation:#?}");
        assert_eq!(rig.vm(vm).await.size, resize.from);
        rig.check().await;
        clear(&rig, vm, resize.node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_fails_anywhere_leaves_only_a_row_that_can_be_deleted() {
    let rig = Rig::new().await;
    for at in 0..7 {
        for moment in [Moment::Before, Moment::After] {
            rig.order(Orders { fail: Some((at, moment)), ..Orders::default() });
            let (vm, operation) = rig.manager.vm_deploy(&rig.customer, Rig::request("web", "disk-tiny")).await.unwrap();
            let ended = rig.ended(operation).await;
            rig.order(Orders::default());
            assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
            assert_eq!(rig.vm(vm).await.state, VmState::Failed);
            rig.check().await;
            rig.succeeded(rig.manager.vm_delete(&rig.customer, vm, &vm.to_string()).await.unwrap()).await;
            rig.check().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_answers_change_nothing() {
    let rig = Rig::new().await;
    for (call, node, full, to) in [
        (Call::SetVcpus, "qemu-a", false, size(2, 256, 2)),
        (Call::SetMemory, "qemu-a", false, size(2, 256, 2)),
        (Call::GrowDisk, "qemu-a", false, size(2, 256, 2)),
        (Call::Start, "qemu-a", false, size(5, 1024, 2)),
        (Call::Migrate, "qemu-a", true, size(2, 512, 2)),
        (Call::ShutDown, "lxc-a", true, size(2, 1024, 2)),
    ] {
        let vm = rig.vm_on(node).await;
        if full {
            rig.fill(node, 100).await;
        }
        rig.grid.faults(rig.id(node), |faults| faults.lose_answer(call, 1));
        rig.succeeded(rig.resize(vm, to).await).await;
        rig.check().await;
        clear(&rig, vm, node).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_does_not_shut_down_is_forced_off_only_with_consent() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.grid.faults(rig.id("qemu-a"), |faults| {
        faults.stubborn.insert(vm);
    });
    let to = size(5, 1024, 1);
    let ended = rig.ended(rig.resize(vm, to).await).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    assert!(ended.reason.unwrap().contains("did not shut down"));
    rig.check().await;
    let plan = rig.plan(vm, to).await;
    let agreement = crate::vms::Agreement { force_off: true, ..Rig::agree(&plan) };
    rig.succeeded(rig.manager.vm_resize(&rig.customer, vm, agreement).await.unwrap()).await;
    assert_eq!(rig.vm(vm).await.size, to);
    let stop = rig.manager.vm_stop(&rig.customer, vm, false, "ask").await.unwrap();
    assert_eq!(rig.ended(stop).await.state, OperationState::Undone);
    assert_eq!(rig.vm(vm).await.state, VmState::Running);
    let forced = rig.ended(rig.manager.vm_stop(&rig.customer, vm, true, "force").await.unwrap()).await;
    assert_eq!(forced.state, OperationState::Succeeded, "{forced:#?}");
    assert!(notes(&forced).contains("forced off, as agreed"), "{forced:#?}");
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_obeys_is_never_forced_off_even_where_that_was_agreed_to() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    // A force would fail, and the operation with it.
    let refusal = HypervisorError::Refused("no force".into());
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.fail(Call::ForceOff, 1, refusal));
    let stopped = rig.ended(rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap()).await;
    assert_eq!(stopped.state, OperationState::Succeeded, "{stopped:#?}");
    assert!(!notes(&stopped).contains("forced"), "{stopped:#?}");
    assert_eq!(rig.vm(vm).await.state, VmState::Stopped);
}

fn notes(operation: &Operation) -> String {
    operation.steps.iter().filter_map(|step| step.note.clone()).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_growth_after_a_live_move_is_said_plainly_and_the_vm_stays_there() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    let refusal = HypervisorError::Refused("no such device at qemu-b".into());
    rig.grid.faults(rig.id("qemu-b"), |faults| faults.fail(Call::SetMemory, 1, refusal));
    let ended = rig.ended(rig.resize(vm, size(2, 512, 2)).await).await;
    assert_eq!(ended.state, OperationState::Failed);
    let reason = ended.reason.unwrap();
    assert!(reason.contains("the VM now has 1 vCPU"), "{reason}");
    assert!(!reason.contains("qemu-b"), "a customer sees no node: {reason}");
    assert!(ended.detail.unwrap().contains("no such device at qemu-b"));
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.size), (rig.id("qemu-b"), TINY));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_ends_as_undone_with_the_reason() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.fill("lxc-a", 100).await;
    rig.modules["lxc-b"].faults(|faults| faults.failures.push(WorkFailure::PoolFull));
    let ended = rig.ended(rig.resize(vm, size(2, 1024, 2)).await).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    assert!(ended.reason.unwrap().contains("storage is full"));
    assert!(ended.steps.iter().any(|step| step.state == StepState::Undone));
    assert_eq!(rig.vm(vm).await.state, VmState::Running);
    rig.check().await;
}
