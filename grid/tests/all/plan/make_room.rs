//! Room is made by moving others, where no node has any: which moves, and how the VM then gets its size.

use super::*;
use grid::VmId;
use grid::moves::{Budget, Manner};
use grid::plan::plan_with_room;

const BUDGET: Budget = Budget { moves: 3, work: 1_000_000 };

/// The VM with a neighbour that fits elsewhere and one that doesn't; and a second node with too little for the VM.
fn full(kind: HypervisorKind) -> (ResourceMap, Vec<Vm>) {
    let vms = vec![
        vm(1, 1, kind, size(2, 2048, 10)),
        vm(2, 1, kind, size(1, 2048, 10)),
        vm(3, 1, kind, size(1, 3072, 10)),
        vm(4, 2, kind, size(1, 5000, 10)),
    ];
    (map_of([built(1, kind, HAS, &vms), built(2, kind, HAS, &vms)]), vms)
}

fn with_room(kind: HypervisorKind, to: Size, stays: &dyn Fn(VmId) -> bool) -> Option<Plan> {
    let (map, vms) = full(kind);
    let refusal = refused(ask(&map, &vms[0], to));
    assert!(matches!(refusal.reason, RefusalReason::NoRoom { .. }), "{refusal:?}");
    plan_with_room(&map, &vms, (&vms[0], to), BUDGET, stays, &PACE)
}

#[test]
fn a_neighbour_that_fits_elsewhere_moves_away_and_the_vm_grows_where_it_is() {
    let plan = with_room(HypervisorKind::Kvm, size(2, 4096, 10), &|_| false).unwrap();
    let room = plan.room.clone().unwrap();
    let moves: Vec<_> = room.moves.iter().map(|each| (each.vm, each.from, each.to, each.manner)).collect();
    assert_eq!(moves, [(vm_id(2), node_id(1), node_id(2), Manner::Live)]);
    assert_eq!((plan.kind, room.then, plan.destination), (PlanKind::MakeRoom, PlanKind::InPlaceLive, None));
    // 12 GiB at 64 MiB a second, the switch, and what each of the two takes besides.
    assert_eq!(plan.estimate.duration_ms, 192_000 + 300 + 1_000 + 3_000);
    assert!(!plan.interrupts());
    assert_eq!(plan.clone().for_customer().room.unwrap().moves, []);
}

#[test]
fn a_restart_that_comes_after_the_moves_is_agreed_to_as_one() {
    let plan = with_room(HypervisorKind::Kvm, size(2, 4100, 10), &|_| false).unwrap();
    let live = with_room(HypervisorKind::Kvm, size(2, 4096, 10), &|_| false).unwrap();
    assert_eq!(plan.room.as_ref().map(|room| room.then), Some(PlanKind::InPlaceRestart));
    assert!(plan.interrupts());
    let restart = Plan { kind: PlanKind::InPlaceRestart, room: None, ..plan.clone() };
    assert!(restart.is_no_more_disturbing_than(&plan));
    assert!(!Plan { to: live.to, ..restart }.is_no_more_disturbing_than(&live), "nobody agreed to a restart");
}

#[test]
fn nobody_is_interrupted_or_moved_against_what_was_said_to_make_room() {
    assert_eq!(with_room(HypervisorKind::Kvm, size(2, 4096, 10), &|vm| vm == vm_id(2)), None);
    assert_eq!(with_room(HypervisorKind::Lxc, size(2, 4096, 10), &|_| false), None, "containers move cold only");
}

#[test]
fn no_room_is_made_where_there_is_some() {
    let vm = vm(1, 1, HypervisorKind::Kvm, size(2, 2048, 10));
    let map = crowded(&vm, size(1, 1024, 10));
    let vms = [vm.clone(), self::vm(50, 1, vm.kind, size(1, 1024, 10))];
    assert_eq!(plan_with_room(&map, &vms, (&vm, size(2, 4096, 10)), BUDGET, &|_| false, &PACE), None);
}
