//! What the collector sees: states that follow, nodes that fall silent, utility modules that die and come back.

use super::rig::{Rig, TINY};
use crate::ManagerError;
use crate::history::HistoryRange;
use grid::map::Condition;
use grid::operation::OperationState;
use grid::plan::PlanAnswer;
use grid::sample::Source;
use grid::vm::VmState;
use grid::{Gib, Mib, Size, UnixMillis, Vcpus, VmId};
use std::time::{Duration, Instant};

async fn state_is(rig: &Rig, vm: VmId, wanted: VmState) {
    for _ in 0..1_000 {
        if rig.vm(vm).await.state == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not {wanted:?}: {:?}", rig.vm(vm).await);
}

fn condition(rig: &Rig, node: &str) -> Condition {
    rig.manager.map().get(rig.id(node)).unwrap().condition
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vms_state_follows_its_hypervisor() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.hypervisors["qemu-a"].force_off(vm).await.unwrap();
    state_is(&rig, vm, VmState::Stopped).await;
    rig.hypervisors["qemu-a"].start(vm).await.unwrap();
    state_is(&rig, vm, VmState::Running).await;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.silent = true);
    state_is(&rig, vm, VmState::Unknown).await;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.silent = false);
    state_is(&rig, vm, VmState::Running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ran_on_a_node_that_failed_and_is_back_before_it_was_missed_runs_again() {
    let rig = Rig::new().await;
    let (ran, stopped) = (rig.vm_on("lxc-a").await, rig.vm_on("lxc-a").await);
    let stop = rig.manager.vm_stop(&rig.customer, stopped, true, "stop").await.unwrap();
    rig.succeeded(stop).await;
    rig.grid.power_fail(rig.id("lxc-a"));
    assert_eq!(rig.grid.executing(ran), []);
    rig.until("it runs again", || rig.grid.executing(ran) == [rig.id("lxc-a")]).await;
    state_is(&rig, ran, VmState::Running).await;
    assert_eq!(rig.vm(stopped).await.state, VmState::Stopped, "what was stopped stays so");
    assert_eq!(rig.grid.executing(stopped), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_its_owner_stops_stays_off_whatever_its_node_did_before_and_does_meanwhile() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    let silence = |silent| rig.grid.faults(rig.id("lxc-a"), |faults| faults.silent = silent);
    // It ran when its node fell silent, and ran when it was back.
    silence(true);
    state_is(&rig, vm, VmState::Unknown).await;
    silence(false);
    state_is(&rig, vm, VmState::Running).await;
    // Its node goes down while it is being stopped.
    rig.grid.power_fail(rig.id("lxc-a"));
    let stop = loop {
        match rig.manager.vm_stop(&rig.customer, vm, true, "stop").await {
            // It was just about to be started again.
            Err(ManagerError::Busy { operation }) => drop(rig.ended(operation).await),
            answer => break answer.unwrap(),
        }
    };
    rig.succeeded(stop).await;
    assert_eq!(rig.vm(vm).await.state, VmState::Stopped);
    silence(true);
    state_is(&rig, vm, VmState::Unknown).await;
    silence(false);
    state_is(&rig, vm, VmState::Stopped).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rig.grid.executing(vm), []);
    assert_eq!(rig.vm(vm).await.state, VmState::Stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_node_goes_stale_and_delays_no_other() {
    let rig = Rig::new().await;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.hung = true);
    let stale = |node: &str| matches!(condition(&rig, node), Condition::Stale { source: Source::Hypervisor, .. });
    rig.until("the hung node is stale", || stale("qemu-a")).await;
    for name in ["qemu-b", "lxc-a", "lxc-b"] {
        let at = rig.manager.map().get(rig.id(name)).unwrap().hypervisor.as_ref().unwrap().at;
        assert!(crate::clock::now().since(at) < 500, "{name} was delayed");
    }
    let request = Rig::request("web", "disk-tiny");
    let (vm, operation) = rig.manager.vm_deploy(&rig.customer, request).await.unwrap();
    rig.succeeded(operation).await;
    assert_eq!(rig.vm(vm).await.node, rig.id("qemu-b"));
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.hung = false);
    rig.until("it is ready again", || condition(&rig, "qemu-a") == Condition::Ready).await;
}

/// Each of its calls takes long, and is answered in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_node_is_waited_for_and_delays_no_other() {
    const SLOW: Duration = Duration::from_millis(200);
    let rig = Rig::new().await;
    let (slow, quick) = (rig.vm_on("qemu-a").await, rig.vm_on("qemu-b").await);
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.delay = SLOW);
    let read_at = |node: &str| rig.manager.map().get(rig.id(node)).unwrap().hypervisor.as_ref().unwrap().at;
    let (mut readings, begin) =
        (std::collections::BTreeMap::<&str, std::collections::BTreeSet<_>>::new(), Instant::now());
    while begin.elapsed() < SLOW * 5 {
        for node in ["qemu-a", "qemu-b", "lxc-a", "lxc-b"] {
            readings.entry(node).or_default().insert(read_at(node));
            assert_eq!(condition(&rig, node), Condition::Ready, "{node}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let count = |node: &str| readings[node].len();
    assert!((2..=7).contains(&count("qemu-a")), "one a call: {}", count("qemu-a"));
    for node in ["qemu-b", "lxc-a", "lxc-b"] {
        assert!(count(node) > 2 * count("qemu-a"), "{node}: {readings:?}");
    }
    // Its own VM is stopped by slow calls, the other's meanwhile.
    let took = async |vm, key: &str| {
        let begin = Instant::now();
        let operation = rig.manager.vm_stop(&rig.customer, vm, true, key).await.unwrap();
        rig.succeeded(operation).await;
        begin.elapsed()
    };
    let (slow, quick) = tokio::join!(took(slow, "slow"), took(quick, "quick"));
    assert!(slow >= SLOW && quick < slow, "{quick:?}, beside {slow:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_not_configured_any_more_goes_stale_and_its_vms_unknown() {
    let mut rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    rig.hypervisors.remove("qemu-a");
    rig.reopen().await;
    rig.until("it is stale", || !condition(&rig, "qemu-a").hypervisor_answers()).await;
    state_is(&rig, vm, VmState::Unknown).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_claims_more_free_than_there_is_gets_no_vm_and_is_flagged_until_it_is_honest() {
    let rig = Rig::new().await;
    let entry = || rig.manager.map().get(rig.id("qemu-a")).unwrap().clone();
    rig.modules["qemu-a"].faults(|faults| faults.lie = Some(|sample| sample.pool.free_mib = 1 << 63));
    rig.until("it is flagged", || !entry().flags.is_empty()).await;
    let (source, flag) = entry().flags[0].clone();
    assert_eq!((source, flag.field.as_str()), (Source::Utility, "pool.free_mib"));
    assert_eq!(entry().available().disk_mib(), 0);
    let (vm, operation) = rig.manager.vm_deploy(&rig.customer, Rig::request("web", "disk-tiny")).await.unwrap();
    rig.succeeded(operation).await;
    assert_eq!(rig.vm(vm).await.node, rig.id("qemu-b"));
    rig.modules["qemu-a"].faults(|faults| faults.lie = None);
    rig.until("it is believed again", || entry().flags.is_empty() && entry().available().disk_mib() > 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_utility_vm_is_brought_back_and_meanwhile_takes_nothing() {
    let rig = Rig::new().await;
    // It can't come back at once: the first start fails.
    let refusal = crate::hypervisor::HypervisorError::Refused("no".into());
    let start = crate::hypervisor::simulated::Call::UtilityStart;
    rig.grid.faults(rig.id("qemu-a"), |faults| (1..=12).for_each(|nth| faults.fail(start, nth, refusal.clone())));
    rig.grid.power_fail(rig.id("qemu-a"));
    let stale = || matches!(condition(&rig, "qemu-a"), Condition::Stale { source: Source::Utility, .. });
    rig.until("its reports are stale", stale).await;
    let (vm, operation) = rig.manager.vm_deploy(&rig.customer, Rig::request("web", "disk-tiny")).await.unwrap();
    rig.succeeded(operation).await;
    assert_eq!(rig.vm(vm).await.node, rig.id("qemu-b"));
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.failures.clear());
    rig.until("it is ready again", || condition(&rig, "qemu-a") == Condition::Ready).await;
    assert!(rig.grid.utility_runs(rig.id("qemu-a")));
}

/// With no utility module that could make a disk, a deployment and a cold move are refused, and say that it is why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_utility_vm_runs_deployments_and_cold_moves_are_refused_for_that_reason() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.fill("lxc-a", 100).await;
    for node in ["qemu-a", "qemu-b", "lxc-b"] {
        rig.modules[node].faults(|faults| faults.silent = true);
        let stale = || matches!(condition(&rig, node), Condition::Stale { source: Source::Utility, .. });
        rig.until("its reports are stale", stale).await;
    }
    let refused = rig.manager.vm_deploy(&rig.admin, Rig::request("web", "disk-tiny")).await;
    let Err(ManagerError::Refused { refusal }) = refused else { panic!("{refused:?}") };
    let of_nodes: Vec<String> = refusal.nodes.iter().map(|node| format!("{node:?}")).collect();
    for node in ["qemu-a", "qemu-b"] {
        let of_node = of_nodes.iter().find(|told| told.contains(&rig.id(node).to_string()));
        assert!(of_node.is_some_and(|told| told.contains("Utility")), "{node}: {of_nodes:?}");
    }
    let size = Size::new(Vcpus(2), Mib(1024), Gib(2));
    let answer = rig.manager.vm_resize_preview(&rig.admin, vm, size).await.unwrap();
    let PlanAnswer::Refused { refusal } = answer else { panic!("{answer:?}") };
    assert!(format!("{:?}", refusal.nodes).contains("Utility"), "{refusal:?}");
}

/// A module that falls silent while a disk is carried there, or made there, ends the operation, and the reason names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_utility_vm_that_falls_silent_under_way_ends_the_operation_with_that_reason() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("lxc-a").await;
    rig.fill("lxc-a", 100).await;
    let plan = rig.plan(vm, Size::new(Vcpus(2), Mib(1024), Gib(2))).await;
    rig.modules["lxc-b"].faults(|faults| faults.silent = true);
    let operation = rig.manager.vm_resize(&rig.customer, vm, Rig::agree(&plan)).await.unwrap();
    let (_, deployed) = rig.manager.vm_deploy(&rig.customer, Rig::request("web", "disk-tiny")).await.unwrap();
    for node in ["qemu-a", "qemu-b"] {
        rig.modules[node].faults(|faults| faults.silent = true);
    }
    for id in [operation, deployed] {
        let ended = rig.ended(id).await;
        assert_ne!(ended.state, OperationState::Succeeded, "{ended:#?}");
        let why = ended.reason.unwrap();
        assert!(why.contains("utility"), "{why}");
    }
    assert_eq!(rig.grid.executing(vm), [rig.id("lxc-a")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absurd_samples_make_no_room() {
    let rig = Rig::new().await;
    let before = rig.manager.map().get(rig.id("qemu-a")).unwrap().usable;
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.lying = true);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let entry = rig.manager.map();
    let entry = entry.get(rig.id("qemu-a")).unwrap();
    assert!(before.covers(&entry.usable), "{:?} became {:?}", before, entry.usable);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_has_points_of_nodes_and_of_vms() {
    let rig = Rig::new().await;
    let vm = rig.vm_on("qemu-a").await;
    let range = HistoryRange { from: UnixMillis(0), to: UnixMillis(i64::MAX), points: 100 };
    for _ in 0..200 {
        let node = rig.manager.node_history(&rig.admin, "qemu-a", "available_memory_mib", range).await.unwrap();
        let own = rig.manager.vm_history(&rig.customer, vm, "memory_mib", range).await.unwrap();
        let kind = grid::HypervisorKind::Qemu;
        let kind = rig.manager.capacity_history(&rig.admin, kind, "usable_vcpus", range).await.unwrap();
        if !node.is_empty() && !own.is_empty() && !kind.is_empty() {
            assert!(kind.iter().any(|(_, vcpus)| (*vcpus - 12.0).abs() < f64::EPSILON), "two nodes of six: {kind:?}");
            assert!(own.iter().all(|(_, mib)| (*mib - 128.0).abs() < f64::EPSILON), "{own:?}");
            assert_eq!(rig.vm(vm).await.size, TINY);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no points");
}

/// The wall clock was a day ahead when the node was heard last, and has been set right since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_silent_goes_stale_and_can_be_fenced_though_the_clock_was_set_back() {
    let mut rig = Rig::new().await;
    rig.vm_on("qemu-a").await;
    rig.manager.stop().await;
    let entry = rig.manager.map().get(rig.id("qemu-a")).unwrap().clone();
    let tomorrow = UnixMillis(crate::clock::now().0 + 24 * 60 * 60 * 1000);
    let json = serde_json::to_string(&entry.hypervisor.as_ref().unwrap().sample).unwrap();
    rig.store.sample_put(rig.id("qemu-a"), Source::Hypervisor, tomorrow, &json).await.unwrap();
    rig.grid.faults(rig.id("qemu-a"), |faults| faults.silent = true);
    rig.reopen().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let fenced = rig.manager.node_fence(&rig.admin, "qemu-a", "qemu-a").await;
    let now = condition(&rig, "qemu-a");
    assert_eq!(fenced, Ok(()), "a dead node is {now:?}");
}
