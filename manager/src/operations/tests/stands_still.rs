//! A guest that could not write to its disk: told to everybody, and let go on once its pool has room.

use super::rig::Rig;
use crate::drift::DriftKind;
use crate::hypervisor::HypervisorError;
use crate::hypervisor::simulated::Call;
use grid::vm::VmState;
use grid::{Mib, VmId};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_stands_still_goes_on_by_itself_where_its_pool_has_room() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.grid.stands_still(rig.id("qemu-a"), vm);
    rig.looks().await;
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-a")]);
    assert_eq!(rig.looks().await, []);
    let audit = rig.store.audit_list(1).await.unwrap().remove(0);
    assert_eq!(
        (audit.action.as_str(), audit.outcome.as_str()),
        ("drift_mend", "succeeded: it stood still on qemu-a, and goes on")
    );
    assert!(!rig.manager.vm_get(&rig.customer, vm).await.unwrap().stands_still);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_long_as_its_pool_is_full_it_is_told_and_stands_still() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let (node, fills) = (rig.id("qemu-a"), VmId(Uuid::new_v4()));
    let free = Mib(rig.grid.pool(node).unwrap().free_mib);
    rig.grid.disk_put(node, fills, free.0 << 20);
    rig.grid.stands_still(node, vm);
    let told = rig.looks().await;
    let still = told.iter().find(|drift| drift.kind == DriftKind::StandsStill).expect("it is told");
    assert_eq!((still.vm, still.node_name.as_str()), (vm, "qemu-a"));
    assert!(still.what.contains("the pool has 0 MiB left"), "{still:?}");
    let seen = rig.manager.vm_get(&rig.customer, vm).await.unwrap();
    assert!(seen.stands_still && seen.vm.state == VmState::Running, "{seen:?}");
    assert_eq!(rig.grid.executing(vm), []);
    rig.grid.disk_remove(node, fills);
    rig.looks().await;
    assert_eq!(rig.grid.executing(vm), [node]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_somebody_paused_is_told_and_left_alone() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let node = rig.id("qemu-a");
    rig.grid.stands_still(node, vm);
    let why = HypervisorError::Refused("it was not paused because of its disk".into());
    rig.grid.faults(node, |faults| (1..9).for_each(|nth| faults.fail(Call::Resume, nth, why.clone())));
    let told = rig.looks().await;
    assert_eq!(told.iter().map(|drift| drift.kind).collect::<Vec<_>>(), [DriftKind::StandsStill]);
    assert_eq!(rig.grid.executing(vm), []);
    assert!(!rig.store.audit_list(100).await.unwrap().iter().any(|row| row.action == "drift_mend"));
}
