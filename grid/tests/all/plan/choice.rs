//! What is behind a plan or a refusal: the node that placement says, the counted reasons, and what each node would give.

use super::*;
use grid::placement::Why;
use grid::plan::{Choice, choice};

fn behind(map: &ResourceMap, vm: &Vm, to: Size) -> Option<Choice> {
    choice(map, vm, to, &ask(map, vm, to), &PACE, 2)
}

#[test]
fn behind_a_move_stands_the_node_that_the_plan_names_and_the_runners_up() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let crowd = [vm.clone(), self::vm(50, 1, vm.kind, size(6, 1024, 10))];
    let map = map_of([
        built(1, vm.kind, HAS, &crowd),
        built(2, vm.kind, amounts(16, 16_384, 102_400), &[]),
        built(3, vm.kind, HAS, &[]),
        built(4, HypervisorKind::Lxc, HAS, &[]),
    ]);
    let to = size(4, 2048, 10);
    let plan = planned(ask(&map, &vm, to));
    let found = behind(&map, &vm, to).unwrap();
    assert_eq!((plan.kind, plan.destination), (PlanKind::MoveLive, found.tally.chosen.map(|chosen| chosen.node)));
    assert_eq!((found.tally.candidates, found.tally.runners_up.len()), (2, 1));
    assert_eq!(found.tally.reasons, [(Why::Excluded, 1), (Why::OtherKind, 1)]);
    assert!(!found.at_home.is_empty(), "it says why it doesn't stay");
}

#[test]
fn behind_a_refusal_stands_what_a_second_node_gives_and_what_its_own() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = map_of([built(1, vm.kind, HAS, std::slice::from_ref(&vm)), built(2, vm.kind, HAS, &[])]);
    let to = size(20, 2048, 10);
    let found = behind(&map, &vm, to).unwrap();
    assert_eq!((found.tally.chosen, found.tally.candidates), (None, 0));
    assert_eq!(found.request.resources, commitment(vm.kind, to));
    assert_eq!(found.growth, commitment(vm.kind, to).minus(commitment(vm.kind, vm.size)));
    let [Rejection::NoRoom { resource: Resource::Vcpus, asked: 18, .. }] = found.at_home[..] else {
        panic!("its own node lacks vCPUs only: {:?}", found.at_home);
    };
}

#[test]
fn where_no_second_node_was_looked_for_there_is_nothing_behind() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = crowded(&vm, size(1, 1024, 10));
    let asked = [vm.size, size(3, 1024, 10), size(2, 1024, 9), size(2, 1025, 10)];
    assert!(asked.into_iter().all(|to| behind(&map, &vm, to).is_none()));
}
