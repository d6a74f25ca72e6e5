//! Bad input to placement: nothing underflows, nothing panics, and a node that has nothing takes nothing and says so.

use crate::fixture::*;
use grid::map::{MapNode, Part, ResourceMap, absorb, losses_not_absorbed, nodes_that_cannot_be_drained, rounds_of_mix};
use grid::node::Overcommit;
use grid::placement::{Group, Rejection, Request, Rule, choose, place, summarise};
use grid::policy::{Policies, Policy};
use grid::{HypervisorKind, PerResource, Resource, Resources};
use proptest::prelude::*;

const KIND: HypervisorKind = HypervisorKind::Qemu;

fn any_amount() -> impl Strategy<Value = u64> {
    let special = [0, 1, 64, 1 << 31, (1 << 31) - 1, (1 << 31) - 2, 1 << 32, 1 << 40, u64::MAX];
    prop_oneof![prop::sample::select(special.to_vec()), 0_u64..100_000]
}

fn any_resources() -> impl Strategy<Value = Resources> {
    (any_amount(), any_amount(), any_amount()).prop_map(|(vcpus, memory, disk)| amounts(vcpus, memory, disk))
}

#[test]
fn a_grid_without_nodes_answers_everything() {
    let map = map_of([]);
    let request = Request::new(KIND, amounts(1, 64, 64));
    assert_eq!(choose(&map, &request), None);
    assert_eq!(summarise(&map, &request, 3).reasons, []);
    assert_eq!((losses_not_absorbed(&map), nodes_that_cannot_be_drained(&map)), (vec![], vec![]));
    assert_eq!(rounds_of_mix(&map, &Part::of(KIND), &[(size(1, 64, 1), 1)], 5), 0);
    assert_eq!(absorb(&map, &[]), None);
}

#[test]
fn more_committed_than_usable_leaves_nothing_and_says_so() {
    let vms = [vm(1, 1, KIND, size(8, 8192, 50))];
    let mut shrunk = node(1, KIND);
    shrunk.settings.overcommit = Overcommit(PerResource::all(100));
    let map = map_of([MapNode::build(inputs(shrunk, amounts(16, 32_768, 102_400), &vms))]);
    let request = Request::new(KIND, amounts(1, 64, 64));
    assert_eq!(choose(&map, &request), None);
    let lacks = |resource, asked| Rejection::NoRoom { resource, asked, available: 0, reserved: 0 };
    let reasons = &place(&map, &request).rejected[0].reasons;
    assert_eq!(reasons[..], [lacks(Resource::Vcpus, 1), lacks(Resource::Memory, 64), lacks(Resource::Disk, 64)]);
}

#[test]
fn a_thousand_groups_keep_a_vm_away_from_where_they_are() {
    let map = map_of((1..=40).map(|number| MapNode {
        failure_domain: Some(format!("rack-{}", number % 10)),
        ..built(number, KIND, amounts(16, 32_768, 102_400), &[])
    }));
    let group = |number: u128| Group {
        name: format!("group-{number}"),
        rule: if number.is_multiple_of(2) { Rule::ApartByNode } else { Rule::ApartByFailureDomain },
        nodes: vec![node_id(number % 8 + 1)],
        failure_domains: vec![format!("rack-nowhere-{number}")],
    };
    let request = Request { groups: (0..1000).map(group).collect(), ..Request::new(KIND, amounts(1, 64, 64)) };
    let placement = place(&map, &request);
    assert_eq!(choose(&map, &request), placement.chosen);
    // By node 1, 3, 5, 7; by rack 2, 4, 6, 8: of the others the first is 9.
    assert_eq!(placement.chosen.unwrap().node, node_id(9));
}

proptest! {
    #[test]
    fn absurd_amounts_break_nothing_and_both_ways_agree(
        nodes in prop::collection::vec((any_resources(), any_resources(), any_resources(), any_resources()), 0..12),
        asked in prop::collection::vec(any_resources(), 1..8),
        policy in prop::sample::select(Policy::ALL.to_vec()),
    ) {
        let mut map = ResourceMap::default().with_policies(Policies::all(policy));
        for ((physical, usable, committed, reserved), number) in nodes.into_iter().zip(1..) {
            let node = built(number, KIND, amounts(1, 1, 1), &[]);
            map = map.with_node(NOW, MapNode { physical, usable, committed, reserved, measured: usable, ..node });
        }
        for resources in asked {
            let request = Request::new(KIND, resources);
            let placement = place(&map, &request);
            prop_assert_eq!(choose(&map, &request), placement.chosen);
            if let Some(chosen) = placement.chosen {
                prop_assert!(map.get(chosen.node).unwrap().available().covers(&resources));
            }
            summarise(&map, &request, 3);
        }
        losses_not_absorbed(&map);
    }
}
