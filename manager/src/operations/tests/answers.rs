//! A guest that answered on its address before a change answers after it, or the change is no success.

use super::rig::{Rig, TINY, size};
use crate::operations::steps_of;
use crate::operations::trial::{Moment, Orders};
use grid::operation::{Operation, OperationKind, OperationState, StepState};
use grid::plan::PlanKind;
use grid::vm::VmState;
use grid::{Mib, Resource, Size, VmId};

const KILLED: Size = size_of(1, 64, 1);

const fn size_of(vcpus: u32, memory: u64, disk: u64) -> Size {
    Size::new(grid::Vcpus(vcpus), Mib(memory), grid::Gib(disk))
}

/// The guest dies with less memory than this, wherever it runs.
fn needs(rig: &Rig, vm: VmId, memory: u64) {
    for node in rig.nodes.values() {
        rig.grid.faults(node.id, |faults| {
            faults.needs.insert(vm, Mib(memory));
        });
    }
}

fn note(operation: &Operation, step: &str) -> String {
    let found = operation.steps.iter().find(|it| it.name == step);
    found.and_then(|it| it.note.clone()).unwrap_or_default()
}

async fn ended(rig: &Rig, vm: VmId, kind: PlanKind, to: Size) -> Operation {
    let plan = rig.plan(vm, to).await;
    assert_eq!(plan.kind, kind);
    let agreed = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await.unwrap();
    let operation = rig.ended(agreed).await;
    rig.check().await;
    operation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_a_restart_at_its_new_size_kills_has_its_old_size_again_and_no_downtime_is_made_up() {
    for twice in [false, true] {
        let rig = Rig::new().await;
        let vm = rig.vm_on("qemu-a").await;
        let (boot, address) = (rig.grid.boot_id(vm), rig.vm(vm).await.address);
        needs(&rig, vm, 100);
        rig.order(Orders { twice, ..Orders::default() });
        let operation = ended(&rig, vm, PlanKind::InPlaceRestart, KILLED).await;
        assert_eq!(operation.state, OperationState::Undone, "{operation:#?}");
        let reason = "the guest did not answer at its new size within 0 s; it runs at its old size again";
        assert_eq!(operation.reason.as_deref(), Some(reason));
        assert_eq!(operation.downtime_ms, None);
        assert_eq!((rig.vm(vm).await.size, rig.vm(vm).await.state), (TINY, VmState::Running));
        assert!(rig.grid.answers(address) && rig.grid.boot_id(vm) != boot, "started again at its old size");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_a_live_change_silences_gets_its_old_size_back() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let grown = size(1, 512, 1);
    assert_eq!(ended(&rig, vm, PlanKind::InPlaceLive, grown).await.state, OperationState::Succeeded);
    let boot = rig.grid.boot_id(vm);
    needs(&rig, vm, 300);
    let operation = ended(&rig, vm, PlanKind::InPlaceLive, size(1, 256, 1)).await;
    assert_eq!(operation.state, OperationState::Undone, "{operation:#?}");
    assert!(operation.reason.unwrap().ends_with("within 0 s; it runs at its old size again"));
    assert_eq!((rig.vm(vm).await.size, operation.downtime_ms), (grown, None));
    assert_eq!(rig.grid.boot_id(vm), boot);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_is_silent_after_its_move_stays_at_the_destination_and_the_move_has_failed() {
    for (kind, node, there, to, has) in [
        (PlanKind::MoveLive, "qemu-a", "qemu-b", size(1, 512, 1), TINY),
        (PlanKind::MoveLiveRestart, "qemu-a", "qemu-b", size(5, 1024, 1), TINY),
        (PlanKind::MoveCold, "lxc-a", "lxc-b", size(2, 1024, 2), size(2, 1024, 2)),
    ] {
        let rig = Rig::new().await;
        let vm = rig.vm_on(node).await;
        rig.fill(node, 100).await;
        // It does not live at the second node, whatever its size.
        rig.grid.faults(rig.id(there), |faults| {
            faults.needs.insert(vm, Mib(u64::MAX));
        });
        let written = rig.grid.guests_write();
        let operation = ended(&rig, vm, kind, to).await;
        assert_eq!(operation.state, OperationState::Failed, "{operation:#?}");
        let reason = format!("the guest did not answer after its move within 0 s; the VM now has {has}");
        assert_eq!(operation.reason, Some(reason));
        assert_eq!(operation.downtime_ms, None, "{operation:#?}");
        assert_eq!(note(&operation, "measure-downtime"), "not known: the address answered before, and does not now");
        let row = rig.vm(vm).await;
        assert_eq!((row.node, row.size, row.state), (rig.id(there), has, VmState::Running));
        assert!(written.iter().any(|(who, _, times)| *who == vm && *times == rig.grid.written(rig.id(there), vm)));
        assert_eq!(rig.grid.disk(rig.id(node), vm), None, "the stale copy is gone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_never_answered_is_resized_as_the_hypervisor_shows_it() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    needs(&rig, vm, u64::MAX);
    let operation = ended(&rig, vm, PlanKind::InPlaceRestart, KILLED).await;
    assert_eq!(operation.state, OperationState::Succeeded, "{operation:#?}");
    assert_eq!(rig.vm(vm).await.size, KILLED);
    assert_eq!(note(&operation, "await-answer"), "its address did not answer before");
    assert!(operation.downtime_ms.is_some());
    assert!(note(&operation, "measure-downtime").ends_with(" ms, measured as the time in which it did not run"));
    // One that first answers after the change has no gap between two answers.
    needs(&rig, vm, 500);
    let operation = ended(&rig, vm, PlanKind::InPlaceRestart, size(5, 1024, 1)).await;
    assert_eq!(operation.state, OperationState::Succeeded, "{operation:#?}");
    assert!(note(&operation, "measure-downtime").ends_with("as the time in which it did not run"));
    // And of a live change there is nothing to tell then.
    needs(&rig, vm, u64::MAX);
    let operation = ended(&rig, vm, PlanKind::InPlaceLive, size(5, 1280, 1)).await;
    assert_eq!((operation.state, operation.downtime_ms), (OperationState::Succeeded, None), "{operation:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_answers_again_succeeds_with_the_gap_that_was_heard() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    needs(&rig, vm, 32);
    let operation = ended(&rig, vm, PlanKind::InPlaceRestart, KILLED).await;
    assert_eq!(operation.state, OperationState::Succeeded, "{operation:#?}");
    assert_eq!(note(&operation, "await-answer"), "its address answers again");
    assert_eq!(note(&operation, "measure-downtime"), "50 ms, measured by asking its address");
    let order: Vec<&str> = operation.steps.iter().map(|step| step.name.as_str()).collect();
    let at = |name: &str| order.iter().position(|it| *it == name).unwrap();
    assert!(at("verify") < at("await-answer") && at("await-answer") < at("settle"), "{order:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_came_back_without_its_watch_asks_anew_and_one_that_is_away_fails_nothing() {
    for (away, dies) in [(false, true), (false, false), (true, true)] {
        let mut rig = Rig::new().await;
        let vm = rig.vm_on("qemu-a").await;
        needs(&rig, vm, if dies { 100 } else { 32 });
        let plan = rig.plan(vm, KILLED).await;
        let kind = OperationKind::Resize { plan: plan.clone(), force_off: false, not_after: None };
        let steps = steps_of(&kind);
        let at = u32::try_from(steps.iter().position(|step| step.name() == "await-answer").unwrap()).unwrap();
        rig.order(Orders { hang: Some((at, Moment::Before)), ..Orders::default() });
        let id = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await.unwrap();
        rig.reached(id, at, false).await;
        rig.modules["qemu-a"].forget_watches();
        rig.modules["qemu-a"].faults(|faults| faults.silent = away);
        rig.reopen().await;
        let operation = rig.ended(id).await;
        rig.modules["qemu-a"].faults(|faults| faults.silent = false);
        let undone = dies && !away;
        let state = if undone { OperationState::Undone } else { OperationState::Succeeded };
        assert_eq!(operation.state, state, "{operation:#?}");
        let heard = operation.steps.iter().find(|step| step.name == "await-answer").unwrap();
        assert_eq!(heard.state, if undone { StepState::Undone } else { StepState::Done });
        rig.check().await;
        rig.manager.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_neither_answers_nor_obeys_at_its_new_size_is_forced_off_only_with_consent() {
    for force_off in [false, true] {
        let rig = Rig::new().await;
        let vm = rig.vm_on("qemu-a").await;
        needs(&rig, vm, 100);
        let plan = rig.plan(vm, KILLED).await;
        let steps = steps_of(&OperationKind::Resize { plan: plan.clone(), force_off, not_after: None });
        let at = u32::try_from(steps.iter().position(|step| step.name() == "await-answer").unwrap()).unwrap();
        let agreement = crate::vms::Agreement { force_off, ..Rig::agree(&plan) };
        let id = rig.manager.vm_resize(&rig.customer, vm, agreement).await.unwrap();
        rig.reached(id, at, false).await;
        rig.grid.faults(rig.id("qemu-a"), |faults| {
            faults.stubborn.insert(vm);
        });
        let operation = rig.ended(id).await;
        let (state, has, told) = if force_off {
            (OperationState::Undone, TINY, "it runs at its old size again")
        } else {
            (OperationState::Failed, KILLED, "the VM now has 1 vCPU")
        };
        assert_eq!((operation.state, rig.vm(vm).await.size), (state, has), "{operation:#?}");
        assert!(operation.reason.as_ref().is_some_and(|reason| reason.contains(told)), "{operation:#?}");
        rig.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_is_silenced_by_what_it_gives_back_is_not_moved_and_has_it_again() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let has = size(1, 512, 1);
    assert_eq!(ended(&rig, vm, PlanKind::InPlaceLive, has).await.state, OperationState::Succeeded);
    rig.fill_up("qemu-a", Resource::Vcpus, 0).await;
    needs(&rig, vm, 300);
    let operation = ended(&rig, vm, PlanKind::MoveLive, size(2, 256, 1)).await;
    assert_eq!(operation.state, OperationState::Undone, "{operation:#?}");
    let reason = operation.reason.unwrap();
    assert!(reason.starts_with("the guest did not answer with less within 0 s"), "{reason}");
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.size), (rig.id("qemu-a"), has));
    needs(&rig, vm, 200);
    assert_eq!(ended(&rig, vm, PlanKind::MoveLive, size(2, 256, 1)).await.state, OperationState::Succeeded);
}
