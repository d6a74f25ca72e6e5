//! Plans: each kind by an example, each refusal by an example, and what holds for any grid.

use crate::any;
use crate::fixture::*;
use grid::map::{Condition, MapNode, Reading, ResourceMap};
use grid::node::Administration;
use grid::placement::Rejection;
use grid::plan::{Pace, Plan, PlanAnswer, PlanKind, Refusal, RefusalReason, place_new, plan};
use grid::sample::{DiskSample, Source};
use grid::vm::{Vm, VmState, commitment};
use grid::{HypervisorKind, Resource, Resources, Size, UnixMillis};
use proptest::prelude::*;

const HAS: Resources = Resources { vcpus: 8, memory_mib: 8192, disk_mib: 102_400 };
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
fn a_live_move_reserves_the_larger_of_both_sizes() {
    // More vCPUs and less memory are asked; the second node has room for the new size only.
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 4096, 10));
    let vms = [vm.clone(), self::vm(50, 1, vm.kind, size(6, 1024, 10)), self::vm(51, 2, vm.kind, size(1, 6000, 10))];
    let map = map_of([built(1, vm.kind, HAS, &vms), built(2, vm.kind, HAS, &vms)]);
    assert_eq!(planned(ask(&map, &vm, size(4, 1024, 10))).kind, PlanKind::MoveCold);
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
fn a_refusal_names_the_resource_what_was_asked_and_the_largest_that_fits() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = map_of([
        built(1, vm.kind, HAS, std::slice::from_ref(&vm)),
        built(2, vm.kind, amounts(8, 16_384, 102_400), &[]),
        built(3, HypervisorKind::Lxc, amounts(64, 131_072, 102_400), &[]),
    ]);
    let refusal = refused(ask(&map, &vm, size(4, 65_536, 10)));
    assert_eq!(refusal.reason, RefusalReason::NoRoom { resource: Resource::Memory, asked: 65_536, largest: 16_068 });
    assert_eq!(refusal.largest, Some(size(4, 16_068, 10)));
    let needs = commitment(vm.kind, size(4, 65_536, 10)).memory_mib;
    let held = commitment(vm.kind, vm.size).memory_mib;
    assert_eq!(
        refusal.nodes[0].reasons,
        [Rejection::NoRoom { resource: Resource::Memory, asked: needs - held, available: 8192 - held, reserved: 0 }]
    );
    assert_eq!(refusal.nodes[2].reasons, [Rejection::OtherKind { has: HypervisorKind::Lxc }]);
    assert_eq!(refusal.nodes.len(), 3);
    assert_eq!(refusal.for_customer().nodes, []);
}

#[test]
fn room_on_a_node_that_takes_nothing_is_told_as_such() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let mut other = built(2, vm.kind, amounts(64, 131_072, 102_400), &[]);
    other.condition = Condition::Draining;
    let map = map_of([built(1, vm.kind, HAS, std::slice::from_ref(&vm)), other]);
    let refusal = refused(ask(&map, &vm, size(4, 65_536, 10)));
    assert_eq!(refusal.reason, RefusalReason::NotReady { condition: Condition::Draining });
}

#[test]
fn another_region_is_out_of_the_question() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let mut south = node(2, vm.kind);
    south.region = "south".to_owned();
    let map = map_of([
        built(1, vm.kind, HAS, std::slice::from_ref(&vm)),
        MapNode::build(inputs(south, amounts(64, 131_072, 102_400), &[])),
    ]);
    assert!(matches!(refused(ask(&map, &vm, size(4, 65_536, 10))).reason, RefusalReason::NoRoom { .. }));
}

#[test]
fn disks_never_shrink_and_the_rest_of_the_wish_is_still_answered() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let refusal = refused(ask(&crowded(&vm, size(1, 1024, 10)), &vm, size(4, 2048, 9)));
    assert_eq!(refusal.reason, RefusalReason::DiskShrinks { has_gib: 10, asked_gib: 9 });
    assert_eq!(refusal.largest, Some(size(4, 2048, 10)));
}

#[test]
fn the_quota_counts_growth_only_and_never_the_second_copy() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = crowded(&vm, size(6, 1024, 10));
    let left = Some(amounts(2, 0, 0));
    let moves = planned(plan(&map, &vm, size(4, 1024, 10), left, &PACE));
    assert_eq!(moves.kind, PlanKind::MoveLive);
    let refusal = refused(plan(&map, &vm, size(5, 1024, 10), left, &PACE));
    assert_eq!(refusal.reason, RefusalReason::QuotaExceeded { resource: Resource::Vcpus, asked: 3, left: 2 });
    assert_eq!(refusal.largest, Some(size(4, 1024, 10)));
    planned(plan(&map, &vm, size(1, 512, 10), Some(Resources::ZERO), &PACE));
}

#[test]
fn a_vm_that_is_neither_running_nor_stopped_is_left_alone() {
    let mut vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    for state in [VmState::Deploying, VmState::Unknown, VmState::Failed, VmState::Deleting] {
        vm.state = state;
        let refusal = refused(ask(&crowded(&vm, size(1, 1024, 10)), &vm, size(4, 2048, 10)));
        assert_eq!(refusal.reason, RefusalReason::NotNow { state });
    }
}

#[test]
fn sizes_that_no_vm_can_have_are_refused_as_such() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = crowded(&vm, size(1, 1024, 10));
    for to in [size(0, 1024, 10), size(2, 0, 10), size(2, 1024, u64::MAX), size(u32::MAX, 1024, 10)] {
        assert!(matches!(refused(ask(&map, &vm, to)).reason, RefusalReason::OutOfLimits { .. }), "{to:?}");
    }
}

#[test]
fn a_new_vm_is_placed_or_refused_with_what_would_fit() {
    let map = map_of([
        built(1, HypervisorKind::Qemu, HAS, &[]),
        built(2, HypervisorKind::Lxc, amounts(64, 131_072, 102_400), &[]),
    ]);
    let place = |asked, left| place_new(&map, HypervisorKind::Qemu, Some("north"), asked, left);
    assert_eq!(place(size(4, 4096, 10), None).unwrap().chosen.unwrap().node, node_id(1));
    let refusal = place(size(16, 4096, 10), None).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::NoRoom { resource: Resource::Vcpus, asked: 16, largest: 8 });
    assert_eq!((refusal.largest, refusal.nodes.len()), (Some(size(8, 4096, 10)), 2));
    let refusal = place(size(4, 4096, 10), Some(amounts(4, 2048, 20_480))).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::QuotaExceeded { resource: Resource::Memory, asked: 4096, left: 2048 });
    let nowhere = place_new(&map, HypervisorKind::Kvm, None, size(1, 1024, 1), None).unwrap_err();
    assert_eq!(nowhere.reason, RefusalReason::NoRoom { resource: Resource::Memory, asked: 1024, largest: 0 });
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

fn within_reach(vm: &Vm, to: Size) -> bool {
    let fewer_vcpus = to.vcpus < vm.size.vcpus && vm.kind == HypervisorKind::Qemu;
    let floor = if vm.kind.is_container() { grid::Mib(0) } else { vm.maxima.floor_memory().min(vm.size.memory) };
    vm.maxima.admit(&to) && !fewer_vcpus && to.memory >= floor
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_always_legal((grid, vm, to) in any::question()) {
        let map = grid.map();
        let PlanAnswer::Planned { plan } = ask(&map, &vm, to) else { return Ok(()) };
        let home = map.get(vm.node).unwrap();
        prop_assert!(to.disk >= vm.size.disk);
        prop_assert!(home.condition.hypervisor_answers());
        prop_assert_eq!(plan.kind.moves(), plan.destination.is_some());
        prop_assert_eq!((plan.from, plan.to, plan.source, plan.running), (vm.size, to, vm.node, vm.state == VmState::Running));
        if let Some(destination) = plan.destination {
            let node = map.get(destination).unwrap();
            prop_assert_ne!(destination, plan.source);
            prop_assert_eq!(node.condition, Condition::Ready);
            prop_assert_eq!(node.kind(), vm.kind);
            prop_assert_eq!(&node.node.region, &vm.region);
            let after = node.committed.plus(node.reserved).plus(commitment(vm.kind, to));
            prop_assert!(node.usable.covers(&after));
            if plan.kind != PlanKind::MoveCold {
                prop_assert!(plan.running && vm.kind.moves_live());
                let during = node.committed.plus(node.reserved).plus(commitment(vm.kind, vm.size));
                prop_assert!(node.usable.covers(&during));
                prop_assert_eq!(node.compatibility(), home.compatibility());
                prop_assert_eq!(plan.kind == PlanKind::MoveLive, within_reach(&vm, to));
            }
        } else {
            let more = commitment(vm.kind, to).minus(home.committed_to(vm.id));
            let after = home.committed.plus(home.reserved).plus(more);
            for resource in Resource::ALL {
                let grows = more.get(resource) > 0;
                prop_assert!(!grows || after.get(resource) <= home.usable.get(resource));
            }
            prop_assert!(plan.kind != PlanKind::InPlaceLive || (plan.running && within_reach(&vm, to)));
        }
        prop_assert_eq!(plan.estimate.downtime_ms > 0, plan.running && plan.kind != PlanKind::InPlaceLive);
        prop_assert!(plan.estimate.downtime_ms <= plan.estimate.duration_ms);
    }

    #[test]
    fn the_least_disturbing_plan_that_works_is_taken((grid, vm, to) in any::question()) {
        let map = grid.map();
        let answer = ask(&map, &vm, to);
        let (kind, refused) = match &answer {
            PlanAnswer::Planned { plan } => (Some(plan.kind), false),
            PlanAnswer::Nothing => return Ok(()),
            PlanAnswer::Refused { refusal } => match refusal.reason {
                RefusalReason::NoRoom { .. } | RefusalReason::NotReady { .. } => (None, true),
                _ => return Ok(()),
            },
        };
        let home = map.get(vm.node).unwrap();
        if !home.condition.hypervisor_answers() {
            prop_assert!(refused);
            return Ok(());
        }
        let more = commitment(vm.kind, to).minus(home.committed_to(vm.id));
        let trusted = home.condition != Condition::Contradicting && home.condition.utility_answers();
        if trusted && home.available().covers(&more) {
            prop_assert!(kind.is_some_and(|kind| !kind.moves()));
        }
        let carried = home.condition.utility_answers();
        let fits = map.iter().any(|node| {
            node.node.id != vm.node
                && node.kind() == vm.kind
                && node.condition == Condition::Ready
                && node.node.region == vm.region
                && node.available().covers(&commitment(vm.kind, to))
        });
        if carried && fits {
            prop_assert!(kind.is_some());
        }
        if kind.is_some_and(PlanKind::moves) {
            prop_assert!(fits);
        }
    }

    #[test]
    fn the_largest_of_a_refusal_is_really_planned(
        (grid, vm, to) in any::question(),
        left in prop::option::of((0_u64..6, 0_u64..4096, 0_u64..20_000)),
    ) {
        let map = grid.map();
        let left = left.map(|(vcpus, memory, disk)| amounts(vcpus, memory, disk));
        let PlanAnswer::Refused { refusal } = plan(&map, &vm, to, left, &PACE) else { return Ok(()) };
        if let Some(largest) = refusal.largest {
            prop_assert_ne!(largest, to);
            match plan(&map, &vm, largest, left, &PACE) {
                PlanAnswer::Planned { .. } => {}
                PlanAnswer::Nothing => prop_assert_eq!(largest, vm.size),
                PlanAnswer::Refused { refusal } => prop_assert!(false, "{:?} is refused: {:?}", largest, refusal),
            }
        }
        if let RefusalReason::NoRoom { resource, asked, largest } = refusal.reason {
            prop_assert_eq!(asked, Resources::from(to).get(resource));
            prop_assert!(largest < asked);
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer_whatever_the_order_of_the_nodes((grid, vm, to) in any::question()) {
        let map = grid.map();
        let turned = map_of(grid.nodes.iter().rev().cloned());
        prop_assert_eq!(ask(&map, &vm, to), ask(&map, &vm, to));
        prop_assert_eq!(ask(&map, &vm, to), ask(&turned, &vm, to));
    }

    #[test]
    fn a_new_vm_is_placed_or_the_largest_of_the_refusal_is(grid in any::grid(), kind in any::kind(), asked in any::any_size()) {
        let map = grid.map();
        match place_new(&map, kind, None, asked, None) {
            Ok(placement) => {
                let node = map.get(placement.chosen.unwrap().node).unwrap();
                prop_assert_eq!((node.kind(), node.condition), (kind, Condition::Ready));
                prop_assert!(node.available().covers(&commitment(kind, asked)));
            }
            Err(refusal) => {
                prop_assert_eq!(refusal.nodes.len(), map.nodes.len());
                if let Some(largest) = refusal.largest {
                    prop_assert!(place_new(&map, kind, None, largest, None).is_ok());
                }
            }
        }
    }

    #[test]
    fn absurd_numbers_break_nothing(
        (grid, vm, _) in any::question(),
        to in any::absurd_size(),
        size in any::absurd_size(),
        left in prop::option::of(any::absurd_resources()),
        (usable, committed, reserved) in (any::absurd_resources(), any::absurd_resources(), any::absurd_resources()),
        at in any::<i64>(),
        pace in any::absurd(),
    ) {
        let nodes = grid.nodes.into_iter().map(|node| MapNode {
            usable,
            committed,
            reserved,
            physical: usable,
            measured: committed,
            hypervisor: node.hypervisor.map(|reading| Reading { at: UnixMillis(at), ..reading }),
            ..node
        });
        let map = map_of(nodes);
        let vm = Vm { size, ..vm };
        let pace = Pace { copy_bytes_per_s: pace, migrate_bytes_per_s: pace, boot_ms: pace, shutdown_ms: pace, ..PACE };
        let _ = plan(&map, &vm, to, left, &pace);
        let _ = place_new(&map, vm.kind, None, to, left);
        let _ = (map.totals(), grid::map::largest_fit(&map, vm.kind, None));
    }
}
