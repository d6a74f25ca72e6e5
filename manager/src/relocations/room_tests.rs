//! Making room on the simulated grid: what is agreed to, the moves of others, the resize that waits for them; a move that
//! fails, crashes, a cancel.

use super::tests::{first_move, moves, over};
use crate::ManagerError;
use crate::operations::rig::{Rig, TINY, size};
use crate::operations::trial::{Moment, Orders};
use crate::store::rows::OperationFilter;
use grid::moves::Manner;
use grid::operation::{OperationKind, OperationState};
use grid::plan::{Plan, PlanKind};
use grid::relocation::{RelocationKind, RelocationState};
use grid::vm::VmState;
use grid::{OperationId, RelocationId, Size, VmId};

/// More than is free beside the two VMs of `qemu-a`, and less than when one of them has gone; `qemu-b` has room for a
/// tiny one alone.
const GROWN: Size = size(2, 256, 2);

/// The customer's VM, and the neighbour that has to go, which is another customer's.
async fn full() -> (Rig, VmId, VmId) {
    let mut rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    std::mem::swap(&mut rig.customer, &mut rig.stranger);
    let neighbour = rig.vm_on("qemu-a").await;
    std::mem::swap(&mut rig.customer, &mut rig.stranger);
    rig.fill("qemu-a", 100).await;
    rig.fill("qemu-b", 250).await;
    (rig, vm, neighbour)
}

async fn grow(rig: &Rig, vm: VmId) -> (OperationId, RelocationId) {
    let operation = rig.resize(vm, GROWN).await;
    (operation, RelocationId(operation.0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_agrees_to_it_gets_the_size_when_another_vm_has_moved_away_and_sees_nothing_of_that_one() {
    let (rig, vm, neighbour) = full().await;
    let seen = rig.plan(vm, GROWN).await;
    let room = seen.room.clone().unwrap();
    assert_eq!(
        (seen.kind, room.then, room.moves.as_slice()),
        (PlanKind::MakeRoom, PlanKind::InPlaceLive, [].as_slice())
    );
    let admins = rig.plan_as(&rig.admin, vm, GROWN).await.room.unwrap().moves;
    let told: Vec<_> = admins.iter().map(|each| (each.vm, each.to, each.manner)).collect();
    assert_eq!(told, [(neighbour, rig.id("qemu-b"), Manner::Live)]);

    let agreement = Rig::agree(&seen);
    let operation = rig.manager.vm_resize(&rig.customer, vm, agreement.clone()).await.unwrap();
    assert_eq!(rig.manager.vm_resize(&rig.customer, vm, agreement).await, Ok(operation), "the same form again");
    let ended = rig.succeeded(operation).await;
    let OperationKind::Resize { plan, .. } = &ended.kind else { panic!("{ended:#?}") };
    assert_eq!(plan.kind, PlanKind::InPlaceLive);
    let grown = rig.vm(vm).await;
    assert_eq!((grown.size, grown.node), (GROWN, rig.id("qemu-a")));
    let gone = rig.vm(neighbour).await;
    assert_eq!((gone.size, gone.node, gone.state), (TINY, rig.id("qemu-b"), VmState::Running));

    let made = over(&rig, RelocationId(operation.0)).await;
    assert_eq!((made.state, made.kind), (RelocationState::Succeeded, RelocationKind::MakeRoom { vm }));
    let moves = moves(&rig, made.id).await;
    assert_eq!(moves.len(), 1);
    assert!(moves[0].ended_at.unwrap() <= ended.steps[0].started_at.unwrap(), "the resize waits for the move");
    assert_eq!(rig.manager.operation_get(&rig.customer, moves[0].id).await, Err(ManagerError::NotFound));
    let mine = rig.manager.operation_list(&rig.customer, OperationFilter::default()).await.unwrap();
    assert!(mine.iter().all(|each| each.operation.kind.vm() == vm));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_agrees_to_it_with_a_plan_that_was_not_shown() {
    let (rig, vm, _) = full().await;
    let seen = rig.plan(vm, GROWN).await;
    let moves = rig.plan_as(&rig.admin, vm, GROWN).await.room.unwrap().moves;
    let with_nodes = seen.room.clone().map(|room| grid::plan::RoomFirst { moves, ..room });
    for wrong in [Plan { room: with_nodes, ..seen.clone() }, Plan { room: None, ..seen }] {
        let refused = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&wrong)).await;
        assert!(matches!(refused, Err(ManagerError::Invalid { field: "plan", .. })), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_move_fails_the_rest_is_planned_anew_and_another_vm_makes_room() {
    let (rig, vm, neighbour) = full().await;
    rig.fill("qemu-a", 400).await;
    let other = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    rig.order(Orders { fail: Some((2, Moment::Before)), ..Orders::default() });
    let (operation, made) = grow(&rig, vm).await;
    let first = first_move(&rig, made).await;
    assert_eq!(rig.ended(first.id).await.state, OperationState::Undone);
    rig.order(Orders::default());
    rig.succeeded(operation).await;
    assert_eq!(over(&rig, made).await.state, RelocationState::Succeeded);
    let moved: Vec<_> = moves(&rig, made).await.iter().map(|each| (each.kind.vm(), each.state)).collect();
    let second = if first.kind.vm() == neighbour { other } else { neighbour };
    assert_eq!(moved, [(first.kind.vm(), OperationState::Undone), (second, OperationState::Succeeded)]);
    assert_eq!((rig.vm(vm).await.size, rig.vm(second).await.node), (GROWN, rig.id("qemu-b")));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_move_fails_and_no_other_makes_room_the_resize_ends_with_the_reason() {
    let (rig, vm, neighbour) = full().await;
    rig.order(Orders { fail: Some((2, Moment::Before)), ..Orders::default() });
    let (operation, made) = grow(&rig, vm).await;
    let ended = rig.ended(operation).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    let reason = ended.reason.unwrap();
    assert!(reason.contains("no room could be made") && !reason.contains("qemu"), "{reason}");
    let made = over(&rig, made).await;
    assert_eq!(made.state, RelocationState::Failed);
    assert!(made.reason.unwrap().contains("of 1, 1 failed"));
    assert_eq!((rig.vm(vm).await.size, rig.vm(neighbour).await.node), (TINY, rig.id("qemu-a")));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_resize_goes_on_after_a_crash_in_the_middle_of_the_move() {
    for (at, moment) in [(0, Moment::Before), (3, Moment::After), (8, Moment::After)] {
        let (mut rig, vm, neighbour) = full().await;
        rig.order(Orders { hang: Some((at, moment)), ..Orders::default() });
        let (operation, made) = grow(&rig, vm).await;
        let first = first_move(&rig, made).await;
        rig.reached(first.id, at, false).await;
        rig.reopen().await;
        rig.succeeded(operation).await;
        assert_eq!(over(&rig, made).await.state, RelocationState::Succeeded, "step {at} {moment:?}");
        assert_eq!(moves(&rig, made).await.len(), 1, "step {at} {moment:?}: none is begun twice");
        assert_eq!((rig.vm(vm).await.size, rig.vm(neighbour).await.node), (GROWN, rig.id("qemu-b")));
        rig.check().await;
        rig.manager.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_while_room_is_made_it_ends_at_once_and_the_move_at_hand_is_finished() {
    let (mut rig, vm, neighbour) = full().await;
    rig.order(Orders { hang: Some((2, Moment::Before)), ..Orders::default() });
    let (operation, made) = grow(&rig, vm).await;
    let first = first_move(&rig, made).await;
    rig.reached(first.id, 2, false).await;
    let view = rig.manager.operation_get(&rig.customer, operation).await.unwrap();
    assert_eq!((view.cannot_cancel, view.operation.state), (None, OperationState::Pending));
    rig.manager.operation_cancel(&rig.customer, operation).await.unwrap();
    let ended = rig.ended(operation).await;
    assert_eq!((ended.state, ended.reason.as_deref()), (OperationState::Undone, Some("cancelled")));
    rig.reopen().await;
    assert_eq!(over(&rig, made).await.state, RelocationState::Cancelled);
    assert_eq!((rig.vm(vm).await.size, rig.vm(neighbour).await.node), (TINY, rig.id("qemu-b")));
    rig.check().await;
}
