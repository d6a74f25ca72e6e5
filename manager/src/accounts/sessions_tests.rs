//! Sessions: begun, used, ended, and what a thief of the database gets.

use super::*;
use crate::accounts::{Accounts, NewAccount, Role};
use crate::store::sqlite::SqliteStore;
use grid::Resources;
use grid::offer::Quota;

struct World {
    store: Arc<dyn Store>,
    accounts: Accounts,
    sessions: Arc<StoreSessions>,
    ada: Principal,
}

async fn world() -> World {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_temporary().await.unwrap());
    let accounts = Accounts::new(Arc::clone(&store));
    let tenant = accounts.tenant_set("Acme", Quota { limit: Resources::ZERO, vms: 0 }).await.unwrap();
    let (email, password) = ("ada@example.org".to_owned(), "correct horse battery".to_owned());
    let user = accounts.user_create(NewAccount { tenant, email, password, role: Role::Customer }).await.unwrap();
    let ada = accounts.principal(user).await.unwrap();
    World { sessions: Arc::new(StoreSessions::new(Arc::clone(&store))), store, accounts, ada }
}

impl World {
    /// What a request finds that carries this id in its cookie.
    fn request(&self, id: Option<Id>) -> Session {
        Session::new(id, Arc::clone(&self.sessions) as Arc<_>, None)
    }

    async fn sign_in(&self) -> Id {
        let session = self.request(None);
        begin(&session, &self.ada).await.unwrap();
        session.save().await.unwrap();
        session.id().unwrap()
    }

    async fn user_of(&self, id: Id) -> Option<UserId> {
        user(&self.request(Some(id))).await.unwrap()
    }
}

#[tokio::test]
async fn a_session_is_known_again_until_it_is_ended() {
    let world = world().await;
    let id = world.sign_in().await;
    assert_eq!(world.user_of(id).await, Some(world.ada.user));
    end(&world.request(Some(id))).await.unwrap();
    assert_eq!(world.user_of(id).await, None);
}

#[tokio::test]
async fn the_id_changes_at_every_sign_in() {
    let world = world().await;
    let session = world.request(None);
    session.insert("theme", "dark").await.unwrap();
    session.save().await.unwrap();
    let planted = session.id().unwrap();
    let session = world.request(Some(planted));
    begin(&session, &world.ada).await.unwrap();
    session.save().await.unwrap();
    let id = session.id().unwrap();
    assert_ne!(id, planted);
    assert_eq!(world.user_of(planted).await, None);
    assert_eq!(world.user_of(id).await, Some(world.ada.user));
}

#[tokio::test]
async fn the_database_holds_no_id_that_a_cookie_could_carry() {
    let world = world().await;
    let id = world.sign_in().await;
    assert_eq!(world.store.session_get(&id.to_string()).await.unwrap(), None);
    let row = world.store.session_get(&hash(&id)).await.unwrap().unwrap();
    assert_eq!(row.user, Some(world.ada.user));
    assert!(!row.data.contains(&id.to_string()));
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_and_they_stay_ended() {
    let world = world().await;
    let ids = [world.sign_in().await, world.sign_in().await];
    let under_way = world.request(Some(ids[0]));
    assert_eq!(user(&under_way).await.unwrap(), Some(world.ada.user));
    under_way.insert("theme", "dark").await.unwrap();
    assert_eq!(world.accounts.sign_out_everywhere(world.ada.user).await, Ok(2));
    under_way.save().await.unwrap();
    for id in ids {
        assert_eq!(world.user_of(id).await, None);
    }
}

#[tokio::test]
async fn a_session_that_is_over_is_not_found_and_is_forgotten() {
    let world = world().await;
    let mut record = Record {
        id: Id::default(),
        data: [(USER.to_owned(), serde_json::json!(world.ada.user))].into(),
        expiry_date: OffsetDateTime::now_utc() - Duration::seconds(1),
    };
    world.sessions.create(&mut record).await.unwrap();
    assert_eq!(world.sessions.load(&record.id).await.unwrap(), None);
    let lasting = world.sign_in().await;
    assert_eq!(world.store.session_get(&hash(&record.id)).await.unwrap(), None, "the next sign-in forgot it");
    assert_eq!(world.user_of(lasting).await, Some(world.ada.user));
}

#[tokio::test]
async fn an_id_that_is_taken_is_not_given_out_again() {
    let world = world().await;
    let mut first = Record { id: Id::default(), data: [].into(), expiry_date: OffsetDateTime::now_utc() + LASTS };
    world.sessions.create(&mut first).await.unwrap();
    let mut second = first.clone();
    world.sessions.create(&mut second).await.unwrap();
    assert_ne!(first.id, second.id);
}
