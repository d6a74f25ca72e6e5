//! What-if: a change is seen in every answer, what really is stays as it is, and the index agrees with the oracle.

use crate::fixture::*;
use grid::map::ResourceMap;
use grid::node::Overcommit;
use grid::placement::{Request, choose, place};
use grid::vm::{Vm, commitment};
use grid::what_if::{Change, Scenario};
use grid::{HypervisorKind, NodeId, Resources};

const HAS: Resources = Resources { vcpus: 16, memory_mib: 32_768, disk_mib: 102_400 };
const KIND: HypervisorKind = HypervisorKind::Qemu;

/// Two nodes; the first is full.
fn today() -> (ResourceMap, Vec<Vm>) {
    let vms = vec![vm(1, 1, KIND, size(16, 16_384, 40)), vm(2, 2, KIND, size(8, 8192, 20))];
    (map_of([1, 2].map(|number| built(number, KIND, HAS, &vms))), vms)
}

/// Where it would go, by the index; the oracle says the same.
fn chosen(scenario: &Scenario, takes: Resources) -> Option<NodeId> {
    let request = Request::new(KIND, takes);
    let found = choose(&scenario.map, &request).map(|candidate| candidate.node);
    assert_eq!(found, place(&scenario.map, &request).chosen.map(|candidate| candidate.node));
    found
}

#[test]
fn a_lost_node_takes_nothing_and_its_vms_have_no_home() {
    let (map, vms) = today();
    let small = amounts(4, 4096, 10_240);
    let now = Scenario::new(map.clone(), vms);
    assert_eq!(chosen(&now, small), Some(node_id(2)));
    let after = now.with(&Change::Lose { nodes: vec![node_id(2), node_id(77)] });
    assert_eq!(chosen(&after, small), None);
    assert_eq!(after.lost.iter().map(|vm| vm.id).collect::<Vec<_>>(), [vm_id(2)]);
    assert_eq!(after.vms.iter().map(|vm| vm.id).collect::<Vec<_>>(), [vm_id(1)]);
    assert!(map.get(node_id(2)).is_some(), "what really is, is as it was");
}

#[test]
fn added_nodes_take_what_fits_nowhere_now() {
    let (map, vms) = today();
    let large = amounts(16, 20_000, 50_000);
    let now = Scenario::new(map, vms);
    assert_eq!(chosen(&now, large), None);
    let like = now.clone().with(&Change::AddNodesLike { count: 2, node: node_id(1) });
    assert_eq!(like.map.iter().count(), 4);
    let taker = chosen(&like, large).and_then(|id| like.map.get(id)).unwrap();
    assert_eq!((taker.usable, taker.committed), (HAS, Resources::ZERO));
    let settings = taker.node.settings;
    let north = "north".to_owned();
    let change = Change::AddNodes { count: 1, kind: KIND, region: north, physical: amounts(4, 4096, 4096), settings };
    let small = now.with(&change);
    assert_eq!((small.map.iter().count(), chosen(&small, large)), (3, None));
}

#[test]
fn vms_of_a_size_that_grow_take_more_and_may_take_more_than_there_is() {
    let (map, vms) = today();
    let (from, to) = (size(8, 8192, 20), size(32, 8192, 20));
    let after = Scenario::new(map, vms).with(&Change::Resize { from, to });
    let home = after.map.get(node_id(2)).unwrap();
    assert_eq!(home.committed_to(vm_id(2)), commitment(KIND, to));
    assert_eq!((home.committed.vcpus, home.available().vcpus), (32, 0));
    assert_eq!(chosen(&after, amounts(1, 64, 64)), None);
    assert_eq!(after.vms.iter().find(|vm| vm.id == vm_id(2)).map(|vm| vm.size), Some(to));
}

#[test]
fn another_overcommit_ratio_makes_room_or_takes_it() {
    let (map, vms) = today();
    let ratio = |vcpus_permille| Overcommit { vcpus_permille, ..Overcommit::default() };
    let now = Scenario::new(map, vms);
    let wide = now.clone().with(&Change::Overcommit { kind: KIND, overcommit: ratio(2000) });
    assert_eq!(wide.map.get(node_id(1)).unwrap().usable.vcpus, 32);
    assert!(chosen(&wide, amounts(16, 64, 64)).is_some());
    let narrow = now.with(&Change::Overcommit { kind: KIND, overcommit: ratio(250) });
    assert_eq!(narrow.map.get(node_id(2)).unwrap().available().vcpus, 0, "nothing underflows");
    assert_eq!(chosen(&narrow, amounts(1, 64, 64)), None);
}
