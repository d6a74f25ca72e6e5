//! Golden texts: what people read of plans, refusals and rejected nodes. A change of wording shows in the diff.

use crate::fixture::*;
use grid::explain::{PlanWords, explain_nodes, explain_plan, explain_refusal};
use grid::map::{Condition, MapNode, ResourceMap};
use grid::plan::{Estimate, Pace, Plan, PlanAnswer, PlanKind, Refusal, RefusalReason, plan};
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
    ];
    let texts: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn every_plan_reads_well() {
    let vm = vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10));
    let text = |kind: PlanKind, running: bool, to: Size| {
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
        text(PlanKind::MakeRoom, true, grown),
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
