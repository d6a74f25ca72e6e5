//! Golden texts: what people read of plans, refusals and rejected nodes. A change of wording shows in the diff.

use crate::fixture::*;
use grid::explain::{
    PlanWords, explain_loss, explain_nodes, explain_obstacle, explain_plan, explain_refusal, explain_tally,
};
use grid::map::{Condition, MapNode, ResourceMap, losses_not_absorbed, nodes_that_cannot_be_drained};
use grid::placement::{Group, Request, Rule, summarise};
use grid::plan::{Estimate, Pace, Plan, PlanAnswer, PlanKind, Refusal, RefusalReason, RoomFirst, plan};
use grid::sample::Source;
use grid::vm::{Vm, VmState};
use grid::{HypervisorKind, Resource, Size};
use std::fmt::Write;

/// One node of each way to be unfit, and the VM's full home.
fn unfit(vm: &Vm) -> ResourceMap {
    let kind = vm.kind;
    let roomy = amounts(64, 131_072, 1_048_576);
    let mut home = built(1, kind, amounts(8, 8192, 102_400), std::slice::from_ref(vm));
    home.reserved = amounts(2, 1024, 0);
    let mut far = node(4, kind);
    "south".clone_into(&mut far.region);
    let conditions = [
        Condition::Silent { source: Source::Utility },
        Condition::Stale { source: Source::Hypervisor, age_ms: 754_000 },
        Condition::UtilityOff,
        Condition::Contradicting,
        Condition::Cordoned,
        Condition::Draining,
    ];
    let unready = (5..)
        .zip(conditions)
        .map(|(number, condition)| MapNode { condition, ..built(number, kind, amounts(4, 4096, 10_240), &[]) });
    let others = [
        home,
        built(2, kind, amounts(32, 49_152, 1_048_576), &[]),
        built(3, HypervisorKind::Lxc, roomy, &[]),
        MapNode::build(inputs(far, roomy, &[])),
    ];
    map_of(others.into_iter().chain(unready))
}

fn refusal_of(map: &ResourceMap, vm: &Vm, to: Size) -> Refusal {
    match plan(map, vm, to, None, &Pace::default()) {
        PlanAnswer::Refused { refusal } => *refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_refusal_reads_well_for_admins() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = unfit(&vm);
    let refusal = refusal_of(&map, &vm, size(16, 65_536, 10));
    let mut text = explain_refusal(&refusal);
    for node in explain_nodes(&map, &refusal.nodes) {
        let _ = write!(text, "\n{}", node.node);
        for reason in node.reasons {
            let _ = write!(text, "\n    {reason}");
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_refusal_tells_customers_nothing_of_nodes() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let map = unfit(&vm);
    let refusal = refusal_of(&map, &vm, size(16, 65_536, 10)).for_customer();
    let told = serde_json::to_string(&refusal).unwrap() + &explain_refusal(&refusal);
    for node in map.iter() {
        assert!(!told.contains(&node.node.name) && !told.contains(&node.node.id.to_string()), "{told}");
    }
}

#[test]
fn every_reason_of_a_refusal_reads_well() {
    let stale = Condition::Stale { source: Source::Utility, age_ms: 60_000 };
    let reasons = [
        RefusalReason::DiskShrinks { has_gib: 20, asked_gib: 10 },
        RefusalReason::NoRoom { resource: Resource::Vcpus, asked: 64, largest: 1 },
        RefusalReason::NoRoom { resource: Resource::Memory, asked: 65_536, largest: 49_152 },
        RefusalReason::NoRoom { resource: Resource::Disk, asked: 2_097_152, largest: 1_022_976 },
        RefusalReason::NotReady { condition: stale },
        RefusalReason::QuotaExceeded { resource: Resource::Memory, asked: 4096, left: 2048 },
        RefusalReason::NotNow { state: VmState::Deploying },
        RefusalReason::OutOfLimits { resource: Resource::Vcpus, asked: 5000, least: 1, most: 1024 },
        RefusalReason::MemoryNotInSteps { asked_mib: 1025, step_mib: 4 },
    ];
    let texts: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn every_plan_reads_well() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let text_of = |kind: PlanKind, then: Option<PlanKind>, running: bool, to: Size| {
        let plan = Plan {
            vm: vm.id,
            kind,
            from: vm.size,
            to,
            source: node_id(1),
            destination: kind.moves().then_some(node_id(2)),
            running,
            estimate: Estimate { duration_ms: 154_000, downtime_ms: 300 },
            generation: 1,
            room: then.map(|then| RoomFirst { then, moves: Vec::new() }),
        };
        let PlanWords { title, sentences } = explain_plan(&plan);
        format!(
            "{}, {}\n    {title}\n    {}",
            kind.as_str(),
            if running { "runs" } else { "stopped" },
            sentences.join(" ")
        )
    };
    let (grown, shrunk) = (size(4, 2048, 10), size(1, 512, 10));
    let text = |kind, running, to| text_of(kind, None, running, to);
    let after_room = |then, running| text_of(PlanKind::MakeRoom, Some(then), running, grown);
    let texts = [
        text(PlanKind::InPlaceLive, true, grown),
        text(PlanKind::InPlaceLive, true, shrunk),
        text(PlanKind::InPlaceRestart, true, grown),
        text(PlanKind::InPlaceRestart, true, shrunk),
        text(PlanKind::InPlaceRestart, false, grown),
        text(PlanKind::InPlaceRestart, false, shrunk),
        text(PlanKind::MoveLive, true, grown),
        text(PlanKind::MoveLiveRestart, true, grown),
        text(PlanKind::MoveCold, true, grown),
        text(PlanKind::MoveCold, false, grown),
        after_room(PlanKind::InPlaceLive, true),
        after_room(PlanKind::InPlaceRestart, true),
        after_room(PlanKind::InPlaceRestart, false),
        after_room(PlanKind::MoveLive, true),
        after_room(PlanKind::MoveLiveRestart, true),
        after_room(PlanKind::MoveCold, true),
        after_room(PlanKind::MoveCold, false),
    ];
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn a_node_that_left_the_map_is_named_by_its_id() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let refusal = refusal_of(&unfit(&vm), &vm, size(16, 65_536, 10));
    let named = explain_nodes(&map_of([]), &refusal.nodes);
    assert_eq!(named[0].node, node_id(1).to_string());
}

/// A grid with a reason of each sort, most of them more than once.
fn mixed() -> ResourceMap {
    let kind = HypervisorKind::Kvm;
    let vms = [vm(1, 1, kind, size(12, 24_576, 100)), vm(2, 2, kind, size(4, 8192, 100))];
    let racked = |number: u128, has, rack: &str| MapNode {
        failure_domain: Some(rack.to_owned()),
        ..built(number, kind, has, &vms)
    };
    let large = amounts(32, 131_072, 2_097_152);
    let small = amounts(8, 16_384, 512_000);
    let mut busy = racked(3, large, "rack-2");
    busy.measured = amounts(24, 65_536, 0);
    let mut far = node(20, kind);
    "south".clone_into(&mut far.region);
    let unready = [Condition::Draining, Condition::Draining, Condition::Silent { source: Source::Hypervisor }];
    let unready =
        (30..).zip(unready).map(|(number, condition)| MapNode { condition, ..racked(number, large, "rack-3") });
    let nodes = [racked(1, large, "rack-1"), racked(2, large, "rack-1"), busy, racked(4, large, "rack-2")];
    let short = (5..9).map(|number| racked(number, small, "rack-3"));
    let shorter = (9..11).map(|number| racked(number, amounts(4, 16_384, 1_048_576), "rack-4"));
    let others = (11..16).map(|number| built(number, HypervisorKind::Lxc, large, &[]));
    let far = MapNode::build(inputs(far, large, &[]));
    map_of(nodes.into_iter().chain(short).chain(shorter).chain(others).chain(unready).chain([far]))
}

fn asked(memory_mib: u64) -> Request {
    Request {
        region: Some("north".to_owned()),
        excluded: vec![node_id(4)],
        groups: vec![Group {
            name: "database".to_owned(),
            rule: Rule::ApartByFailureDomain,
            nodes: vec![node_id(9)],
            failure_domains: Vec::new(),
        }],
        ..Request::new(HypervisorKind::Kvm, amounts(8, memory_mib, 102_400))
    }
}

#[test]
fn a_choice_reads_well_with_its_score_and_the_reasons_against_all_others() {
    let (map, request) = (mixed(), asked(32_768));
    insta::assert_snapshot!(explain_tally(&map, &request, &summarise(&map, &request, 2)));
}

#[test]
fn a_refusal_reads_well_with_the_reasons_counted() {
    let (map, request) = (mixed(), asked(1 << 32));
    insta::assert_snapshot!(explain_tally(&map, &request, &summarise(&map, &request, 2)));
}

#[test]
fn losses_that_cannot_be_absorbed_read_well() {
    let kind = HypervisorKind::Kvm;
    let vms = [
        vm(1, 1, kind, size(12, 24_576, 100)),
        vm(2, 1, kind, size(12, 24_576, 100)),
        vm(3, 2, kind, size(6, 8192, 50)),
        vm(4, 3, kind, size(2, 4096, 50)),
    ];
    let racked = |number: u128, has, rack: &str| MapNode {
        failure_domain: Some(rack.to_owned()),
        ..built(number, kind, has, &vms)
    };
    let silent = Condition::Silent { source: Source::Hypervisor };
    let map = map_of([
        racked(1, amounts(32, 65_536, 1_048_576), "rack-1"),
        racked(2, amounts(18, 40_960, 512_000), "rack-2"),
        MapNode { condition: silent, ..racked(3, amounts(24, 40_960, 512_000), "rack-2") },
    ]);
    let losses = losses_not_absorbed(&map);
    let mut lines: Vec<String> = losses.iter().map(|loss| explain_loss(&map, loss)).collect();
    lines.push("drains:".to_owned());
    let drains = nodes_that_cannot_be_drained(&map);
    lines.extend(
        drains.iter().map(|(node, why)| format!("{}: {}", map.get(*node).unwrap().node.name, explain_obstacle(why))),
    );
    insta::assert_snapshot!(lines.join("\n"));
}
