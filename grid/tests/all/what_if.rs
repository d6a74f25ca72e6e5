//! What-if: a change is seen in every answer, what really is stays as it is, and the index agrees with the oracle.

use crate::fixture::*;
use crate::moves::referee::carry_out;
use grid::map::{
    Part, ResourceMap, how_many_fit, largest_fit, losses_not_absorbed, nodes_that_cannot_be_drained, stranded,
};
use grid::moves::{Ask, Budget, Goal, Layout, RoomAnswer, drain, make_room, rebalance};
use grid::node::{NodeSettings, Overcommit};
use grid::offer::Offer;
use grid::placement::{Request, choose, place};
use grid::vm::{Vm, commitment};
use grid::what_if::{Change, Scenario};
use grid::{HypervisorKind, NodeId, Resource, Resources};
use proptest::prelude::*;
use std::fmt::Write;

const HAS: Resources = Resources::new(16, 32_768, 102_400);
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
    let physical = amounts(4, 4096, 4096);
    let rack = Some("rack-9".to_owned());
    let change = Change::AddNodes { count: 1, kind: KIND, region: north, failure_domain: rack, physical, settings };
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
    assert_eq!((home.committed.vcpus(), home.available().vcpus()), (32, 0));
    assert_eq!(chosen(&after, amounts(1, 64, 64)), None);
    assert_eq!(after.vms.iter().find(|vm| vm.id == vm_id(2)).map(|vm| vm.size), Some(to));
}

#[test]
fn another_overcommit_ratio_makes_room_or_takes_it() {
    let (map, vms) = today();
    let ratio = |vcpus| Overcommit::default().with(Resource::Vcpus, vcpus);
    let now = Scenario::new(map, vms);
    let wide = now.clone().with(&Change::Overcommit { kind: KIND, overcommit: ratio(2000) });
    assert_eq!(wide.map.get(node_id(1)).unwrap().usable.vcpus(), 32);
    assert!(chosen(&wide, amounts(16, 64, 64)).is_some());
    let narrow = now.with(&Change::Overcommit { kind: KIND, overcommit: ratio(250) });
    assert_eq!(narrow.map.get(node_id(2)).unwrap().available().vcpus(), 0, "nothing underflows");
    assert_eq!(chosen(&narrow, amounts(1, 64, 64)), None);
}

/// Three nodes in two racks: one nearly full, two half full.
fn racks() -> Scenario {
    let half = |number, home| vm(number, home, KIND, size(4, 12_288, 20));
    let vms = vec![half(1, 1), half(2, 1), vm(3, 1, KIND, size(4, 4096, 10)), half(4, 2), half(5, 3)];
    let nodes = [1, 2, 3].map(|number| {
        let mut node = built(number, KIND, HAS, &vms);
        node.failure_domain = Some(format!("rack-{}", number / 3));
        node
    });
    Scenario::new(map_of(nodes), vms)
}

const BUDGET: Budget = Budget { moves: 3, work: 1_000_000 };

/// Every question that can be asked of a grid, and its answer.
fn answers(scenario: &Scenario) -> String {
    let (map, now) = (&scenario.map, scenario.layout(&|_| false));
    let offer = Offer { name: "large".to_owned(), size: size(8, 16_384, 20) };
    let short = |id: String| id.trim_start_matches(['0', '-']).to_owned();
    let mut text = String::new();
    let left = stranded(map, &Part::of(KIND), &offer);
    let _ = writeln!(text, "  {} of 8 vCPUs fit", how_many_fit(map, KIND, None, &offer));
    let _ = writeln!(text, "  stranded on {} nodes: {} MiB", left.nodes, left.on_them.memory_mib());
    let largest = largest_fit(map, KIND, None).map(|size| size.to_string());
    let _ = writeln!(text, "  the largest: {}", largest.unwrap_or_default());
    let _ = writeln!(text, "  losses that can't be absorbed: {}", losses_not_absorbed(map).len());
    let _ = writeln!(text, "  nodes that can't be drained: {}", nodes_that_cannot_be_drained(map).len());
    let takes = commitment(KIND, size(8, 24_576, 20));
    let _ = match make_room(&now, &Ask::new_vm(KIND, takes), BUDGET) {
        RoomAnswer::Room { plan } => writeln!(text, "  room for 24,576 MiB: after {} moves", plan.moves.len()),
        RoomAnswer::None { resource } => writeln!(text, "  room for 24,576 MiB: none, {resource:?}"),
        RoomAnswer::GaveUp => writeln!(text, "  room for 24,576 MiB: gave up"),
    };
    if let Some(plan) = drain(&now, node_id(1), BUDGET) {
        let _ = writeln!(text, "  drain of node 1: {} moves, {} VMs stay", plan.moves.len(), plan.stuck.len());
    }
    let few = rebalance(&now, Goal::Consolidate { most_bytes: u64::MAX }, 20, BUDGET);
    let _ = writeln!(text, "  consolidating empties {} nodes", few.emptied.len());
    for (vm, node) in scenario.refuge() {
        let to = node.map_or_else(|| "nowhere".to_owned(), |node| format!("node {}", short(node.to_string())));
        let _ = writeln!(text, "  lost VM {} would go to: {to}", short(vm.to_string()));
    }
    text
}

#[test]
fn after_every_change_every_question_has_its_answer() {
    let now = racks();
    let settings = NodeSettings::default();
    let (region, physical) = ("north".to_owned(), HAS);
    let add = Change::AddNodes { count: 1, kind: KIND, region, failure_domain: None, physical, settings };
    let grow = Change::Resize { from: size(4, 12_288, 20), to: size(4, 16_384, 20) };
    let twice = Overcommit::default().with(Resource::Memory, 2000);
    let changes = [
        ("one more node", add),
        ("rack-0 is lost", Change::LoseFailureDomain { failure_domain: "rack-0".to_owned() }),
        ("node 3 is lost", Change::Lose { nodes: vec![node_id(3)] }),
        ("VMs of 12,288 MiB get 16,384", grow),
        ("memory is sold twice", Change::Overcommit { kind: KIND, overcommit: twice }),
    ];
    let mut text = format!("as it is:\n{}", answers(&now));
    for (name, change) in &changes {
        let _ = write!(text, "{name}:\n{}", answers(&now.clone().with(change)));
    }
    insta::assert_snapshot!(text);
}

fn change() -> impl Strategy<Value = Change> {
    let settings = |overcommit| NodeSettings { overcommit, ..NodeSettings::default() };
    let ratio = Resource::ALL.map(|_| 0_u32..3000).prop_map(|permille| Overcommit(permille.into()));
    let kind = crate::any::kind;
    prop_oneof![
        (0_u32..3, kind(), crate::any::absurd_resources(), prop::option::of(Just("rack".to_owned()))).prop_map(
            move |(count, kind, physical, failure_domain)| Change::AddNodes {
                count,
                kind,
                region: "north".to_owned(),
                failure_domain,
                physical,
                settings: settings(Overcommit::default()),
            }
        ),
        (0_u32..3, 0_u128..7).prop_map(|(count, number)| Change::AddNodesLike { count, node: node_id(number) }),
        (0_u128..7).prop_map(|number| Change::Lose { nodes: vec![node_id(number)] }),
        Just(Change::LoseFailureDomain { failure_domain: "rack".to_owned() }),
        (crate::any::absurd_size(), crate::any::any_size()).prop_map(|(from, to)| Change::Resize { from, to }),
        (kind(), ratio).prop_map(|(kind, overcommit)| Change::Overcommit { kind, overcommit }),
    ]
}

/// What is taken on each node of the layout is what the map says.
fn same_amounts(map: &ResourceMap, layout: &Layout) -> bool {
    layout.sites.iter().all(|site| {
        map.get(site.id)
            .is_some_and(|node| site.taken == node.committed.plus(node.reserved) && site.usable == node.usable)
    })
}

proptest! {
    #![proptest_config(crate::any::cases(300))]

    #[test]
    fn after_any_changes_the_index_agrees_and_plans_are_legal(grid in crate::any::grid(), changes in prop::collection::vec(change(), 1..5),
        grown in prop::option::of(crate::any::any_size()), asked in crate::any::any_size()) {
        let mut scenario = Scenario::new(grid.map(), grid.vms.clone());
        for change in &changes {
            scenario = scenario.with(change);
        }
        if let Some((to, from)) = grown.zip(grid.vms.first().map(|vm| vm.size)) {
            scenario = scenario.with(&Change::Resize { from, to });
        }
        let takes = commitment(KIND, asked);
        chosen(&scenario, takes);
        let now = scenario.layout(&|_| false);
        prop_assert!(same_amounts(&scenario.map, &now));
        prop_assert_eq!(scenario.vms.len() + scenario.lost.len(), grid.vms.len());
        if let RoomAnswer::Room { plan } = make_room(&now, &Ask::new_vm(KIND, takes), BUDGET) {
            carry_out(&now, &plan.moves);
        }
        for site in &now.sites {
            carry_out(&now, &drain(&now, site.id, BUDGET).unwrap_or_default().moves);
        }
        for (vm, node) in scenario.refuge() {
            prop_assert!(scenario.lost.iter().any(|lost| lost.id == vm));
            prop_assert!(node.is_none_or(|node| scenario.map.get(node).is_some()));
        }
        losses_not_absorbed(&scenario.map);
        nodes_that_cannot_be_drained(&scenario.map);
    }
}
