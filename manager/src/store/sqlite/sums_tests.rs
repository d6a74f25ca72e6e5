//! The sums that triggers keep, and the steps that have no rows before they begin: that both are what they were when rows
//! said it all.

use super::SqliteStore;
use super::tests::change;
use crate::store::Begun;
use crate::store::contract::world::{LARGE, MAXIMA, NOW, PLENTY, World};
use grid::Resources;
use grid::operation::{OperationState, StepState};
use grid::vm::VmState;
use std::sync::Arc;

/// What takes a database back to before the sums.
pub(super) const BEFORE_SUMS: [&str; 26] = [
    "DROP TRIGGER vm_taken",
    "DROP TRIGGER vm_taken_anew",
    "DROP TRIGGER vm_taken_no_more",
    "DROP TRIGGER reservation_taken",
    "DROP TRIGGER reservation_taken_anew",
    "DROP TRIGGER reservation_taken_no_more",
    "DROP TRIGGER vm_used",
    "DROP TRIGGER vm_used_anew",
    "DROP TRIGGER vm_used_no_more",
    "DROP TRIGGER operation_used",
    "DROP TRIGGER operation_used_anew",
    "DROP TRIGGER operation_used_no_more",
    "ALTER TABLE vm DROP COLUMN ran",
    "ALTER TABLE node DROP COLUMN taken_vcpus",
    "ALTER TABLE node DROP COLUMN taken_memory_mib",
    "ALTER TABLE node DROP COLUMN taken_disk_mib",
    "ALTER TABLE node DROP COLUMN taken_network_mbit",
    "ALTER TABLE tenant DROP COLUMN used_vms",
    "ALTER TABLE tenant DROP COLUMN used_vcpus",
    "ALTER TABLE tenant DROP COLUMN used_memory_mib",
    "ALTER TABLE tenant DROP COLUMN used_disk_mib",
    "ALTER TABLE tenant DROP COLUMN used_network_mbit",
    "CREATE INDEX vm_commitment ON vm (node)",
    "CREATE INDEX vm_quota ON vm (tenant)",
    "CREATE INDEX operation_holding ON operation (tenant)",
    "CREATE INDEX operation_by_time ON operation (created_ms, id)",
];

/// The steps that had not begun had rows, too.
pub(super) const BEFORE_LATE_STEPS: [&str; 2] = [
    "INSERT INTO operation_step (operation, position, name, state)
     SELECT operation.id, step.key, step.value, 'waiting' FROM operation, json_each(steps) AS step WHERE TRUE
     ON CONFLICT (operation, position) DO NOTHING",
    "ALTER TABLE operation DROP COLUMN steps",
];

/// That the sums which are kept are those of the rows.
async fn sums_are_true(store: &SqliteStore) {
    for wrong in [
        "SELECT name FROM node WHERE (taken_vcpus, taken_memory_mib, taken_disk_mib, taken_network_mbit) <> (
             SELECT COALESCE(SUM(vcpus), 0), COALESCE(SUM(memory_mib), 0), COALESCE(SUM(disk_mib), 0),
                    COALESCE(SUM(network_mbit), 0)
             FROM (
                 SELECT vm.node, committed_vcpus AS vcpus, committed_memory_mib AS memory_mib,
                        committed_disk_mib AS disk_mib, committed_network_mbit AS network_mbit FROM vm
                 UNION ALL SELECT reservation.node, vcpus, memory_mib, disk_mib, network_mbit FROM reservation
             ) AS taking WHERE taking.node = node.id)",
        "SELECT name FROM tenant WHERE (used_vms, used_vcpus, used_memory_mib, used_disk_mib, used_network_mbit) <> (
             SELECT COALESCE(SUM(vms), 0), COALESCE(SUM(vcpus), 0), COALESCE(SUM(memory_mib), 0),
                    COALESCE(SUM(disk_mib), 0), COALESCE(SUM(network_mbit), 0)
             FROM (
                 SELECT tenant, 1 AS vms, 0 AS vcpus, 0 AS memory_mib, 0 AS disk_mib, 0 AS network_mbit FROM vm
                 UNION ALL SELECT tenant, 0, vcpus, memory_mib, disk_gib * 1024, network_mbit FROM vm
                           WHERE state <> 'failed'
                 UNION ALL SELECT tenant, 0, quota_vcpus, quota_memory_mib, quota_disk_mib, quota_network_mbit
                           FROM operation WHERE ended_ms IS NULL
             ) AS counted WHERE counted.tenant = tenant.id)",
    ] {
        let wrong: Vec<String> = sqlx::query_scalar(wrong).fetch_all(&store.readers).await.unwrap();
        assert_eq!(wrong, [""; 0]);
    }
}

/// VMs of all states, and operations that run and that are over; after each change the sums are looked at.
async fn told(store: &Arc<SqliteStore>) -> World {
    let world = World::over(store.clone()).await;
    let moved = world.running("moved").await;
    sums_are_true(store).await;
    let resize = world.resize(&moved, LARGE, Some(world.there), "move");
    assert_eq!(world.begin(&resize, PLENTY).await, Begun::Started(resize.id));
    sums_are_true(store).await;
    world.store.vm_settle(moved.id, world.there, LARGE, MAXIMA, None).await.unwrap();
    sums_are_true(store).await;
    world.end(resize.id, OperationState::Succeeded).await;
    sums_are_true(store).await;
    let failed = world.running("failed").await;
    world.store.vm_state_set(failed.id, VmState::Failed, None).await.unwrap();
    sums_are_true(store).await;
    let removed = world.running("removed").await;
    world.store.vm_remove(removed.id, None).await.unwrap();
    sums_are_true(store).await;
    let grows = world.running("grows").await;
    let resize = world.resize(&grows, LARGE, None, "grow");
    assert_eq!(world.begin(&resize, PLENTY).await, Begun::Started(resize.id));
    let undone = world.deploy(&world.vm("undone"), "undone");
    assert_eq!(world.begin(&undone, PLENTY).await, Begun::Started(undone.id));
    sums_are_true(store).await;
    world.end(undone.id, OperationState::Undone).await;
    sums_are_true(store).await;
    let deploys = world.deploy(&world.vm("deploys"), "deploys");
    assert_eq!(world.begin(&deploys, PLENTY).await, Begun::Started(deploys.id));
    let epoch = world.store.operation_claim(deploys.id).await.unwrap();
    world.store.step_set(deploys.id, epoch, 0, StepState::Started, Some("begun"), NOW).await.unwrap();
    sums_are_true(store).await;
    world
}

#[tokio::test]
async fn the_sums_that_are_kept_are_those_of_the_rows() {
    let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
    let world = told(&store).await;
    assert_ne!(world.reserved(world.here).await, Resources::ZERO);
    assert_ne!(world.used().await, (Resources::ZERO, 0));
}

#[tokio::test]
async fn a_database_without_sums_gets_them_and_keeps_its_steps() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(directory.path()).await.unwrap());
    let world = told(&store).await;
    let (before, used) = (world.store.operation_unfinished().await.unwrap(), world.used().await);
    let held = world.store.reservation_list().await.unwrap();
    let file = directory.path().join("hostgrid.db");
    for statement in
        BEFORE_SUMS.into_iter().chain(BEFORE_LATE_STEPS).chain(["DELETE FROM _sqlx_migrations WHERE version >= 23"])
    {
        change(&file, statement).await;
    }
    let store = Arc::new(SqliteStore::open(directory.path()).await.unwrap());
    sums_are_true(&store).await;
    let world = World { store: store.clone(), ..world };
    assert_eq!(world.store.operation_unfinished().await.unwrap(), before);
    assert_eq!(before.iter().map(|operation| operation.steps.len()).collect::<Vec<_>>(), [3, 3]);
    assert_eq!((world.used().await, world.store.reservation_list().await.unwrap()), (used, held));
}
