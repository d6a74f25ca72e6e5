//! The reconciler: takes up what nobody carries out, mends what is safe, tells the rest, and never guesses.

use super::rig::{Rig, TINY, size};
use crate::drift::DriftKind;
use crate::hypervisor::Definition;
use crate::store::rows::{NewOperation, OperationEnd};
use crate::{ManagerError, clock};
use grid::operation::{OperationKind, OperationState};
use grid::vm::VmState;
use grid::{OperationId, Resources, UnixMillis, VmId};
use uuid::Uuid;

/// What a move left on another node: a disk and a definition that is off.
async fn leave_behind(rig: &Rig, vm: VmId, node: &str) {
    rig.grid.disk_put(rig.id(node), vm, TINY.disk.bytes());
    let row = rig.vm(vm).await;
    let (size, maxima) = (row.size, row.maxima);
    let definition = Definition { vm, title: row.name, size, maxima, mac: row.mac, address: row.address };
    rig.hypervisors[node].define(&definition).await.unwrap();
}

/// An operation to be accepted, of which nobody else knows.
fn start_of(rig: &Rig, vm: VmId, now: UnixMillis) -> NewOperation {
    NewOperation {
        id: OperationId(Uuid::now_v7()),
        kind: OperationKind::Start { vm },
        tenant: rig.customer.tenant,
        actor: rig.customer.user,
        idempotency_key: "nobody else's".into(),
        generation: None,
        deploy: None,
        reservations: vec![],
        quota_delta: Resources::ZERO,
        steps: vec!["start", "settle"],
        relocation: None,
        now,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_vm_that_runs_at_its_home_is_removed() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    leave_behind(&rig, vm, "qemu-b").await;
    rig.looks().await;
    rig.check().await;
    assert_eq!(rig.looks().await, []);
    let audit = rig.store.audit_list(1).await.unwrap().remove(0);
    assert_eq!((audit.action.as_str(), audit.actor), ("drift_mend", None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_vm_that_is_not_seen_running_stays_and_is_told() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap()).await;
    leave_behind(&rig, vm, "qemu-b").await;
    let told = rig.looks().await;
    let kinds: Vec<DriftKind> = told.iter().map(|drift| drift.kind).collect();
    assert_eq!(kinds, [DriftKind::LeftDefinition, DriftKind::LeftDisk], "{told:?}");
    assert!(told.iter().all(|drift| drift.node_name == "qemu-b" && drift.vm == vm));
    assert!(rig.grid.disk(rig.id("qemu-b"), vm).is_some(), "nobody knows which disk is the right one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operation_works_on_is_no_drift() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let hang = Some((1, crate::operations::trial::Moment::Before));
    rig.order(crate::operations::trial::Orders { hang, ..Default::default() });
    let operation = rig.resize(vm, size(2, 256, 2)).await;
    rig.reached(operation, 1, false).await;
    leave_behind(&rig, vm, "qemu-b").await;
    assert_eq!(rig.looks().await, []);
    assert!(rig.grid.disk(rig.id("qemu-b"), vm).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_size_and_another_home_are_told_and_recorded_when_an_admin_says_so() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.hypervisors["qemu-a"].set_vcpus(vm, grid::Vcpus(2)).await.unwrap();
    let told = rig.looks().await;
    assert_eq!(told.iter().map(|drift| drift.kind).collect::<Vec<_>>(), [DriftKind::Size]);
    assert!(told[0].what.contains("has 2 vCPUs"), "{told:?}");
    assert_eq!(rig.manager.drift_record(&rig.customer, vm).await, Err(ManagerError::Forbidden));
    rig.manager.drift_record(&rig.admin, vm).await.unwrap();
    assert_eq!(rig.vm(vm).await.size, size(2, 128, 1));
    // Somebody moves it by hand.
    let uri = rig.nodes["qemu-b"].uri.clone();
    let destination = crate::hypervisor::Destination { uri };
    rig.grid.disk_put(rig.id("qemu-b"), vm, TINY.disk.bytes());
    rig.hypervisors["qemu-a"].migrate(vm, &destination, &|_| {}).await.unwrap();
    let told = rig.looks().await;
    assert!(told.iter().any(|drift| drift.kind == DriftKind::Elsewhere && drift.node_name == "qemu-b"), "{told:?}");
    rig.manager.drift_record(&rig.admin, vm).await.unwrap();
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("qemu-b"), VmState::Running));
    rig.looks().await;
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_and_lost_vms_are_told_and_left_alone() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let row = rig.vm(vm).await;
    let stranger = VmId(Uuid::new_v4());
    let definition = Definition {
        vm: stranger,
        title: "mine".into(),
        size: TINY,
        maxima: row.maxima,
        mac: "52:54:00:00:00:09".into(),
        address: row.address,
    };
    rig.hypervisors["qemu-b"].define(&definition).await.unwrap();
    rig.hypervisors["qemu-b"].start(stranger).await.unwrap();
    rig.hypervisors["qemu-a"].force_off(vm).await.unwrap();
    rig.hypervisors["qemu-a"].undefine(vm).await.unwrap();
    let told = rig.looks().await;
    assert!(told.iter().any(|drift| drift.kind == DriftKind::Stranger && drift.vm == stranger), "{told:?}");
    assert!(told.iter().any(|drift| drift.kind == DriftKind::Missing && drift.vm == vm), "{told:?}");
    assert_eq!(rig.grid.executing(stranger), [rig.id("qemu-b")]);
    assert!(rig.grid.disk(rig.id("qemu-a"), vm).is_some());
    let nowhere = rig.manager.drift_record(&rig.admin, vm).await;
    assert!(matches!(nowhere, Err(ManagerError::Unavailable { .. })), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_operation_that_nobody_carries_out_is_taken_up() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap()).await;
    let lost = start_of(&rig, vm, clock::now());
    rig.store.operation_begin(&lost, &[]).await.unwrap();
    rig.manager.reconciler.look().await.unwrap();
    rig.succeeded(lost.id).await;
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-a")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_before_the_clock_was_set_back_hides_no_drift() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let now = UnixMillis(clock::now().0 + 24 * 60 * 60 * 1000);
    let start = start_of(&rig, vm, now);
    rig.store.operation_begin(&start, &[]).await.unwrap();
    let epoch = rig.store.operation_claim(start.id).await.unwrap();
    let (state, reason) = (OperationState::Failed, Some("given up".to_owned()));
    let end = OperationEnd { state, reason, detail: None, downtime_ms: None, called_ms: 0, given_up_by: None, now };
    rig.store.operation_end(start.id, epoch, &end).await.unwrap();
    rig.hypervisors["qemu-a"].set_vcpus(vm, grid::Vcpus(2)).await.unwrap();
    let told = rig.looks().await;
    assert_eq!(told.iter().map(|drift| drift.kind).collect::<Vec<_>>(), [DriftKind::Size]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn less_memory_than_is_recorded_is_told_too() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.succeeded(rig.resize(vm, size(1, 512, 1)).await).await;
    rig.hypervisors["qemu-a"].set_memory(vm, grid::Mib(256)).await.unwrap();
    let hypervisors: Vec<_> = rig.hypervisors.values().cloned().collect();
    let report = crate::promises::check(rig.store.as_ref(), &hypervisors, &crate::promises::PoolLists::new()).await;
    assert!(!report.unwrap().broken.is_empty(), "the checker of I6 sees it");
    let told = rig.looks().await;
    assert_eq!(told.iter().map(|drift| drift.kind).collect::<Vec<_>>(), [DriftKind::Size]);
    assert!(told[0].what.contains("512") && told[0].what.contains("256"), "{}", told[0].what);
    rig.manager.drift_record(&rig.admin, vm).await.unwrap();
    assert_eq!(rig.looks().await, []);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_that_is_not_plugged_yet_is_not_told() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.succeeded(rig.resize(vm, size(1, 512, 1)).await).await;
    let (hypervisor, row) = (&rig.hypervisors["qemu-a"], rig.vm(vm).await);
    hypervisor.set_memory(vm, grid::Mib(256)).await.unwrap();
    hypervisor.redefine(vm, row.size, row.maxima).await.unwrap();
    let seen = hypervisor.observe(vm).await.unwrap().unwrap();
    assert_eq!((seen.persistent, seen.live), (Some(size(1, 512, 1)), Some(size(1, 256, 1))), "as after a start");
    assert_eq!(rig.looks().await, []);
    let configured = size(1, 384, 1);
    hypervisor.redefine(vm, configured, row.maxima).await.unwrap();
    assert_eq!(rig.looks().await.len(), 1);
    rig.manager.drift_record(&rig.admin, vm).await.unwrap();
    assert_eq!((rig.vm(vm).await.size, rig.looks().await), (configured, vec![]), "it is recorded as it is configured");
}
