//! Scheduled resizes on the simulated grid: the good way, bad input, what has changed by then, a crash between the start
//! and its mark, a window that nobody saw, and clocks that jump.

use crate::accounts::Principal;
use crate::lease::Lease;
use crate::operations::rig::{Rig, TINY, size};
use crate::operations::trial::{Moment, Orders};
use crate::store::rows::OperationFilter;
use crate::vms::{ScheduleRequest, Tried};
use crate::{ManagerError, clock, promises};
use grid::node::Administration;
use grid::operation::{OperationKind, OperationState};
use grid::plan::PlanKind;
use grid::schedule::{ScheduleState, ScheduledResize};
use grid::vm::VmState;
use grid::window::Window;
use grid::{ScheduleId, Size, UnixMillis, VmId};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const GROWN: Size = size(2, 256, 1);
const HOUR: i64 = 60 * 60 * 1000;

fn later(opens_ms: i64, closes_ms: i64) -> Window {
    let now = clock::now().0;
    Window { opens: UnixMillis(now + opens_ms), closes: UnixMillis(now + closes_ms) }
}

async fn request(rig: &Rig, vm: VmId, window: Window) -> ScheduleRequest {
    let plan = rig.plan(vm, GROWN).await;
    ScheduleRequest { id: Uuid::new_v4(), plan, window, or_a_restart: false, force_off: false }
}

async fn scheduled(rig: &Rig, vm: VmId, window: Window) -> ScheduleId {
    let request = request(rig, vm, window).await;
    rig.manager.vm_schedule(&rig.customer, vm, request).await.unwrap()
}

async fn over(rig: &Rig, id: ScheduleId) -> ScheduledResize {
    for _ in 0..1_500 {
        let found = rig.store.schedule_get(id).await.unwrap().unwrap();
        if found.state.is_over() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not over: {:#?}", rig.store.schedule_get(id).await);
}

/// Waits until a try has left its reason.
async fn tried(rig: &Rig, id: ScheduleId) -> String {
    for _ in 0..1_500 {
        if let Some(reason) = rig.store.schedule_get(id).await.unwrap().unwrap().reason {
            return reason;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it was not tried");
}

async fn resizes(rig: &Rig, vm: VmId) -> usize {
    let filter = OperationFilter { vm: Some(vm), ..OperationFilter::default() };
    let all = rig.store.operation_list(&filter).await.unwrap();
    all.iter().filter(|it| matches!(it.kind, OperationKind::Resize { .. })).count()
}

async fn told(rig: &Rig, action: &str) -> Vec<String> {
    let rows = rig.store.audit_list(100).await.unwrap().into_iter().filter(|row| row.action == action);
    rows.map(|row| row.outcome).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_when_its_window_opens_and_until_then_the_vm_is_free_for_other_work() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let asked = request(&rig, vm, later(2_500, HOUR)).await;
    let id = rig.manager.vm_schedule(&rig.customer, vm, asked.clone()).await.unwrap();
    assert_eq!(rig.manager.vm_schedule(&rig.customer, vm, asked.clone()).await, Ok(id), "the same form again");
    rig.check().await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap()).await;
    rig.succeeded(rig.manager.vm_start(&rig.customer, vm, "start").await.unwrap()).await;
    assert_eq!((rig.vm(vm).await.size, resizes(&rig, vm).await), (TINY, 0));
    let started = over(&rig, id).await;
    assert_eq!((started.state, started.reason), (ScheduleState::Started, None));
    let operation = rig.succeeded(started.operation.unwrap()).await;
    assert!(operation.created_at >= asked.window.opens, "not before its window");
    assert_eq!(operation.actor, rig.customer.user);
    assert_eq!(rig.vm(vm).await.size, GROWN);
    let outcomes = told(&rig, "resize_schedule").await;
    assert!(outcomes.len() == 2 && outcomes[0].starts_with("started: ") && outcomes[1] == "accepted", "{outcomes:?}");
    rig.check().await;
    let hypervisors: Vec<_> = rig.hypervisors.values().cloned().collect();
    tokio::time::sleep(Duration::from_millis(3)).await;
    let report = promises::check(rig.store.as_ref(), &hypervisors, &promises::PoolLists::new()).await.unwrap();
    assert_eq!(report.broken, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_window_and_every_foreign_plan_is_refused_with_its_message() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let day = 24 * HOUR;
    let good = request(&rig, vm, later(HOUR, 2 * HOUR)).await;
    for (window, field, said) in [
        (later(-2 * HOUR, HOUR), "opens", "in the past"),
        (later(91 * day, 92 * day), "opens", "90 days"),
        (later(2 * HOUR, HOUR), "closes", "after it opens"),
        (later(HOUR, HOUR), "closes", "after it opens"),
        (later(HOUR, 8 * day), "closes", "7 days"),
    ] {
        let asked = ScheduleRequest { id: Uuid::new_v4(), window, ..good.clone() };
        match rig.manager.vm_schedule(&rig.customer, vm, asked).await {
            Err(ManagerError::Invalid { field: at, message }) => assert!(at == field && message.contains(said)),
            other => panic!("{window:?}: {other:?}"),
        }
    }
    let other = rig.vm_on("lxc-a").await;
    let mut resized = good.clone();
    resized.plan.from = size(3, 256, 1);
    for (vm, asked) in [(other, good.clone()), (vm, resized)] {
        let refused = rig.manager.vm_schedule(&rig.customer, vm, asked).await;
        assert!(matches!(refused, Err(ManagerError::Invalid { field: "plan", .. })), "{refused:?}");
    }
    assert_eq!(told(&rig, "resize_schedule").await.len(), 7, "each attempt is in the audit");
    assert_eq!(rig.store.schedule_waiting().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_act_on_the_vm_schedules_and_one_waits_at_a_time_and_can_be_cancelled() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let asked = request(&rig, vm, later(HOUR, 2 * HOUR)).await;
    let strangers = rig.manager.vm_schedule(&rig.stranger, vm, asked.clone()).await;
    assert_eq!(strangers, Err(ManagerError::NotFound));
    let id = rig.manager.vm_schedule(&rig.customer, vm, asked.clone()).await.unwrap();
    let second = ScheduleRequest { id: Uuid::new_v4(), ..asked.clone() };
    let refused = rig.manager.vm_schedule(&rig.customer, vm, second.clone()).await;
    assert!(matches!(refused, Err(ManagerError::Unavailable { .. })), "{refused:?}");
    let (mine, of_admin) = (&rig.customer, &rig.admin);
    assert_eq!(rig.manager.vm_schedules(&rig.stranger, vm, 9).await, Err(ManagerError::NotFound));
    for reader in [mine, of_admin] {
        let seen = rig.manager.vm_schedules(reader, vm, 9).await.unwrap();
        assert_eq!(seen.iter().map(|it| (it.id, it.state)).collect::<Vec<_>>(), [(id, ScheduleState::Waiting)]);
    }
    let cancel = async |who: &Principal, id| rig.manager.vm_schedule_cancel(who, vm, id).await;
    assert_eq!(cancel(&rig.stranger, id).await, Err(ManagerError::NotFound));
    assert_eq!(cancel(mine, ScheduleId(Uuid::new_v4())).await, Err(ManagerError::NotFound));
    assert_eq!(cancel(mine, id).await, Ok(()));
    assert_eq!(cancel(mine, id).await, Ok(()), "it is so already");
    assert_eq!(rig.manager.vm_schedule(mine, vm, second).await.map(|_| ()), Ok(()), "another may wait now");
    assert_eq!(told(&rig, "resize_schedule_cancel").await.len(), 3);
    let used = format!("scheduled {id}");
    let refused = rig.manager.vm_stop(mine, vm, true, &used).await;
    assert!(matches!(refused, Err(ManagerError::Invalid { .. })), "its key is nobody else's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_vm_is_busy_it_waits_within_its_window() {
    let mut rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let id = scheduled(&rig, vm, later(0, HOUR)).await;
    rig.succeeded(over(&rig, id).await.operation.unwrap()).await;
    let asked = {
        let plan = rig.plan(vm, size(3, 256, 1)).await;
        ScheduleRequest { id: Uuid::new_v4(), plan, window: later(500, HOUR), or_a_restart: false, force_off: false }
    };
    rig.order(Orders { hang: Some((0, Moment::Before)), ..Orders::default() });
    let stop = rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap();
    let id = rig.manager.vm_schedule(&rig.customer, vm, asked).await.unwrap();
    assert!(tried(&rig, id).await.contains("Another operation"));
    rig.reopen().await;
    rig.succeeded(stop).await;
    rig.succeeded(over(&rig, id).await.operation.unwrap()).await;
    assert_eq!(rig.vm(vm).await.size, size(3, 256, 1));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_room_has_gone_it_ends_with_the_reason_when_its_window_closes() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let id = scheduled(&rig, vm, later(800, 2_500)).await;
    rig.fill("qemu-a", 50).await;
    rig.manager.node_administration_set(&rig.admin, "qemu-b", Administration::Cordoned).await.unwrap();
    let ended = over(&rig, id).await;
    assert_eq!((ended.state, ended.operation), (ScheduleState::Ended, None));
    let reason = ended.reason.unwrap();
    assert!(reason.contains("memory") || reason.contains("room"), "{reason}");
    assert!(!reason.contains("qemu"), "no node is named: {reason}");
    assert_eq!((rig.vm(vm).await.size, resizes(&rig, vm).await), (TINY, 0));
    let outcomes = told(&rig, "resize_schedule").await;
    assert!(outcomes.len() == 2 && outcomes[0].starts_with("ended: "), "tries are no attempts: {outcomes:?}");
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_take_more_than_was_agreed_to_does_not_start_unless_that_was_agreed_to_as_well() {
    for or_a_restart in [false, true] {
        let rig = Rig::new().await;
        let vm = rig.vm_on("lxc-a").await;
        let shown = request(&rig, vm, later(1_000, 3_000)).await;
        assert_eq!(shown.plan.kind, PlanKind::InPlaceLive);
        let asked = ScheduleRequest { or_a_restart, ..shown };
        let id = rig.manager.vm_schedule(&rig.customer, vm, asked).await.unwrap();
        // From now on only a cold move would do.
        rig.fill("lxc-a", 50).await;
        let ended = over(&rig, id).await;
        if or_a_restart {
            rig.succeeded(ended.operation.unwrap()).await;
            assert_eq!((rig.vm(vm).await.node, rig.vm(vm).await.size), (rig.id("lxc-b"), GROWN));
        } else {
            assert_eq!(ended.state, ScheduleState::Ended);
            assert!(ended.reason.unwrap().contains("more now than was agreed to"));
            assert_eq!((rig.vm(vm).await.node, resizes(&rig, vm).await), (rig.id("lxc-a"), 0));
        }
        rig.check().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_was_stopped_meanwhile_gets_its_size_and_stays_off() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let id = scheduled(&rig, vm, later(1_500, HOUR)).await;
    rig.succeeded(rig.manager.vm_stop(&rig.customer, vm, true, "stop").await.unwrap()).await;
    rig.succeeded(over(&rig, id).await.operation.unwrap()).await;
    assert_eq!((rig.vm(vm).await.size, rig.vm(vm).await.state), (GROWN, VmState::Stopped));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vm_that_was_deleted_or_resized_meanwhile_ends_it_for_that_reason() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let id = scheduled(&rig, vm, later(HOUR, 2 * HOUR)).await;
    rig.succeeded(rig.manager.vm_delete(&rig.customer, vm, "delete").await.unwrap()).await;
    let ended = over(&rig, id).await;
    assert_eq!(ended.state, ScheduleState::Ended);
    assert!(ended.reason.unwrap().contains("not there any more"));

    let vm = rig.vm_on("lxc-a").await;
    let id = scheduled(&rig, vm, later(1_500, HOUR)).await;
    rig.succeeded(rig.resize(vm, size(3, 256, 1)).await).await;
    let ended = over(&rig, id).await;
    assert_eq!(ended.state, ScheduleState::Ended, "{ended:?}");
    assert!(ended.reason.unwrap().contains("has been changed"));
    assert_eq!((rig.vm(vm).await.size, resizes(&rig, vm).await), (size(3, 256, 1), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_crash_between_the_start_and_its_mark_it_is_marked_and_not_started_again() {
    let mut rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    for (opens, closes) in [(HOUR, 2 * HOUR), (-20_000, 1_000)] {
        let to = Size { vcpus: grid::Vcpus(rig.vm(vm).await.size.vcpus.0 + 1), ..rig.vm(vm).await.size };
        let plan = rig.plan(vm, to).await;
        let window = later(opens, closes);
        let asked = ScheduleRequest { id: Uuid::new_v4(), plan, window, or_a_restart: false, force_off: false };
        let starting = rig.manager.scheduler.starting().await;
        let id = rig.manager.vm_schedule(&rig.customer, vm, asked).await.unwrap();
        let it = rig.store.schedule_get(id).await.unwrap().unwrap();
        let Tried::Started(operation) = rig.manager.scheduled_start(&it).await.unwrap() else { panic!("not started") };
        let before = resizes(&rig, vm).await;
        rig.manager.stop().await;
        drop(starting);
        // Nobody is there until the second window has closed.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        rig.reopen().await;
        let refused = rig.manager.vm_schedule_cancel(&rig.customer, vm, id).await;
        assert!(matches!(refused, Err(ManagerError::Unavailable { .. })), "it runs: {refused:?}");
        let marked = over(&rig, id).await;
        assert_eq!((marked.state, marked.operation), (ScheduleState::Started, Some(operation)));
        let ended = rig.ended(operation).await;
        // What had not begun when its window closed does not begin.
        let is_late = ended.reason.as_deref() == Some("its window was over before it could begin");
        assert_eq!(ended.state, if is_late { OperationState::Undone } else { OperationState::Succeeded }, "{ended:?}");
        assert!(closes < HOUR || !is_late, "{ended:?}");
        assert_eq!((rig.vm(vm).await.size == to, resizes(&rig, vm).await), (!is_late, before));
    }
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_nobody_saw_is_missed_and_nothing_starts_late() {
    let mut rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let id = scheduled(&rig, vm, later(700, 1_200)).await;
    rig.manager.stop().await;
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    rig.reopen().await;
    let missed = over(&rig, id).await;
    assert_eq!((missed.state, missed.operation), (ScheduleState::Missed, None));
    assert!(missed.reason.unwrap().contains("not running"));
    assert_eq!((rig.vm(vm).await.size, resizes(&rig, vm).await), (TINY, 0));
    rig.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_a_day_both_ways_starts_it_once_or_not_at_all() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let day = 24 * HOUR;
    let window = later(HOUR, 3 * HOUR);
    let at = |ms: i64| UnixMillis(window.opens.0 + ms);
    let id = scheduled(&rig, vm, window).await;
    rig.manager.schedule_look(id, at(-day)).await.unwrap();
    assert_eq!(resizes(&rig, vm).await, 0, "not yet");
    rig.manager.schedule_look(id, at(1)).await.unwrap();
    let started = over(&rig, id).await;
    rig.succeeded(started.operation.unwrap()).await;
    for jump in [-day, 0, 1, day, -1] {
        rig.manager.schedule_look(id, at(jump)).await.unwrap();
    }
    assert_eq!((over(&rig, id).await, resizes(&rig, vm).await), (started, 1));

    let plan = rig.plan(vm, size(3, 256, 1)).await;
    let asked = ScheduleRequest { id: Uuid::new_v4(), plan, window, or_a_restart: false, force_off: false };
    let id = rig.manager.vm_schedule(&rig.customer, vm, asked).await.unwrap();
    for jump in [day, 1, -day] {
        rig.manager.schedule_look(id, at(jump)).await.unwrap();
    }
    assert_eq!((over(&rig, id).await.state, resizes(&rig, vm).await), (ScheduleState::Missed, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_hold_the_lease_starts_nothing() {
    let mut rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.lease = Lease::take(Arc::clone(&rig.store), Duration::from_millis(600)).await.unwrap();
    rig.reopen().await;
    rig.until_ready().await;
    let id = scheduled(&rig, vm, later(1_500, HOUR)).await;
    let mine = rig.store.lease_take("another server", None).await.unwrap();
    assert_eq!(rig.store.lease_take("another server", mine.as_ref()).await.unwrap(), None);
    rig.lease.lost().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    rig.manager.schedule_look(id, clock::now()).await.unwrap();
    let waits = rig.store.schedule_get(id).await.unwrap().unwrap();
    assert_eq!((waits.state, waits.reason, resizes(&rig, vm).await), (ScheduleState::Waiting, None, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_its_turn_until_its_window_is_over_disturbs_nobody() {
    let rig = Rig::new().await;
    let mut vms = Vec::new();
    for _ in 0..3 {
        vms.push(rig.vm_on("lxc-a").await);
    }
    rig.fill("lxc-a", 100).await;
    rig.grid.set_pace(Duration::from_millis(1_500));
    for vm in &vms[..2] {
        rig.resize(*vm, GROWN).await;
    }
    // Two moves go on its node, so that the third waits.
    let window = later(0, 800);
    let id = scheduled(&rig, vms[2], window).await;
    let operation = over(&rig, id).await.operation.expect("it begins, and waits for its turn");
    let ended = rig.ended(operation).await;
    let shut_down = ended.steps.iter().find(|step| step.name == "shut-down").and_then(|step| step.started_at);
    let late = shut_down.map(|at| at.0 - window.closes.0);
    assert!(late.is_none_or(|late| late < 0), "it was shut down {late:?} ms after its window: {:?}", ended.state);
}
