//! Plans of moves: readable examples here; any layout in `properties`, checked step by step by a referee that knows
//! nothing of how the plans were found, and compared with all plans there are where there are few.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails a test by it")]

mod brute;
mod gather;
mod groups;
mod layouts;
mod properties;
pub(crate) mod referee;

use crate::fixture::{amounts, node_id};
use grid::HypervisorKind;
use grid::moves::{Ask, Budget, DrainPlan, Goal, Layout, Move, RoomAnswer, drain, make_room, rebalance};
use layouts::{guest, layout, site};
use std::fmt::Write;

const AMPLE: Budget = Budget { moves: 3, work: 50_000_000 };

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

/// Four nodes, of which two would do; the VMs of the last are too large to be worth it.
fn half_empty() -> Layout {
    let kvm = |number| site(number, HypervisorKind::Kvm, amounts(16, 64 << 10, 500 << 10));
    let size = |vcpus: u64| amounts(vcpus, vcpus * 4096, vcpus * 20 * 1024);
    let guests = vec![guest(11, 0, size(6)), guest(21, 1, size(2)), guest(22, 1, size(1)), guest(31, 2, size(4))];
    layout(vec![kvm(1), kvm(2), kvm(3), kvm(4)], [guests, vec![guest(41, 3, size(9))]].concat())
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
fn consolidating_leaves_fewer_nodes_in_use_where_they_are_worth_it() {
    let in_use = |now: &Layout| {
        let homes: std::collections::BTreeSet<u32> = now.guests.iter().map(|guest| guest.home).collect();
        homes.len()
    };
    let now = half_empty();
    assert_eq!(in_use(&now), 4);
    let after = |goal| referee::carry_out(&now, &rebalance(&now, goal, 10, AMPLE).moves);
    assert_eq!(in_use(&after(Goal::Consolidate { most_bytes: u64::MAX })), 2);
    assert_eq!(in_use(&after(Goal::Consolidate { most_bytes: 24 << 30 })), 4, "no node is worth it");
    assert_eq!(in_use(&after(Goal::EvenOut { least_gain_permille: 10 })), 4);
}

/// Half of the nodes have no vCPUs left and the others no memory: a VM has to move first, and none can.
#[test]
fn where_no_vm_can_move_a_refusal_is_proven_on_little_work() {
    let sites = (1..=20).map(|number| site(number, HypervisorKind::Kvm, amounts(32, 64, 1000)));
    let guests = (0..20).flat_map(|home| {
        let takes = if home % 2 == 0 { amounts(4, 4, 1) } else { amounts(2, 8, 1) };
        (0..8).map(move |at| guest(100 + u128::from(home) * 10 + at, home, takes))
    });
    let now = layout(sites.collect(), guests.collect());
    let ask = |vcpus, memory| {
        let arrives = amounts(4, 4, 1);
        Ask::Grow { guest: 0, arrives, to: arrives.plus(amounts(vcpus, memory, 0)) }
    };
    let little = Budget { moves: 5, work: 5_000 };
    assert_eq!(make_room(&now, &ask(1, 0), little), RoomAnswer::None { resource: None });
    assert!(matches!(make_room(&now, &ask(0, 1), little), RoomAnswer::Room { .. }), "memory is free at home");
}

#[test]
fn evening_out_moves_only_what_gains_enough() {
    let kvm = |number| site(number, HypervisorKind::Kvm, amounts(10, 64, 1000));
    let guests = [(1, 4), (2, 2), (3, 1)].map(|(number, vcpus)| guest(number, 0, amounts(vcpus, 1, 1)));
    let now = layout(vec![kvm(1), kvm(2)], guests.to_vec());
    let moved = |least_gain_permille| {
        let plan = rebalance(&now, Goal::EvenOut { least_gain_permille }, 10, AMPLE);
        let taken = referee::carry_out(&now, &plan.moves).sites.iter().map(|site| site.taken.vcpus()).collect();
        (plan.moves.len(), taken)
    };
    // From 7 and 0: the largest first brings 4 and 3, and nothing more gains a tenth.
    assert_eq!(moved(100), (1, vec![3, 4]));
    assert_eq!(moved(300), (1, vec![3, 4]));
    assert_eq!(moved(301), (0, vec![7, 0]));
}

#[test]
fn plans_of_moves_read_well() {
    let now = example();
    let mut text = String::new();
    for vcpus in [3, 5, 8, 10] {
        let takes = amounts(vcpus, vcpus * 4096, vcpus * 20 * 1024);
        let _ = writeln!(text, "room for a new VM of {vcpus} vCPUs:");
        match make_room(&now, &Ask::new_vm(HypervisorKind::Kvm, takes), AMPLE) {
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
    let few = half_empty();
    let plan = rebalance(&few, Goal::Consolidate { most_bytes: 200 << 30 }, 10, AMPLE);
    let _ = write!(text, "consolidate, at most 200 GiB for a node:\n{}", list(&plan.moves));
    for node in plan.emptied {
        let _ = writeln!(text, "  then node {} is empty", node.to_string().trim_start_matches(['0', '-']));
    }
    insta::assert_snapshot!(text);
}
