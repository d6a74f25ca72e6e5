//! The answers to the capacity questions in words: what fits, what could be lost or drained, what is stranded. Pure, so
//! that the server says it of what is, and the browser of what would be.

use super::amounts;
use super::node::Tone;
use grid::explain::explain_obstacle_naming;
use grid::map::{Answers, LossOf, Obstacle, Part, PartAnswer, Stranded};
use grid::offer::Offer;
use grid::wording::Counted;
use grid::{HypervisorKind, NodeId, Resource, Resources, Size, VmId};
use serde::{Deserialize, Serialize};

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswersView {
    /// Name and size, small ones first.
    pub offers: Vec<(String, Size)>,
    pub parts: Vec<PartView>,
    pub loss: QuestionView,
    pub drain: QuestionView,
    pub stranded: StrandedView,
}

/// What fits in a part of the grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartView {
    /// The same for the same part before and after a change.
    pub key: String,
    pub name: String,
    /// 0 a kind, 1 a region of it, 2 a failure domain.
    pub depth: u8,
    /// `2 nodes, 1 of them takes VMs`.
    pub nodes: String,
    pub largest: Option<Size>,
    /// How many more of each offer.
    pub more: Vec<u64>,
}

/// A question with its answer in a few words, and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionView {
    pub tone: Tone,
    pub answer: String,
    pub lines: Vec<ObstacleView>,
}

impl Default for QuestionView {
    fn default() -> Self {
        Self { tone: Tone::Neutral, answer: String::new(), lines: Vec::new() }
    }
}

/// What can't be lost or drained, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObstacleView {
    pub name: String,
    /// Whether the name is a node's; else it is a failure domain's.
    pub is_node: bool,
    pub why: String,
    /// What would find no place.
    pub left_over: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrandedView {
    pub is_none: bool,
    pub answer: String,
    pub lines: Vec<StrandedLine>,
}

/// What an offer strands in a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrandedLine {
    pub kind: String,
    pub offer: String,
    /// Nodes on which something is free and none of it fits, and what is free there.
    pub nodes: u64,
    pub on_them: String,
    /// What stays free when all nodes are full of it.
    pub after_filling: String,
    /// What runs out first, and on how many nodes.
    pub runs_out_first: String,
}

/// What the answers know by ids, by the names that people know.
pub trait Names {
    fn node(&self, id: NodeId) -> String;
    fn vm(&self, id: VmId) -> String;
}

/// Puts the answers into words. `offers` as they were asked about.
pub fn view(answers: &Answers, offers: &[Offer], names: &dyn Names) -> AnswersView {
    AnswersView {
        offers: offers.iter().map(|offer| (offer.name.clone(), offer.size)).collect(),
        parts: parts(&answers.parts),
        loss: loss(answers, names),
        drain: drain(answers, names),
        stranded: stranded(answers, offers),
    }
}

/// A region stands by itself only where its kind has several.
fn parts(parts: &[PartAnswer]) -> Vec<PartView> {
    let regions_of = |kind: HypervisorKind| {
        let is_region = move |part: &Part| part.kind == kind && part.region.is_some() && part.failure_domain.is_none();
        parts.iter().map(|each| &each.part).filter(move |part| is_region(part))
    };
    let shown = parts.iter().filter_map(|each| {
        let Part { kind, region, failure_domain } = &each.part;
        let only = regions_of(*kind).count() == 1;
        let (name, depth) = match (region, failure_domain) {
            (None, _) => {
                let region = regions_of(*kind).next().and_then(|part| part.region.as_deref()).filter(|_| only);
                (region.map_or_else(|| kind.to_string(), |region| format!("{kind} · {region}")), 0)
            }
            (Some(_), None) if only => return None,
            (Some(region), None) => (region.clone(), 1),
            (Some(_), Some(domain)) => (domain.clone(), if only { 1 } else { 2 }),
        };
        Some(PartView {
            key: format!("{kind}/{}/{}", region.as_deref().unwrap_or(""), failure_domain.as_deref().unwrap_or("")),
            name,
            depth,
            nodes: nodes_in_words(each.nodes, each.ready),
            largest: each.largest,
            more: each.more.clone(),
        })
    });
    shown.collect()
}

fn nodes_in_words(nodes: u32, ready: u32) -> String {
    let counted = Counted(nodes.into(), "node");
    match (nodes, ready) {
        (all, ready) if all == ready => counted.to_string(),
        (_, 0) => format!("{counted}, none takes VMs now"),
        (_, 1) => format!("{counted}, 1 takes VMs now"),
        (_, ready) => format!("{counted}, {ready} take VMs now"),
    }
}

fn loss(answers: &Answers, names: &dyn Names) -> QuestionView {
    let lines: Vec<ObstacleView> = answers
        .losses
        .iter()
        .map(|loss| {
            let (name, is_node) = match &loss.of {
                LossOf::Node(node) => (names.node(*node), true),
                LossOf::FailureDomain(domain) => (domain.clone(), false),
            };
            let left = loss.left_over;
            let words =
                format!("{} without a place: {}", Counted(left.vms.into(), "VM"), list(left.resources, amounts::asked));
            ObstacleView { name, is_node, why: why(&loss.obstacle, names), left_over: Some(words) }
        })
        .collect();
    let (tone, answer) = match (lines.len(), answers.looked_at) {
        (_, 0) => (Tone::Neutral, "There are no nodes yet".to_owned()),
        (0, _) => (Tone::Good, "Any one can be lost: the others could take its VMs".to_owned()),
        (some, all) => (Tone::Bad, format!("{some} of {all} could not: some of the VMs would find no place")),
    };
    QuestionView { tone, answer, lines }
}

fn drain(answers: &Answers, names: &dyn Names) -> QuestionView {
    let line = |(node, obstacle): &(NodeId, Obstacle)| ObstacleView {
        name: names.node(*node),
        is_node: true,
        why: why(obstacle, names),
        left_over: None,
    };
    let lines: Vec<ObstacleView> = answers.not_drainable.iter().map(line).collect();
    let (tone, answer) = match (lines.len(), answers.nodes) {
        (_, 0) => (Tone::Neutral, "There are no nodes yet".to_owned()),
        (0, _) => (Tone::Good, "Every node can be drained now".to_owned()),
        (some, all) => (Tone::Warning, format!("{some} of {} can't be drained now", Counted(all.into(), "node"))),
    };
    QuestionView { tone, answer, lines }
}

fn why(obstacle: &Obstacle, names: &dyn Names) -> String {
    explain_obstacle_naming(obstacle, &|vm| names.vm(vm))
}

fn stranded(answers: &Answers, offers: &[Offer]) -> StrandedView {
    let smallest = answers.stranded.iter().filter_map(|(_, of_offers)| of_offers.first());
    let (nodes, on_them) = smallest.fold((0_u64, Resources::ZERO), |(nodes, sum), each| {
        (nodes.saturating_add(each.nodes), sum.plus(each.on_them))
    });
    let answer = match offers.first() {
        None => "There is no offer to sell it by".to_owned(),
        Some(_) if nodes == 0 => "Nothing: what is free can be sold".to_owned(),
        Some(offer) => format!(
            "{} on {}, where not even one {} fits",
            list(on_them, amounts::free),
            Counted(nodes, "node"),
            offer.name
        ),
    };
    let lines = answers.stranded.iter().flat_map(|(kind, of_offers)| {
        of_offers.iter().zip(offers).map(|(found, offer)| stranded_line(*kind, offer, found))
    });
    StrandedView { is_none: nodes == 0, answer, lines: lines.collect() }
}

fn stranded_line(kind: HypervisorKind, offer: &Offer, found: &Stranded) -> StrandedLine {
    let first = Resource::ALL.into_iter().zip(found.runs_out_first).filter(|(_, nodes)| *nodes > 0);
    let first: Vec<String> =
        first.map(|(resource, nodes)| format!("{} on {}", resource.as_str(), Counted(nodes, "node"))).collect();
    StrandedLine {
        kind: kind.to_string(),
        offer: offer.name.clone(),
        nodes: found.nodes,
        on_them: list(found.on_them, amounts::free),
        after_filling: list(found.after_filling, amounts::free),
        runs_out_first: if first.is_empty() { "nothing".to_owned() } else { first.join(", ") },
    }
}

/// `3 vCPUs · 1,536 MiB memory`, without what is none.
fn list(amounts: Resources, written: impl Fn(Resource, u64) -> String) -> String {
    amounts::listed_or_nothing(amounts, " · ", written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::map::{LeftOver, Loss};
    use uuid::Uuid;

    struct Plain;

    impl Names for Plain {
        fn node(&self, _: NodeId) -> String {
            "qemu-a".to_owned()
        }

        fn vm(&self, _: VmId) -> String {
            "shop".to_owned()
        }
    }

    fn part(region: Option<&str>, domain: Option<&str>) -> PartAnswer {
        let kind = HypervisorKind::Lxc;
        let part = Part { kind, region: region.map(str::to_owned), failure_domain: domain.map(str::to_owned) };
        PartAnswer { part, nodes: 2, ready: 1, largest: None, more: vec![0] }
    }

    #[test]
    fn a_region_stands_by_itself_only_where_there_are_several() {
        let names = |of: &[PartAnswer]| -> Vec<(String, u8)> {
            parts(of).into_iter().map(|part| (part.name, part.depth)).collect()
        };
        let one = [part(None, None), part(Some("north"), None), part(Some("north"), Some("rack-1"))];
        assert_eq!(names(&one), [("lxc · north".to_owned(), 0), ("rack-1".to_owned(), 1)]);
        let two = [part(None, None), part(Some("north"), None), part(Some("south"), None)];
        assert_eq!(names(&two), [("lxc".to_owned(), 0), ("north".to_owned(), 1), ("south".to_owned(), 1)]);
    }

    #[test]
    fn what_can_not_be_lost_is_told_with_what_would_be_left_over() {
        let node = NodeId(Uuid::nil());
        let obstacle = Obstacle::FitsNowhere { vm: VmId(Uuid::nil()), size: Size::SMALLEST };
        let left_over = LeftOver { vms: 2, resources: Resources::new(3, 1536, 0) };
        let loss = Loss { of: LossOf::Node(node), obstacle: obstacle.clone(), left_over };
        let answers = Answers {
            losses: vec![loss],
            looked_at: 4,
            nodes: 4,
            not_drainable: vec![(node, obstacle)],
            ..Answers::default()
        };
        let told = view(&answers, &[], &Plain);
        assert_eq!(told.loss.answer, "1 of 4 could not: some of the VMs would find no place");
        assert_eq!(told.loss.lines[0].name, "qemu-a");
        assert!(told.loss.lines[0].why.contains("VM shop ("), "{:?}", told.loss);
        let left = told.loss.lines[0].left_over.as_deref();
        assert_eq!(left, Some("2 VMs without a place: 3 vCPUs · 1,536 MiB memory"));
        assert_eq!(told.drain.answer, "1 of 4 nodes can't be drained now");
        assert_eq!(view(&Answers::default(), &[], &Plain).loss.answer, "There are no nodes yet");
    }

    #[test]
    fn stranded_is_what_the_smallest_offer_can_not_use() {
        let offers = ["small", "large"].map(|name| Offer { name: name.to_owned(), size: Size::SMALLEST });
        let found = |nodes, vcpus| Stranded {
            nodes,
            on_them: Resources::ZERO.with(Resource::Vcpus, vcpus),
            after_filling: Resources::ZERO,
            runs_out_first: Resource::ALL.map(|resource| if resource == Resource::Memory { 2 } else { 0 }),
        };
        let answers =
            |small| Answers { stranded: vec![(HypervisorKind::Kvm, vec![small, found(2, 9)])], ..Answers::default() };
        let told = stranded(&answers(found(0, 0)), &offers);
        assert_eq!((told.is_none, told.lines.len()), (true, 2));
        assert_eq!(told.lines[0].runs_out_first, "memory on 2 nodes");
        let told = stranded(&answers(found(1, 3)), &offers);
        assert_eq!(told.answer, "3 vCPUs on 1 node, where not even one small fits");
    }
}
