//! Resizes that were agreed to for later: one waits for a VM, and each ends once.

use super::super::StoreError;
use super::super::rows::{AuditRow, ScheduleEnd};
use super::world::{LARGE, NOW, PLENTY, SMALL, World};
use grid::plan::{Consent, PlanKind};
use grid::schedule::{ResizeAgreed, ScheduleState, ScheduledResize};
use grid::vm::Vm;
use grid::window::Window;
use grid::{OperationId, ScheduleId, UnixMillis, VmId};
use uuid::Uuid;

pub(in crate::store) fn scheduled(world: &World, vm: &Vm, after_ms: i64) -> ScheduledResize {
    ScheduledResize {
        id: ScheduleId(Uuid::new_v4()),
        vm: vm.id,
        tenant: world.tenant,
        actor: world.user,
        window: Window { opens: UnixMillis(NOW.0 + 1000 - after_ms), closes: UnixMillis(NOW.0 + 2000) },
        agreed: ResizeAgreed {
            from: SMALL,
            to: LARGE,
            consent: Consent { most: PlanKind::MoveLive, interrupts: false },
            force_off: true,
        },
        state: ScheduleState::Waiting,
        reason: None,
        operation: None,
        created_at: UnixMillis(NOW.0 + after_ms),
        ended_at: None,
    }
}

pub(in crate::store) fn audit(outcome: &str) -> AuditRow {
    let at = UnixMillis(NOW.0 + 5);
    AuditRow { at, actor: None, tenant: None, action: "later".into(), target: "web".into(), outcome: outcome.into() }
}

fn end(state: ScheduleState, operation: Option<OperationId>) -> ScheduleEnd {
    let reason = operation.is_none().then(|| "why".to_owned());
    ScheduleEnd { state, reason, operation, now: UnixMillis(NOW.0 + 1500) }
}

async fn told(world: &World) -> Vec<String> {
    let rows = world.store.audit_list(100).await.unwrap().into_iter().filter(|row| row.action == "later");
    rows.map(|row| row.outcome).collect()
}

#[tokio::test]
async fn one_waits_for_a_vm_and_is_kept_word_for_word_and_the_same_again_is_the_same() {
    let world = World::new().await;
    let store = &world.store;
    let (web, mail) = (world.running("web").await, world.running("mail").await);
    let first = scheduled(&world, &web, 0);
    for _ in 0..2 {
        store.schedule_add(&first, &audit("accepted")).await.unwrap();
    }
    assert_eq!(told(&world).await, ["accepted"]);
    assert_eq!(store.schedule_get(first.id).await.unwrap(), Some(first.clone()));
    let refused = store.schedule_add(&scheduled(&world, &web, 1), &audit("accepted")).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let other = scheduled(&world, &mail, 2);
    store.schedule_add(&other, &audit("accepted")).await.unwrap();
    assert_eq!(store.schedule_waiting().await.unwrap(), [other, first.clone()], "the first that opens first");
    let of_nobody = ScheduledResize { vm: VmId(Uuid::new_v4()), ..scheduled(&world, &web, 3) };
    let refused = store.schedule_add(&of_nobody, &audit("accepted")).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound), "{refused}");
    assert_eq!(told(&world).await.len(), 2, "what was refused left nothing");
}

#[tokio::test]
async fn it_holds_nothing_and_keeps_no_operation_from_its_vm() {
    let world = World::new().await;
    let web = world.running("web").await;
    let (taken, used) = (world.taken(world.here).await, world.used().await);
    world.store.schedule_add(&scheduled(&world, &web, 0), &audit("accepted")).await.unwrap();
    assert_eq!(world.taken(world.here).await, taken);
    assert_eq!(world.used().await, used);
    let grown = world.resize(&web, LARGE, None, "now");
    assert_eq!(world.begin(&grown, PLENTY).await, super::super::Begun::Started(grown.id));
}

#[tokio::test]
async fn it_ends_once_and_then_another_may_wait_and_both_are_remembered() {
    let world = World::new().await;
    let store = &world.store;
    let web = world.running("web").await;
    let (first, second) = (scheduled(&world, &web, 0), scheduled(&world, &web, 1));
    store.schedule_add(&first, &audit("accepted")).await.unwrap();
    store.schedule_note(first.id, "busy").await.unwrap();
    assert_eq!(store.schedule_get(first.id).await.unwrap().unwrap().reason.as_deref(), Some("busy"));
    let grown = world.resize(&web, LARGE, None, "later");
    world.begin(&grown, PLENTY).await;
    let started = end(ScheduleState::Started, Some(grown.id));
    store.schedule_end(first.id, &started, &audit("started")).await.unwrap();
    for state in [ScheduleState::Cancelled, ScheduleState::Missed] {
        let refused = store.schedule_end(first.id, &end(state, None), &audit("again")).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    }
    store.schedule_note(first.id, "late").await.unwrap();
    store.schedule_add(&second, &audit("accepted")).await.unwrap();
    store.schedule_end(second.id, &end(ScheduleState::Ended, None), &audit("ended")).await.unwrap();
    assert_eq!(store.schedule_waiting().await.unwrap(), []);
    let kept = store.schedule_list(web.id, 10).await.unwrap();
    let ended_at = Some(UnixMillis(NOW.0 + 1500));
    let why = Some("why".to_owned());
    assert_eq!(
        kept,
        [
            ScheduledResize { state: ScheduleState::Ended, reason: why, ended_at, ..second },
            ScheduledResize { state: ScheduleState::Started, operation: Some(grown.id), ended_at, ..first },
        ]
    );
    assert_eq!(store.schedule_list(web.id, 1).await.unwrap().len(), 1);
    let before = UnixMillis(NOW.0 - 24 * 60 * 60 * 1000);
    let set_back = ScheduledResize { created_at: before, ..scheduled(&world, &web, 2) };
    store.schedule_add(&set_back, &audit("accepted")).await.unwrap();
    assert_eq!(store.schedule_list(web.id, 1).await.unwrap(), [set_back], "it waits");
    assert_eq!(told(&world).await, ["accepted", "ended", "accepted", "started", "accepted"], "newest first");
}
