//! How a second node was looked for, in words; for admins.
//!
//! Amounts are in the units of the size's form throughout, so that what was typed, what is asked of a node and what is
//! free there can be compared at a glance.

use crate::view::amounts;
use crate::view::plan::{CandidateView, ChoiceView, RejectionPage, RejectionView, RejectionsView};
use grid::explain::explain_why;
use grid::map::ResourceMap;
use grid::placement::{Candidate, Lack, RejectedNode, Rejection, Why};
use grid::plan::Choice;
use grid::wording::Grouped;
use grid::{NodeId, Resource, Resources, Size};

/// Nodes on a page of the list of all of them.
const LISTED: u64 = 100;

/// The list of every node, as far as it was asked for.
pub(super) struct List<'a> {
    /// Every node that can't take it; none where nobody asked and some node can.
    pub(super) rejected: &'a [RejectedNode],
    /// The page that was asked for, from 1.
    pub(super) page: Option<u64>,
    /// Where a page is.
    pub(super) link: &'a dyn Fn(u64) -> String,
}

pub(super) fn view(map: &ResourceMap, home: NodeId, to: Size, choice: &Choice, list: &List<'_>) -> ChoiceView {
    let tally = &choice.tally;
    let at_home = RejectionView {
        node: name(map, home),
        reasons: choice.at_home.iter().map(|reason| words("grows by", reason)).collect(),
    };
    let counted = tally.reasons.iter().filter(|(why, _)| !matches!(why, Why::Excluded));
    ChoiceView {
        needs: needs(to, choice, &at_home.node),
        best: tally.chosen.iter().chain(&tally.runners_up).map(|each| candidate(map, each)).collect(),
        candidates: tally.candidates,
        reasons: counted.map(|(why, nodes)| (*nodes, reason(map, why))).collect(),
        nodes: rejections(map, home, choice, list),
        home: at_home,
    }
}

/// The page of the list that is shown, or where to ask for it.
fn rejections(map: &ResourceMap, home: NodeId, choice: &Choice, list: &List<'_>) -> Option<RejectionsView> {
    let first = (list.link)(1);
    if list.rejected.is_empty() {
        let of_kind = choice.tally.reasons.iter().filter(|(why, _)| !matches!(why, Why::Excluded | Why::OtherKind));
        let all = of_kind.map(|(_, nodes)| *nodes).sum();
        return (all > 0).then_some(RejectionsView { all, page: None, first });
    }
    let is_of_kind = |node: &&RejectedNode| {
        node.node != home && !node.reasons.iter().any(|reason| matches!(reason, Rejection::OtherKind { .. }))
    };
    let of_kind: Vec<&RejectedNode> = list.rejected.iter().filter(is_of_kind).collect();
    let all = u64::try_from(of_kind.len()).unwrap_or(u64::MAX);
    let pages = all.div_ceil(LISTED).max(1);
    let here = list.page.unwrap_or(1).clamp(1, pages);
    let left_out = here.saturating_sub(1).saturating_mul(LISTED);
    let shown = of_kind.into_iter().skip(usize::try_from(left_out).unwrap_or(usize::MAX));
    let shown = shown.take(usize::try_from(LISTED).unwrap_or(usize::MAX));
    let page = RejectionPage {
        nodes: shown.map(|node| rejection(map, node)).collect(),
        from: left_out.saturating_add(1),
        before: (here > 1).then(|| (list.link)(here.saturating_sub(1))),
        after: (here < pages).then(|| (list.link)(here.saturating_add(1))),
        last: (here < pages).then(|| (list.link)(pages)),
        is_open: list.page.is_some(),
    };
    (all > 0).then_some(RejectionsView { all, page: Some(page), first })
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
    amounts::listed_or_nothing(resources, ", ", written)
}

fn candidate(map: &ResourceMap, candidate: &Candidate) -> CandidateView {
    let percent = |bp: u16| format!("{} %", bp / 100);
    CandidateView {
        node: name(map, candidate.node),
        cost: format!("{} {}", candidate.policy.as_str(), Grouped(candidate.cost)),
        free_after: list(candidate.free_after, amounts::free),
        full: percent(candidate.fullness_bp),
        busy: percent(candidate.measured_bp),
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
    use grid::HypervisorKind;
    use grid::placement::{Request, Tally};
    use uuid::Uuid;

    fn id(number: u64) -> NodeId {
        NodeId(Uuid::from_u128(number.into()))
    }

    /// 412 nodes of its kind without room, its own node, and one of another kind.
    fn rejected() -> Vec<RejectedNode> {
        let lacks = |available| Rejection::NoRoom { resource: Resource::Vcpus, asked: 1000, available, reserved: 0 };
        let mut all: Vec<RejectedNode> =
            (1..=412).map(|number| RejectedNode { node: id(number), reasons: vec![lacks(number)] }).collect();
        all.push(RejectedNode { node: id(0), reasons: vec![Rejection::Excluded] });
        let reasons = vec![Rejection::OtherKind { has: HypervisorKind::Lxc }];
        all.push(RejectedNode { node: id(413), reasons });
        all
    }

    fn shown(rejected: &[RejectedNode], page: Option<u64>) -> Option<RejectionsView> {
        let reasons = vec![(Why::OtherKind, 1), (Why::Incompatible, 412), (Why::Excluded, 1)];
        let tally = Tally { chosen: None, runners_up: Vec::new(), candidates: 0, reasons };
        let request = Request::new(HypervisorKind::Qemu, Resources::ZERO);
        let choice = Choice { request, tally, growth: Resources::ZERO, at_home: Vec::new() };
        let link = |page: u64| format!("?nodes={page}");
        rejections(&ResourceMap::default(), id(0), &choice, &List { rejected, page, link: &link })
    }

    #[test]
    fn leafing_through_the_list_shows_every_node_of_the_kind_once() {
        let rejected = rejected();
        let (mut seen, mut next) = (Vec::new(), Some("?nodes=1".to_owned()));
        while let Some(link) = next {
            let number = link.trim_start_matches("?nodes=").parse().unwrap();
            let page = shown(&rejected, Some(number)).unwrap().page.unwrap();
            assert!(page.is_open && page.nodes.len() <= 100);
            assert_eq!(page.from, u64::try_from(seen.len()).unwrap() + 1);
            assert_eq!(page.before, (number > 1).then(|| format!("?nodes={}", number - 1)));
            assert_eq!(page.last, (number < 5).then(|| "?nodes=5".to_owned()));
            seen.extend(page.nodes.into_iter().flat_map(|node| node.reasons));
            next = page.after;
        }
        let all: Vec<String> = (1..=412).map(|free| format!("vCPUs: asked 1,000, free {free}, reserved 0")).collect();
        assert_eq!(seen, all);
    }

    #[test]
    fn a_page_that_there_is_not_is_the_nearest_that_there_is() {
        let rejected = rejected();
        for (asked, from, left) in [(0, 1, 100), (6, 401, 12), (u64::MAX, 401, 12)] {
            let page = shown(&rejected, Some(asked)).unwrap().page.unwrap();
            assert_eq!((page.from, page.nodes.len()), (from, left));
        }
    }

    #[test]
    fn where_a_node_can_take_it_the_list_is_only_counted_until_somebody_asks() {
        let first = "?nodes=1".to_owned();
        assert_eq!(shown(&[], None), Some(RejectionsView { all: 412, page: None, first }));
        assert_eq!(shown(&rejected()[412..], None), None, "no other node of its kind");
    }

    #[test]
    fn amounts_are_told_in_the_units_of_the_form() {
        let reason = Rejection::NoRoom { resource: Resource::Disk, asked: 10_242, available: 512, reserved: 0 };
        assert_eq!(words("asked", &reason), "disk: asked 10.01 GiB, free 0.5 GiB, reserved 0 GiB");
        let reason = Rejection::NoRoom { resource: Resource::Memory, asked: 8384, available: 8300, reserved: 64 };
        assert_eq!(words("grows by", &reason), "memory: grows by 8,384 MiB, free 8,300 MiB, reserved 64 MiB");
    }

    #[test]
    fn what_is_none_is_left_out() {
        let some = Resources::new(1, 0, 2);
        assert_eq!(list(some, amounts::asked), "1 vCPU, 0.01 GiB disk");
        assert_eq!(list(Resources::ZERO, amounts::asked), "nothing");
    }
}
