//! Plans: each kind by an example; refusals, new VMs and what holds for any grid in files of their own.

mod choice;
mod deploy;
mod make_room;
mod properties;
mod refusal;

use crate::fixture::*;
use grid::map::{Condition, MapNode, Reading, ResourceMap};
use grid::node::Administration;
use grid::placement::Rejection;
use grid::plan::{Pace, Plan, PlanAnswer, PlanKind, Refusal, RefusalReason, place_new, plan};
use grid::sample::{DiskSample, Source};
use grid::vm::{Vm, VmState, commitment};
use grid::{HypervisorKind, Resource, Resources, Size, UnixMillis};

const HAS: Resources = Resources::new(8, 8192, 102_400);
const PACE: Pace = Pace {
    migrate_bytes_per_s: 64 << 20,
    copy_bytes_per_s: 32 << 20,
    prepare_ms: 1_000,
    hotplug_ms: 2_000,
    switch_ms: 300,
    shutdown_ms: 4_000,
    boot_ms: 6_000,
    container_shutdown_ms: 500,
    container_boot_ms: 500,
};

fn ask(map: &ResourceMap, vm: &Vm, to: Size) -> PlanAnswer {
    plan(map, vm, to, None, &PACE)
}

fn planned(answer: PlanAnswer) -> Plan {
    match answer {
        PlanAnswer::Planned { plan } => plan,
        other => panic!("not planned: {other:?}"),
    }
}

fn refused(answer: PlanAnswer) -> Refusal {
    match answer {
        PlanAnswer::Refused { refusal } => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Two nodes of a kind, the first of which also has a neighbour that leaves `vm` little to grow into.
fn crowded(vm: &Vm, neighbour: Size) -> ResourceMap {
    let vms = [vm.clone(), self::vm(50, 1, vm.kind, neighbour)];
    map_of([built(1, vm.kind, HAS, &vms), built(2, vm.kind, HAS, &vms)])
}

fn summary(plan: &Plan) -> (PlanKind, Option<grid::NodeId>, u64) {
    (plan.kind, plan.destination, plan.estimate.downtime_ms)
}

#[test]
fn within_its_maxima_and_with_room_a_vm_grows_in_place_live() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let plan = planned(ask(&crowded(&vm, size(1, 1024, 10)), &vm, size(4, 2048, 20)));
    assert_eq!(summary(&plan), (PlanKind::InPlaceLive, None, 0));
    assert_eq!((plan.from, plan.to, plan.source, plan.generation), (vm.size, size(4, 2048, 20), node_id(1), 7));
}

#[test]
fn vcpus_and_memory_shrink_in_place_live() {
    for kind in [HypervisorKind::Kvm, HypervisorKind::Lxc] {
        let vm = vm(1, 1, kind, size(4, 2048, 10));
        // The neighbour is so large that the node has more committed than it has.
        let plan = planned(ask(&crowded(&vm, size(64, 65_536, 10)), &vm, size(1, 512, 10)));
        assert_eq!(summary(&plan), (PlanKind::InPlaceLive, None, 0));
    }
}

#[test]
fn what_cannot_be_taken_back_from_a_running_machine_takes_a_restart() {
    let shrink = |kind, to| {
        let vm = vm(1, 1, kind, size(4, 2048, 10));
        planned(ask(&crowded(&vm, size(1, 1024, 10)), &vm, to)).kind
    };
    // Its maximum is 4,096 MiB, an eighth of which it starts with.
    assert_eq!(shrink(HypervisorKind::Kvm, size(4, 508, 10)), PlanKind::InPlaceRestart);
    assert_eq!(shrink(HypervisorKind::Lxc, size(4, 508, 10)), PlanKind::InPlaceLive);
    assert_eq!(shrink(HypervisorKind::Qemu, size(4, 512, 10)), PlanKind::InPlaceLive);
    assert_eq!(shrink(HypervisorKind::Qemu, size(3, 2048, 10)), PlanKind::InPlaceRestart);
}

#[test]
fn beyond_its_maxima_and_with_room_a_vm_restarts_in_place() {
    let mut vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    vm.maxima.vcpus = grid::Vcpus(2);
    let plan = planned(ask(&crowded(&vm, size(1, 1024, 10)), &vm, size(4, 1024, 10)));
    assert_eq!(summary(&plan), (PlanKind::InPlaceRestart, None, 10_000));
}

#[test]
fn without_room_a_vm_moves_live_within_its_maxima() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let plan = planned(ask(&crowded(&vm, size(6, 1024, 10)), &vm, size(4, 2048, 20)));
    assert_eq!(summary(&plan), (PlanKind::MoveLive, Some(node_id(2)), 300));
    // 1 GiB of memory and 10 GiB of disk at 64 MiB a second, the pause, the hot-plug, the preparation.
    assert_eq!(plan.estimate.duration_ms, 11 * 16_000 + 300 + 2_000 + 1_000);
}

#[test]
fn without_room_and_beyond_its_maxima_a_vm_moves_live_and_restarts() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let plan = planned(ask(&crowded(&vm, size(1, 6000, 10)), &vm, size(2, 4100, 10)));
    assert_eq!(summary(&plan), (PlanKind::MoveLiveRestart, Some(node_id(2)), 10_300));
}

#[test]
fn a_vm_moves_cold_where_the_nodes_are_not_compatible() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let vms = [vm.clone(), self::vm(50, 1, vm.kind, size(6, 1024, 10))];
    let mut home = built(1, vm.kind, HAS, &vms);
    home.hypervisor.as_mut().unwrap().sample.compatibility.cpu_features.push("avx512f".to_owned());
    let real = DiskSample { vm: vm.id, virtual_bytes: 10 << 30, real_bytes: 320 << 20 };
    home.utility.as_mut().unwrap().sample.disks = vec![real];
    let plan = planned(ask(&map_of([home, built(2, vm.kind, HAS, &vms)]), &vm, size(4, 1024, 10)));
    // What the disk really takes is carried in ten seconds.
    assert_eq!(summary(&plan), (PlanKind::MoveCold, Some(node_id(2)), 20_000));
    assert_eq!(plan.estimate.duration_ms, 21_000);
}

#[test]
fn containers_grow_live_but_their_disks_need_a_restart_and_they_move_cold() {
    let vm = vm(1, 1, HypervisorKind::Lxc, size(2, 1024, 10));
    let roomy = crowded(&vm, size(1, 1024, 10));
    let kind = |to| planned(ask(&roomy, &vm, to)).kind;
    assert_eq!(kind(size(4, 2048, 10)), PlanKind::InPlaceLive);
    assert_eq!(kind(size(2, 1024, 11)), PlanKind::InPlaceRestart);
    assert_eq!(kind(size(2, 5000, 10)), PlanKind::InPlaceRestart);
    let plan = planned(ask(&crowded(&vm, size(6, 1024, 10)), &vm, size(4, 1024, 10)));
    assert_eq!(summary(&plan), (PlanKind::MoveCold, Some(node_id(2)), 1_000 + 10 * 32_000));
}

#[test]
fn a_stopped_vm_changes_without_a_start_and_without_downtime() {
    let mut vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    vm.state = VmState::Stopped;
    let plan = planned(ask(&crowded(&vm, size(1, 1024, 10)), &vm, size(4, 1024, 20)));
    assert_eq!((summary(&plan), plan.running), ((PlanKind::InPlaceRestart, None, 0), false));
    let plan = planned(ask(&crowded(&vm, size(6, 1024, 10)), &vm, size(4, 1024, 10)));
    assert_eq!((summary(&plan), plan.running), ((PlanKind::MoveCold, Some(node_id(2)), 0), false));
}

#[test]
fn the_size_that_it_has_needs_no_plan() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    assert_eq!(ask(&crowded(&vm, size(1, 1024, 10)), &vm, vm.size), PlanAnswer::Nothing);
}

#[test]
fn a_live_move_needs_the_new_size_only_where_what_shrinks_can_do_so_first() {
    // More vCPUs and less memory are asked; the second node has room for the new size only.
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 4096, 10));
    let vms = [vm.clone(), self::vm(50, 1, vm.kind, size(6, 1024, 10)), self::vm(51, 2, vm.kind, size(1, 6000, 10))];
    let map = map_of([built(1, vm.kind, HAS, &vms), built(2, vm.kind, HAS, &vms)]);
    let plan = planned(ask(&map, &vm, size(4, 1024, 10)));
    assert_eq!((plan.kind, plan.arrives_with()), (PlanKind::MoveLive, size(2, 1024, 10)));
    // Below what it started with, 512 MiB, it shrinks by a restart: it would arrive as it is.
    assert_eq!(planned(ask(&map, &vm, size(4, 256, 10))).kind, PlanKind::MoveCold);
}

#[test]
fn a_cordoned_or_draining_node_lets_its_vms_grow_in_place() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    for administration in [Administration::Cordoned, Administration::Draining] {
        let mut home = node(1, vm.kind);
        home.administration = administration;
        let vms = [vm.clone()];
        let map = map_of([MapNode::build(inputs(home, HAS, &vms))]);
        assert_eq!(planned(ask(&map, &vm, size(4, 2048, 10))).kind, PlanKind::InPlaceLive);
    }
}

#[test]
fn nothing_is_planned_for_a_vm_of_a_fenced_node() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let mut home = node(1, vm.kind);
    home.administration = Administration::Fenced;
    let (vms, other) = ([vm.clone()], built(2, vm.kind, HAS, &[]));
    let map = map_of([MapNode::build(inputs(home, HAS, &vms)), other]);
    let refusal = refused(ask(&map, &vm, size(4, 2048, 10)));
    assert_eq!(refusal.reason, RefusalReason::NotReady { condition: Condition::Fenced });
}

/// The map of one node with one VM, whose module fell silent.
fn without_module(vm: &Vm) -> MapNode {
    let mut node = built(1, vm.kind, HAS, std::slice::from_ref(vm));
    node.condition = Condition::Stale { source: Source::Utility, age_ms: 60_000 };
    node
}

#[test]
fn without_a_utility_module_what_needs_none_is_still_done() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = map_of([without_module(&vm), built(2, vm.kind, amounts(32, 32_768, 102_400), &[])]);
    assert_eq!(planned(ask(&map, &vm, size(4, 2048, 20))).kind, PlanKind::InPlaceLive);
    assert_eq!(planned(ask(&map, &vm, size(4, 9000, 20))).kind, PlanKind::MoveLiveRestart);
}

#[test]
fn without_a_utility_module_cold_moves_and_disks_wait_for_it() {
    let mut vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    vm.state = VmState::Stopped;
    let alone = map_of([without_module(&vm)]);
    let waits = RefusalReason::NotReady { condition: Condition::Stale { source: Source::Utility, age_ms: 60_000 } };
    let refusal = refused(ask(&alone, &vm, size(2, 1024, 20)));
    assert_eq!((refusal.reason, refusal.largest), (waits.clone(), Some(vm.size)));
    let map = map_of([without_module(&vm), built(2, vm.kind, amounts(32, 32_768, 102_400), &[])]);
    assert_eq!(refused(ask(&map, &vm, size(2, 9000, 10))).reason, waits);
    assert_eq!(planned(ask(&alone, &vm, size(4, 2048, 10))).kind, PlanKind::InPlaceRestart);
}

#[test]
fn without_its_hypervisor_nothing_is_done_to_a_vm() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let mut home = built(1, vm.kind, HAS, std::slice::from_ref(&vm));
    home.condition = Condition::Stale { source: Source::Hypervisor, age_ms: 60_000 };
    let map = map_of([home.clone(), built(2, vm.kind, HAS, &[])]);
    for to in [size(4, 2048, 10), size(1, 512, 10)] {
        let refusal = refused(ask(&map, &vm, to));
        assert_eq!(refusal.reason, RefusalReason::NotReady { condition: home.condition });
        assert_eq!(refusal.largest, None);
    }
    assert!(matches!(refused(ask(&map_of([]), &vm, size(4, 2048, 10))).reason, RefusalReason::NotReady { .. }));
}

#[test]
fn a_contradicting_node_gives_nothing_more_but_takes_back() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let mut home = built(1, vm.kind, HAS, std::slice::from_ref(&vm));
    home.condition = Condition::Contradicting;
    let map = map_of([home]);
    let refusal = refused(ask(&map, &vm, size(4, 1024, 10)));
    assert_eq!(refusal.reason, RefusalReason::NotReady { condition: Condition::Contradicting });
    assert_eq!(planned(ask(&map, &vm, size(2, 512, 10))).kind, PlanKind::InPlaceLive);
}

#[test]
fn consent_covers_what_is_no_more_disturbing() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let base = planned(ask(&crowded(&vm, size(1, 1024, 10)), &vm, size(4, 2048, 10)));
    let of = |kind, running| Plan { kind, running, destination: Some(node_id(9)), ..base.clone() };
    let covers = |agreed: PlanKind, now: PlanKind| of(now, true).is_no_more_disturbing_than(&of(agreed, true));
    assert!(covers(PlanKind::MoveLive, PlanKind::MoveLive));
    assert!(covers(PlanKind::MoveCold, PlanKind::InPlaceLive));
    assert!(covers(PlanKind::MoveCold, PlanKind::MoveLiveRestart));
    assert!(!covers(PlanKind::InPlaceLive, PlanKind::MoveLive));
    assert!(!covers(PlanKind::MoveLive, PlanKind::MoveCold));
    assert!(!covers(PlanKind::MoveLive, PlanKind::InPlaceRestart), "it would restart, and that was not agreed");
    let (stopped, running) = (of(PlanKind::MoveCold, false), of(PlanKind::MoveCold, true));
    assert!(stopped.is_no_more_disturbing_than(&running) && !running.is_no_more_disturbing_than(&stopped));
    let other = Plan { to: size(5, 2048, 10), ..base.clone() };
    assert!(!other.is_no_more_disturbing_than(&base));
}
