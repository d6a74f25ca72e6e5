//! Operations: when they are accepted and refused, what they hold, how they go on and end.

use super::super::rows::OperationFilter;
use super::super::{Begun, StoreError};
use super::world::{MAXIMA, NOW, PLENTY, SMALL, World, end, room};
use grid::operation::{OperationState, StepState};
use grid::vm::{VmState, commitment};
use grid::{Gib, HypervisorKind, Mib, OperationId, Resources, Size, UnixMillis, Vcpus, VmId};
use uuid::Uuid;

const LARGE: Size = Size { vcpus: Vcpus(4), memory: Mib(4096), disk: Gib(8) };

#[tokio::test]
async fn a_deploy_records_the_vm_with_an_address_and_takes_its_room_once() {
    let world = World::new().await;
    let vm = world.vm("web");
    let new = world.deploy(&vm, "one");
    assert_eq!(world.begin(&new, PLENTY).await, Begun::Started(new.id));
    let recorded = world.get(vm.id).await;
    assert_eq!(recorded.address.to_string(), "10.0.0.10");
    assert_eq!(recorded.state, VmState::Deploying);
    let takes = commitment(HypervisorKind::Qemu, SMALL);
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, takes), "the operation stands for the VM");
    world.store.vm_state_set(vm.id, VmState::Running).await.unwrap();
    assert_eq!(world.taken(world.here).await, (takes, Resources::ZERO), "the VM stands for itself");
    let operation = world.store.operation_get(new.id).await.unwrap().unwrap();
    assert_eq!(operation.kind, new.kind);
    assert_eq!(operation.state, OperationState::Pending);
    assert_eq!(world.store.operation_by_key(world.user, "one").await.unwrap(), Some(new.id));
    assert_eq!(world.store.operation_by_key(world.user, "two").await.unwrap(), None);
    let names: Vec<_> = operation.steps.iter().map(|step| (step.position, step.name.as_str())).collect();
    assert_eq!(names, [(0, "prepare"), (1, "work"), (2, "verify")]);
    assert!(operation.steps.iter().all(|step| step.state == StepState::Waiting));
}

#[tokio::test]
async fn room_is_usable_less_committed_reserved_and_what_is_outside() {
    let world = World::new().await;
    let one = commitment(HypervisorKind::Qemu, SMALL);
    let vm = world.running("first").await;
    let resize = world.resize(&vm, LARGE, Some(world.there), "grow");
    assert!(matches!(world.begin(&resize, PLENTY).await, Begun::Started(_)));
    let reserved = commitment(HypervisorKind::Qemu, LARGE);
    let outside = Resources { vcpus: 1, memory_mib: 128, disk_mib: 64 };
    for missing in [
        Resources { vcpus: 1, ..Resources::ZERO },
        Resources { memory_mib: 1, ..Resources::ZERO },
        Resources { disk_mib: 1, ..Resources::ZERO },
        Resources::ZERO,
    ] {
        let vm = grid::vm::Vm { node: world.there, ..world.vm("second") };
        let new = world.deploy(&vm, "second");
        let mut check = room(world.there, reserved.plus(outside).plus(one).minus(missing), one);
        check.outside = outside;
        let begun = world.store.operation_begin(&new, &[check]).await.unwrap();
        if missing == Resources::ZERO {
            assert_eq!(begun, Begun::Started(new.id), "exactly what is asked for is enough");
        } else {
            let available = one.minus(missing);
            assert_eq!(begun, Begun::NoRoom { node: world.there, asked: one, available });
        }
    }
}

#[tokio::test]
async fn what_is_refused_leaves_an_audit_row_and_nothing_else() {
    let world = World::new().await;
    let vm = world.vm("web");
    let new = world.deploy(&vm, "one");
    let before = world.store.audit_list(100).await.unwrap().len();
    assert!(matches!(world.begin(&new, Resources::ZERO).await, Begun::NoRoom { .. }));
    assert_eq!(world.store.vm_get(vm.id).await.unwrap(), None);
    assert_eq!(world.store.operation_get(new.id).await.unwrap(), None);
    let audit = world.store.audit_list(100).await.unwrap();
    assert_eq!(audit.len(), before + 1);
    assert_eq!(audit[0].action, "vm_deploy");
    assert_eq!(audit[0].target, vm.id.to_string());
    assert_eq!(audit[0].outcome, "refused: no room");
    assert_eq!(audit[0].actor, Some(world.user));
    assert_eq!(world.begin(&new, PLENTY).await, Begun::Started(new.id), "the key was not used up");
}

#[tokio::test]
async fn the_same_key_is_the_same_operation_and_another_actors_key_is_not() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let first = world.start(vm.id, "key");
    assert_eq!(world.begin(&first, PLENTY).await, Begun::Started(first.id));
    let again = world.start(vm.id, "key");
    assert_eq!(world.begin(&again, PLENTY).await, Begun::Already(first.id));
    world.end(first.id, OperationState::Succeeded).await;
    assert_eq!(world.begin(&again, PLENTY).await, Begun::Already(first.id), "after its end too");

    let other = super::world::new_user(world.tenant, "bob@example.org");
    world.store.user_create(&other).await.unwrap();
    let others = super::super::rows::NewOperation { actor: other.id, ..world.start(vm.id, "key") };
    assert_eq!(world.begin(&others, PLENTY).await, Begun::Started(others.id));
}

#[tokio::test]
async fn a_vm_has_one_running_operation() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let first = world.start(vm.id, "a");
    let second = world.start(vm.id, "b");
    assert_eq!(world.begin(&first, PLENTY).await, Begun::Started(first.id));
    assert_eq!(world.begin(&second, PLENTY).await, Begun::Busy(first.id));
    world.end(first.id, OperationState::Failed).await;
    assert_eq!(world.begin(&second, PLENTY).await, Begun::Started(second.id));
}

#[tokio::test]
async fn a_plan_for_an_older_generation_is_not_carried_out() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let resize = world.resize(&vm, LARGE, None, "grow");
    world.store.vm_state_set(vm.id, VmState::Stopped).await.unwrap();
    assert_eq!(world.begin(&resize, PLENTY).await, Begun::Changed);
}

#[tokio::test]
async fn an_operation_on_a_vm_that_is_not_there_is_not_found() {
    let world = World::new().await;
    let new = world.start(VmId(Uuid::new_v4()), "a");
    let error = world.store.operation_begin(&new, &[]).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound), "{error}");
}

#[tokio::test]
async fn the_quota_counts_vms_and_what_running_operations_add() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let grown = Resources::from(LARGE);
    world.quota_set(grown, 1).await;
    let new = world.deploy(&world.vm("second"), "second");
    assert_eq!(world.begin(&new, PLENTY).await, Begun::TooManyVms { limit: 1 });
    world.quota_set(grown, 2).await;
    let resize = world.resize(&vm, LARGE, None, "grow");
    assert_eq!(world.begin(&resize, PLENTY).await, Begun::Started(resize.id));
    assert_eq!(world.store.tenant_usage(world.tenant).await.unwrap(), (grown, 1));
    let begun = world.begin(&new, PLENTY).await;
    assert_eq!(begun, Begun::OverQuota { limit: grown, used: grown }, "the resize holds what it will add");
    world.store.vm_settle(vm.id, world.here, LARGE, MAXIMA).await.unwrap();
    assert_eq!(world.store.tenant_usage(world.tenant).await.unwrap(), (grown, 1), "settled, and not counted twice");
    world.end(resize.id, OperationState::Succeeded).await;
    assert_eq!(world.store.tenant_usage(world.tenant).await.unwrap(), (grown, 1));
}

#[tokio::test]
async fn who_is_over_the_quota_may_still_start_and_shrink() {
    let world = World::new().await;
    let vm = world.running("web").await;
    world.quota_set(Resources::ZERO, 0).await;
    let start = world.start(vm.id, "start");
    assert_eq!(world.begin(&start, PLENTY).await, Begun::Started(start.id));
    world.end(start.id, OperationState::Succeeded).await;
    let shrink = world.resize(&vm, Size { vcpus: Vcpus(1), ..SMALL }, None, "shrink");
    assert_eq!(world.begin(&shrink, PLENTY).await, Begun::Started(shrink.id));
}

#[tokio::test]
async fn a_tenants_names_are_unique() {
    let world = World::new().await;
    world.running("web").await;
    let new = world.deploy(&world.vm("web"), "again");
    assert_eq!(world.begin(&new, PLENTY).await, Begun::NameTaken);
}

#[tokio::test]
async fn addresses_go_round_and_run_out() {
    let world = World::new().await;
    let range = ("10.1.0.1".parse().unwrap(), "10.1.0.3".parse().unwrap());
    let deploy = async |name: &str| {
        let vm = world.vm(name);
        let mut new = world.deploy(&vm, &Uuid::new_v4().to_string());
        new.deploy.as_mut().unwrap().addresses = range;
        match world.begin(&new, PLENTY).await {
            Begun::Started(_) => Some((vm.id, world.get(vm.id).await.address.to_string())),
            Begun::NoAddressLeft => None,
            other => panic!("{other:?}"),
        }
    };
    let first = deploy("a").await.unwrap();
    assert_eq!(first.1, "10.1.0.1");
    let second = deploy("b").await.unwrap();
    assert_eq!(second.1, "10.1.0.2");
    world.store.vm_remove(first.0).await.unwrap();
    assert_eq!(deploy("c").await.unwrap().1, "10.1.0.3", "not at once the one that was given back");
    assert_eq!(deploy("d").await.unwrap().1, "10.1.0.1");
    assert_eq!(deploy("e").await, None);
    world.store.vm_remove(second.0).await.unwrap();
    assert_eq!(deploy("f").await.unwrap().1, "10.1.0.2");
}

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
    let fenced = [
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
    store.operation_end(new.id, young, &end(OperationState::Succeeded)).await.unwrap();
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
    let stranger = OperationFilter { tenant: Some(grid::TenantId(Uuid::new_v4())), ..OperationFilter::default() };
    assert!(list(stranger).await.is_empty());
    let unfinished = world.store.operation_unfinished().await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(unfinished[0].steps.len(), 3);
}
