//! Operations that were accepted: how they go on, who may write to them, and how they end.

use super::super::StoreError;
use super::super::rows::{AuditRow, Claim, OperationFilter, OperationWait};
use super::world::{LARGE, MAXIMA, NOW, PLENTY, World, end};
use grid::operation::{OperationState, StepState};
use grid::vm::{VmState, commitment};
use grid::{HypervisorKind, OperationId, Resources, UnixMillis};
use uuid::Uuid;

#[tokio::test]
async fn steps_keep_their_first_start_their_last_end_and_their_note() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let new = world.start(vm.id, "a");
    world.begin(&new, PLENTY).await;
    let store = &world.store;
    let epoch = store.operation_claim(new.id).await.unwrap();
    let at = |ms| UnixMillis(NOW.0 + ms);
    store.operation_state_set(new.id, epoch, OperationState::Running).await.unwrap();
    store.step_set(new.id, epoch, 1, StepState::Started, Some("1 of 2"), at(1)).await.unwrap();
    store.step_set(new.id, epoch, 1, StepState::Started, Some("2 of 2"), at(2)).await.unwrap();
    store.step_set(new.id, epoch, 1, StepState::Done, None, at(3)).await.unwrap();
    let operation = store.operation_get(new.id).await.unwrap().unwrap();
    assert_eq!(operation.state, OperationState::Running);
    let step = &operation.steps[1];
    assert_eq!((step.state, step.started_at, step.ended_at), (StepState::Done, Some(at(1)), Some(at(3))));
    assert_eq!(step.note.as_deref(), Some("2 of 2"));
    assert_eq!(operation.steps[0].started_at, None);
    store.step_set(new.id, epoch, 1, StepState::UndoStarted, None, at(4)).await.unwrap();
    let step = store.operation_get(new.id).await.unwrap().unwrap().steps.remove(1);
    assert_eq!((step.started_at, step.ended_at), (Some(at(1)), None));
    let error = store.step_set(new.id, epoch, 9, StepState::Done, None, at(5)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound), "{error}");
}

#[tokio::test]
async fn an_older_epoch_writes_nothing() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let new = world.start(vm.id, "a");
    world.begin(&new, PLENTY).await;
    let store = &world.store;
    let old = store.operation_claim(new.id).await.unwrap();
    let young = store.operation_claim(new.id).await.unwrap();
    assert!(young > old);
    let by = |epoch| Some(Claim { operation: new.id, epoch });
    let fenced = [
        store.vm_state_set(vm.id, VmState::Stopped, by(old)).await,
        store.vm_settle(vm.id, world.there, LARGE, MAXIMA, by(old)).await,
        store.vm_remove(vm.id, by(old)).await,
        store.step_set(new.id, old, 0, StepState::Done, None, NOW).await,
        store.operation_state_set(new.id, old, OperationState::Undoing).await,
        store.operation_fact_set(new.id, old, "port", "1").await,
        store.operation_end(new.id, old, &end(OperationState::Succeeded)).await,
    ];
    for result in fenced {
        assert!(matches!(result, Err(StoreError::Fenced)), "{result:?}");
    }
    assert_eq!(store.operation_get(new.id).await.unwrap().unwrap().state, OperationState::Pending);
    assert_eq!(store.operation_fact_get(new.id, "port").await.unwrap(), None);
    assert_eq!(world.get(vm.id).await, vm);
    store.vm_state_set(vm.id, VmState::Stopped, by(young)).await.unwrap();
    assert_eq!(world.get(vm.id).await.state, VmState::Stopped);
    store.operation_end(new.id, young, &end(OperationState::Succeeded)).await.unwrap();
    let late = store.vm_state_set(vm.id, VmState::Running, by(young)).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
}

#[tokio::test]
async fn facts_are_remembered_and_written_over() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let new = world.start(vm.id, "a");
    world.begin(&new, PLENTY).await;
    let epoch = world.store.operation_claim(new.id).await.unwrap();
    for value in ["1", "2"] {
        world.store.operation_fact_set(new.id, epoch, "port", value).await.unwrap();
    }
    assert_eq!(world.store.operation_fact_get(new.id, "port").await.unwrap().as_deref(), Some("2"));
}

#[tokio::test]
async fn an_end_frees_what_it_held_and_is_final() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let new = world.resize(&vm, LARGE, Some(world.there), "move");
    world.begin(&new, PLENTY).await;
    assert_eq!(world.reserved(world.there).await, commitment(HypervisorKind::Qemu, LARGE));
    let store = &world.store;
    let epoch = store.operation_claim(new.id).await.unwrap();
    let mut undone = end(OperationState::Undone);
    undone.reason = Some("the disk did not arrive".to_owned());
    undone.detail = Some("there: No space left on device".to_owned());
    store.operation_end(new.id, epoch, &undone).await.unwrap();
    store.operation_end(new.id, epoch, &undone).await.unwrap();
    assert_eq!(world.reserved(world.there).await, Resources::ZERO);
    let operation = store.operation_get(new.id).await.unwrap().unwrap();
    assert_eq!(operation.state, OperationState::Undone);
    assert_eq!((operation.reason, operation.detail), (undone.reason.clone(), undone.detail.clone()));
    assert_eq!((operation.downtime_ms, operation.called_ms), (Some(7), 40));
    assert_eq!(operation.ended_at, Some(undone.now));
    let audit = store.audit_list(2).await.unwrap();
    assert_eq!(audit[0].outcome, "undone: the disk did not arrive");
    assert_eq!(audit[1].outcome, "accepted", "the end was told once");
    let over = [
        store.operation_end(new.id, epoch, &end(OperationState::Succeeded)).await,
        store.operation_claim(new.id).await.map(drop),
        store.step_set(new.id, epoch, 0, StepState::Done, None, NOW).await,
    ];
    for result in over {
        assert!(matches!(result, Err(StoreError::Conflict(_))), "{result:?}");
    }
    assert!(store.operation_unfinished().await.unwrap().is_empty());
}

#[tokio::test]
async fn lists_are_newest_first_and_filtered() {
    let world = World::new().await;
    let one = world.running("one").await;
    let two = world.running("two").await;
    let mut resize = world.resize(&one, LARGE, Some(world.there), "move");
    resize.now = UnixMillis(NOW.0 + 5);
    world.begin(&resize, PLENTY).await;
    let list = async |filter: OperationFilter| -> Vec<OperationId> {
        world.store.operation_list(&filter).await.unwrap().into_iter().map(|operation| operation.id).collect()
    };
    assert_eq!(list(OperationFilter::default()).await.len(), 3);
    assert_eq!(list(OperationFilter { limit: 1, ..OperationFilter::default() }).await, [resize.id]);
    let of_one = list(OperationFilter { vm: Some(one.id), ..OperationFilter::default() }).await;
    assert_eq!((of_one.len(), of_one[0]), (2, resize.id));
    assert_eq!(list(OperationFilter { vm: Some(two.id), ..OperationFilter::default() }).await.len(), 1);
    let there = OperationFilter { node: Some(world.there), ..OperationFilter::default() };
    assert_eq!(list(there).await, [resize.id]);
    assert_eq!(list(OperationFilter { node: Some(world.here), ..OperationFilter::default() }).await.len(), 3);
    let mut later = world.start(two.id, "after the clock was set back");
    later.now = UnixMillis(NOW.0 - 24 * 60 * 60 * 1000);
    world.begin(&later, PLENTY).await;
    let of_two = OperationFilter { vm: Some(two.id), limit: 1, ..OperationFilter::default() };
    assert_eq!(list(of_two).await, [later.id], "it was accepted last");
    assert_eq!(list(OperationFilter::default()).await.first(), Some(&later.id), "of all, too");
    let here = OperationFilter { node: Some(world.here), ..OperationFilter::default() };
    assert_eq!(list(here.clone()).await[..2], [later.id, resize.id]);
    assert_eq!(list(OperationFilter { limit: 1, ..here.clone() }).await, [later.id]);
    let one_here = OperationFilter { vm: Some(one.id), limit: 1, ..here };
    assert_eq!(list(one_here).await, [resize.id], "another VM's are later");
    let epoch = world.store.operation_claim(later.id).await.unwrap();
    world.store.operation_end(later.id, epoch, &end(OperationState::Undone)).await.unwrap();
    let stranger = OperationFilter { tenant: Some(grid::TenantId(Uuid::new_v4())), ..OperationFilter::default() };
    assert!(list(stranger).await.is_empty());
    let unfinished = world.store.operation_unfinished().await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].steps.len(), 3);
}

#[tokio::test]
async fn what_waits_for_the_operator_holds_what_it_holds_and_is_claimed_by_nobody_else() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let new = world.resize(&vm, LARGE, Some(world.there), "move");
    world.begin(&new, PLENTY).await;
    let (store, id) = (&world.store, new.id);
    let epoch = store.operation_claim(id).await.unwrap();
    store.operation_state_set(id, epoch, OperationState::Running).await.unwrap();
    store.step_set(id, epoch, 1, StepState::Failed, None, NOW).await.unwrap();
    assert!(matches!(store.operation_claim_waiting(id).await, Err(StoreError::Conflict(_))));
    let wait = OperationWait { reason: "nobody knows".into(), detail: "neither end answers".into(), now: NOW };
    assert!(matches!(store.operation_wait(id, epoch - 1, &wait).await, Err(StoreError::Fenced)));
    store.operation_wait(id, epoch, &wait).await.unwrap();
    let waiting = store.operation_unfinished().await.unwrap().remove(0);
    assert_eq!((waiting.state, waiting.reason.as_deref()), (OperationState::Waiting, Some("nobody knows")));
    assert_eq!(world.reserved(world.there).await, commitment(HypervisorKind::Qemu, LARGE));
    assert_eq!(store.audit_list(1).await.unwrap()[0].outcome, "waiting: nobody knows");
    assert!(matches!(store.operation_claim(id).await, Err(StoreError::Conflict(_))));
    let operator = AuditRow {
        at: NOW,
        actor: Some(world.user),
        tenant: None,
        action: "operation_retry".into(),
        target: id.to_string(),
        outcome: "accepted".into(),
    };
    let slow = store.operation_claim_waiting(id).await.unwrap();
    store.operation_resume(id, &operator).await.unwrap();
    assert!(matches!(store.operation_resume(id, &operator).await, Err(StoreError::Conflict(_))));
    let late = store.operation_end(id, slow, &end(OperationState::Failed)).await;
    assert!(matches!(late, Err(StoreError::Fenced)), "it goes on, nobody gives it up: {late:?}");
    let going_on = store.operation_get(id).await.unwrap().unwrap();
    assert_eq!((going_on.state, going_on.steps[1].state), (OperationState::Running, StepState::Started));
    assert_eq!(store.audit_list(1).await.unwrap()[0].action, "operation_retry");
    store.operation_claim(id).await.unwrap();
}

#[tokio::test]
async fn who_gives_up_what_waits_is_in_the_audit() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let new = world.start(vm.id, "a");
    world.begin(&new, PLENTY).await;
    let (store, operator) = (&world.store, grid::UserId(Uuid::new_v4()));
    let epoch = store.operation_claim(new.id).await.unwrap();
    let wait = OperationWait { reason: "nobody knows".into(), detail: String::new(), now: NOW };
    store.operation_wait(new.id, epoch, &wait).await.unwrap();
    let epoch = store.operation_claim_waiting(new.id).await.unwrap();
    let mut given_up = end(OperationState::Failed);
    given_up.given_up_by = Some(operator);
    store.operation_end(new.id, epoch, &given_up).await.unwrap();
    let row = store.audit_list(1).await.unwrap().remove(0);
    assert_eq!((row.actor, row.action.as_str(), row.outcome.as_str()), (Some(operator), "operation_give_up", "failed"));
    assert_eq!(store.operation_get(new.id).await.unwrap().unwrap().state, OperationState::Failed);
}
