//! How a second node was looked for, in words; for admins.
//!
//! Amounts are in the units of the size's form throughout, so that what was typed, what is asked of a node and what is
//! free there can be compared at a glance.

use crate::view::amounts;
use crate::view::plan::{CandidateView, ChoiceView, RejectionView};
use grid::explain::explain_why;
use grid::map::ResourceMap;
use grid::placement::{Candidate, Lack, RejectedNode, Rejection, Why};
use grid::plan::Choice;
use grid::wording::Grouped;
use grid::{NodeId, Resource, Resources, Size};

/// Nodes whose reasons are listed one by one.
const LISTED: usize = 100;

/// `rejected` is every node that can't take it, where no node can.
pub(super) fn view(
    map: &ResourceMap,
    home: NodeId,
    to: Size,
    choice: &Choice,
    rejected: &[RejectedNode],
) -> ChoiceView {
    let tally = &choice.tally;
    let at_home = RejectionView {
        node: name(map, home),
        reasons: choice.at_home.iter().map(|reason| words("grows by", reason)).collect(),
    };
    let is_of_kind = |node: &&RejectedNode| {
        node.node != home && !node.reasons.iter().any(|reason| matches!(reason, Rejection::OtherKind { .. }))
    };
    let (of_kind, left_off) = first(rejected.iter().filter(is_of_kind));
    let counted = tally.reasons.iter().filter(|(why, _)| !matches!(why, Why::Excluded));
    ChoiceView {
        needs: needs(to, choice, &at_home.node),
        best: tally.chosen.iter().chain(&tally.runners_up).map(|each| candidate(map, each)).collect(),
        candidates: tally.candidates,
        reasons: counted.map(|(why, nodes)| (*nodes, reason(map, why))).collect(),
        nodes: of_kind.into_iter().map(|node| rejection(map, node)).collect(),
        left_off,
        home: at_home,
    }
}

/// The first few, and how many more there are.
fn first<'a>(nodes: impl Iterator<Item = &'a RejectedNode>) -> (Vec<&'a RejectedNode>, u64) {
    let mut nodes = nodes;
    let listed = nodes.by_ref().take(LISTED).collect();
    (listed, nodes.fold(0, |count, _| count + 1))
}

/// What a second node gives, why that is more than the size, and what the VM's own node gives.
fn needs(to: Size, choice: &Choice, home: &str) -> Vec<String> {
    let all = choice.request.resources;
    let overhead = all.minus(Resources::from(to));
    vec![
        format!(
            "A second node has to give {}: its size, and the hypervisor's overhead of {}.",
            list(all, amounts::asked),
            list(overhead, amounts::asked)
        ),
        format!("Its own node, {home}, has to give only what it grows by: {}.", list(choice.growth, amounts::asked)),
    ]
}

/// `20 vCPUs, 320 MiB memory`, without what is none.
fn list(resources: Resources, written: impl Fn(Resource, u64) -> String) -> String {
    let some = Resource::ALL.into_iter().filter(|resource| resources.get(*resource) > 0);
    let texts: Vec<String> = some
        .map(|resource| match (resource, resources.get(resource)) {
            (Resource::Vcpus, count) => amounts::vcpus(count),
            (_, amount) => format!("{} {}", written(resource, amount), resource.as_str()),
        })
        .collect();
    if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
}

fn candidate(map: &ResourceMap, candidate: &Candidate) -> CandidateView {
    let percent = |ppm: u32| format!("{} %", ppm / 10_000);
    CandidateView {
        node: name(map, candidate.node),
        cost: format!("{} {}", candidate.policy.as_str(), Grouped(candidate.cost)),
        free_after: list(candidate.free_after, amounts::free),
        full: percent(candidate.fullness_ppm),
        busy: percent(candidate.measured_ppm),
    }
}

fn rejection(map: &ResourceMap, node: &RejectedNode) -> RejectionView {
    RejectionView {
        node: name(map, node.node),
        reasons: node.reasons.iter().map(|reason| words("asked", reason)).collect(),
    }
}

/// A node's reason; `verb` says what the amount is: all that is asked, or what the VM grows by.
fn words(verb: &str, reason: &Rejection) -> String {
    match *reason {
        Rejection::NoRoom { resource, asked, available, reserved } => format!(
            "{}: {verb} {}, free {}, reserved {}",
            resource.as_str(),
            amounts::asked(resource, asked),
            amounts::free(resource, available),
            amounts::asked(resource, reserved)
        ),
        _ => reason.to_string(),
    }
}

fn reason(map: &ResourceMap, why: &Why) -> String {
    let lack = |lack: &Lack| {
        format!(
            "{}: asked {}, most free {} on {}",
            lack.resource.as_str(),
            amounts::asked(lack.resource, lack.asked),
            amounts::free(lack.resource, lack.most_free),
            name(map, lack.most_free_on)
        )
    };
    match why {
        Why::NoRoom { lacks } => lacks.iter().map(lack).collect::<Vec<_>>().join("; "),
        _ => explain_why(map, why),
    }
}

fn name(map: &ResourceMap, id: NodeId) -> String {
    map.get(id).map_or_else(|| "a node that is gone".to_owned(), |node| node.node.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_told_in_the_units_of_the_form() {
        let reason = Rejection::NoRoom { resource: Resource::Disk, asked: 10_242, available: 512, reserved: 0 };
        assert_eq!(words("asked", &reason), "disk: asked 10.01 GiB, free 0.5 GiB, reserved 0 GiB");
        let reason = Rejection::NoRoom { resource: Resource::Memory, asked: 8384, available: 8300, reserved: 64 };
        assert_eq!(words("grows by", &reason), "memory: grows by 8,384 MiB, free 8,300 MiB, reserved 64 MiB");
    }

    #[test]
    fn what_is_none_is_left_out() {
        let some = Resources { vcpus: 1, memory_mib: 0, disk_mib: 2 };
        assert_eq!(list(some, amounts::asked), "1 vCPU, 0.01 GiB disk");
        assert_eq!(list(Resources::ZERO, amounts::asked), "nothing");
    }
}
