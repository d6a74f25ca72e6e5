//! Emptying a node on the simulated grid: the good way, a move that fails, a crash in the middle, a cancel.

use crate::ManagerError;
use crate::operations::rig::Rig;
use crate::operations::trial::{Moment, Orders};
use grid::node::Administration;
use grid::operation::{Operation, OperationState};
use grid::relocation::{Relocation, RelocationState};
use grid::vm::VmState;
use grid::{RelocationId, VmId};
use std::sync::atomic::Ordering;
use std::time::Duration;
use uuid::Uuid;

pub(super) async fn with_vms(number: usize) -> (Rig, Vec<VmId>) {
    let rig = Rig::new().await;
    let mut vms = Vec::new();
    for _ in 0..number {
        vms.push(rig.vm_on("qemu-a").await);
    }
    (rig, vms)
}

async fn drain(rig: &Rig) -> RelocationId {
    rig.manager.node_drain(&rig.admin, "qemu-a", Uuid::new_v4()).await.unwrap()
}

pub(super) async fn over(rig: &Rig, id: RelocationId) -> Relocation {
    for _ in 0..6_000 {
        let found = rig.store.relocation_get(id).await.unwrap().unwrap();
        if found.state.is_over() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not over: {:#?}", moves(rig, id).await);
}

pub(super) async fn moves(rig: &Rig, id: RelocationId) -> Vec<Operation> {
    rig.store.relocation_operations(id).await.unwrap()
}

/// The first move, once it was begun.
pub(super) async fn first_move(rig: &Rig, id: RelocationId) -> Operation {
    for _ in 0..1_500 {
        if let Some(first) = moves(rig, id).await.into_iter().next() {
            return first;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no move was begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_moves_running_and_stopped_vms_away_one_by_one_and_the_node_stays_draining() {
    let (rig, vms) = with_vms(2).await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vms[1], true, "stop").await.unwrap()).await;
    let shown = rig.manager.node_drain_get(&rig.admin, "qemu-a").await.unwrap();
    assert_eq!((shown.moves.len(), shown.stay.len(), shown.newest), (2, 0, None));
    let id = drain(&rig).await;
    assert_eq!(over(&rig, id).await.state, RelocationState::Succeeded);
    for (vm, state) in vms.iter().zip([VmState::Running, VmState::Stopped]) {
        assert_eq!((rig.vm(*vm).await.node, rig.vm(*vm).await.state), (rig.id("qemu-b"), state));
    }
    let moves = moves(&rig, id).await;
    assert_eq!(moves.len(), 2);
    let between = moves[1].created_at.0 - moves[0].ended_at.unwrap().0;
    assert!((0..5_000).contains(&between), "one at a time, and none waits for the clock: {moves:#?}");
    let node = rig.manager.node_get(&rig.admin, "qemu-a").await.unwrap();
    assert_eq!(node.node.administration, Administration::Draining);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_fails_leaves_its_vm_and_the_rest_is_moved_and_the_drain_says_why_it_ended() {
    let (rig, _) = with_vms(2).await;
    rig.order(Orders { fail: Some((2, Moment::Before)), ..Orders::default() });
    let id = drain(&rig).await;
    let first = first_move(&rig, id).await;
    assert_eq!(rig.ended(first.id).await.state, OperationState::Undone);
    rig.order(Orders::default());
    let ended = over(&rig, id).await;
    assert_eq!(ended.state, RelocationState::Failed);
    let stayed = rig.vm(first.kind.vm()).await;
    assert_eq!(stayed.node, rig.id("qemu-a"));
    assert!(ended.reason.as_ref().is_some_and(|why| why.contains(&stayed.name)), "{ended:?}");
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_goes_on_after_a_crash_in_each_step_of_a_move() {
    for at in 0..9 {
        for moment in [Moment::Before, Moment::After] {
            let (mut rig, vms) = with_vms(2).await;
            rig.order(Orders { hang: Some((at, moment)), ..Orders::default() });
            let id = drain(&rig).await;
            let first = first_move(&rig, id).await;
            rig.reached(first.id, at, false).await;
            rig.reopen().await;
            assert_eq!(over(&rig, id).await.state, RelocationState::Succeeded, "step {at} {moment:?}");
            for vm in &vms {
                assert_eq!(rig.vm(*vm).await.node, rig.id("qemu-b"), "step {at} {moment:?}");
            }
            assert_eq!(moves(&rig, id).await.len(), 2, "step {at} {moment:?}: none is begun twice");
            rig.check().await;
            rig.manager.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_drain_ends_after_the_move_at_hand_and_what_has_moved_stays() {
    let (mut rig, _) = with_vms(2).await;
    rig.order(Orders { hang: Some((2, Moment::Before)), ..Orders::default() });
    let id = drain(&rig).await;
    let first = first_move(&rig, id).await;
    rig.reached(first.id, 2, false).await;
    let click = || rig.manager.node_drain_cancel(&rig.admin, "qemu-a");
    assert_eq!(futures::future::join(click(), click()).await, (Ok(()), Ok(())), "a person clicks twice");
    let rows = rig.store.audit_list(99).await.unwrap().into_iter().filter(|row| row.action == "node_drain_cancel");
    assert_eq!(rows.count(), 1);
    let other = crate::accounts::Principal { user: grid::UserId(Uuid::new_v4()), ..rig.admin.clone() };
    assert!(rig.manager.node_drain_cancel(&other, "qemu-a").await.is_err(), "another's wish came first");
    rig.reopen().await;
    assert_eq!(over(&rig, id).await.state, RelocationState::Cancelled);
    rig.manager.node_drain_cancel(&rig.admin, "qemu-a").await.unwrap();
    assert_eq!(moves(&rig, id).await.len(), 1);
    assert_eq!(rig.vm(first.kind.vm()).await.node, rig.id("qemu-b"));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_would_be_interrupted_waits_for_its_owner_and_the_plan_says_so_and_a_cancel_ends_the_wait() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let shown = rig.manager.node_drain_get(&rig.admin, "lxc-a").await.unwrap();
    assert_eq!((shown.moves.len(), shown.stay.len()), (0, 1));
    assert!(shown.stay[0].1.contains("consent"), "{shown:?}");
    let id = rig.manager.node_drain(&rig.admin, "lxc-a", Uuid::new_v4()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(rig.store.relocation_get(id).await.unwrap().unwrap().state, RelocationState::Running);
    rig.manager.node_drain_cancel(&rig.admin, "lxc-a").await.unwrap();
    assert_eq!(over(&rig, id).await.state, RelocationState::Cancelled);
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("lxc-a"), VmState::Running));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_admin_drains_and_a_node_is_drained_once_at_a_time() {
    let (rig, _) = with_vms(1).await;
    let (name, id) = ("qemu-a", Uuid::new_v4());
    assert_eq!(rig.manager.node_drain_get(&rig.customer, name).await, Err(ManagerError::Forbidden));
    assert_eq!(rig.manager.node_drain(&rig.customer, name, id).await, Err(ManagerError::Forbidden));
    assert_eq!(rig.manager.node_drain_cancel(&rig.customer, name).await, Err(ManagerError::Forbidden));
    assert_eq!(rig.store.audit_list(1).await.unwrap()[0].action, "node_drain_cancel");
    rig.order(Orders { hang: Some((0, Moment::Before)), ..Orders::default() });
    let first = rig.manager.node_drain(&rig.admin, name, id).await.unwrap();
    assert_eq!(rig.manager.node_drain(&rig.admin, name, id).await, Ok(first), "the same form again");
    let second = rig.manager.node_drain(&rig.admin, name, Uuid::new_v4()).await;
    assert!(matches!(second, Err(ManagerError::Unavailable { .. })), "{second:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_is_looked_at_when_something_has_changed_and_not_all_the_time() {
    let (rig, vms) = with_vms(1).await;
    let looks = || rig.manager.relocator.looks.swap(0, Ordering::Relaxed);
    rig.order(Orders { hang: Some((2, Moment::Before)), ..Orders::default() });
    let id = drain(&rig).await;
    let first = first_move(&rig, id).await;
    rig.reached(first.id, 2, false).await;
    looks();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(looks() <= 1, "a move that goes on needs no look");
    rig.order(Orders::default());
    rig.manager.operation_cancel(&rig.admin, first.id).await.unwrap();
    rig.ended(first.id).await;
    rig.manager.node_drain_cancel(&rig.admin, "qemu-a").await.unwrap();
    assert_eq!(over(&rig, id).await.state, RelocationState::Cancelled);
    assert!(looks() <= 6);
    assert_eq!(rig.vm(vms[0]).await.node, rig.id("qemu-a"));
    rig.check().await;
}
