//! Signing in, as a person and as a thief sees it.

use super::*;
use crate::store::sqlite::SqliteStore;
use grid::Resources;
use std::time::Duration;

const PASSWORD: &str = "correct horse battery";

async fn accounts() -> (Accounts, TenantId) {
    let accounts = Accounts::new(Arc::new(SqliteStore::open_temporary().await.unwrap()));
    let tenant = accounts.tenant_set("Acme", Quota { limit: Resources::ZERO, vms: 0 }).await.unwrap();
    (accounts, tenant)
}

fn ada(tenant: TenantId) -> NewAccount {
    let (email, password) = ("Ada@example.org".to_owned(), PASSWORD.to_owned());
    NewAccount { tenant, email, password, role: Role::Customer }
}

#[tokio::test]
async fn who_was_created_can_sign_in_however_the_email_is_written() {
    let (accounts, tenant) = accounts().await;
    let id = accounts.user_create(ada(tenant)).await.unwrap();
    let expected = Principal { user: id, tenant, email: "ada@example.org".to_owned(), role: Role::Customer };
    assert_eq!(accounts.sign_in(" ADA@example.org", PASSWORD).await, Ok(expected.clone()));
    assert_eq!(accounts.principal(id).await, Some(expected));
    assert_eq!(accounts.principal(UserId(Uuid::new_v4())).await, None);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_email_are_the_same_answer() {
    let (accounts, tenant) = accounts().await;
    let id = accounts.user_create(ada(tenant)).await.unwrap();
    assert_eq!(accounts.sign_in("ada@example.org", "wrong").await, Err(ManagerError::SignedOut));
    assert_eq!(accounts.sign_in("bob@example.org", PASSWORD).await, Err(ManagerError::SignedOut));
    let audit = accounts.store.audit_list(3).await.unwrap();
    assert_eq!(audit[0].target, "nobody", "what was typed is not kept");
    assert_eq!(audit[1].target, id.to_string());
    assert!(audit[..2].iter().all(|row| row.outcome == "refused: wrong email or password"));
}

#[tokio::test]
async fn an_unknown_email_takes_as_long_as_a_wrong_password() {
    let (accounts, tenant) = accounts().await;
    accounts.user_create(ada(tenant)).await.unwrap();
    let timed = async |email: &str| {
        let begun = Instant::now();
        assert_eq!(accounts.sign_in(email, "wrong").await, Err(ManagerError::SignedOut));
        begun.elapsed()
    };
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for _ in 0..8 {
        known = known.min(timed("ada@example.org").await);
        unknown = unknown.min(timed("bob@example.org").await);
    }
    // Without the work it would be less than a tenth; a busy machine blurs what is closer.
    assert!(unknown * 5 > known, "{known:?} {unknown:?}");
}

#[tokio::test]
async fn too_many_attempts_are_refused_even_with_the_right_password() {
    let (accounts, tenant) = accounts().await;
    accounts.user_create(ada(tenant)).await.unwrap();
    for _ in 0..10 {
        assert_eq!(accounts.sign_in("ada@example.org", "wrong").await, Err(ManagerError::SignedOut));
    }
    let refused = accounts.sign_in("ada@example.org", PASSWORD).await.unwrap_err();
    assert!(matches!(refused, ManagerError::TooManyAttempts { retry_after_s: 1..=300 }), "{refused:?}");
}

#[tokio::test]
async fn a_user_needs_an_email_a_password_and_a_tenant_and_is_created_once() {
    let (accounts, tenant) = accounts().await;
    let invalid = async |account| match accounts.user_create(account).await {
        Err(ManagerError::Invalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(invalid(NewAccount { email: "ada".to_owned(), ..ada(tenant) }).await, "email");
    assert_eq!(invalid(NewAccount { password: "short".to_owned(), ..ada(tenant) }).await, "password");
    let nowhere = accounts.user_create(ada(TenantId(Uuid::new_v4()))).await;
    assert_eq!(nowhere, Err(ManagerError::NotFound));
    accounts.user_create(ada(tenant)).await.unwrap();
    assert_eq!(invalid(ada(tenant)).await, "email");
}

#[test]
fn a_password_is_not_in_what_is_printed_of_an_account() {
    let printed = format!("{:?}", ada(TenantId(Uuid::new_v4())));
    assert!(!printed.contains(PASSWORD), "{printed}");
}
