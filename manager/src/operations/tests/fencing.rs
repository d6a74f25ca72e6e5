//! A node that died, an admin's word that it is cut off, and its VMs rebuilt elsewhere: never without that word, never twice,
//! and nothing of the old data is touched.

use super::rig::{Rig, TINY};
use crate::ManagerError;
use crate::drift::DriftKind;
use crate::operations::steps_of;
use crate::operations::trial::{Moment, Orders};
use crate::store::rows::OperationFilter;
use grid::map::Condition;
use grid::node::Administration;
use grid::operation::{OperationKind, OperationState};
use grid::plan::RefusalReason;
use grid::vm::VmState;
use grid::{OperationId, Resource, VmId};
use std::time::Duration;
use uuid::Uuid;

fn condition(rig: &Rig, node: &str) -> Condition {
    rig.manager.map().get(rig.id(node)).unwrap().condition
}

/// Nothing is heard of the node any more; whether it still runs is another matter.
async fn falls_silent(rig: &Rig, node: &str) {
    rig.grid.faults(rig.id(node), |faults| faults.silent = true);
    rig.modules[node].faults(|faults| faults.silent = true);
    rig.until("the node is stale", || !condition(rig, node).hypervisor_answers()).await;
}

fn answers_again(rig: &Rig, node: &str) {
    rig.grid.faults(rig.id(node), |faults| faults.silent = false);
    rig.modules[node].faults(|faults| faults.silent = false);
}

async fn dies(rig: &Rig, node: &str) {
    falls_silent(rig, node).await;
    rig.grid.power_fail(rig.id(node));
}

async fn dies_and_is_fenced(rig: &Rig, node: &str) {
    dies(rig, node).await;
    rig.manager.node_fence(&rig.admin, node, node).await.unwrap();
    is_unknown(rig, node).await;
}

/// Until nobody knows what the node's VMs do.
async fn is_unknown(rig: &Rig, node: &str) {
    for _ in 0..1000 {
        let vms = rig.store.vm_list(None).await.unwrap();
        if vms.iter().all(|vm| vm.node != rig.id(node) || vm.state == VmState::Unknown) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("what it runs is not unknown");
}

async fn rebuild(rig: &Rig, vm: VmId) -> Result<OperationId, ManagerError> {
    let name = rig.vm(vm).await.name;
    rig.manager.vm_rebuild(&rig.customer, vm, &name, &Uuid::new_v4().to_string()).await
}

fn reason(refused: Result<impl std::fmt::Debug, ManagerError>) -> String {
    refused.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_fenced_by_an_admin_who_types_its_name_and_only_while_it_gives_no_answer() {
    let rig = Rig::new().await;
    let (admin, customer) = (&rig.admin, &rig.customer);
    let why = reason(rig.manager.node_fence(admin, "qemu-a", "qemu-a").await);
    assert!(why.contains("its hypervisor answers"), "{why}");
    falls_silent(&rig, "qemu-a").await;
    let refused = rig.manager.node_fence(customer, "qemu-a", "qemu-a").await;
    assert!(matches!(refused, Err(ManagerError::Forbidden)), "{refused:?}");
    let refused = rig.manager.node_fence(admin, "qemu-a", "qemu-b").await;
    assert!(matches!(refused, Err(ManagerError::Invalid { field: "confirmed", .. })), "{refused:?}");
    let refused = rig.manager.node_fence(admin, "nowhere", "nowhere").await;
    assert!(matches!(refused, Err(ManagerError::NotFound)), "{refused:?}");
    let refused = rig.manager.node_unfence(admin, "qemu-a").await;
    assert!(matches!(refused, Err(ManagerError::Unavailable { .. })), "{refused:?}");
    assert_ne!(condition(&rig, "qemu-a"), Condition::Fenced);
    let audit = rig.store.audit_list(5).await.unwrap();
    assert!(audit.iter().all(|row| row.outcome.starts_with("refused: ")), "{audit:#?}");

    rig.manager.node_fence(admin, "qemu-a", " qemu-a ").await.unwrap();
    assert_eq!(condition(&rig, "qemu-a"), Condition::Fenced);
    let audit = rig.store.audit_list(1).await.unwrap().remove(0);
    assert_eq!((audit.action.as_str(), audit.outcome.as_str()), ("node_fence", "accepted"));
    assert_eq!((audit.actor, audit.target.as_str()), (Some(admin.user), "qemu-a"));
    rig.manager.node_fence(admin, "qemu-a", "qemu-a").await.unwrap();
    assert_eq!(rig.store.audit_list(1).await.unwrap(), [audit], "it is so already");

    // Nothing else is decided about it meanwhile.
    for why in [
        reason(rig.manager.node_administration_set(admin, "qemu-a", Administration::Open).await),
        reason(rig.manager.node_drain(admin, "qemu-a", Uuid::new_v4()).await),
    ] {
        assert!(why.contains("fenced") || why.contains("hypervisor answers"), "{why}");
    }
    let refused = rig.manager.node_unfence(customer, "qemu-a").await;
    assert!(matches!(refused, Err(ManagerError::Forbidden)), "{refused:?}");
    answers_again(&rig, "qemu-a");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(condition(&rig, "qemu-a"), Condition::Fenced, "that it answers does not take the admin's word back");
    rig.manager.node_unfence(admin, "qemu-a").await.unwrap();
    rig.until("it is cordoned", || condition(&rig, "qemu-a") == Condition::Cordoned).await;
    let audit = rig.store.audit_list(9).await.unwrap();
    rig.manager.node_unfence(admin, "qemu-a").await.unwrap();
    assert_eq!(rig.store.audit_list(9).await.unwrap(), audit, "it is so already");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_of_a_fenced_node_is_rebuilt_as_who_it_was_and_its_old_data_is_left_alone() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let before = rig.vm(vm).await;
    dies(&rig, "qemu-a").await;
    let why = reason(rebuild(&rig, vm).await);
    assert!(why.contains("not out of service"), "no start elsewhere on silence alone: {why}");
    rig.manager.node_fence(&rig.admin, "qemu-a", "qemu-a").await.unwrap();
    assert!(rig.manager.vm_get(&rig.customer, vm).await.unwrap().out_of_service);
    for refused in [
        rig.manager.vm_start(&rig.customer, vm, "start").await,
        rig.manager.vm_stop(&rig.customer, vm, true, "stop").await,
        rig.manager.vm_delete(&rig.customer, vm, "delete").await,
    ] {
        assert!(reason(refused).contains("out of service"));
    }
    let refused = rig.manager.vm_rebuild(&rig.customer, vm, "another", "wrong").await;
    assert!(matches!(refused, Err(ManagerError::Invalid { field: "confirmed", .. })), "{refused:?}");
    let refused = rig.manager.vm_rebuild(&rig.stranger, vm, &before.name, "foreign").await;
    assert!(matches!(refused, Err(ManagerError::NotFound)), "{refused:?}");

    let operation = rig.manager.vm_rebuild(&rig.customer, vm, &before.name, "once").await.unwrap();
    assert_eq!(rig.manager.vm_rebuild(&rig.customer, vm, &before.name, "once").await.unwrap(), operation);
    rig.succeeded(operation).await;
    let after = rig.vm(vm).await;
    assert_eq!((after.node, after.state, after.size), (rig.id("qemu-b"), VmState::Running, before.size));
    assert_eq!((&after.mac, after.address, &after.keys), (&before.mac, before.address, &before.keys));
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-b")]);
    assert_eq!(rig.grid.disk(rig.id("qemu-b"), vm), Some(TINY.disk.bytes()));
    assert_eq!(rig.store.reservation_list().await.unwrap(), []);

    // The node comes back, first as a fenced one, then as one that is believed again.
    answers_again(&rig, "qemu-a");
    for unfenced in [false, true] {
        if unfenced {
            rig.manager.node_unfence(&rig.admin, "qemu-a").await.unwrap();
            rig.until("it is cordoned", || condition(&rig, "qemu-a") == Condition::Cordoned).await;
        }
        let told = rig.looks().await;
        let left = told.iter().find(|drift| drift.kind == DriftKind::LeftDefinition).expect("it is told");
        assert_eq!((left.vm, left.node_name.as_str()), (vm, "qemu-a"));
        assert!(left.what.contains("rebuilt"), "{left:?}");
        assert_eq!(rig.grid.executing(vm), [rig.id("qemu-b")], "unfenced: {unfenced}");
        assert_eq!(rig.grid.disk(rig.id("qemu-a"), vm), Some(TINY.disk.bytes()), "its data may be wanted");
    }
    let kinds: Vec<DriftKind> = rig.looks().await.iter().map(|drift| drift.kind).collect();
    assert_eq!(kinds, [DriftKind::LeftDefinition, DriftKind::LeftDisk]);
    // Nor is the old disk written over by a move back.
    rig.manager.node_administration_set(&rig.admin, "qemu-a", Administration::Open).await.unwrap();
    rig.fill("qemu-b", 100).await;
    let moved = rig.ended(rig.resize(vm, super::rig::size(1, 512, 1)).await).await;
    assert_eq!(moved.state, OperationState::Undone, "{moved:#?}");
    assert!(moved.reason.unwrap().contains("old disk"));
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-b")]);
    assert_eq!(rig.grid.disk(rig.id("qemu-a"), vm), Some(TINY.disk.bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_other_node_has_room_the_refusal_says_what_they_lack() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    dies_and_is_fenced(&rig, "qemu-a").await;
    rig.fill("qemu-b", 100).await;
    let Err(ManagerError::Refused { refusal }) = rebuild(&rig, vm).await else { panic!("no refusal") };
    assert!(
        matches!(refusal.reason, RefusalReason::NoRoom { resource: Resource::Memory, asked: 128, .. }),
        "{refusal:?}"
    );
    rig.fill("qemu-b", 1_000).await;
    rig.succeeded(rebuild(&rig, vm).await.unwrap()).await;
    assert_eq!(rig.vm(vm).await.node, rig.id("qemu-b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_node_that_answers_is_not_believed_and_its_vms_run_again_when_it_is() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    dies_and_is_fenced(&rig, "qemu-a").await;
    answers_again(&rig, "qemu-a");
    assert_eq!(rig.looks().await, [], "nothing that it says of its own VMs is believed");
    assert_eq!(rig.vm(vm).await.state, VmState::Unknown);
    assert_eq!(rig.grid.executing(vm), [], "nothing is started there");
    assert!(!rig.grid.utility_runs(rig.id("qemu-a")), "nor is its utility VM");
    rig.manager.node_unfence(&rig.admin, "qemu-a").await.unwrap();
    for _ in 0..1000 {
        if rig.vm(vm).await.state == VmState::Running {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let known =
        rig.store.operation_list(&OperationFilter { vm: Some(vm), limit: 9, ..OperationFilter::default() }).await;
    let now = (rig.vm(vm).await.state, rig.grid.executing(vm));
    assert_eq!(now, (VmState::Running, vec![rig.id("qemu-a")]), "{known:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_when_its_node_was_lost_runs_again_also_where_the_program_was_started_anew_meanwhile() {
    let mut rig = Rig::new().await;
    let (vm, stopped) = (rig.vm_on("qemu-a").await, rig.vm_on("qemu-a").await);
    let stop = rig.manager.vm_stop(&rig.customer, stopped, false, "stop").await.unwrap();
    rig.succeeded(stop).await;
    dies(&rig, "qemu-a").await;
    is_unknown(&rig, "qemu-a").await;
    for _ in 0..2 {
        rig.reopen().await;
    }
    answers_again(&rig, "qemu-a");
    for _ in 0..1000 {
        if rig.vm(vm).await.state == VmState::Running && rig.vm(stopped).await.state == VmState::Stopped {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let now = (rig.vm(vm).await.state, rig.vm(stopped).await.state);
    assert_eq!(now, (VmState::Running, VmState::Stopped));
    assert_eq!((rig.grid.executing(vm), rig.grid.executing(stopped)), (vec![rig.id("qemu-a")], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_its_fenced_node_says_is_running_is_started_nowhere_else() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    // Its network was cut, and an admin took it for dead.
    falls_silent(&rig, "qemu-a").await;
    rig.manager.node_fence(&rig.admin, "qemu-a", "qemu-a").await.unwrap();
    answers_again(&rig, "qemu-a");
    let ended = rig.ended(rebuild(&rig, vm).await.unwrap()).await;
    assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
    assert!(ended.reason.unwrap().contains("still runs where it was"));
    assert_eq!(rig.grid.executing(vm), [rig.id("qemu-a")]);
    assert_eq!((rig.vm(vm).await.node, rig.grid.disk(rig.id("qemu-b"), vm)), (rig.id("qemu-a"), None));
    rig.manager.node_unfence(&rig.admin, "qemu-a").await.unwrap();
    rig.until("it is cordoned", || condition(&rig, "qemu-a") == Condition::Cordoned).await;
    rig.manager.node_administration_set(&rig.admin, "qemu-a", Administration::Open).await.unwrap();
    assert_eq!(rig.looks().await, []);
    rig.check().await;
}

/// What was there a moment ago is in no report any more.
async fn until_nothing_is_listed(rig: &Rig, vm: VmId, node: &str) {
    let lists = |entry: &grid::map::MapNode| {
        let disks = entry.utility.iter().flat_map(|reading| &reading.sample.disks).any(|disk| disk.vm == vm);
        disks || entry.hypervisor.iter().flat_map(|reading| &reading.sample.domains).any(|it| it.id == vm)
    };
    rig.until("nothing of it is listed", || !lists(rig.manager.map().get(rig.id(node)).unwrap())).await;
}

fn steps() -> u32 {
    let (vm, id) = (VmId(Uuid::nil()), grid::NodeId(Uuid::nil()));
    u32::try_from(steps_of(&OperationKind::Rebuild { vm, from: id, node: id, size: TINY }).len()).unwrap()
}

/// The VM executes at `node` alone, or nowhere where there is none.
fn executes(rig: &Rig, vm: VmId, node: Option<&str>) {
    assert_eq!(rig.grid.executing(vm), node.map(|name| rig.id(name)).into_iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuilding_that_fails_anywhere_leaves_nothing_or_goes_forward() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    dies_and_is_fenced(&rig, "qemu-a").await;
    // Up to the start of the VM, and not after it.
    for at in 0..=5 {
        for (moment, twice) in [(Moment::Before, false), (Moment::After, true)] {
            if (at, moment) == (5, Moment::After) {
                continue;
            }
            rig.order(Orders { fail: Some((at, moment)), twice, ..Orders::default() });
            let ended = rig.ended(rebuild(&rig, vm).await.unwrap()).await;
            until_nothing_is_listed(&rig, vm, "qemu-b").await;
            rig.order(Orders::default());
            assert_eq!(ended.state, OperationState::Undone, "{ended:#?}");
            executes(&rig, vm, None);
            assert_eq!(rig.grid.disk(rig.id("qemu-b"), vm), None, "step {at} {moment:?}");
            assert_eq!(rig.hypervisors["qemu-b"].observe(vm).await.unwrap(), None, "step {at} {moment:?}");
            assert_eq!(rig.store.reservation_list().await.unwrap(), []);
            assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("qemu-a"), VmState::Unknown));
        }
    }
    rig.order(Orders { fail: Some((6, Moment::Before)), ..Orders::default() });
    let ended = rig.ended(rebuild(&rig, vm).await.unwrap()).await;
    assert_eq!(ended.state, OperationState::Failed, "{ended:#?}");
    executes(&rig, vm, Some("qemu-b"));
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("qemu-b"), VmState::Running));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuilding_goes_on_after_a_crash_at_any_step_and_every_step_can_be_carried_out_twice() {
    // Each waits until its node is stale; all of them together.
    let each = (0..steps()).flat_map(|at| [(at, Moment::Before), (at, Moment::After)]);
    futures::future::join_all(each.map(|(at, moment)| crashes_at(at, moment))).await;
}

async fn crashes_at(at: u32, moment: Moment) {
    let mut rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    dies_and_is_fenced(&rig, "qemu-a").await;
    rig.order(Orders { hang: Some((at, moment)), ..Orders::default() });
    let operation = rebuild(&rig, vm).await.unwrap();
    rig.reached(operation, at, false).await;
    let why = reason(rig.manager.node_unfence(&rig.admin, "qemu-a").await);
    assert!(why.contains("operation"), "its node stays fenced meanwhile: {why}");
    rig.reopen().await;
    rig.order(Orders { twice: true, ..Orders::default() });
    rig.succeeded(operation).await;
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("qemu-b"), VmState::Running));
    executes(&rig, vm, Some("qemu-b"));
    assert_eq!(rig.store.reservation_list().await.unwrap(), [], "step {at} {moment:?}");
    rig.manager.stop().await;
}
