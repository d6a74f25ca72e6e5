//! VMs: what they take of their node while they are deployed, settled, moved and removed.

use super::super::{Begun, StoreError};
use super::world::{LARGE, MAXIMA, PLENTY, SMALL, World};
use grid::operation::OperationState;
use grid::vm::{Maxima, VmState, commitment};
use grid::{HypervisorKind, Mib, Resources, Size, TenantId, Vcpus, VmId};
use uuid::Uuid;

fn takes(size: Size) -> Resources {
    commitment(HypervisorKind::Qemu, size)
}

#[tokio::test]
async fn a_vm_is_read_as_it_was_recorded() {
    let world = World::new().await;
    let new = world.vm("web");
    let deploy = world.deploy(&new, "one");
    world.begin(&deploy, PLENTY).await;
    let recorded = world.get(new.id).await;
    assert_eq!(recorded, grid::vm::Vm { address: recorded.address, ..new });
    assert_eq!(world.store.vm_get(VmId(Uuid::new_v4())).await.unwrap(), None);
}

#[tokio::test]
async fn vms_are_listed_by_name_for_all_or_for_one_tenant() {
    let world = World::new().await;
    for name in ["b", "a"] {
        world.running(name).await;
    }
    let names = async |tenant| -> Vec<String> {
        world.store.vm_list(tenant).await.unwrap().into_iter().map(|vm| vm.name).collect()
    };
    assert_eq!(names(None).await, ["a", "b"]);
    assert_eq!(names(Some(world.tenant)).await, ["a", "b"]);
    assert!(names(Some(TenantId(Uuid::new_v4()))).await.is_empty());
}

#[tokio::test]
async fn the_generation_goes_up_at_every_change_and_only_then() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let generation = async || world.get(vm.id).await.generation;
    let start = generation().await;
    world.store.vm_state_set(vm.id, VmState::Running, None).await.unwrap();
    assert_eq!(generation().await, start, "nothing changed");
    world.store.vm_state_set(vm.id, VmState::Stopped, None).await.unwrap();
    assert_eq!(generation().await, start + 1);
    world.store.vm_settle(vm.id, world.here, LARGE, MAXIMA, None).await.unwrap();
    assert_eq!(generation().await, start + 2);
    world.store.vm_settle(vm.id, world.here, LARGE, MAXIMA, None).await.unwrap();
    assert_eq!(generation().await, start + 2, "nothing changed");
    world.store.vm_settle(vm.id, world.there, LARGE, MAXIMA, None).await.unwrap();
    assert_eq!(generation().await, start + 3);
}

#[tokio::test]
async fn what_is_unknown_is_known_to_have_run_until_it_is_known_again() {
    let world = World::new().await;
    let (web, mail) = (world.running("web").await, world.running("mail").await);
    let ran = async || {
        let each = [web.id, mail.id, VmId(Uuid::new_v4())].map(|vm| world.store.vm_ran(vm));
        futures::future::try_join_all(each).await.unwrap()
    };
    world.store.vm_state_set(mail.id, VmState::Stopped, None).await.unwrap();
    assert_eq!(ran().await, [true, false, false]);
    for _ in 0..2 {
        for vm in [web.id, mail.id] {
            world.store.vm_state_set(vm, VmState::Unknown, None).await.unwrap();
        }
        assert_eq!(ran().await, [true, false, false]);
    }
    // What else is recorded of it meanwhile says nothing of that.
    world.store.vm_settle(web.id, world.there, LARGE, MAXIMA, None).await.unwrap();
    assert_eq!(ran().await, [true, false, false]);
    world.store.vm_state_set(web.id, VmState::Stopped, None).await.unwrap();
    assert_eq!(ran().await, [false; 3]);
    world.store.vm_state_set(web.id, VmState::Unknown, None).await.unwrap();
    assert_eq!(ran().await, [false; 3]);
}

#[tokio::test]
async fn a_growth_in_place_counts_once_before_and_after_it_is_settled() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let resize = world.resize(&vm, LARGE, None, "grow");
    assert!(matches!(world.begin(&resize, PLENTY).await, Begun::Started(_)));
    assert_eq!(world.taken(world.here).await, (takes(SMALL), takes(LARGE).minus(takes(SMALL))));
    let maxima = Maxima { vcpus: Vcpus(16), ..MAXIMA };
    world.store.vm_settle(vm.id, world.here, LARGE, maxima, None).await.unwrap();
    assert_eq!(world.taken(world.here).await, (takes(LARGE), Resources::ZERO));
    let settled = world.get(vm.id).await;
    assert_eq!((settled.size, settled.maxima), (LARGE, maxima));
}

#[tokio::test]
async fn a_vm_that_moves_counts_on_both_nodes_until_its_operation_ends() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let resize = world.resize(&vm, LARGE, Some(world.there), "move");
    assert!(matches!(world.begin(&resize, PLENTY).await, Begun::Started(_)));
    assert_eq!(world.taken(world.there).await, (Resources::ZERO, takes(LARGE)));
    // Seen running there, at its old size; what it left here is still to be removed.
    world.store.vm_settle(vm.id, world.there, SMALL, MAXIMA, None).await.unwrap();
    world.store.vm_settle(vm.id, world.there, SMALL, MAXIMA, None).await.unwrap();
    assert_eq!(world.get(vm.id).await.node, world.there);
    assert_eq!(world.taken(world.there).await, (takes(SMALL), takes(LARGE).minus(takes(SMALL))));
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, takes(SMALL)));
    world.store.vm_settle(vm.id, world.there, LARGE, MAXIMA, None).await.unwrap();
    assert_eq!(world.taken(world.there).await, (takes(LARGE), Resources::ZERO));
    world.end(resize.id, OperationState::Succeeded).await;
    assert_eq!(world.taken(world.there).await, (takes(LARGE), Resources::ZERO));
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, Resources::ZERO));
}

#[tokio::test]
async fn a_shrink_keeps_the_old_size_until_it_is_settled() {
    let world = World::new().await;
    let vm = world.running("web").await;
    let small = Size { vcpus: Vcpus(1), memory: Mib(512), ..SMALL };
    let resize = world.resize(&vm, small, None, "shrink");
    assert!(matches!(world.begin(&resize, PLENTY).await, Begun::Started(_)));
    assert_eq!(world.taken(world.here).await, (takes(SMALL), Resources::ZERO));
    world.store.vm_settle(vm.id, world.here, small, MAXIMA, None).await.unwrap();
    assert_eq!(world.taken(world.here).await, (takes(small), Resources::ZERO));
}

#[tokio::test]
async fn a_failed_deployment_takes_nothing_once_it_has_ended() {
    let world = World::new().await;
    let vm = world.vm("web");
    let new = world.deploy(&vm, "one");
    world.begin(&new, PLENTY).await;
    world.store.vm_state_set(vm.id, VmState::Failed, None).await.unwrap();
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, takes(SMALL)), "its undo may still be at work");
    world.end(new.id, OperationState::Undone).await;
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, Resources::ZERO));
}

#[tokio::test]
async fn a_vm_that_nobody_finished_deploying_keeps_its_room() {
    let world = World::new().await;
    let vm = world.vm("web");
    let new = world.deploy(&vm, "one");
    world.begin(&new, PLENTY).await;
    world.end(new.id, OperationState::Failed).await;
    assert_eq!(world.get(vm.id).await.state, VmState::Deploying);
    assert_eq!(world.taken(world.here).await, (takes(SMALL), Resources::ZERO));
}

#[tokio::test]
async fn a_deploy_without_a_reservation_holds_its_room_all_the_same() {
    let world = World::new().await;
    let mut new = world.deploy(&world.vm("web"), "one");
    new.reservations.clear();
    assert!(matches!(world.begin(&new, PLENTY).await, Begun::Started(_)));
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, takes(SMALL)));
}

#[tokio::test]
async fn a_removed_vm_leaves_its_room_and_name_and_its_operations_stay() {
    let world = World::new().await;
    let vm = world.running("web").await;
    world.store.vm_remove(vm.id, None).await.unwrap();
    world.store.vm_remove(vm.id, None).await.unwrap();
    assert_eq!(world.store.vm_get(vm.id).await.unwrap(), None);
    assert_eq!(world.taken(world.here).await, (Resources::ZERO, Resources::ZERO));
    let filter = super::super::rows::OperationFilter { vm: Some(vm.id), ..Default::default() };
    assert_eq!(world.store.operation_list(&filter).await.unwrap().len(), 1);
    let again = world.deploy(&world.vm("web"), "again");
    assert_eq!(world.begin(&again, PLENTY).await, Begun::Started(again.id));
    let gone = world.store.vm_state_set(vm.id, VmState::Running, None).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
    let gone = world.store.vm_settle(vm.id, world.here, SMALL, MAXIMA, None).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
}
