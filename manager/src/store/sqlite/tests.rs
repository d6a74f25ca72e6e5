//! What only SQLite's store promises: its files and its versions.

use super::SqliteStore;
use super::sums_tests::{BEFORE_LATE_STEPS, BEFORE_SUMS};
use crate::store::contract::schedules::{audit, scheduled};
use crate::store::contract::world::{PLENTY, World};
use crate::store::{AccountStore, Begun, StoreError};
use futures::future::join_all;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[tokio::test]
async fn a_database_of_a_newer_program_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["hostgrid.db", "history.db"] {
        let store = SqliteStore::open(directory.path()).await.unwrap();
        let url = directory.path().join(file);
        drop(store);
        change(&url, "INSERT INTO _sqlx_migrations VALUES (9001, 'later', '2030-01-01', TRUE, x'00', 1)").await;
        let error = SqliteStore::open(directory.path()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Schema(text) if text.contains("9001")), "{error}");
        assert!(error.to_string().contains("newer program"), "{error}");
        change(&url, "DELETE FROM _sqlx_migrations WHERE version = 9001").await;
    }
    SqliteStore::open(directory.path()).await.unwrap();
}

#[tokio::test]
async fn a_schedule_of_another_version_keeps_no_other_from_its_window() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::over(Arc::new(SqliteStore::open(directory.path()).await.unwrap())).await;
    let (web, mail) = (world.running("web").await, world.running("mail").await);
    let [other, known] = [scheduled(&world, &web, 0), scheduled(&world, &mail, 1)];
    for each in [&other, &known] {
        world.store.schedule_add(each, &audit("accepted")).await.unwrap();
    }
    let first = "UPDATE schedule SET agreed = '{}' WHERE created_ms = (SELECT MIN(created_ms) FROM schedule)";
    change(&directory.path().join("hostgrid.db"), first).await;
    assert_eq!(world.store.schedule_waiting().await.unwrap(), [known]);
    assert_eq!(world.store.schedule_list(web.id, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_database_with_another_migration_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(directory.path()).await.unwrap());
    change(&directory.path().join("hostgrid.db"), "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2")
        .await;
    let error = SqliteStore::open(directory.path()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Schema(text) if text.contains('2')), "{error}");
}

#[tokio::test]
async fn what_is_no_database_is_not_opened_and_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hostgrid.db");
    let text = "somebody's letters, long enough to be a page of a database if one looked no closer\n".repeat(100);
    std::fs::write(&file, &text).unwrap();
    assert!(matches!(SqliteStore::open(directory.path()).await, Err(StoreError::Database(_))));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn who_only_looks_makes_no_database_and_brings_none_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let nothing = SqliteStore::open_unchanged(&directory.path().join("elsewhere")).await.unwrap_err().to_string();
    assert!(nothing.ends_with("hostgrid.db is not there"), "{nothing}");
    assert!(!directory.path().join("elsewhere").exists());
    drop(SqliteStore::open(directory.path()).await.unwrap());
    SqliteStore::open_unchanged(directory.path()).await.unwrap().audit_list(1).await.unwrap();
    for (file, change_of_it) in [
        ("hostgrid.db", "DELETE FROM _sqlx_migrations WHERE version >= 10"),
        ("history.db", "INSERT INTO _sqlx_migrations VALUES (9001, 'later', '2030-01-01', TRUE, x'00', 1)"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        drop(SqliteStore::open(directory.path()).await.unwrap());
        change(&directory.path().join(file), change_of_it).await;
        let error = SqliteStore::open_unchanged(directory.path()).await.unwrap_err();
        assert!(matches!(error, StoreError::Version { .. }), "{file}: {error}");
    }
}

#[tokio::test]
async fn two_programs_that_start_at_once_both_find_the_store_ready() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = tokio::join!(SqliteStore::open(directory.path()), SqliteStore::open(directory.path()));
    first.unwrap().audit_list(1).await.unwrap();
    second.unwrap().audit_list(1).await.unwrap();
}

#[tokio::test]
async fn nobody_else_may_read_the_stores_directory() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("state/store");
    SqliteStore::open(&inner).await.unwrap();
    assert_eq!(std::fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_temporary_store_goes_when_it_is_dropped() {
    let store = SqliteStore::open_temporary().await.unwrap();
    let file = store.readers.connect_options().get_filename().to_owned();
    assert!(file.exists());
    drop(store);
    assert!(!file.parent().unwrap().exists());
}

#[tokio::test]
async fn the_writer_is_durable_and_checks_references() {
    let store = SqliteStore::open_temporary().await.unwrap();
    let mut writer = store.writer.lock().await;
    for (pragma, expected) in [("synchronous", 2_i64), ("foreign_keys", 1)] {
        let query = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
        let value: i64 = sqlx::query_scalar(query).fetch_one(&mut *writer).await.unwrap();
        assert_eq!(value, expected, "{pragma}");
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *writer).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn operations_of_the_version_before_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(directory.path()).await.unwrap());
    let file = directory.path().join("hostgrid.db");
    without_network(&file).await;
    for added in [
        "DELETE FROM _sqlx_migrations WHERE version >= 10",
        "DROP TABLE move_consent",
        "DROP TABLE schedule",
        "ALTER TABLE operation DROP COLUMN waiting_ms",
        "ALTER TABLE operation DROP COLUMN cancelled_by",
        "ALTER TABLE node DROP COLUMN granted_vcpus",
        "ALTER TABLE node DROP COLUMN granted_memory_mib",
        "ALTER TABLE node DROP COLUMN granted_disk_mib",
        "DROP INDEX operation_of_relocation",
        "ALTER TABLE operation DROP COLUMN relocation",
        "DROP TABLE relocation",
        "DROP TABLE seeded",
        "DROP TABLE lease",
    ] {
        change(&file, added).await;
    }
    written_by_hand(&file).await;
    let store = SqliteStore::open(directory.path()).await.unwrap();
    let kept = crate::store::OperationStore::operation_unfinished(&store).await.unwrap();
    assert_eq!((kept.len(), kept[0].id.to_string().as_str()), (1, ID));
    assert_eq!(kept[0].state, grid::operation::OperationState::Undoing);
}

#[tokio::test]
async fn a_drain_of_the_version_before_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hostgrid.db");
    drop(SqliteStore::open(directory.path()).await.unwrap());
    written_by_hand(&file).await;
    without_network(&file).await;
    for before in [
        "DELETE FROM _sqlx_migrations WHERE version >= 14",
        "DROP TABLE move_consent",
        "DROP TABLE schedule",
        "DROP TABLE seeded",
        "DROP TABLE lease",
        "DROP INDEX relocation_working",
        "DROP INDEX relocation_evening",
        "DROP INDEX relocation_of_kind",
        "ALTER TABLE relocation DROP COLUMN kind",
        "ALTER TABLE relocation DROP COLUMN body",
        "CREATE UNIQUE INDEX relocation_working ON relocation (node) WHERE ended_ms IS NULL",
        "CREATE INDEX relocation_of_node ON relocation (node, created_ms, id)",
        "INSERT INTO node (id, name, kind, region, uri, reserve_vcpus, reserve_memory_mib, reserve_disk_mib,
                           vcpus_permille, memory_permille, disk_permille, administration)
         SELECT id, 'a', 'qemu', 'north', 'simulated:///a', 0, 0, 0, 1000, 1000, 1000, 'draining' FROM user_account",
        "INSERT INTO relocation (id, node, actor, state, created_ms) SELECT id, id, id, 'running', 7 FROM user_account",
        "UPDATE operation SET relocation = actor",
    ] {
        change(&file, before).await;
    }
    let store = SqliteStore::open(directory.path()).await.unwrap();
    let kept = crate::store::RelocationStore::relocation_unfinished(&store).await.unwrap();
    let node = ID.parse().unwrap();
    assert_eq!(kept[0].kind, grid::relocation::RelocationKind::Drain { node });
    let newest = crate::store::RelocationStore::relocation_newest(&store, Some(node)).await.unwrap();
    assert_eq!(newest.as_ref(), kept.first());
    let moves = crate::store::RelocationStore::relocation_operations(&store, kept[0].id).await.unwrap();
    assert_eq!(moves.len(), 1);
}

#[tokio::test]
async fn an_operation_that_this_program_cannot_read_is_told_as_that() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).await.unwrap();
    let file = directory.path().join("hostgrid.db");
    written_by_hand(&file).await;
    change(
        &file,
        r#"INSERT INTO operation (id, kind, body, vm, tenant, actor, idempotency_key, state, epoch, created_ms,
                                 called_ms, quota_vcpus, quota_memory_mib, quota_disk_mib)
           SELECT replace(id, '1890', '1891'), kind, '{"kind":"teleport"}', replace(vm, '1890', '1891'), tenant, actor,
                  'other', state, 0, 0, 0, 0, 0, 0 FROM operation"#,
    )
    .await;
    let read = crate::store::OperationStore::operation_unfinished(&store).await.unwrap();
    assert_eq!(read.iter().map(|it| it.id.to_string()).collect::<Vec<_>>(), [ID, &ID.replace("1890", "1891")]);
    let grid::operation::OperationKind::Unreadable { vm, .. } = read[1].kind else { panic!("{read:#?}") };
    assert!(vm.to_string().contains("1891"));
}

#[tokio::test]
async fn what_an_operation_that_is_over_still_reserves_is_freed() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).await.unwrap();
    let file = directory.path().join("hostgrid.db");
    written_by_hand(&file).await;
    change(
        &file,
        "INSERT INTO node (id, name, kind, region, uri, reserve_vcpus, reserve_memory_mib, reserve_disk_mib,
                           vcpus_permille, memory_permille, disk_permille, administration)
         SELECT id, 'here', 'qemu', 'north', 'test:', 0, 0, 0, 1000, 1000, 1000, 'open' FROM operation",
    )
    .await;
    change(
        &file,
        "INSERT INTO reservation (operation, node, vcpus, memory_mib, disk_mib)
         SELECT operation.id, node.id, 1, 1, 1 FROM node, operation",
    )
    .await;
    let store: &dyn crate::store::NodeStore = &store;
    assert_eq!(store.reservation_free_ended().await.unwrap(), 0, "it goes on, and holds what it holds");
    change(&file, "UPDATE operation SET state = 'failed', ended_ms = 1").await;
    assert_eq!(store.reservation_free_ended().await.unwrap(), 1);
    assert_eq!(store.reservation_list().await.unwrap(), []);
}

/// An operation of a VM that nobody knows, as an earlier program wrote it.
const ID: &str = "01890000-0000-7000-8000-000000000001";

async fn written_by_hand(file: &std::path::Path) {
    change(
        file,
        "INSERT INTO tenant (id, name, quota_vcpus, quota_memory_mib, quota_disk_mib, quota_vms)
         VALUES ('01890000-0000-7000-8000-000000000001', 'Acme', 0, 0, 0, 0)",
    )
    .await;
    change(
        file,
        "INSERT INTO user_account VALUES ('01890000-0000-7000-8000-000000000001',
         '01890000-0000-7000-8000-000000000001', 'ada@example.org', 'none', 'admin')",
    )
    .await;
    change(
        file,
        r#"INSERT INTO operation (id, kind, body, vm, tenant, actor, idempotency_key, state, epoch, created_ms,
                                 called_ms, quota_vcpus, quota_memory_mib, quota_disk_mib)
           SELECT id, 'start', '{"kind":"start","vm":"' || id || '"}', id, tenant, id, 'key', 'undoing', 3, 0, 0, 0, 0, 0
           FROM user_account"#,
    )
    .await;
}

/// A database as it was before there was bandwidth, and so before the sums.
async fn without_network(file: &std::path::Path) {
    for before in BEFORE_SUMS.into_iter().chain(BEFORE_LATE_STEPS).chain([
        "DROP INDEX vm_commitment",
        "DROP INDEX vm_quota",
        "ALTER TABLE vm DROP COLUMN network_mbit",
        "ALTER TABLE vm DROP COLUMN committed_network_mbit",
        "ALTER TABLE offer DROP COLUMN network_mbit",
        "ALTER TABLE tenant DROP COLUMN quota_network_mbit",
        "ALTER TABLE reservation DROP COLUMN network_mbit",
        "ALTER TABLE operation DROP COLUMN quota_network_mbit",
        "ALTER TABLE node DROP COLUMN network_mbit",
        "ALTER TABLE node DROP COLUMN reserve_network_mbit",
        "ALTER TABLE node DROP COLUMN network_permille",
        "ALTER TABLE node DROP COLUMN granted_network_mbit",
        "CREATE INDEX vm_commitment ON vm (node, committed_vcpus, committed_memory_mib, committed_disk_mib)",
        "CREATE INDEX vm_quota ON vm (tenant, state, vcpus, memory_mib, disk_gib)",
        "DELETE FROM _sqlx_migrations WHERE version >= 22",
    ]) {
        change(file, before).await;
    }
}

#[tokio::test]
async fn what_was_there_before_there_was_bandwidth_has_none_and_is_not_limited_by_it() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(directory.path()).await.unwrap());
    let file = directory.path().join("hostgrid.db");
    without_network(&file).await;
    for before in [
        "INSERT INTO node (id, name, kind, region, uri, reserve_vcpus, reserve_memory_mib, reserve_disk_mib,
                           vcpus_permille, memory_permille, disk_permille, administration)
         VALUES ('01890000-0000-7000-8000-000000000001', 'a', 'qemu', 'north', 'test:', 1, 2, 3, 4000, 1, 1, 'open')",
        "INSERT INTO offer VALUES ('small', 1, 256, 1)",
        "INSERT INTO tenant VALUES ('01890000-0000-7000-8000-000000000001', 'Acme', 1, 2, 3, 4)",
    ] {
        change(&file, before).await;
    }
    let store = SqliteStore::open(directory.path()).await.unwrap();
    let node = &crate::store::NodeStore::node_list(&store).await.unwrap()[0];
    assert_eq!((node.settings.network_mbit, node.settings.reserve), (0, grid::Resources::new(1, 2, 3)));
    assert_eq!(node.settings.overcommit.permille(grid::Resource::Network), 1000);
    assert_eq!(crate::store::NodeStore::offer_list(&store).await.unwrap()[0].size.network, grid::Mbit(0));
    let quota = crate::store::AccountStore::tenant_standing(&store, ID.parse().unwrap()).await.unwrap().quota;
    assert_eq!(quota.limit.network_mbit(), grid::offer::Quota::NO_LIMIT);
}

/// Changes a database by hand, as nobody should.
pub(super) async fn change(file: &std::path::Path, statement: &'static str) {
    use sqlx::{ConnectOptions, Connection};
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A world over a store whose COMMITs are counted, and fail while `fails` is set.
async fn counted() -> (World, Arc<AtomicU32>, Arc<AtomicU32>) {
    let store = Arc::new(SqliteStore::open_temporary().await.unwrap());
    let world = World::over(store.clone()).await;
    let (commits, fails) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (counts, fail) = (Arc::clone(&commits), Arc::clone(&fails));
    store.writer.lock().await.lock_handle().await.unwrap().set_commit_hook(move || {
        counts.fetch_add(1, Ordering::Relaxed);
        fail.load(Ordering::Relaxed) == 0
    });
    (world, commits, fails)
}

#[tokio::test]
async fn those_that_come_together_are_one_transaction_and_the_refused_are_in_its_audit() {
    let (world, commits, _) = counted().await;
    let all: Vec<_> =
        (0..20).map(|number| world.deploy(&world.vm(&format!("vm{}", number / 2)), &format!("key {number}"))).collect();
    let begun = join_all(all.iter().map(|new| world.begin(new, PLENTY))).await;
    assert_eq!(commits.load(Ordering::Relaxed), 1);
    assert_eq!(begun.iter().filter(|begun| matches!(begun, Begun::Started(_))).count(), 10);
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::NameTaken).count(), 10);
    let audit = world.store.audit_list(100).await.unwrap();
    assert_eq!(audit.iter().filter(|row| row.outcome == "accepted").count(), 10);
    assert_eq!(audit.iter().filter(|row| row.outcome == "refused: the name is taken").count(), 10);
}

#[tokio::test]
async fn one_key_twice_together_is_one_operation() {
    let (world, commits, _) = counted().await;
    let vm = world.vm("web");
    let (first, second) = (world.deploy(&vm, "double click"), world.deploy(&vm, "double click"));
    let begun = tokio::join!(world.begin(&first, PLENTY), world.begin(&second, PLENTY));
    assert_eq!(begun, (Begun::Started(first.id), Begun::Already(first.id)));
    assert_eq!(commits.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_and_leaves_nothing() {
    let (world, commits, fails) = counted().await;
    fails.store(1, Ordering::Relaxed);
    let all: Vec<_> =
        (0..5).map(|number| world.deploy(&world.vm(&format!("vm{number}")), &number.to_string())).collect();
    let begun = join_all(all.iter().map(|new| world.store.operation_begin(new, &[]))).await;
    assert!(begun.iter().all(|begun| matches!(begun, Err(StoreError::Database(_)))), "{begun:?}");
    assert_eq!(world.store.vm_list(None).await.unwrap(), []);
    assert_eq!(world.store.audit_list(100).await.unwrap(), []);
    fails.store(0, Ordering::Relaxed);
    let again = world.store.operation_begin(&all[0], &[]).await;
    assert_eq!(again.unwrap(), Begun::Started(all[0].id), "the next transaction is a good one");
    assert_eq!(commits.load(Ordering::Relaxed), 1, "by a connection of its own");
}
