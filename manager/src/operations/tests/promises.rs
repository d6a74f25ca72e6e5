//! The promises' checkers: a sound grid breaks none, and each checker bites.

use super::rig::{Rig, TINY, size};
use crate::clock;
use crate::hypervisor::{Definition, Hypervisor};
use crate::promises::{self, PoolLists, Promise, Report};
use crate::store::rows::AuditRow;
use grid::VmId;
use grid::sample::DiskSample;
use grid::vm::VmState;
use std::sync::Arc;

async fn report(rig: &Rig) -> Report {
    // What is younger than the look is not counted.
    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    let hypervisors: Vec<Arc<dyn Hypervisor>> = rig.hypervisors.values().cloned().collect();
    let mut pools = PoolLists::new();
    for node in rig.nodes.values() {
        let disks = rig.grid.disks(node.id).into_iter();
        let disks = disks.map(|(vm, virtual_bytes)| DiskSample { vm, virtual_bytes, real_bytes: 0 }).collect();
        pools.insert(node.id, (clock::now(), disks));
    }
    promises::check(rig.store.as_ref(), &hypervisors, &pools).await.unwrap()
}

/// Exactly this promise is told to be broken, about this VM.
async fn bites(rig: &Rig, promise: Promise, vm: VmId) {
    let broken = report(rig).await.broken;
    assert!(broken.iter().any(|it| it.promise == promise), "{promise:?} is not told: {broken:?}");
    assert!(broken.iter().all(|it| it.promise == promise), "more than {promise:?} is told: {broken:?}");
    let named = [vm.to_string(), "qemu-a".to_owned()];
    assert!(broken.iter().all(|it| named.iter().any(|name| it.what.contains(name))), "{broken:?}");
}

async fn sound() -> (Rig, VmId) {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    (rig, vm)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_grid_breaks_no_promise_whatever_was_done_to_it() {
    let (rig, vm) = sound().await;
    rig.fill("qemu-a", 100).await;
    rig.succeeded(rig.resize(vm, size(2, 512, 2)).await).await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, false, "stop").await.unwrap()).await;
    let gone = rig.vm_on("lxc-a").await;
    rig.succeeded(rig.manager.vm_delete(&rig.customer, gone, "delete").await.unwrap()).await;
    assert_eq!(report(&rig).await, Report::default());
    rig.grid.faults(rig.id("lxc-a"), |faults| faults.silent = true);
    let report = report(&rig).await;
    assert_eq!(report.unseen, ["lxc-a: its hypervisor does not answer"]);
    assert_eq!(report.broken, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_copy_that_executes_is_told() {
    let (rig, vm) = sound().await;
    let row = rig.vm(vm).await;
    let (size, maxima) = (row.size, row.maxima);
    let definition = Definition { vm, title: row.name, size, maxima, mac: row.mac, address: row.address };
    rig.hypervisors["qemu-b"].define(&definition).await.unwrap();
    assert_eq!(report(&rig).await.broken, [], "a copy that is off executes nowhere");
    rig.hypervisors["qemu-b"].start(vm).await.unwrap();
    bites(&rig, Promise::OneExecutes, vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn room_that_was_never_there_is_told() {
    let (rig, vm) = sound().await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap()).await;
    rig.hypervisors["qemu-a"]
        .redefine(vm, size(7, 128, 1), grid::vm::Maxima { vcpus: grid::Vcpus(8), memory: grid::Mib(640) })
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    rig.store.vm_settle(vm, rig.id("qemu-a"), size(7, 128, 1), rig.vm(vm).await.maxima, None).await.unwrap();
    bites(&rig, Promise::RoomIsThere, vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_an_operation_left_in_the_middle_is_told() {
    let (rig, vm) = sound().await;
    rig.store.vm_state_set(vm, VmState::Deleting, None).await.unwrap();
    bites(&rig, Promise::NoneIsLost, vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_gone_or_too_short_is_told() {
    let (rig, vm) = sound().await;
    rig.grid.disk_remove(rig.id("qemu-a"), vm);
    bites(&rig, Promise::DataIsKept, vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_is_twice_in_the_audit_is_told() {
    let (rig, vm) = sound().await;
    let row = AuditRow {
        at: clock::now(),
        actor: Some(rig.customer.user),
        tenant: Some(rig.customer.tenant),
        action: "vm_deploy".into(),
        target: vm.to_string(),
        outcome: "accepted".into(),
    };
    rig.store.audit_add(&row).await.unwrap();
    bites(&rig, Promise::AuditIsWhole, vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_size_that_is_not_the_recorded_one_is_told() {
    let (rig, vm) = sound().await;
    rig.hypervisors["qemu-a"].set_vcpus(vm, grid::Vcpus(2)).await.unwrap();
    assert_eq!(rig.vm(vm).await.size, TINY);
    bites(&rig, Promise::RecordIsTrue, vm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_is_handed_over_while_the_checker_looks_is_no_second_copy() {
    let (rig, vm) = sound().await;
    rig.grid.disk_put(rig.id("qemu-b"), vm, rig.vm(vm).await.size.disk.bytes());
    rig.grid.faults(rig.id("qemu-b"), |faults| faults.delay = std::time::Duration::from_millis(600));
    let uri = rig.nodes["qemu-b"].uri.clone();
    let destination = crate::hypervisor::Destination { uri };
    let moving = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        rig.hypervisors["qemu-a"].migrate(vm, &destination, &|_| {}).await.unwrap();
    };
    let (told, ()) = futures::future::join(report(&rig), moving).await;
    let twice: Vec<_> = told.broken.iter().filter(|it| it.promise == Promise::OneExecutes).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
