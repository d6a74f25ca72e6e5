//! Consent to a cold move on the simulated grid: now, within a window, taken back, missed; a guest that is deaf, a crash in
//! the middle; and who may agree to what.

use super::tests::{first_move, moves, over};
use crate::operations::rig::Rig;
use crate::operations::trial::{Moment, Orders};
use crate::vms::MoveWhen;
use crate::{ManagerError, clock};
use grid::operation::{OperationKind, OperationState};
use grid::plan::PlanKind;
use grid::relocation::{MoveConsent, RelocationState};
use grid::vm::VmState;
use grid::window::Window;
use grid::{RelocationId, UnixMillis, VmId};
use std::time::Duration;
use uuid::Uuid;

const NOW: MoveWhen = MoveWhen::Now { force_off: false };

fn within(opens_ms: i64, closes_ms: i64) -> MoveWhen {
    let now = clock::now().0;
    let window = Window { opens: UnixMillis(now + opens_ms), closes: UnixMillis(now + closes_ms) };
    MoveWhen::Within { window, force_off: false }
}

/// A container on a node that is being drained, whose owner has been asked.
async fn asked() -> (Rig, VmId, RelocationId) {
    let (rig, [vm], drain) = all_asked().await;
    (rig, vm, drain)
}

async fn all_asked<const COUNT: usize>() -> (Rig, [VmId; COUNT], RelocationId) {
    let rig = Rig::new().await;
    let mut vms = [VmId(Uuid::nil()); COUNT];
    for vm in &mut vms {
        *vm = rig.vm_on("lxc-a").await;
        assert_eq!(rig.manager.vm_move_asked(&rig.customer, *vm).await, Ok(None), "nobody asks yet");
    }
    let drain = rig.manager.node_drain(&rig.admin, "lxc-a", Uuid::new_v4()).await.unwrap();
    for vm in vms {
        question(&rig, vm).await;
    }
    (rig, vms, drain)
}

async fn question(rig: &Rig, vm: VmId) -> MoveConsent {
    for _ in 0..1_500 {
        if let Some(asked) = rig.manager.vm_move_asked(&rig.customer, vm).await.unwrap() {
            return asked;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("its owner is not asked");
}

async fn agree(rig: &Rig, vm: VmId, drain: RelocationId, when: MoveWhen) {
    rig.manager.vm_move_consent(&rig.customer, vm, drain, when).await.unwrap();
}

async fn state(rig: &Rig, drain: RelocationId) -> RelocationState {
    rig.store.relocation_get(drain).await.unwrap().unwrap().state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_waits_for_its_owner_and_moves_it_cold_when_that_is_agreed_to() {
    let (rig, vm, drain) = asked().await;
    let question = question(&rig, vm).await;
    assert!(question.estimate.downtime_ms > 0 && question.given.is_none(), "{question:?}");
    // Longer than what is stuck is believed to be.
    tokio::time::sleep(Duration::from_millis(3_800)).await;
    assert_eq!((state(&rig, drain).await, moves(&rig, drain).await.len()), (RelocationState::Running, 0));
    let shown = rig.manager.node_drain_get(&rig.admin, "lxc-a").await.unwrap().consents;
    assert_eq!(shown.iter().map(|it| (&it.vm, &it.given)).collect::<Vec<_>>(), [(&rig.vm(vm).await.name, &None)]);

    agree(&rig, vm, drain, NOW).await;
    let ended = over(&rig, drain).await;
    assert_eq!((ended.state, ended.reason), (RelocationState::Succeeded, None));
    let moved = moves(&rig, drain).await;
    let OperationKind::Resize { plan, force_off, .. } = &moved[0].kind else { panic!("{moved:#?}") };
    assert_eq!((moved.len(), plan.kind, plan.running, *force_off), (1, PlanKind::MoveCold, true, false));
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("lxc-b"), VmState::Running));
    let shown = rig.manager.node_drain_get(&rig.admin, "lxc-a").await.unwrap().consents;
    assert_eq!(shown[0].given.as_ref().map(|(_, by)| by), Some(&rig.customer.email));
    assert_eq!(rig.manager.vm_move_asked(&rig.customer, vm).await, Ok(None), "it has moved");
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_moved_in_the_window_that_was_agreed_to_and_not_before() {
    let (rig, vm, drain) = asked().await;
    agree(&rig, vm, drain, within(3_600_000, 7_200_000)).await;
    let opens = clock::now().0 + 2_500;
    agree(&rig, vm, drain, within(2_500, 3_600_000)).await;
    assert_eq!(over(&rig, drain).await.state, RelocationState::Succeeded);
    let moved = moves(&rig, drain).await;
    assert!(moved.len() == 1 && moved[0].created_at.0 >= opens, "{moved:#?}");
    assert_eq!(rig.vm(vm).await.node, rig.id("lxc-b"));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_or_was_over_before_anybody_saw_it_moves_nothing_and_can_be_agreed_to_anew() {
    let (mut rig, vm, drain) = asked().await;
    agree(&rig, vm, drain, within(1_500, 3_600_000)).await;
    agree(&rig, vm, drain, MoveWhen::Never).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!((state(&rig, drain).await, moves(&rig, drain).await.len()), (RelocationState::Running, 0));
    agree(&rig, vm, drain, within(600, 1_000)).await;
    rig.manager.stop().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    rig.reopen().await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((state(&rig, drain).await, moves(&rig, drain).await.len()), (RelocationState::Running, 0));
    assert!(question(&rig, vm).await.given.is_some_and(|given| given.window.is_over(clock::now())));
    agree(&rig, vm, drain, NOW).await;
    assert_eq!(over(&rig, drain).await.state, RelocationState::Succeeded);
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_that_a_move_was_taken_back_which_has_begun() {
    let (rig, vm, drain) = asked().await;
    rig.order(Orders { hang: Some((0, Moment::After)), ..Orders::default() });
    agree(&rig, vm, drain, NOW).await;
    rig.reached(first_move(&rig, drain).await.id, 0, false).await;
    for when in [MoveWhen::Never, within(3_600_000, 7_200_000)] {
        let refused = rig.manager.vm_move_consent(&rig.customer, vm, drain, when).await;
        assert!(matches!(refused, Err(ManagerError::Unavailable { .. })), "{when:?}: {refused:?}");
    }
    assert_eq!(rig.manager.vm_move_asked(&rig.customer, vm).await, Ok(None), "it is being moved");
    rig.manager.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_agrees_anew_after_a_move_that_failed_has_it_moved_while_the_drain_waits_for_others() {
    let (rig, [vm, other], drain) = all_asked().await;
    rig.grid.faults(rig.id("lxc-a"), |faults| faults.stubborn = [vm].into());
    agree(&rig, vm, drain, NOW).await;
    let failed = first_move(&rig, drain).await.id;
    rig.ended(failed).await;
    rig.grid.faults(rig.id("lxc-a"), |faults| faults.stubborn.clear());
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(moves(&rig, drain).await.len(), 1, "not by the same word");
    agree(&rig, vm, drain, NOW).await;
    for _ in 0..500 {
        if rig.vm(vm).await.node == rig.id("lxc-b") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(rig.vm(vm).await.node, rig.id("lxc-b"));
    assert_eq!((state(&rig, drain).await, rig.vm(other).await.node), (RelocationState::Running, rig.id("lxc-a")));
    rig.manager.node_drain_cancel(&rig.admin, "lxc-a").await.unwrap();
    over(&rig, drain).await;
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_owner_or_an_admin_agrees_and_only_to_what_is_asked_and_each_attempt_is_in_the_audit() {
    let (rig, vm, drain) = asked().await;
    let (mine, admin) = (&rig.customer, &rig.admin);
    assert_eq!(rig.manager.vm_move_asked(&rig.stranger, vm).await, Err(ManagerError::NotFound));
    assert_eq!(rig.manager.vm_move_consent(&rig.stranger, vm, drain, NOW).await, Err(ManagerError::NotFound));
    let other = RelocationId(Uuid::new_v4());
    let refused = rig.manager.vm_move_consent(mine, vm, other, NOW).await;
    assert!(matches!(refused, Err(ManagerError::Unavailable { .. })), "{refused:?}");
    for (when, at) in [
        (within(-3_600_000, 1), "opens"),
        (within(91 * 86_400_000, 92 * 86_400_000), "opens"),
        (within(10_000, 5_000), "closes"),
        (within(0, 8 * 86_400_000), "closes"),
    ] {
        let refused = rig.manager.vm_move_consent(mine, vm, drain, when).await;
        assert!(matches!(refused, Err(ManagerError::Invalid { field, .. }) if field == at), "{refused:?}");
    }
    rig.manager.vm_move_consent(admin, vm, drain, within(3_600_000, 7_200_000)).await.unwrap();
    rig.manager.node_drain_cancel(admin, "lxc-a").await.unwrap();
    assert_eq!(over(&rig, drain).await.state, RelocationState::Cancelled);
    let late = rig.manager.vm_move_consent(mine, vm, drain, NOW).await;
    assert!(matches!(late, Err(ManagerError::Unavailable { .. })), "{late:?}");
    let rows = rig.store.audit_list(100).await.unwrap();
    let rows: Vec<bool> =
        rows.iter().filter(|row| row.action == "move_consent").map(|row| row.outcome == "accepted").collect();
    assert_eq!(rows, [false, true, false, false, false, false, false, false], "newest first");
    assert_eq!(rig.vm(vm).await.node, rig.id("lxc-a"));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_its_owner_stops_moves_without_consent() {
    let (rig, vm, drain) = asked().await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap()).await;
    assert_eq!(over(&rig, drain).await.state, RelocationState::Succeeded);
    assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("lxc-b"), VmState::Stopped));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_ignores_the_shutdown_is_forced_off_only_where_that_was_agreed_to() {
    for force_off in [false, true] {
        let (rig, vm, drain) = asked().await;
        rig.grid.faults(rig.id("lxc-a"), |faults| faults.stubborn = [vm].into());
        agree(&rig, vm, drain, MoveWhen::Now { force_off }).await;
        let ended = over(&rig, drain).await;
        let (state, node) =
            if force_off { (RelocationState::Succeeded, "lxc-b") } else { (RelocationState::Failed, "lxc-a") };
        assert_eq!((ended.state, rig.vm(vm).await.node), (state, rig.id(node)), "{:?}", ended.reason);
        assert_eq!(rig.vm(vm).await.state, VmState::Running);
        assert_eq!(ended.reason.is_some_and(|why| why.contains("its move failed")), !force_off);
        rig.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_on_after_a_crash_in_each_step_of_the_cold_move_and_is_moved_once() {
    for at in [0, 2, 3, 5, 6, 8, 10] {
        let (mut rig, vm, drain) = asked().await;
        rig.order(Orders { hang: Some((at, Moment::After)), ..Orders::default() });
        agree(&rig, vm, drain, NOW).await;
        let first = first_move(&rig, drain).await;
        rig.reached(first.id, at, false).await;
        rig.reopen().await;
        assert_eq!(over(&rig, drain).await.state, RelocationState::Succeeded, "step {at}");
        let moved = moves(&rig, drain).await;
        assert_eq!(moved.iter().map(|it| it.state).collect::<Vec<_>>(), [OperationState::Succeeded], "step {at}");
        assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.state), (rig.id("lxc-b"), VmState::Running));
        rig.check().await;
        rig.manager.stop().await;
    }
}
