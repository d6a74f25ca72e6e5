//! Placement: the policy, and a named reason for every node that is rejected.

use crate::any;
use crate::fixture::*;
use grid::map::{Condition, MapNode, ResourceMap};
use grid::node::Administration;
use grid::placement::{Group, Placement, Rejection, Request, Rule, choose, place, summarise};
use grid::policy::{Policies, Policy};
use grid::vm::commitment;
use grid::{HypervisorKind, Mbit, NodeId, Resource, Resources, Size};
use proptest::prelude::*;

const HAS: Resources = Resources::new(16, 32_768, 102_400);

fn request(resources: Resources) -> Request {
    Request { region: Some("north".to_owned()), ..Request::new(HypervisorKind::Qemu, resources) }
}

fn order(placement: &Placement) -> Vec<NodeId> {
    placement.chosen.iter().chain(&placement.runners_up).map(|candidate| candidate.node).collect()
}

#[test]
fn the_fullest_node_is_taken_first() {
    let vms = [vm(1, 2, HypervisorKind::Qemu, size(8, 8192, 10)), vm(2, 3, HypervisorKind::Qemu, size(4, 4096, 10))];
    let map = map_of((1..=3).map(|number| built(number, HypervisorKind::Qemu, HAS, &vms)));
    let placement = place(&map, &request(amounts(4, 4096, 10_240)));
    assert_eq!(order(&placement), [node_id(2), node_id(3), node_id(1)]);
    assert_eq!(placement.chosen.unwrap().fullness_bp, 7_500);
    assert_eq!(placement.rejected, []);
}

#[test]
fn among_equally_full_nodes_the_less_busy_and_then_the_lower_id_is_taken() {
    let mut busy = built(1, HypervisorKind::Qemu, HAS, &[]);
    busy.measured = amounts(8, 0, 0);
    let idle = |number| built(number, HypervisorKind::Qemu, HAS, &[]);
    let map = map_of([busy, idle(3), idle(2)]);
    assert_eq!(order(&place(&map, &request(amounts(1, 64, 64)))), [node_id(2), node_id(3), node_id(1)]);
}

#[test]
fn a_node_of_whose_network_nothing_is_known_takes_only_who_was_promised_none() {
    let wired = HAS.with(Resource::Network, 1000);
    let map = map_of([built(1, HypervisorKind::Qemu, HAS, &[]), built(2, HypervisorKind::Qemu, wired, &[])]);
    let asked = amounts(1, 64, 64);
    assert_eq!(place(&map, &request(asked)).rejected, []);
    let placement = place(&map, &request(asked.with(Resource::Network, 1000)));
    assert_eq!(order(&placement), [node_id(2)]);
    let none = Rejection::NoRoom { resource: Resource::Network, asked: 1000, available: 0, reserved: 0 };
    assert_eq!(placement.rejected[0].reasons, [none]);
    let too_much = place(&map, &request(asked.with(Resource::Network, 1001)));
    assert_eq!(too_much.rejected.len(), 2);

    // Where more was promised than there is by now, others go on being placed.
    let promised = vm(1, 3, HypervisorKind::Qemu, Size { network: Mbit(600), ..size(1, 64, 1) });
    let mut shrunk = inputs(node(3, HypervisorKind::Qemu), wired, std::slice::from_ref(&promised));
    shrunk.node.settings.network_mbit = 500;
    let map = map_of([MapNode::build(shrunk)]);
    assert_eq!(order(&place(&map, &request(asked))), [node_id(3)]);
    assert_eq!(order(&place(&map, &request(asked.with(Resource::Network, 1)))), []);
}

#[test]
fn every_rejected_node_has_all_its_reasons() {
    let mut elsewhere = node(2, HypervisorKind::Lxc);
    elsewhere.region = "south".to_owned();
    elsewhere.administration = Administration::Draining;
    let small = amounts(2, 1024, 1024);
    let map = map_of([built(1, HypervisorKind::Qemu, HAS, &[]), MapNode::build(inputs(elsewhere, small, &[]))]);
    let mut request = request(amounts(4, 512, 2048));
    request.excluded = vec![node_id(1)];
    let placement = place(&map, &request);
    assert_eq!(placement.chosen, None);
    assert_eq!(placement.rejected[0].reasons, [Rejection::Excluded]);
    assert_eq!(
        placement.rejected[1].reasons,
        [
            Rejection::OtherKind { has: HypervisorKind::Lxc },
            Rejection::OtherRegion { region: "south".to_owned() },
            Rejection::NotReady { condition: Condition::Draining },
            Rejection::NoRoom { resource: Resource::Vcpus, asked: 4, available: 2, reserved: 0 },
            Rejection::NoRoom { resource: Resource::Disk, asked: 2048, available: 1024, reserved: 0 },
        ]
    );
}

#[test]
fn a_live_move_needs_all_that_the_source_has() {
    let source = built(1, HypervisorKind::Qemu, HAS, &[]);
    let mut other = built(2, HypervisorKind::Qemu, HAS, &[]);
    let sample = &mut other.hypervisor.as_mut().unwrap().sample;
    sample.compatibility.cpu_model = "Haswell".to_owned();
    sample.compatibility.cpu_features = vec!["sse4.2".to_owned(), "more".to_owned()];
    sample.compatibility.machine_types = vec!["pc-q35-6.2".to_owned()];
    sample.hypervisor_version = 6_002_000;
    let map = map_of([source, other]);
    let asked = Request { live_from: Some(node_id(1)), excluded: vec![node_id(1)], ..request(amounts(1, 64, 64)) };
    let placement = place(&map, &asked);
    let missing =
        ["CPU model Skylake-Server", "CPU feature avx2", "machine type pc-q35-7.2", "hypervisor version 7.2.0"];
    assert_eq!(placement.rejected[1].reasons, [Rejection::Incompatible { missing: missing.map(str::to_owned).into() }]);
    let back = Request { live_from: Some(node_id(2)), excluded: vec![node_id(2)], ..asked };
    assert_eq!(place(&map, &back).chosen, None, "more features do not make another CPU model");
}

#[test]
fn more_features_and_machine_types_are_no_obstacle() {
    let source = built(1, HypervisorKind::Qemu, HAS, &[]);
    let mut newer = built(2, HypervisorKind::Qemu, HAS, &[]);
    let sample = &mut newer.hypervisor.as_mut().unwrap().sample;
    sample.compatibility.cpu_features.push("avx512f".to_owned());
    sample.compatibility.machine_types.push("pc-q35-8.0".to_owned());
    sample.hypervisor_version = 8_000_000;
    let map = map_of([source, newer]);
    let asked = Request { live_from: Some(node_id(1)), excluded: vec![node_id(1)], ..request(amounts(1, 64, 64)) };
    assert_eq!(place(&map, &asked).chosen.unwrap().node, node_id(2));
}

#[test]
fn an_empty_map_places_nothing() {
    let placement = place(&map_of([]), &request(amounts(1, 64, 64)));
    assert_eq!(placement, Placement { chosen: None, runners_up: Vec::new(), rejected: Vec::new() });
}

proptest! {
    #[test]
    fn what_is_chosen_can_take_it_and_what_is_rejected_cannot(
        grid in any::grid(),
        kind in any::kind(),
        asked in any::any_size(),
        live in prop::bool::ANY,
        excluded in prop::option::of(1_u128..6),
    ) {
        let map = grid.map();
        let request = Request {
            region: Some("north".to_owned()),
            ..Request::new(kind, commitment(kind, asked))
        };
        let request = Request {
            excluded: excluded.into_iter().map(node_id).collect(),
            live_from: live.then(|| node_id(1)),
            ..request
        };
        let placement = place(&map, &request);
        let candidates = order(&placement);
        prop_assert_eq!(candidates.len() + placement.rejected.len(), map.nodes().len());
        for id in &candidates {
            let node = map.get(*id).unwrap();
            prop_assert_eq!((node.kind(), node.condition), (kind, Condition::Ready));
            prop_assert_eq!(node.node.region.as_str(), "north");
            prop_assert!(!request.excluded.contains(id));
            // Where a resource is sold beyond what there is, a VM that takes none of it may still come.
            let taken = node.committed.plus(node.reserved).plus(request.resources);
            let has_room = |resource| node.usable.get(resource) >= taken.get(resource);
            prop_assert!(Resource::ALL.into_iter().all(|each| request.resources.get(each) == 0 || has_room(each)));
            prop_assert!(!live || node.compatibility() == map.get(node_id(1)).unwrap().compatibility());
        }
        for node in &placement.rejected {
            prop_assert!(!node.reasons.is_empty());
            for reason in &node.reasons {
                prop_assert!(is_true(reason, map.get(node.node).unwrap(), &request), "{}", reason);
            }
        }
    }

    #[test]
    fn the_order_in_which_nodes_came_changes_nothing(grid in any::grid(), kind in any::kind(), asked in any::any_size()) {
        let turned = map_of(grid.nodes.iter().rev().cloned());
        let request = Request { kind, ..request(commitment(kind, asked)) };
        prop_assert_eq!(place(&grid.map(), &request), place(&turned, &request));
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    prop::sample::select(vec![
        Rule::ApartByNode,
        Rule::ApartByFailureDomain,
        Rule::TogetherOnNode,
        Rule::TogetherInFailureDomain,
    ])
}

fn group() -> impl Strategy<Value = Group> {
    let domains = prop::collection::vec(0_u8..4, 0..2);
    ("[a-c]", rule(), prop::collection::vec(1_u128..9, 0..3), domains).prop_map(|(name, rule, nodes, domains)| Group {
        name,
        rule,
        nodes: nodes.into_iter().map(node_id).collect(),
        failure_domains: domains.into_iter().map(domain).collect(),
    })
}

fn domain(number: u8) -> String {
    format!("rack-{number}")
}

/// What is asked beyond kind and size: whether in the south, a rack, a source, excluded nodes, groups.
type Limits = (Option<bool>, Option<u8>, Option<u128>, Vec<u128>, Vec<Group>);

fn limits() -> impl Strategy<Value = Limits> {
    (
        prop::option::of(prop::bool::ANY),
        prop::option::weighted(0.3, 0_u8..4),
        prop::option::weighted(0.3, 1_u128..8),
        prop::collection::vec(1_u128..8, 0..3),
        prop::collection::vec(group(), 0..3),
    )
}

proptest! {
    #[test]
    fn what_is_chosen_by_the_index_is_the_first_of_all(
        grid in any::grid(),
        domains in prop::collection::vec(prop::option::of(0_u8..3), 8),
        policy in prop::sample::select(Policy::ALL.to_vec()),
        asked in prop::collection::vec((any::kind(), any::any_size(), limits()), 1..12),
        changes in prop::collection::vec((0_usize..8, (0_u64..8, 0_u64..4096, 0_u64..9000), prop::bool::ANY), 0..12),
    ) {
        let mut map = ResourceMap::default().with_policies(Policies::all(policy));
        for (node, number) in grid.nodes.iter().zip(&domains) {
            map = map.with_node(NOW, MapNode { failure_domain: number.map(domain), ..node.clone() });
        }
        for (position, (vcpus, memory, disk), leaves) in changes {
            let id = grid.nodes[position % grid.nodes.len()].node.id;
            map = if leaves { map.without_node(NOW, id) } else { map.with_reservation(NOW, id, amounts(vcpus, memory, disk)) };
        }
        let told: ResourceMap = serde_json::from_str(&serde_json::to_string(&map).unwrap()).unwrap();
        prop_assert_eq!(&told, &map);
        for (kind, size, (south, rack, live_from, excluded, groups)) in asked {
            let request = Request {
                region: south.map(|south| if south { "south" } else { "north" }.to_owned()),
                failure_domain: rack.map(domain),
                live_from: live_from.map(node_id),
                excluded: excluded.into_iter().map(node_id).collect(),
                groups,
                ..Request::new(kind, commitment(kind, size))
            };
            let placement = place(&map, &request);
            prop_assert_eq!(choose(&map, &request), placement.chosen);
            prop_assert_eq!(choose(&told, &request), placement.chosen, "and so does a map that came over a wire");
            let tally = summarise(&map, &request, 2);
            prop_assert_eq!(tally.chosen, placement.chosen);
            prop_assert_eq!(&tally.runners_up[..], &placement.runners_up[..placement.runners_up.len().min(2)]);
            prop_assert_eq!(tally.rejected(), placement.rejected.len() as u64);
            prop_assert_eq!(tally.candidates + tally.rejected(), map.nodes().len() as u64);
        }
    }
}

fn is_true(reason: &Rejection, node: &MapNode, request: &Request) -> bool {
    match reason {
        Rejection::Excluded => request.excluded.contains(&node.node.id),
        Rejection::OtherKind { has } => *has == node.kind() && *has != request.kind,
        Rejection::OtherFailureDomain { has } => request.failure_domain.is_some() && request.failure_domain != *has,
        Rejection::Group { group, rule } => request.groups.iter().any(|each| each.name == *group && each.rule == *rule),
        Rejection::OtherRegion { region } => request.region.as_ref() != Some(region),
        Rejection::NoRoom { resource, asked, available, reserved } => {
            asked > available
                && *available == node.available().get(*resource)
                && *asked == request.resources.get(*resource)
                && *reserved == node.reserved.get(*resource)
        }
        Rejection::NotReady { condition } => *condition == node.condition && *condition != Condition::Ready,
        Rejection::Incompatible { missing } => request.live_from.is_some() && !missing.is_empty(),
    }
}
