//! Every operation, the good way.

use super::rig::{Rig, TINY, size};
use grid::operation::OperationKind;
use grid::plan::PlanKind;
use grid::vm::{Maxima, VmState};
use grid::{Gib, Mib, Resource, Vcpus};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_is_deployed_stopped_started_and_deleted() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.check().await;
    let row = rig.vm(vm).await;
    assert_eq!((row.state, row.size), (VmState::Running, TINY));
    assert_eq!(row.maxima, Maxima { vcpus: Vcpus(4), memory: Mib(640) });
    assert!(row.mac.starts_with("52:54:00:"));
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, false, "stop").await.unwrap()).await;
    assert_eq!(rig.vm(vm).await.state, VmState::Stopped);
    rig.check().await;
    rig.succeeded(rig.manager.vm_start(&rig.customer, vm, "start").await.unwrap()).await;
    assert_eq!(rig.vm(vm).await.state, VmState::Running);
    rig.succeeded(rig.manager.vm_delete(&rig.customer, vm, "delete").await.unwrap()).await;
    assert_eq!(rig.store.vm_list(None).await.unwrap(), []);
    assert_eq!(rig.grid.disk(rig.id("qemu-a"), vm), None);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_grows_in_place_live_and_its_boot_goes_on() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let boot = rig.grid.boot_id(vm);
    let to = size(3, 512, 3);
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::InPlaceLive);
    let operation = rig.succeeded(rig.resize(vm, to).await).await;
    assert!(operation.downtime_ms.is_some(), "{operation:#?}");
    assert_eq!((rig.vm(vm).await.size, rig.grid.boot_id(vm)), (to, boot));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_grows_beyond_its_maxima_by_a_restart_and_has_new_ones() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let boot = rig.grid.boot_id(vm);
    let to = size(5, 1024, 2);
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::InPlaceRestart);
    rig.succeeded(rig.resize(vm, to).await).await;
    let row = rig.vm(vm).await;
    assert_eq!((row.size, row.state), (to, VmState::Running));
    assert_eq!(row.maxima.vcpus, Vcpus(6), "bounded by the node's CPUs");
    assert_ne!(rig.grid.boot_id(vm), boot);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_moves_live_and_grows_there_and_nothing_is_left() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let (boot, before) = (rig.grid.boot_id(vm), rig.vm(vm).await);
    rig.fill("qemu-a", 100).await;
    let to = size(2, 512, 2);
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::MoveLive);
    rig.succeeded(rig.resize(vm, to).await).await;
    let row = rig.vm(vm).await;
    assert_eq!((row.size, row.node, rig.grid.boot_id(vm)), (to, rig.id("qemu-b"), boot));
    assert_eq!((row.mac, row.address), (before.mac, before.address));
    let left = rig.manager.node_get(&rig.admin, "qemu-a").await.unwrap();
    assert_eq!(left.commitments.len(), 1, "only the utility VM: {:?}", left.commitments);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shrinks_has_shrunk_before_a_live_move_so_that_no_more_room_is_needed_than_it_will_take() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.succeeded(rig.resize(vm, size(1, 512, 1)).await).await;
    rig.fill_up("qemu-a", Resource::Vcpus, 0).await;
    rig.fill("qemu-b", 400).await;
    let to = size(2, 256, 1);
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::MoveLive);
    let operation = rig.succeeded(rig.resize(vm, to).await).await;
    let steps: Vec<&str> = operation.steps.iter().map(|step| step.name.as_str()).collect();
    let at = |name| steps.iter().position(|step| *step == name).unwrap();
    assert!(at("set-memory") < at("migrate-live") && at("migrate-live") < at("set-vcpus"), "{steps:?}");
    assert_eq!((rig.vm(vm).await.size, rig.vm(vm).await.node), (to, rig.id("qemu-b")));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_moves_live_and_restarts_beyond_its_maxima() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.fill("qemu-a", 100).await;
    let to = size(5, 1024, 2);
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::MoveLiveRestart);
    rig.succeeded(rig.resize(vm, to).await).await;
    let row = rig.vm(vm).await;
    assert_eq!((row.size, row.node), (to, rig.id("qemu-b")));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_moves_cold_in_its_modified_configuration() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.fill("lxc-a", 100).await;
    let to = size(2, 1024, 3);
    assert_eq!(rig.plan(vm, to).await.kind, PlanKind::MoveCold);
    rig.succeeded(rig.resize(vm, to).await).await;
    let row = rig.vm(vm).await;
    assert_eq!((row.size, row.node, row.state), (to, rig.id("lxc-b"), VmState::Running));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_vm_is_resized_and_moved_without_being_started() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, false, "stop").await.unwrap()).await;
    rig.succeeded(rig.resize(vm, size(2, 256, 2)).await).await;
    rig.check().await;
    rig.fill("qemu-a", 100).await;
    rig.succeeded(rig.resize(vm, size(2, 1024, 2)).await).await;
    let row = rig.vm(vm).await;
    assert_eq!((row.size, row.node, row.state), (size(2, 1024, 2), rig.id("qemu-b"), VmState::Stopped));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_shrinks_live_and_the_room_is_free_again() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let committed = || rig.manager.map().get(rig.id("qemu-a")).unwrap().committed_to(vm).memory_mib();
    let before = committed();
    rig.succeeded(rig.resize(vm, size(1, 512, 1)).await).await;
    rig.until("more is committed", || committed() > before).await;
    let most = committed();
    rig.succeeded(rig.resize(vm, size(1, 256, 1)).await).await;
    rig.until("the room is free again", || committed() < most).await;
    assert_eq!(rig.vm(vm).await.size.disk, Gib(1));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_tells_its_steps_and_only_admins_its_nodes() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let all = rig.manager.vm_operations(&rig.customer, vm, 10).await.unwrap();
    let names: Vec<&str> = all[0].steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["fetch-image", "create-disk", "write-seed", "define", "start", "verify", "settle"]);
    assert!(matches!(all[0].kind, OperationKind::Deploy { .. }));
    let seen = rig.manager.operation_get(&rig.customer, all[0].id).await.unwrap();
    assert_eq!((seen.destination_name, seen.operation.detail), (None, None));
    let seen = rig.manager.operation_get(&rig.admin, all[0].id).await.unwrap();
    assert_eq!(seen.destination_name.as_deref(), Some("qemu-a"));
}
