//! Tenants, users, sessions and audit.

use super::super::StoreError;
use super::super::rows::{AuditRow, SessionRow};
use super::world::{NOW, SMALL, World, new_user};
use grid::offer::Quota;
use grid::vm::VmState;
use grid::{Resource, Resources, TenantId, UnixMillis, UserId};
use uuid::Uuid;

fn session(id: &str, user: Option<UserId>, expires: i64) -> SessionRow {
    SessionRow { id: id.to_owned(), user, data: "{}".to_owned(), expires: UnixMillis(expires) }
}

#[tokio::test]
async fn a_tenant_keeps_its_id_and_takes_a_new_quota() {
    let world = World::new().await;
    let limit = Resources::new(1, 2, 3).with(Resource::Network, Quota::NO_LIMIT);
    world.store.tenant_put(world.tenant, "Acme", Quota { limit, vms: 4 }).await.unwrap();
    assert_eq!(world.store.tenant_standing(world.tenant).await.unwrap().quota, Quota { limit, vms: 4 });
    let nobody = world.store.tenant_standing(TenantId(Uuid::new_v4())).await;
    assert!(matches!(nobody, Err(StoreError::NotFound)), "{nobody:?}");
}

#[tokio::test]
async fn a_quota_too_large_for_the_database_is_refused() {
    let world = World::new().await;
    let limit = Resources::ZERO.with(Resource::Vcpus, u64::MAX);
    let refused = world.store.tenant_put(world.tenant, "Acme", Quota { limit, vms: 1 }).await;
    assert!(matches!(refused, Err(StoreError::TooLarge(u64::MAX))), "{refused:?}");
}

#[tokio::test]
async fn usage_is_the_sizes_of_the_tenants_vms_without_those_that_failed() {
    let world = World::new().await;
    assert_eq!(world.used().await, (Resources::ZERO, 0));
    let vm = world.running("one").await;
    world.running("two").await;
    let size = Resources::from(SMALL);
    assert_eq!(world.used().await, (size.plus(size), 2));
    world.store.vm_state_set(vm.id, VmState::Failed, None).await.unwrap();
    assert_eq!(world.used().await, (size, 2), "it is there until it is deleted");
}

#[tokio::test]
async fn a_user_is_found_by_email_and_id_and_an_email_is_taken_once() {
    let world = World::new().await;
    let bob = new_user(world.tenant, "bob@example.org");
    world.store.user_create(&bob).await.unwrap();
    let by_email = world.store.user_by_email("bob@example.org").await.unwrap().unwrap();
    let by_id = world.store.user_get(bob.id).await.unwrap().unwrap();
    for row in [by_email, by_id] {
        assert_eq!((row.id, row.tenant, row.email.as_str()), (bob.id, world.tenant, "bob@example.org"));
        assert_eq!((row.password_hash, row.role), (bob.password_hash.clone(), bob.role));
    }
    let again = world.store.user_create(&new_user(world.tenant, "bob@example.org")).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let nowhere = world.store.user_create(&new_user(TenantId(Uuid::new_v4()), "eve@example.org")).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound)), "{nowhere:?}");
    assert!(world.store.user_by_email("eve@example.org").await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_is_written_over_and_one_that_ended_stays_so() {
    let world = World::new().await;
    let store = &world.store;
    store.session_put(&session("a", None, 10)).await.unwrap();
    let signed_in = session("a", Some(world.user), 20);
    store.session_put(&signed_in).await.unwrap();
    assert_eq!(store.session_get("a").await.unwrap(), Some(signed_in.clone()));
    let later = SessionRow { data: "{\"theme\":\"dark\"}".to_owned(), ..signed_in };
    assert!(store.session_update(&later).await.unwrap());
    assert_eq!(store.session_get("a").await.unwrap(), Some(later.clone()));
    store.session_delete("a").await.unwrap();
    assert!(!store.session_update(&later).await.unwrap());
    assert_eq!(store.session_get("a").await.unwrap(), None);
}

#[tokio::test]
async fn sessions_go_by_their_user_and_by_their_time() {
    let world = World::new().await;
    let store = &world.store;
    for (id, user, expires) in [("a", Some(world.user), 10), ("b", Some(world.user), 30), ("c", None, 20)] {
        store.session_put(&session(id, user, expires)).await.unwrap();
    }
    assert_eq!(store.sessions_delete_expired(UnixMillis(10)).await.unwrap(), 1, "at its time it is over");
    assert_eq!(store.sessions_delete_of(world.user).await.unwrap(), 1);
    assert!(store.session_get("c").await.unwrap().is_some());
    let stranger = store.session_put(&session("d", Some(UserId(Uuid::new_v4())), 40)).await;
    assert!(matches!(stranger, Err(StoreError::Conflict(_))), "{stranger:?}");
}

#[tokio::test]
async fn the_audit_is_kept_newest_first() {
    let world = World::new().await;
    let row = |action: &str, actor| AuditRow {
        at: NOW,
        actor,
        tenant: Some(world.tenant),
        action: action.to_owned(),
        target: "x".to_owned(),
        outcome: "accepted".to_owned(),
    };
    let (first, second) = (row("first", None), row("second", Some(UserId(Uuid::new_v4()))));
    world.store.audit_add(&first).await.unwrap();
    world.store.audit_add(&second).await.unwrap();
    assert_eq!(world.store.audit_list(2).await.unwrap(), [second.clone(), first]);
    assert_eq!(world.store.audit_list(1).await.unwrap(), [second]);
}

#[tokio::test]
async fn a_store_knows_that_it_was_seeded() {
    let world = World::new().await;
    assert!(!world.store.seeded().await.unwrap());
    world.store.seeded_set(NOW).await.unwrap();
    assert!(world.store.seeded().await.unwrap());
}
