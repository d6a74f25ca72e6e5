//! Work that is made of moves: how it begins, what belongs to it, and how it ends; and room that is made for an
//! operation.

use super::super::rows::AuditRow;
use super::super::{Begun, StoreError};
use super::world::{LARGE, NOW, PLENTY, World, room};
use grid::moves::{Manner, Move};
use grid::node::Administration;
use grid::operation::{OperationKind, OperationState};
use grid::plan::{Plan, PlanKind, RoomFirst};
use grid::relocation::{Relocation, RelocationKind, RelocationState};
use grid::vm::{Vm, commitment};
use grid::{OperationId, RelocationId, Resources, UnixMillis};
use uuid::Uuid;

pub(super) fn relocation(world: &World, kind: RelocationKind, after_ms: i64) -> Relocation {
    Relocation {
        id: RelocationId(Uuid::new_v4()),
        kind,
        actor: world.user,
        state: RelocationState::Running,
        reason: None,
        cancelled_by: None,
        created_at: UnixMillis(NOW.0 + after_ms),
        ended_at: None,
    }
}

fn audit(outcome: &str) -> AuditRow {
    AuditRow {
        at: UnixMillis(NOW.0 + 5),
        actor: None,
        tenant: None,
        action: "node_drain".into(),
        target: "here".into(),
        outcome: outcome.into(),
    }
}

async fn told(world: &World) -> Vec<String> {
    let rows = world.store.audit_list(100).await.unwrap().into_iter().filter(|row| row.action == "node_drain");
    rows.map(|row| row.outcome).collect()
}

#[tokio::test]
async fn one_at_a_time_empties_a_node_and_the_same_again_is_the_same() {
    let world = World::new().await;
    let store = &world.store;
    let first = relocation(&world, RelocationKind::Drain { node: world.here }, 0);
    for _ in 0..2 {
        store.relocation_begin(&first, &audit("accepted")).await.unwrap();
    }
    assert_eq!(told(&world).await, ["accepted"]);
    let here = store.node_list().await.unwrap().into_iter().find(|node| node.id == world.here).unwrap();
    assert_eq!(here.administration, Administration::Draining);
    let second = relocation(&world, RelocationKind::Drain { node: world.here }, 1);
    let refused = store.relocation_begin(&second, &audit("accepted")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let other = relocation(&world, RelocationKind::Drain { node: world.there }, 2);
    store.relocation_begin(&other, &audit("accepted")).await.unwrap();
    store.relocation_end(first.id, RelocationState::Succeeded, None, &audit("succeeded")).await.unwrap();
    store.relocation_begin(&second, &audit("accepted")).await.unwrap();
    assert_eq!(store.relocation_newest(Some(world.here)).await.unwrap(), Some(second.clone()));
    assert_eq!(store.relocation_unfinished().await.unwrap(), [second.clone(), other.clone()]);
    assert_eq!(store.relocation_list().await.unwrap().len(), 3);
    store.relocation_end(second.id, RelocationState::Succeeded, None, &audit("succeeded")).await.unwrap();
    let set_back = relocation(&world, second.kind, -24 * 60 * 60 * 1000);
    store.relocation_begin(&set_back, &audit("accepted")).await.unwrap();
    assert_eq!(store.relocation_newest(Some(world.here)).await.unwrap(), Some(set_back), "it goes on");
    let nobody = Relocation { actor: grid::UserId(Uuid::new_v4()), ..relocation(&world, other.kind, 3) };
    let refused = store.relocation_begin(&nobody, &audit("accepted")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
}

#[tokio::test]
async fn what_was_reviewed_is_kept_word_for_word_and_one_at_a_time_evens_out() {
    let world = World::new().await;
    let store = &world.store;
    let vm = world.running("web").await;
    let moves = vec![Move { vm: vm.id, from: world.here, to: world.there, manner: Manner::Live, bytes: 1 << 40 }];
    let first = relocation(&world, RelocationKind::Rebalance { moves }, 0);
    store.relocation_begin(&first, &audit("accepted")).await.unwrap();
    assert_eq!(store.relocation_get(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.relocation_newest(None).await.unwrap(), Some(first.clone()));
    assert_eq!(store.relocation_newest(Some(world.here)).await.unwrap(), None);
    let second = relocation(&world, RelocationKind::Rebalance { moves: Vec::new() }, 1);
    let refused = store.relocation_begin(&second, &audit("accepted")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let drain = relocation(&world, RelocationKind::Drain { node: world.here }, 1);
    store.relocation_begin(&drain, &audit("accepted")).await.unwrap();
}

#[tokio::test]
async fn it_is_cancelled_once_and_ends_once_and_its_moves_are_known() {
    let world = World::new().await;
    let store = &world.store;
    let drain = relocation(&world, RelocationKind::Drain { node: world.here }, 0);
    store.relocation_begin(&drain, &audit("accepted")).await.unwrap();
    let vm = world.running("web").await;
    let mut new = world.resize(&vm, vm.size, Some(world.there), "move 0");
    new.relocation = Some(drain.id);
    assert_eq!(world.begin(&new, PLENTY).await, Begun::Started(new.id));
    let again = grid::OperationId(Uuid::new_v4());
    let twice = super::super::rows::NewOperation { id: again, ..new.clone() };
    assert_eq!(world.begin(&twice, PLENTY).await, Begun::Already(new.id), "a move is begun once");
    let moves = store.relocation_operations(drain.id).await.unwrap();
    assert_eq!(moves.iter().map(|each| each.id).collect::<Vec<_>>(), [new.id]);

    store.relocation_cancel(drain.id, world.user, &audit("cancel")).await.unwrap();
    let refused = store.relocation_cancel(drain.id, world.user, &audit("cancel")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    for (state, why) in [(RelocationState::Cancelled, "cancelled"), (RelocationState::Failed, "another")] {
        store.relocation_end(drain.id, state, Some(why), &audit(why)).await.unwrap();
    }
    let ended = store.relocation_get(drain.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.reason.as_deref()), (RelocationState::Cancelled, Some("cancelled")));
    assert_eq!((ended.cancelled_by, ended.ended_at), (Some(world.user), Some(UnixMillis(NOW.0 + 5))));
    assert_eq!(told(&world).await, ["cancelled", "cancel", "accepted"], "newest first");
}

/// A resize that waits for room, begun; and the plan that it gets when there is some.
async fn waiting(world: &World, vm: &Vm) -> (OperationId, OperationKind) {
    let mut new = world.resize(vm, LARGE, None, "grow");
    let OperationKind::Resize { plan, .. } = new.kind.clone() else { unreachable!() };
    let room = Some(RoomFirst { then: PlanKind::InPlaceLive, moves: Vec::new() });
    let first = Plan { kind: PlanKind::MakeRoom, room, ..plan.clone() };
    new.kind = OperationKind::Resize { plan: first, force_off: true, not_after: None };
    (new.reservations, new.steps) = (Vec::new(), Vec::new());
    assert_eq!(world.begin(&new, PLENTY).await, Begun::Started(new.id));
    (new.id, OperationKind::Resize { plan, force_off: true, not_after: None })
}

#[tokio::test]
async fn an_operation_that_waits_for_room_brings_what_makes_it_and_gets_plan_and_room_at_once() {
    let world = World::new().await;
    let store = &world.store;
    let vm = world.running("web").await;
    let (id, plan) = waiting(&world, &vm).await;
    let maker = store.relocation_get(RelocationId(id.0)).await.unwrap().unwrap();
    assert_eq!((maker.kind.clone(), maker.makes_room_for()), (RelocationKind::MakeRoom { vm: vm.id }, Some(id)));
    assert_eq!(world.reserved(world.here).await, Resources::ZERO);

    let growth = commitment(vm.kind, LARGE).minus(vm.commitment());
    let little = room(world.here, vm.commitment(), growth);
    let steps = ["resize", "verify"];
    let refused = store.operation_room_made(id, &plan, &steps, &little).await.unwrap();
    assert!(matches!(refused, Begun::NoRoom { .. }), "{refused:?}");
    let enough = room(world.here, PLENTY, growth);
    let OperationKind::Resize { plan: planned, .. } = plan.clone() else { unreachable!() };
    let stale = Plan { generation: planned.generation + 1, ..planned };
    let stale = OperationKind::Resize { plan: stale, force_off: true, not_after: None };
    assert_eq!(store.operation_room_made(id, &stale, &steps, &enough).await.unwrap(), Begun::Changed);
    assert!(store.operation_get(id).await.unwrap().unwrap().kind.waits_for_room());

    assert_eq!(store.operation_room_made(id, &plan, &steps, &enough).await.unwrap(), Begun::Started(id));
    let now = store.operation_get(id).await.unwrap().unwrap();
    assert_eq!((now.kind, now.state), (plan.clone(), OperationState::Pending));
    assert_eq!(now.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>(), steps);
    assert_eq!(world.reserved(world.here).await, growth);
    let again = store.operation_room_made(id, &plan, &steps, &enough).await.unwrap_err();
    assert!(matches!(again, StoreError::Conflict(_)), "{again}");
    assert_eq!(world.reserved(world.here).await, growth, "it is reserved once");
}

#[tokio::test]
async fn what_was_cancelled_or_is_over_gets_no_room_any_more() {
    let world = World::new().await;
    let store = &world.store;
    let vm = world.running("web").await;
    let (id, plan) = waiting(&world, &vm).await;
    store.operation_cancel(id, world.user, &audit("cancel")).await.unwrap();
    let enough = room(world.here, PLENTY, commitment(vm.kind, LARGE));
    for _ in 0..2 {
        let refused = store.operation_room_made(id, &plan, &["resize"], &enough).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
        assert_eq!(world.reserved(world.here).await, Resources::ZERO);
        if !store.operation_get(id).await.unwrap().unwrap().state.is_over() {
            world.end(id, OperationState::Undone).await;
        }
    }
}
