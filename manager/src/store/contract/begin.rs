//! Operations: when they are accepted, and when and why they are refused.

use super::super::{Begun, StoreError};
use super::world::{LARGE, MAXIMA, PLENTY, SMALL, World, room};
use grid::operation::{OperationState, StepState};
use grid::vm::{VmState, commitment};
use grid::{HypervisorKind, Resource, Resources, Size, Vcpus, VmId};
use uuid::Uuid;

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
    world.store.vm_state_set(vm.id, VmState::Running, None).await.unwrap();
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
    let outside = Resources::new(1, 128, 64);
    for missing in [
        Resources::ZERO.with(Resource::Vcpus, 1),
        Resources::ZERO.with(Resource::Network, 1),
        Resources::ZERO.with(Resource::Memory, 1),
        Resources::ZERO.with(Resource::Disk, 1),
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
    world.store.vm_state_set(vm.id, VmState::Stopped, None).await.unwrap();
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
    assert_eq!(world.used().await, (grown, 1));
    let begun = world.begin(&new, PLENTY).await;
    assert_eq!(begun, Begun::OverQuota { limit: grown, used: grown }, "the resize holds what it will add");
    world.store.vm_settle(vm.id, world.here, LARGE, MAXIMA, None).await.unwrap();
    assert_eq!(world.used().await, (grown, 1), "settled, and not counted twice");
    world.end(resize.id, OperationState::Succeeded).await;
    assert_eq!(world.used().await, (grown, 1));
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
    world.store.vm_remove(first.0, None).await.unwrap();
    assert_eq!(deploy("c").await.unwrap().1, "10.1.0.3", "not at once the one that was given back");
    assert_eq!(deploy("d").await.unwrap().1, "10.1.0.1");
    assert_eq!(deploy("e").await, None);
    world.store.vm_remove(second.0, None).await.unwrap();
    assert_eq!(deploy("f").await.unwrap().1, "10.1.0.2");
}
