//! What is true of the plans for any layout.

use super::AMPLE;
use super::brute::cheapest;
use super::layouts::{any_layout, guest, site};
use super::referee::{admits_new, carry_out, carry_out_with};
use crate::fixture::amounts;
use grid::moves::{
    Ask, Budget, Cost, Goal, Guest, Layout, Move, RoomAnswer, RoomFor, Site, drain, make_room, not_drainable, rebalance,
};
use grid::{HypervisorKind, Resources};
use proptest::prelude::*;

fn new_vm(takes: Resources, groups: &[u32]) -> Ask {
    let groups = groups.to_vec();
    Ask::New { kind: HypervisorKind::Kvm, region: None, domain: None, takes, groups }
}

fn some_groups() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![2 => Just(vec![]), 3 => (0_u32..3).prop_map(|one| vec![one]), 1 => Just(vec![0, 2])]
}

/// The answer is that of trying everything.
fn agrees_with_trying_all(now: &Layout, ask: &Ask, moves: u8) -> Result<(), TestCaseError> {
    let expected = cheapest(&mut now.clone(), ask, usize::from(moves), &mut Vec::new());
    match make_room(now, ask, Budget { moves, ..AMPLE }) {
        RoomAnswer::Room { plan } => {
            prop_assert!(plan.cheapest);
            prop_assert_eq!(Some(plan.cost), expected);
            prop_assert_eq!(plan.cost, Cost::sum(&plan.moves));
        }
        RoomAnswer::None { .. } => prop_assert_eq!(None, expected),
        RoomAnswer::GaveUp => prop_assert!(false, "the work was ample"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(crate::any::cases(400))]

    #[test]
    fn every_plan_for_a_new_vm_is_legal_and_makes_room(now in any_layout(7, 24), vcpus in 1_u64..12, memory in 1_u64..12, groups in some_groups()) {
        let takes = amounts(vcpus, memory, 1);
        let ask = new_vm(takes, &groups);
        let answer = make_room(&now, &ask, AMPLE);
        prop_assert_eq!(&answer, &make_room(&now, &ask, AMPLE));
        if let RoomAnswer::Room { plan } = answer {
            let after = carry_out(&now, &plan.moves);
            let chosen = after.sites.iter().position(|site| site.id == plan.node).unwrap();
            let there = &after.sites[chosen];
            prop_assert!(there.ready && there.usable.minus(there.taken).covers(&takes));
            prop_assert!(admits_new(&after, &groups, chosen));
            prop_assert!(plan.moves.len() <= 3);
        }
    }

    #[test]
    fn every_plan_for_a_resize_is_legal_and_makes_room(now in any_layout(7, 24), at in any::<prop::sample::Index>(), more in 1_u64..8) {
        if now.guests.is_empty() { return Ok(()); }
        let vm = at.index(now.guests.len());
        let (id, to) = (now.guests[vm].id, now.guests[vm].takes.plus(amounts(more, more / 2, 0)));
        let ask = Ask::Grow { guest: u32::try_from(vm).unwrap(), arrives: now.guests[vm].takes, to };
        if let RoomAnswer::Room { plan } = make_room(&now, &ask, AMPLE) {
            let after = carry_out_with(&now, &plan.moves, Some((id, to)));
            let home = &after.sites[after.guests[vm].home as usize];
            prop_assert_eq!(home.id, plan.node);
            prop_assert!(home.usable.minus(home.taken).covers(&to.minus(after.guests[vm].takes)));
        }
    }

    #[test]
    fn the_cheapest_of_all_plans_for_a_new_vm_is_found_or_none_exists(now in any_layout(3, 7), vcpus in 1_u64..12, memory in 1_u64..12,
        groups in some_groups(), domain in prop::option::weighted(0.2, 0_u32..3), moves in 1_u8..=3) {
        let mut ask = new_vm(amounts(vcpus, memory, 1), &groups);
        if let Ask::New { domain: asked, .. } = &mut ask {
            *asked = domain;
        }
        agrees_with_trying_all(&now, &ask, moves)?;
    }

    #[test]
    fn the_cheapest_of_all_plans_for_a_resize_is_found_or_none_exists(now in any_layout(4, 8), at in any::<prop::sample::Index>(),
        vcpus in 0_u64..8, memory in 0_u64..8, less in 0_u64..3, first in any::<bool>(), moves in 1_u8..=3) {
        if now.guests.is_empty() { return Ok(()); }
        let vm = at.index(now.guests.len());
        let to = now.guests[vm].takes.plus(amounts(vcpus, memory, 0)).minus(amounts(0, less, 0));
        let takes = now.guests[vm].takes;
        let arrives = if first { takes.smaller(to) } else { takes };
        agrees_with_trying_all(&now, &Ask::Grow { guest: u32::try_from(vm).unwrap(), arrives, to }, moves)?;
    }

    #[test]
    fn the_cheapest_of_four_moves_is_found_or_none_exists(now in any_layout(3, 6), at in any::<prop::sample::Index>(), more in 1_u64..8) {
        if now.guests.is_empty() { return Ok(()); }
        let vm = at.index(now.guests.len());
        let (guest, to) = (u32::try_from(vm).unwrap(), now.guests[vm].takes.plus(amounts(more, more, 0)));
        agrees_with_trying_all(&now, &Ask::Grow { guest, arrives: now.guests[vm].takes, to }, 4)?;
        agrees_with_trying_all(&now, &Ask::Leave { guest }, 4)?;
    }

    #[test]
    fn a_drain_leaves_the_node_empty_but_for_those_it_names(now in any_layout(6, 20)) {
        let node = now.sites[0].id;
        let plan = drain(&now, node, AMPLE).unwrap();
        let after = carry_out(&now, &plan.moves);
        let stays: Vec<_> = after.guests.iter().filter(|guest| guest.home == 0).map(|guest| guest.id).collect();
        let mut named: Vec<_> = plan.stuck.iter().map(|&(vm, _)| vm).collect();
        named.sort();
        prop_assert_eq!(stays, named);
        prop_assert!(plan.moves.iter().all(|each| each.to != node));
    }

    #[test]
    fn a_second_rebalance_finds_nothing_to_do(now in any_layout(6, 20), goal in prop_oneof![
        Just(Goal::EvenOut { least_gain_permille: 50 }),
        Just(Goal::Consolidate { most_bytes: 1 << 30 }),
        Just(Goal::Gather { room_for: RoomFor::Growth, least_gain_millionths: 50_000 }),
        Just(Goal::Gather { room_for: RoomFor::NewVms, least_gain_millionths: 50_000 }),
    ]) {
        let budget = Budget { moves: 2, work: 100_000 };
        let plan = rebalance(&now, goal, 1000, budget);
        let after = carry_out(&now, &plan.moves);
        prop_assert!(plan.cost.interrupted == 0 && !plan.cut);
        for node in &plan.emptied {
            let site = after.sites.iter().position(|site| site.id == *node).unwrap();
            prop_assert!(after.guests.iter().all(|guest| guest.home as usize != site));
        }
        prop_assert_eq!(rebalance(&after, goal, 1000, budget).moves, vec![]);
    }

    #[test]
    fn consolidating_moves_no_vm_twice_where_it_could_go_straight(now in any_layout(6, 20)) {
        let budget = Budget { moves: 2, work: 100_000 };
        let moves = rebalance(&now, Goal::Consolidate { most_bytes: 1 << 30 }, 1000, budget).moves;
        carry_out(&now, &moves);
        for (at, first) in moves.iter().enumerate() {
            let Some(later) = (at + 1..moves.len()).find(|&later| moves[later].vm == first.vm) else { continue };
            for place in [at, later] {
                let mut straight = moves.clone();
                straight[place] = Move { to: moves[later].to, ..*first };
                straight.remove(at + later - place);
                let carried = std::panic::catch_unwind(|| carry_out(&now, &straight));
                prop_assert!(carried.is_err(), "{moves:?}");
            }
        }
    }

    #[test]
    fn absurd_amounts_break_nothing(sites in prop::collection::vec((crate::any::absurd_resources(), crate::any::absurd_resources()), 0..4),
        guests in prop::collection::vec((0_u32..5, crate::any::absurd_resources(), 0_u32..5), 0..6), takes in crate::any::absurd_resources()) {
        let sites = (1_u128..).zip(sites).map(|(number, (usable, taken))| Site { taken, ..site(number, HypervisorKind::Kvm, usable) }).collect();
        // Homes and groups that there are, and some that there aren't.
        let guests = (1_u128..).zip(guests).map(|(number, (home, takes, group))| Guest {
            memory_bytes: u64::MAX, groups: vec![group], ..guest(number, home, takes)
        }).collect();
        let groups = any_layout_groups();
        let now = Layout { sites, guests, groups, ..Layout::default() };
        let budget = Budget { moves: 255, work: 20_000 };
        make_room(&now, &new_vm(takes, &[1, 9]), budget);
        make_room(&now, &Ask::Grow { guest: 0, arrives: takes, to: takes }, budget);
        make_room(&now, &Ask::Leave { guest: 9 }, budget);
        not_drainable(&now, budget);
        rebalance(&now, Goal::Consolidate { most_bytes: u64::MAX }, 20, budget);
        rebalance(&now, Goal::EvenOut { least_gain_permille: 0 }, 20, budget);
        rebalance(&now, Goal::Gather { room_for: RoomFor::NewVms, least_gain_millionths: 0 }, 20, budget);
    }
}

/// One group of each rule.
fn any_layout_groups() -> Vec<grid::moves::LayoutGroup> {
    use grid::placement::Rule::{ApartByFailureDomain, ApartByNode, TogetherInFailureDomain, TogetherOnNode};
    let group = |rule| grid::moves::LayoutGroup { name: String::new(), rule, held: vec![u32::MAX] };
    [ApartByNode, ApartByFailureDomain, TogetherOnNode, TogetherInFailureDomain].map(group).to_vec()
}
