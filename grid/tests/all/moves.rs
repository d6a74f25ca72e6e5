//! Plans of moves: checked step by step by a referee that knows nothing of how they were found, and compared with
//! all plans there are where there are few.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails a test by it")]

use crate::fixture::{amounts, node_id, vm_id};
use grid::moves::{
    Ask, Budget, Cost, DrainPlan, Goal, Guest, Layout, Manner, Move, RoomAnswer, Site, drain, make_room, not_drainable,
    rebalance,
};
use grid::{HypervisorKind, Resources};
use proptest::prelude::*;
use std::fmt::Write;

const AMPLE: Budget = Budget { moves: 3, work: 50_000_000 };

fn site(number: u128, kind: HypervisorKind, usable: Resources) -> Site {
    Site {
        id: node_id(number),
        kind,
        region: 0,
        compatibility: 0,
        ready: true,
        answers: true,
        usable,
        taken: Resources::ZERO,
    }
}

fn guest(number: u128, home: u32, takes: Resources) -> Guest {
    let (memory_bytes, disk_bytes) = (takes.memory_mib << 20, takes.disk_mib << 20);
    Guest { id: vm_id(number), home, takes, memory_bytes, disk_bytes, running: true, movable: true, apart: None }
}

/// A layout in which what is taken is what the guests take.
fn layout(mut sites: Vec<Site>, guests: Vec<Guest>) -> Layout {
    for guest in &guests {
        let home = &mut sites[guest.home as usize];
        home.taken = home.taken.plus(guest.takes);
    }
    Layout { sites, guests }
}

/// Carries the moves out one by one. Panics where one isn't allowed.
fn referee(start: &Layout, moves: &[Move], sizes: impl Fn(&Guest) -> Resources) -> Layout {
    let mut now = start.clone();
    for each in moves {
        let vm = now.guests.iter().position(|guest| guest.id == each.vm).unwrap();
        let to = now.sites.iter().position(|site| site.id == each.to).unwrap();
        let (old, new) = (now.guests[vm].takes, sizes(&now.guests[vm]));
        let from = now.guests[vm].home as usize;
        let (here, there) = (now.sites[from].clone(), now.sites[to].clone());
        assert_eq!(here.id, each.from);
        assert_ne!(from, to);
        assert!(now.guests[vm].movable, "an opted-out VM was moved");
        assert!(here.answers && there.ready);
        assert_eq!((here.kind, here.region), (there.kind, there.region));
        assert!(there.usable.minus(there.taken).covers(&new), "no room at the destination while both ends count");
        let apart = now.guests[vm].apart;
        let meets = |other: &Guest| other.home as usize == to && apart.is_some() && other.apart == apart;
        assert!(!now.guests.iter().any(meets), "two of a group on one node");
        if each.manner == Manner::Live {
            assert!(now.guests[vm].running && here.kind.moves_live() && here.compatibility == there.compatibility);
        }
        assert_eq!(each.manner == Manner::Stopped, !now.guests[vm].running);
        now.sites[to].taken = there.taken.plus(new);
        now.sites[from].taken = here.taken.minus(old);
        now.guests[vm].home = u32::try_from(to).unwrap();
        now.guests[vm].takes = new;
    }
    now
}

/// The least that any sequence of at most `left` moves costs after which a new VM fits; no VM moves twice.
fn cheapest_by_trying_all(now: &Layout, takes: Resources, left: usize, moved: &mut Vec<usize>) -> Option<Cost> {
    let fits =
        |site: &Site| site.ready && site.kind == HypervisorKind::Kvm && site.usable.minus(site.taken).covers(&takes);
    if now.sites.iter().any(fits) {
        return Some(Cost::default());
    }
    let mut best = None;
    for vm in 0..now.guests.len() {
        let from = now.guests[vm].home as usize;
        if left == 0 || moved.contains(&vm) || !now.guests[vm].movable || !now.sites[from].answers {
            continue;
        }
        for to in 0..now.sites.len() {
            let (guest, there, here) = (&now.guests[vm], &now.sites[to], &now.sites[from]);
            let allowed = to != from && there.ready && there.kind == here.kind && there.region == here.region;
            if !allowed || !there.usable.minus(there.taken).covers(&guest.takes) {
                continue;
            }
            let live = guest.running && here.kind.moves_live() && here.compatibility == there.compatibility;
            let manner = if !guest.running {
                Manner::Stopped
            } else if live {
                Manner::Live
            } else {
                Manner::Cold
            };
            let bytes = guest.disk_bytes + if live { guest.memory_bytes } else { 0 };
            let mut next = now.clone();
            next.sites[from].taken = here.taken.minus(guest.takes);
            next.sites[to].taken = there.taken.plus(guest.takes);
            next.guests[vm].home = u32::try_from(to).unwrap();
            moved.push(vm);
            let rest = cheapest_by_trying_all(&next, takes, left - 1, moved);
            moved.pop();
            let total = rest.map(|rest| rest.plus(Cost::of(manner, bytes)));
            best = [best, total].into_iter().flatten().min();
        }
    }
    best
}

fn any_layout(most_sites: usize, most_guests: usize) -> impl Strategy<Value = Layout> {
    let kind = prop_oneof![4 => Just(HypervisorKind::Kvm), 1 => Just(HypervisorKind::Lxc)];
    let rarely = || prop::bool::weighted(0.1);
    let site_draw = (kind, 4_u64..16, 4_u64..16, rarely(), rarely(), rarely());
    let guest_draw =
        (any::<prop::sample::Index>(), 1_u64..7, 1_u64..7, rarely(), rarely(), prop::option::weighted(0.2, 0_u32..2));
    (prop::collection::vec(site_draw, 1..=most_sites), prop::collection::vec(guest_draw, 0..=most_guests)).prop_map(
        |(sites, guests)| {
            let mut all = Layout::default();
            for (number, (kind, vcpus, memory, south, old, closed)) in (1_u128..).zip(sites) {
                let mut each = site(number, kind, amounts(vcpus, memory, 1000));
                (each.region, each.compatibility, each.ready) = (u32::from(south), u32::from(old), !closed);
                all.sites.push(each);
            }
            for (number, (at, vcpus, memory, stopped, fixed, apart)) in (1_u128..).zip(guests) {
                let home = at.index(all.sites.len());
                let mut each = guest(number, u32::try_from(home).unwrap(), amounts(vcpus, memory, vcpus));
                (each.running, each.movable, each.apart) = (!stopped, !fixed, apart);
                let there = &mut all.sites[home];
                let meets =
                    all.guests.iter().any(|other| other.home == each.home && apart.is_some() && other.apart == apart);
                if there.usable.minus(there.taken).covers(&each.takes) && !meets {
                    there.taken = there.taken.plus(each.takes);
                    all.guests.push(each);
                }
            }
            all
        },
    )
}

fn new_vm(takes: Resources) -> Ask {
    Ask::New { kind: HypervisorKind::Kvm, region: None, takes, apart: None }
}

proptest! {
    #![proptest_config(crate::any::cases(400))]

    #[test]
    fn every_plan_for_a_new_vm_is_legal_and_makes_room(now in any_layout(7, 24), vcpus in 1_u64..12, memory in 1_u64..12) {
        let takes = amounts(vcpus, memory, 1);
        let answer = make_room(&now, &new_vm(takes), AMPLE);
        prop_assert_eq!(&answer, &make_room(&now, &new_vm(takes), AMPLE));
        if let RoomAnswer::Room { plan } = answer {
            let after = referee(&now, &plan.moves, |guest| guest.takes);
            let chosen = after.sites.iter().find(|site| site.id == plan.node).unwrap();
            prop_assert!(chosen.ready && chosen.usable.minus(chosen.taken).covers(&takes));
            prop_assert!(plan.moves.len() <= 3);
            prop_assert_eq!(plan.cost, Cost::sum(&plan.moves));
        }
    }

    #[test]
    fn every_plan_for_a_resize_is_legal_and_makes_room(now in any_layout(7, 24), at in any::<prop::sample::Index>(), more in 1_u64..8) {
        prop_assume!(!now.guests.is_empty());
        let vm = at.index(now.guests.len());
        let to = now.guests[vm].takes.plus(amounts(more, more / 2, 0));
        let ask = Ask::Grow { guest: u32::try_from(vm).unwrap(), to };
        if let RoomAnswer::Room { plan } = make_room(&now, &ask, AMPLE) {
            let asking = now.guests[vm].id;
            let after = referee(&now, &plan.moves, |guest| if guest.id == asking { to } else { guest.takes });
            let home = &after.sites[after.guests[vm].home as usize];
            prop_assert_eq!(home.id, plan.node);
            prop_assert!(home.usable.minus(home.taken).covers(&to.minus(after.guests[vm].takes)));
        }
    }

    #[test]
    fn the_cheapest_of_all_plans_is_found_or_none_exists(mut now in any_layout(3, 7), vcpus in 1_u64..12, memory in 1_u64..12) {
        for guest in &mut now.guests {
            guest.apart = None;
        }
        let takes = amounts(vcpus, memory, 1);
        let expected = cheapest_by_trying_all(&now, takes, 3, &mut Vec::new());
        match make_room(&now, &new_vm(takes), AMPLE) {
            RoomAnswer::Room { plan } => {
                prop_assert!(plan.cheapest);
                prop_assert_eq!(Some(plan.cost), expected);
            }
            RoomAnswer::None { .. } => prop_assert_eq!(None, expected),
            RoomAnswer::GaveUp => prop_assert!(false, "the work was ample"),
        }
    }

    #[test]
    fn a_drain_leaves_the_node_empty_but_for_those_it_names(now in any_layout(6, 20)) {
        let node = now.sites[0].id;
        let plan = drain(&now, node, AMPLE).unwrap();
        let after = referee(&now, &plan.moves, |guest| guest.takes);
        let stays: Vec<_> = after.guests.iter().filter(|guest| guest.home == 0).map(|guest| guest.id).collect();
        let mut named: Vec<_> = plan.stuck.iter().map(|&(vm, _)| vm).collect();
        named.sort();
        prop_assert_eq!(stays, named);
        prop_assert!(plan.moves.iter().all(|each| each.to != node));
    }

    #[test]
    fn a_second_rebalance_finds_nothing_to_do(now in any_layout(6, 20), even in any::<bool>()) {
        let goal = if even { Goal::EvenOut { least_gain_permille: 50 } } else { Goal::Consolidate { most_bytes: 1 << 30 } };
        let plan = rebalance(&now, goal, 1000, Budget { moves: 2, work: 100_000 });
        let after = referee(&now, &plan.moves, |guest| guest.takes);
        prop_assert!(plan.cost.interrupted == 0 && !plan.cut);
        for node in &plan.emptied {
            let site = after.sites.iter().position(|site| site.id == *node).unwrap();
            prop_assert!(after.guests.iter().all(|guest| guest.home as usize != site));
        }
        prop_assert_eq!(rebalance(&after, goal, 1000, Budget { moves: 2, work: 100_000 }).moves, vec![]);
    }

    #[test]
    fn absurd_amounts_break_nothing(sites in prop::collection::vec((crate::any::absurd_resources(), crate::any::absurd_resources()), 0..4),
        guests in prop::collection::vec((0_u32..5, crate::any::absurd_resources()), 0..6), takes in crate::any::absurd_resources()) {
        let sites = (1_u128..).zip(sites).map(|(number, (usable, taken))| Site { taken, ..site(number, HypervisorKind::Kvm, usable) }).collect();
        let guests = (1_u128..).zip(guests).map(|(number, (home, takes))| Guest { memory_bytes: u64::MAX, ..guest(number, home, takes) }).collect();
        let now = Layout { sites, guests };
        let budget = Budget { moves: 255, work: 20_000 };
        make_room(&now, &new_vm(takes), budget);
        make_room(&now, &Ask::Grow { guest: 0, to: takes }, budget);
        make_room(&now, &Ask::Leave { guest: 9 }, budget);
        not_drainable(&now, budget);
        rebalance(&now, Goal::Consolidate { most_bytes: u64::MAX }, 20, budget);
        rebalance(&now, Goal::EvenOut { least_gain_permille: 0 }, 20, budget);
    }
}

/// The VM that asks for room counts where it arrives: nobody of its group may make way by going there.
#[test]
fn nobody_of_its_group_goes_where_the_asking_vm_arrives() {
    let kvm = |number, vcpus| site(number, HypervisorKind::Kvm, amounts(vcpus, 64, 1000));
    let of_group = |number, home, vcpus| Guest { apart: Some(7), ..guest(number, home, amounts(vcpus, 1, 1)) };
    // VM 1 needs 6 of node 2's 8, where VM 2 takes 4: it could go to node 3 only in exchange for VM 3, of VM 1's group.
    let drained = vec![of_group(1, 0, 6), guest(2, 1, amounts(4, 1, 1)), of_group(3, 2, 2)];
    let now = layout(vec![kvm(1, 8), kvm(2, 8), kvm(3, 5)], drained);
    let plan = drain(&now, node_id(1), AMPLE).unwrap();
    referee(&now, &plan.moves, |guest| guest.takes);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (0, 1));

    // Out of the group, the same VM 3 may share the node: the exchange is found.
    let mut free = now;
    free.guests[2].apart = None;
    let plan = drain(&free, node_id(1), AMPLE).unwrap();
    referee(&free, &plan.moves, |guest| guest.takes);
    assert_eq!((plan.moves.len(), plan.stuck.len()), (3, 0));
}

/// Three nodes, each with 3 of 16 vCPUs free, and one that runs containers.
fn example() -> Layout {
    let kvm = |number| site(number, HypervisorKind::Kvm, amounts(16, 64 << 10, 500 << 10));
    let lxc = site(4, HypervisorKind::Lxc, amounts(16, 64 << 10, 500 << 10));
    let size = |vcpus: u64| amounts(vcpus, vcpus * 4096, vcpus * 20 * 1024);
    let mut guests = vec![
        guest(11, 0, size(8)),
        guest(12, 0, size(3)),
        guest(13, 0, size(2)),
        guest(21, 1, size(8)),
        guest(22, 1, size(4)),
        guest(23, 1, size(1)),
        guest(31, 2, size(12)),
        guest(32, 2, size(1)),
        guest(41, 3, size(2)),
    ];
    guests[7].movable = false;
    layout(vec![kvm(1), kvm(2), kvm(3), lxc], guests)
}

fn list(moves: &[Move]) -> String {
    let short = |id: String| id.trim_start_matches(['0', '-']).to_owned();
    moves.iter().fold(String::new(), |mut text, each| {
        let (vm, from, to) = (short(each.vm.to_string()), short(each.from.to_string()), short(each.to.to_string()));
        let _ = writeln!(text, "  VM {vm}: node {from} -> node {to}, {}, {} GiB", each.manner, each.bytes >> 30);
        text
    })
}

fn list_drain(plan: &DrainPlan) -> String {
    let short = |id: String| id.trim_start_matches(['0', '-']).to_owned();
    plan.stuck.iter().fold(list(&plan.moves), |mut text, (vm, stuck)| {
        let _ = writeln!(text, "  VM {} stays: {stuck}", short(vm.to_string()));
        text
    })
}

#[test]
fn plans_of_moves_read_well() {
    let now = example();
    let mut text = String::new();
    for vcpus in [3, 5, 8, 10] {
        let takes = amounts(vcpus, vcpus * 4096, vcpus * 20 * 1024);
        let _ = writeln!(text, "room for a new VM of {vcpus} vCPUs:");
        match make_room(&now, &new_vm(takes), AMPLE) {
            RoomAnswer::Room { plan } => {
                text += &list(&plan.moves);
                let _ =
                    writeln!(text, "  then it fits on node {}", plan.node.to_string().trim_start_matches(['0', '-']));
            }
            answer => {
                let _ = writeln!(text, "  {answer:?}");
            }
        }
    }
    for number in 1..=4 {
        let plan = drain(&now, node_id(number), AMPLE).unwrap();
        let _ = write!(text, "drain node {number}:\n{}", list_drain(&plan));
    }
    let plan = rebalance(&now, Goal::EvenOut { least_gain_permille: 50 }, 10, AMPLE);
    let _ = write!(text, "even out:\n{}", list(&plan.moves));
    insta::assert_snapshot!(text);
}
