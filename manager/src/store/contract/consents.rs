//! Owners who are asked for a cold move: what they agree to is kept as long as it is asked for.

use super::super::StoreError;
use super::super::rows::AuditRow;
use super::relocations::relocation;
use super::world::{NOW, World};
use grid::plan::Estimate;
use grid::relocation::{MoveConsent, MoveGiven, Relocation, RelocationKind, RelocationState};
use grid::vm::Vm;
use grid::window::Window;
use grid::{UnixMillis, VmId};
use uuid::Uuid;

const EXPECTED: Estimate = Estimate { duration_ms: 3000, downtime_ms: 2000 };

fn audit(outcome: &str) -> AuditRow {
    AuditRow {
        at: NOW,
        actor: None,
        tenant: None,
        action: "consent".into(),
        target: "web".into(),
        outcome: outcome.into(),
    }
}

async fn told(world: &World) -> Vec<String> {
    let rows = world.store.audit_list(100).await.unwrap().into_iter().filter(|row| row.action == "consent");
    rows.map(|row| row.outcome).collect()
}

/// A drain that asks for the consent of a VM's owner.
async fn asked() -> (World, Relocation, Vm) {
    let world = World::new().await;
    let vm = world.running("web").await;
    let drain = relocation(&world, RelocationKind::Drain { node: world.here }, 0);
    world.store.relocation_begin(&drain, &audit("drained")).await.unwrap();
    world.store.consent_ask(drain.id, vm.id, EXPECTED, NOW).await.unwrap();
    (world, drain, vm)
}

fn given(world: &World, opens: i64) -> MoveGiven {
    let window = Window { opens: UnixMillis(NOW.0 + opens), closes: UnixMillis(NOW.0 + opens + 1000) };
    MoveGiven { by: world.user, at: UnixMillis(NOW.0 + 5), window, force_off: opens > 0 }
}

#[tokio::test]
async fn an_owner_is_asked_once_and_agrees_and_agrees_anew_and_takes_it_back() {
    let (world, drain, vm) = asked().await;
    let store = &world.store;
    let mut known = MoveConsent { relocation: drain.id, vm: vm.id, asked_at: NOW, estimate: EXPECTED, given: None };
    let more = Estimate { duration_ms: 9, downtime_ms: 9 };
    store.consent_ask(drain.id, vm.id, more, UnixMillis(NOW.0 + 1)).await.unwrap();
    assert_eq!(store.consent_asked(vm.id).await.unwrap(), Some(known.clone()), "asked again is asked once");
    for agreed in [Some(given(&world, 0)), Some(given(&world, 500)), None, Some(given(&world, 9))] {
        store.consent_set((drain.id, vm.id), agreed.as_ref(), &audit("accepted")).await.unwrap();
        known.given = agreed;
        assert_eq!(store.consent_list(drain.id).await.unwrap(), [known.clone()]);
    }
    store.consent_ask(drain.id, vm.id, more, UnixMillis(NOW.0 + 1)).await.unwrap();
    assert_eq!(store.consent_asked(vm.id).await.unwrap(), Some(known), "what was agreed to stays");
    assert_eq!(told(&world).await.len(), 5);
}

#[tokio::test]
async fn nobody_agrees_to_what_is_not_asked_for_or_no_longer() {
    let (world, drain, vm) = asked().await;
    let (store, agreed) = (&world.store, given(&world, 0));
    let nobody = VmId(Uuid::new_v4());
    let other = relocation(&world, RelocationKind::Drain { node: world.there }, 1);
    let refused = store.consent_ask(other.id, vm.id, EXPECTED, NOW).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    for wrong in [(drain.id, nobody), (other.id, vm.id)] {
        let refused = store.consent_set(wrong, Some(&agreed), &audit("accepted")).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    }
    assert_eq!(store.consent_asked(nobody).await.unwrap(), None);
    store.relocation_cancel(drain.id, world.user, &audit("cancelled")).await.unwrap();
    store.relocation_end(drain.id, RelocationState::Cancelled, Some("cancelled"), &audit("ended")).await.unwrap();
    assert_eq!(store.consent_asked(vm.id).await.unwrap(), None);
    let refused = store.consent_set((drain.id, vm.id), Some(&agreed), &audit("accepted")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    assert_eq!(store.consent_list(drain.id).await.unwrap().len(), 1, "that it was asked is remembered");
    assert_eq!(told(&world).await, ["ended", "cancelled", "drained"]);
}
