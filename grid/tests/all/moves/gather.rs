//! Gathering what is free: what becomes possible by it, and that no move gains less than was asked for.

use super::AMPLE;
use super::layouts::{any_layout, guest, layout, site};
use super::referee::carry_out;
use crate::fixture::amounts;
use grid::moves::{Goal, Guest, Layout, RoomFor, Site, rebalance};
use grid::{HypervisorKind, Resource, Resources};
use proptest::prelude::*;

const fn gather(least_gain_millionths: u32) -> Goal {
    Goal::Gather { room_for: RoomFor::NewVms, least_gain_millionths }
}

const fn gather_for_growth(least_gain_millionths: u32) -> Goal {
    Goal::Gather { room_for: RoomFor::Growth, least_gain_millionths }
}

fn kvm(number: u128, vcpus: u64, memory: u64) -> Site {
    site(number, HypervisorKind::Kvm, amounts(vcpus, memory, 1000))
}

/// VMs of so many vCPUs and so much memory, by the position of their node.
fn guests<const COUNT: usize>(sizes: [(u32, u64, u64); COUNT]) -> Vec<Guest> {
    let numbered = (1..).zip(sizes);
    numbered.map(|(number, (home, vcpus, memory))| guest(number, home, amounts(vcpus, memory, 1))).collect()
}

fn fits(now: &Layout, vcpus: u64, memory: u64) -> bool {
    now.sites.iter().any(|site| site.free().covers(&amounts(vcpus, memory, 1)))
}

/// vCPUs are free on one node and memory on another, so no VM of 6 and 6 fits; afterwards one does.
#[test]
fn free_vcpus_and_free_memory_apart_become_room_for_a_vm() {
    let now = layout(vec![kvm(1, 16, 16), kvm(2, 16, 16)], guests([(0, 8, 2), (0, 7, 1), (1, 2, 8), (1, 2, 7)]));
    assert!(!fits(&now, 6, 6));
    for goal in [gather(100_000), gather_for_growth(100_000)] {
        let plan = rebalance(&now, goal, 10, AMPLE);
        let after = carry_out(&now, &plan.moves);
        assert!(fits(&after, 6, 6), "{plan:?}");
        assert_eq!(rebalance(&after, goal, 10, AMPLE).moves, vec![]);
        assert!(rebalance(&now, goal, 0, AMPLE).cut);
    }
}

/// Each node has 2 free; afterwards one has all 6 of them.
#[test]
fn small_free_parts_become_room_for_a_large_vm() {
    let sizes = [(0, 10, 10), (0, 1, 1), (0, 1, 1), (0, 1, 1), (0, 1, 1), (1, 14, 14), (2, 14, 14)];
    let now = layout(vec![kvm(1, 16, 16), kvm(2, 16, 16), kvm(3, 16, 16)], guests(sizes));
    assert!(!fits(&now, 6, 6));
    let plan = rebalance(&now, gather(1000), 10, AMPLE);
    assert!(fits(&carry_out(&now, &plan.moves), 6, 6), "{plan:?}");
    assert_eq!(plan.moves.len(), 4);
    assert_eq!(rebalance(&now, gather_for_growth(1), 10, AMPLE).moves, vec![], "each can grow where it is");
}

/// From 4 and 4 of 16 free to 8 and none: the shares are the same in sum, and their squares rise by an eighth.
#[test]
fn a_move_that_gains_less_than_asked_for_is_left() {
    let now = layout(vec![kvm(1, 16, 16), kvm(2, 16, 16)], guests([(0, 12, 12), (1, 8, 8), (1, 4, 4)]));
    assert_eq!(rebalance(&now, gather(125_000), 10, AMPLE).moves.len(), 1);
    assert_eq!(rebalance(&now, gather(125_001), 10, AMPLE).moves, vec![]);
}

/// It would free half of a small node, and take an eighth of a large one that is empty.
#[test]
fn a_vm_does_not_go_from_a_small_node_to_a_large_one_for_its_share_to_be_less() {
    let now = layout(vec![kvm(1, 16, 16), kvm(2, 64, 64)], guests([(0, 8, 8)]));
    assert_eq!(rebalance(&now, gather(1), 10, AMPLE).moves, vec![]);
}

#[test]
fn of_moves_that_gain_alike_the_one_of_fewest_bytes_is_planned() {
    let mut now = layout(vec![kvm(1, 16, 16), kvm(2, 16, 16)], guests([(0, 12, 12), (1, 4, 4), (1, 4, 4), (1, 4, 4)]));
    now.guests[2].memory_bytes = 1;
    let plan = rebalance(&now, gather(1), 1, AMPLE);
    assert_eq!(plan.moves.iter().map(|each| each.vm).collect::<Vec<_>>(), [now.guests[2].id]);
}

#[test]
fn containers_that_cannot_move_live_stay() {
    let lxc = |number| site(number, HypervisorKind::Lxc, amounts(16, 16, 1000));
    let now = layout(vec![lxc(1), lxc(2)], guests([(0, 12, 12), (1, 8, 8), (1, 4, 4)]));
    assert_eq!(rebalance(&now, gather(1), 10, AMPLE).moves, vec![]);
}

/// Of all nodes: the share of the scarcest resource that is free, of the most that a node of the kind has, and for new
/// VMs its square; in millionths.
fn worth(now: &Layout, room_for: RoomFor) -> u64 {
    let of = |site: &Site| {
        let alike = || now.sites.iter().filter(|other| other.kind == site.kind);
        let share = |resource: Resource| {
            let most = alike().map(|other| other.usable.get(resource)).max().unwrap_or(0).max(1);
            let absent = resource.is_optional() && site.usable.get(resource) == 0;
            if absent { 1_000_000 } else { site.free().get(resource) * 1_000_000 / most }
        };
        let share = Resource::ALL.map(share).into_iter().min().unwrap_or(0);
        if room_for == RoomFor::NewVms { share + share * share / 1_000_000 } else { share }
    };
    now.sites.iter().map(of).sum()
}

proptest! {
    #![proptest_config(crate::any::cases(400))]

    #[test]
    fn every_move_gains_what_was_asked_for_and_no_move_that_is_left_does(now in any_layout(6, 20), least in 1_u32..200_000,
        room_for in prop_oneof![Just(RoomFor::NewVms), Just(RoomFor::Growth)]) {
        let plan = rebalance(&now, Goal::Gather { room_for, least_gain_millionths: least }, 1000, AMPLE);
        let worth = |now: &Layout| worth(now, room_for);
        let mut before = now;
        for each in &plan.moves {
            let after = carry_out(&before, &[*each]);
            prop_assert!(worth(&after) >= worth(&before) + u64::from(least));
            before = after;
        }
        for (vm, to) in (0..before.guests.len()).flat_map(|vm| (0..before.sites.len()).map(move |to| (vm, to))) {
            let guest = &before.guests[vm];
            let (home, there) = (guest.home as usize, &before.sites[to]);
            let free_of_groups = guest.groups.is_empty() && guest.movable && guest.domain.is_none_or(|only| only == there.domain);
            let alike = before.sites[home].kind == there.kind && before.sites[home].region == there.region
                && before.sites[home].compatibility == there.compatibility && (there.kind.moves_live() || !guest.running);
            let open = before.sites[home].answers && there.ready && home != to && there.free().covers(&guest.takes);
            if free_of_groups && alike && open {
                let mut after = before.clone();
                let takes = guest.takes;
                after.sites[home].taken = after.sites[home].taken.minus(takes);
                after.sites[to].taken = after.sites[to].taken.plus(takes);
                prop_assert!(worth(&after) < worth(&before) + u64::from(least), "VM {vm} to {to}");
            }
        }
    }
}

/// From a half free on each of two nodes to one that is empty.
#[test]
fn nodes_of_absurd_size_are_measured_like_others() {
    let huge = Resources::all(u64::MAX / 4);
    let half = Resources::all(u64::MAX / 8);
    let now = layout(
        vec![site(1, HypervisorKind::Kvm, huge), site(2, HypervisorKind::Kvm, huge)],
        vec![guest(1, 0, half), guest(2, 1, half)],
    );
    assert_eq!(rebalance(&now, gather(500_000), 10, AMPLE).moves.len(), 1);
}
