//! Refusals: each reason by an example.

use super::*;

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
    let needs = commitment(vm.kind, size(4, 65_536, 10)).memory_mib();
    let held = commitment(vm.kind, vm.size).memory_mib();
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
fn memory_between_two_steps_is_refused_unless_the_vm_has_it_already() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = crowded(&vm, size(1, 1024, 10));
    let reason = RefusalReason::MemoryNotInSteps { asked_mib: 1025, step_mib: 4 };
    assert_eq!(refused(ask(&map, &vm, size(2, 1025, 10))).reason, reason);
    assert_eq!(place_new(&map, HypervisorKind::Qemu, None, size(1, 1025, 10), None).unwrap_err().reason, reason);
    let uneven = Vm { size: size(2, 1025, 10), ..vm };
    assert!(matches!(ask(&map, &uneven, size(1, 1025, 10)), PlanAnswer::Planned { .. }));
}

#[test]
fn sizes_that_no_vm_can_have_are_refused_as_such() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = crowded(&vm, size(1, 1024, 10));
    for to in [size(0, 1024, 10), size(2, 0, 10), size(2, 1024, u64::MAX), size(u32::MAX, 1024, 10)] {
        assert!(matches!(refused(ask(&map, &vm, to)).reason, RefusalReason::OutOfLimits { .. }), "{to:?}");
    }
}
