//! Nodes, offers, and what utility modules prove themselves with.

use super::super::StoreError;
use super::super::rows::AuditRow;
use super::relocations::relocation;
use super::world::{NOW, SMALL, World, node};
use grid::node::{Administration, Node, NodeSettings, Overcommit};
use grid::offer::Offer;
use grid::relocation::RelocationKind;
use grid::{HypervisorKind, NodeId, Resource, Resources, Size, UnixMillis, Vcpus};
use uuid::Uuid;

fn row() -> AuditRow {
    AuditRow {
        at: NOW,
        actor: None,
        tenant: None,
        action: "node_fence".to_owned(),
        target: "here".to_owned(),
        outcome: "accepted".to_owned(),
    }
}

#[tokio::test]
async fn a_node_that_comes_again_keeps_its_id_and_what_the_admin_set() {
    let world = World::new().await;
    let settings = NodeSettings {
        reserve: Resources::new(1, 512, 1024),
        overcommit: Overcommit::default().with(Resource::Vcpus, 2000).with(Resource::Memory, 900),
        network_mbit: 2_500,
    };
    world.store.node_settings_set(world.here, settings, &row()).await.unwrap();
    world.store.node_administration_set(world.here, Administration::Draining, &row()).await.unwrap();
    world.store.node_failure_domain_set(world.here, Some("rack-1"), &row()).await.unwrap();
    assert_eq!(world.store.audit_list(10).await.unwrap(), [row(), row(), row()]);
    let again = Node {
        kind: HypervisorKind::Kvm,
        region: "south".to_owned(),
        uri: "qemu+tcp://h/system".to_owned(),
        ..node("here")
    };
    let kept = world.store.node_put(&again).await.unwrap();
    let expected = Node {
        id: world.here,
        settings,
        administration: Administration::Draining,
        failure_domain: Some("rack-1".to_owned()),
        ..again
    };
    assert_eq!(kept, expected);
    let names: Vec<_> = world.store.node_list().await.unwrap().into_iter().map(|node| node.name).collect();
    assert_eq!(names, ["here", "there"]);
    assert!(world.store.node_list().await.unwrap().contains(&expected));
}

#[tokio::test]
async fn many_nodes_are_put_together_or_not_at_all() {
    let world = World::new().await;
    let moved = Node { region: "south".to_owned(), ..node("there") };
    let mut new: Vec<Node> = (0..600).map(|number| node(&format!("new-{number}"))).collect();
    new.insert(300, moved);
    let kept = world.store.nodes_put(&new).await.unwrap();
    new[300].id = world.there;
    assert_eq!(kept, new, "in their order; one that is there keeps its id");
    let bad = [node("good"), Node { id: world.here, ..node("twin") }];
    assert!(matches!(world.store.nodes_put(&bad).await, Err(StoreError::Conflict(_))));
    assert!(world.store.node_list().await.unwrap().iter().all(|it| it.name != "good"));
    assert_eq!(world.store.nodes_put(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_set_of_a_node_that_is_not_there_is_not_found() {
    let world = World::new().await;
    let nowhere = NodeId(Uuid::new_v4());
    let results = [
        world.store.node_settings_set(nowhere, node("x").settings, &row()).await,
        world.store.node_administration_set(nowhere, Administration::Open, &row()).await,
        world.store.node_failure_domain_set(nowhere, Some("rack-1"), &row()).await,
    ];
    for result in results {
        assert!(matches!(result, Err(StoreError::NotFound)), "{result:?}");
    }
    assert_eq!(world.store.audit_list(10).await.unwrap(), [], "what is refused leaves no row of its own");
    let twin = Node { id: world.here, ..node("twin") };
    let refused = world.store.node_put(&twin).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_failure_domain_is_told_at_first_sight_set_and_taken_back() {
    let world = World::new().await;
    let told = Node { failure_domain: Some("rack-1".to_owned()), ..node("third") };
    let third = world.store.node_put(&told).await.unwrap();
    assert_eq!(third.failure_domain.as_deref(), Some("rack-1"));
    for to in [Some("rack-2"), None] {
        world.store.node_failure_domain_set(third.id, to, &row()).await.unwrap();
        let now = world.store.node_list().await.unwrap().into_iter().find(|node| node.id == third.id).unwrap();
        assert_eq!(now.failure_domain.as_deref(), to);
    }
    let kept = world.store.node_put(&told).await.unwrap();
    assert_eq!(kept.failure_domain, None, "what the admin set outlives what the configuration says");
    let refused = world.store.node_failure_domain_set(third.id, Some(&"x".repeat(64)), &row()).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn offers_are_listed_from_small_to_large_and_written_over() {
    let world = World::new().await;
    let large = Offer { name: "large".to_owned(), size: Size { vcpus: Vcpus(8), ..SMALL } };
    let small = Offer { name: "small".to_owned(), size: SMALL };
    world.store.offer_put(&large).await.unwrap();
    world.store.offer_put(&small).await.unwrap();
    assert_eq!(world.store.offer_list().await.unwrap(), [small.clone(), large.clone()]);
    let smaller = Offer { size: Size { vcpus: Vcpus(1), ..SMALL }, ..large };
    world.store.offer_put(&smaller).await.unwrap();
    assert_eq!(world.store.offer_list().await.unwrap(), [smaller, small.clone()]);
    let nothing = Offer { size: Size { vcpus: Vcpus(0), ..SMALL }, ..small };
    let refused = world.store.offer_put(&nothing).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_module_is_known_by_its_last_key_only() {
    let world = World::new().await;
    let store = &world.store;
    store.utility_key_put(world.here, "first", NOW).await.unwrap();
    store.utility_key_put(world.there, "other", NOW).await.unwrap();
    assert_eq!(store.utility_key_find("first").await.unwrap(), Some(world.here));
    store.utility_key_put(world.here, "second", NOW).await.unwrap();
    assert_eq!(store.utility_key_find("first").await.unwrap(), None);
    assert_eq!(store.utility_key_find("second").await.unwrap(), Some(world.here));
    assert_eq!(store.utility_key_find("other").await.unwrap(), Some(world.there));
}

#[tokio::test]
async fn a_token_is_taken_once_and_not_after_its_time() {
    let world = World::new().await;
    let store = &world.store;
    store.utility_token_put(world.there, "late", UnixMillis(50)).await.unwrap();
    assert_eq!(store.utility_token_take("late", UnixMillis(50)).await.unwrap(), None);
    store.utility_token_put(world.here, "earlier", UnixMillis(100)).await.unwrap();
    store.utility_token_put(world.here, "good", UnixMillis(100)).await.unwrap();
    assert_eq!(store.utility_token_take("earlier", UnixMillis(50)).await.unwrap(), None, "a newer one took its place");
    assert_eq!(store.utility_token_take("unknown", UnixMillis(50)).await.unwrap(), None);
    assert_eq!(store.utility_token_take("good", UnixMillis(99)).await.unwrap(), Some(world.here));
    assert_eq!(store.utility_token_take("good", UnixMillis(99)).await.unwrap(), None);
    let nowhere = store.utility_token_put(NodeId(Uuid::new_v4()), "lost", UnixMillis(100)).await;
    assert!(matches!(nowhere, Err(StoreError::Conflict(_))), "{nowhere:?}");
}

#[tokio::test]
async fn a_fenced_node_stays_fenced_until_that_is_taken_back_and_is_cordoned_then() {
    let world = World::new().await;
    let (store, here) = (&world.store, world.here);
    let row = row();
    let administration = || async {
        let nodes = store.node_list().await.unwrap();
        nodes.into_iter().find(|node| node.id == here).unwrap().administration
    };
    assert!(matches!(store.node_fenced_set(here, false, &row).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.audit_list(10).await.unwrap(), [], "what is refused leaves no row of its own");
    store.node_fenced_set(here, true, &row).await.unwrap();
    assert_eq!(administration().await, Administration::Fenced);
    assert_eq!(store.audit_list(10).await.unwrap(), std::slice::from_ref(&row));
    assert!(matches!(store.node_fenced_set(here, true, &row).await, Err(StoreError::Conflict(_))));
    for to in [Administration::Open, Administration::Cordoned, Administration::Draining] {
        let refused = store.node_administration_set(here, to, &row).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let drain = relocation(&world, RelocationKind::Drain { node: here }, 0);
    let refused = store.relocation_begin(&drain, &row).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(store.relocation_list().await.unwrap(), []);
    assert_eq!(administration().await, Administration::Fenced);
    store.node_fenced_set(here, false, &row).await.unwrap();
    assert_eq!(administration().await, Administration::Cordoned);
    let nowhere = store.node_fenced_set(NodeId(Uuid::new_v4()), true, &row).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound)), "{nowhere:?}");
}
