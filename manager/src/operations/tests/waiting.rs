//! What nobody can decide but an operator: it waits with its reason, holds what it holds, and is tried again or given
//! up. And what an undo leaves behind keeps nobody waiting.

use super::rig::{Rig, TINY, size};
use crate::ManagerError;
use crate::drift::DriftKind;
use crate::hypervisor::HypervisorError;
use crate::hypervisor::simulated::Call;
use grid::map::Condition;
use grid::operation::{Operation, OperationState};
use grid::sample::Source;
use grid::vm::VmState;
use grid::{OperationId, VmId};

/// Does not answer from its `from`th look on.
fn silent_from(rig: &Rig, node: &str, from: u32) {
    let error = HypervisorError::Unreachable("no route".into());
    rig.grid
        .faults(rig.id(node), |faults| (from..2_000).for_each(|nth| faults.fail(Call::Observe, nth, error.clone())));
}

fn answers_again(rig: &Rig, node: &str) {
    rig.grid.faults(rig.id(node), |faults| faults.failures.clear());
}

async fn waits(rig: &Rig, id: OperationId) -> Operation {
    for _ in 0..1000 {
        let operation = rig.store.operation_get(id).await.unwrap().unwrap();
        if operation.state == OperationState::Waiting {
            return operation;
        }
        assert!(!operation.state.is_over(), "{operation:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it does not wait: {:#?}", rig.store.operation_get(id).await);
}

/// A live move whose answer is lost, while the source no longer says what runs there.
async fn nobody_knows(rig: &Rig) -> (VmId, OperationId) {
    let vm = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.lose_answer(Call::Migrate, 1));
    silent_from(rig, "qemu-a", 4);
    let operation = rig.resize(vm, size(2, 512, 2)).await;
    let waiting = waits(rig, operation).await;
    assert!(waiting.reason.unwrap().contains("not known where the VM runs"));
    (vm, operation)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_knows_waits_for_the_operator_and_holds_its_room_over_a_restart() {
    let mut rig = Rig::new().await;
    let (vm, operation) = nobody_knows(&rig).await;
    rig.reopen().await;
    assert!(rig.store.reservation_list().await.unwrap().iter().any(|(_, holder, _)| *holder == operation));
    let busy = rig.manager.vm_stop(&rig.customer, vm, true, "stop").await;
    assert_eq!(busy, Err(ManagerError::Busy { operation }));
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-b")], "nothing was started or stopped");
    assert_eq!(waits(&rig, operation).await.state, OperationState::Waiting);
    answers_again(&rig, "qemu-a");
    rig.manager.operation_retry(&rig.admin, operation).await.unwrap();
    rig.succeeded(operation).await;
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.size), (rig.id("qemu-b"), size(2, 512, 2)));
    rig.check().await;
    let audit = rig.store.audit_list(5).await.unwrap();
    let told: Vec<(&str, &str)> = audit.iter().map(|row| (row.action.as_str(), row.outcome.as_str())).collect();
    assert_eq!(told[..2], [("vm_resize", "succeeded"), ("operation_retry", "accepted")]);
    assert_eq!(audit[1].actor, Some(rig.admin.user));
    assert!(told[3].1.starts_with("waiting: "), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_lost_node_goes_on_by_itself_when_the_node_answers_again() {
    let rig = Rig::new().await;
    let (vm, operation) = nobody_knows(&rig).await;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.silent = true);
    let condition = || rig.manager.map().get(rig.id("qemu-a")).unwrap().condition;
    let is_lost = || matches!(condition(), Condition::Stale { source: Source::Hypervisor, .. });
    rig.until("it is lost", is_lost).await;
    assert_eq!(waits(&rig, operation).await.state, OperationState::Waiting);
    answers_again(&rig, "qemu-a");
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.silent = false);
    rig.succeeded(operation).await;
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.size), (rig.id("qemu-b"), size(2, 512, 2)));
    let audit = rig.store.audit_list(20).await.unwrap();
    let retry = audit.iter().find(|row| row.action == "operation_retry").unwrap();
    assert_eq!((retry.actor, retry.outcome.as_str()), (None, "accepted: a node answers again"));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_still_not_known_when_it_is_tried_again_waits_again() {
    let rig = Rig::new().await;
    let (_, operation) = nobody_knows(&rig).await;
    rig.manager.operation_retry(&rig.admin, operation).await.unwrap();
    waits(&rig, operation).await;
    answers_again(&rig, "qemu-a");
    rig.manager.operation_retry(&rig.admin, operation).await.unwrap();
    rig.succeeded(operation).await;
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_up_ends_as_failed_by_who_gave_it_up_and_the_home_is_where_the_vm_runs() {
    let rig = Rig::new().await;
    let (vm, operation) = nobody_knows(&rig).await;
    answers_again(&rig, "qemu-a");
    rig.manager.operation_give_up(&rig.admin, operation).await.unwrap();
    let ended = rig.store.operation_get(operation).await.unwrap().unwrap();
    assert_eq!(ended.state, OperationState::Failed);
    assert!(ended.reason.unwrap().starts_with("given up by the operator: "));
    let row = rig.vm(vm).await;
    assert_eq!((row.node, row.size, row.state), (rig.id("qemu-b"), TINY, VmState::Running));
    assert_eq!(rig.store.reservation_list().await.unwrap(), []);
    let audit = rig.store.audit_list(1).await.unwrap().remove(0);
    assert_eq!((audit.actor, audit.action.as_str()), (Some(rig.admin.user), "operation_give_up"));
    let late = rig.manager.operation_retry(&rig.admin, operation).await;
    assert!(matches!(late, Err(ManagerError::Unavailable { .. })), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_admin_decides_and_every_attempt_is_in_the_audit() {
    let rig = Rig::new().await;
    let (_, operation) = nobody_knows(&rig).await;
    let (customer, manager) = (&rig.customer, &rig.manager);
    assert_eq!(manager.operation_retry(customer, operation).await, Err(ManagerError::Forbidden));
    assert_eq!(manager.operation_give_up(customer, operation).await, Err(ManagerError::Forbidden));
    let audit = rig.store.audit_list(2).await.unwrap();
    assert!(audit.iter().all(|row| row.actor == Some(customer.user) && row.outcome == "refused: not allowed"));
    assert!(manager.operation_get(&rig.admin, operation).await.unwrap().can_decide);
    assert!(!manager.operation_get(customer, operation).await.unwrap().can_decide);
    assert_eq!(waits(&rig, operation).await.state, OperationState::Waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_undo_leaves_on_a_dead_node_keeps_the_vm_from_nothing() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.fill("lxc-a", 100).await;
    let plan = rig.plan(vm, size(2, 1024, 2)).await;
    rig.modules["lxc-b"].faults(|faults| faults.silent = true);
    let operation = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await.unwrap();
    let ended = rig.ended(operation).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    assert!(ended.reason.unwrap().contains("left behind"));
    assert_eq!(rig.vm(vm).await.state, VmState::Running);
    assert_eq!(rig.grid.executing(vm), [rig.id("lxc-a")]);
    rig.modules["lxc-b"].faults(|faults| faults.silent = false);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_can_not_be_seen_at_the_end_of_an_undo_waits_and_is_recorded_when_it_can() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    // Off, redefined, its disk grown; then its start fails, all is undone but the disk, and nobody can look.
    rig.grid.faults(rig.id("lxc-a"), |faults| {
        faults.fail(Call::Start, 1, HypervisorError::Refused("no".into()));
    });
    silent_from(&rig, "lxc-a", 3);
    let operation = rig.resize(vm, size(2, 1024, 2)).await;
    let waiting = waits(&rig, operation).await;
    assert!(waiting.reason.as_ref().unwrap().contains("not known what became of the VM"), "{waiting:#?}");
    answers_again(&rig, "lxc-a");
    rig.manager.operation_retry(&rig.admin, operation).await.unwrap();
    let ended = rig.ended(operation).await;
    assert!(ended.reason.unwrap().contains("2 GiB"), "what it has now is said");
    assert_eq!(rig.vm(vm).await.size, size(1, 128, 2));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resize_whose_node_gives_no_answer_ends_and_leaves_its_vm_as_it_was() {
    for (node, full, to) in [
        ("qemu-a", false, size(2, 256, 1)),
        ("qemu-a", true, size(2, 512, 2)),
        ("lxc-a", true, size(2, 1024, 2)),
        ("qemu-a", false, size(5, 1024, 1)),
    ] {
        let rig = Rig::new().await;
        let vm = rig.vm_on(node).await;
        if full {
            rig.fill(node, 100).await;
        }
        let error = HypervisorError::Deadline;
        rig.grid.faults(rig.id(node), |faults| {
            (1..2_000).for_each(|nth| faults.fail(Call::Observe, nth, error.clone()));
        });
        let operation = rig.resize(vm, to).await;
        let ended = rig.ended(operation).await;
        assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
        assert_eq!(ended.reason.as_deref(), Some("the hypervisor gave no answer in time"));
        let row = rig.vm(vm).await;
        assert_eq!((row.node, row.size, row.state), (rig.id(node), TINY, VmState::Running));
        assert_eq!(rig.grid.executing(vm), [rig.id(node)]);
        answers_again(&rig, node);
        rig.check().await;
    }
}

/// A VM whose live move from qemu-a has arrived at qemu-b, and was given up while that was cut off.
async fn given_up(rig: &Rig) -> VmId {
    let vm = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.lose_answer(Call::Migrate, 1));
    silent_from(rig, "qemu-b", 4);
    let operation = rig.resize(vm, size(2, 512, 2)).await;
    waits(rig, operation).await;
    rig.manager.operation_give_up(&rig.admin, operation).await.unwrap();
    vm
}

/// Given up while its destination was cut off; then that answers again, and everybody sees that the VM runs there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_not_started_at_its_old_home_while_it_runs_where_it_had_arrived() {
    let rig = Rig::new().await;
    let vm = given_up(&rig).await;
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-b")]);
    let row = rig.vm(vm).await;
    assert_eq!((row.node, row.state), (rig.id("qemu-a"), VmState::Stopped), "as its old home says");
    answers_again(&rig, "qemu-b");
    if let Ok(started) = rig.manager.vm_start(&rig.customer, vm, "start").await {
        rig.ended(started).await;
    }
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-b")], "I1");
    rig.until_ready().await;
    let deleted = rig.manager.vm_delete(&rig.customer, vm, "delete").await;
    assert!(matches!(deleted, Err(ManagerError::Unavailable { .. })), "{deleted:?}");
    // What is there is recorded, and all is as ever.
    rig.manager.drift_record(&rig.admin, vm).await.unwrap();
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("qemu-b"), VmState::Running));
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, false, "stop").await.unwrap()).await;
    rig.succeeded(rig.manager.vm_start(&rig.customer, vm, "start again").await.unwrap()).await;
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-b")]);
}

/// The same, and its owner asks for a size for which it would have to move where it runs already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_not_carried_over_the_disk_of_the_copy_that_runs() {
    let rig = Rig::new().await;
    let vm = given_up(&rig).await;
    answers_again(&rig, "qemu-b");
    rig.until_ready().await;
    // What its guest has written since it arrived.
    rig.grid.written_put(rig.id("qemu-b"), vm, 1_000);
    let to = size(2, 512, 2);
    let plan = rig.plan(vm, to).await;
    let again = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await.unwrap();
    for _ in 0..300 {
        let it = rig.store.operation_get(again).await.unwrap().unwrap();
        if it.state == OperationState::Waiting || it.state.is_over() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(rig.grid.written(rig.id("qemu-b"), vm), 1_000, "I4");
    assert_eq!(rig.grid.disk(rig.id("qemu-b"), vm), Some(TINY.disk.bytes()), "I4");
}

/// The same, and its guest goes off there before anybody has looked: that copy has the newer data.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_off_where_a_given_up_move_had_brought_it_is_neither_overtaken_nor_removed() {
    let rig = Rig::new().await;
    let vm = given_up(&rig).await;
    rig.grid.dies(rig.id("qemu-b"), vm);
    answers_again(&rig, "qemu-b");
    rig.until_ready().await;
    rig.grid.written_put(rig.id("qemu-b"), vm, 1_000);
    let started = rig.manager.vm_start(&rig.customer, vm, "start").await;
    assert!(matches!(started, Err(ManagerError::Unavailable { .. })), "{started:?}");
    let told = rig.looks().await;
    assert!(
        told.iter().any(|drift| drift.kind == DriftKind::LeftDefinition && drift.node_name == "qemu-b"),
        "{told:?}"
    );
    assert_eq!((rig.grid.executing(vm), rig.grid.written(rig.id("qemu-b"), vm)), (vec![], 1_000));
    // An admin removes what is not wanted, here the newer one; then it starts, and what was given up is forgotten.
    rig.hypervisors["qemu-b"].undefine(vm).await.unwrap();
    rig.looks().await;
    rig.succeeded(rig.manager.vm_start(&rig.customer, vm, "start again").await.unwrap()).await;
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-a")]);
    let row = rig.vm(vm).await;
    assert_eq!(crate::operations::perhaps_at(rig.store.as_ref(), &row, None).await.unwrap(), None);
}
