//! What if: hypothetical changes as they were typed, and the capacity answers before and after. Pure, so that the browser
//! works it out by itself over a snapshot that it was sent once, and the server does the same where scripts are off.

use super::amounts;
use super::answers::{self, AnswersView, Names};
use crate::form::{Problem, ratio};
use grid::map::answers as answer;
use grid::node::Overcommit;
use grid::offer::Offer;
use grid::what_if::{Change, Scenario, Snapshot, SnapshotNode};
use grid::{HypervisorKind, NodeId, Resource, VmId};
use serde::{Deserialize, Serialize};

/// Nodes that can be added at once.
const MOST_ADDED: u32 = 1000;

/// What was typed. Empty is no change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIfTyped {
    /// How many nodes, and like which.
    pub add: String,
    pub like: String,
    /// `node NAME` or `domain NAME`.
    pub lose: String,
    /// All VMs of this offer, and the offer whose size they get.
    pub grow: String,
    pub to: String,
    /// The kind whose overcommit ratios are others, and which.
    pub kind: String,
    pub vcpus: String,
    pub memory: String,
    pub disk: String,
    #[serde(default)]
    pub network: String,
}

/// The names of the fields, in the query too.
pub const FIELDS: &[&str; 10] = &["add", "like", "lose", "grow", "to", "kind", "vcpus", "memory", "disk", "network"];

impl WhatIfTyped {
    /// What the query says.
    pub fn of(get: impl Fn(&str) -> Option<String>) -> Self {
        let [add, like, lose, grow, to, kind, vcpus, memory, disk, network] =
            FIELDS.map(|name| get(name).unwrap_or_default());
        Self { add, like, lose, grow, to, kind, vcpus, memory, disk, network }
    }

    /// The fields of the overcommit ratios, in the order of [`Resource::ALL`], and what was typed there.
    pub fn ratios(&self) -> [(&'static str, &str); Resource::COUNT] {
        Resource::ALL.map(|resource| match resource {
            Resource::Vcpus => ("vcpus", self.vcpus.as_str()),
            Resource::Memory => ("memory", self.memory.as_str()),
            Resource::Disk => ("disk", self.disk.as_str()),
            Resource::Network => ("network", self.network.as_str()),
        })
    }
}

/// What the page is sent once: what is, and the result for what its address asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIfPageView {
    pub snapshot: Snapshot,
    pub offers: Vec<Offer>,
    pub typed: WhatIfTyped,
    pub result: WhatIfView,
    pub as_of: String,
}

/// Before and after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhatIfView {
    pub problems: Vec<Problem>,
    /// The changes in words; none where nothing was asked.
    pub changes: Vec<String>,
    /// VMs whose node is lost.
    pub homeless: Option<String>,
    pub before: AnswersView,
    pub after: AnswersView,
}

impl WhatIfPageView {
    /// The result for what is typed now; what came with the page isn't worked out again.
    pub fn result_for(&self, typed: &WhatIfTyped) -> WhatIfView {
        if *typed == self.typed { self.result.clone() } else { result(&self.snapshot, &self.offers, typed) }
    }
}

/// Applies what was typed and asks before and after.
pub fn result(snapshot: &Snapshot, offers: &[Offer], typed: &WhatIfTyped) -> WhatIfView {
    let now = snapshot.scenario();
    let before = told(&now, offers);
    let (changes, problems) = changes(snapshot, offers, typed);
    if changes.is_empty() {
        return WhatIfView { problems, after: before.clone(), before, ..WhatIfView::default() };
    }
    let words = changes.iter().map(|(words, _)| words.clone()).collect();
    let then = changes.iter().fold(now, |scenario, (_, change)| scenario.with(change));
    let lost = match then.lost.len() {
        0 => None,
        1 => Some("1 VM has lost its home and counts nowhere.".to_owned()),
        many => Some(format!("{many} VMs have lost their home and count nowhere.")),
    };
    WhatIfView { problems, changes: words, homeless: lost, before, after: told(&then, offers) }
}

fn told(scenario: &Scenario, offers: &[Offer]) -> AnswersView {
    answers::view(&answer(&scenario.map, offers), offers, &Known(scenario))
}

struct Known<'a>(&'a Scenario);

impl Names for Known<'_> {
    fn node(&self, id: NodeId) -> String {
        self.0.map.get(id).map_or_else(|| id.to_string(), |node| node.node.name.clone())
    }

    fn vm(&self, id: VmId) -> String {
        self.0.vms.iter().find(|vm| vm.id == id).map_or_else(|| id.to_string(), |vm| vm.name.clone())
    }
}

/// What was typed as changes, each with its words, and what is wrong with it.
fn changes(snapshot: &Snapshot, offers: &[Offer], typed: &WhatIfTyped) -> (Vec<(String, Change)>, Vec<Problem>) {
    // First what is added: a node can be lost and another like it be there instead.
    let asked =
        [added(snapshot, typed), lost(snapshot, typed), grown(snapshot, offers, typed), overcommitted(snapshot, typed)];
    let (mut changes, mut problems) = (Vec::new(), Vec::new());
    for each in asked {
        match each {
            Ok(change) => changes.extend(change),
            Err(problem) => problems.push(problem),
        }
    }
    (changes, problems)
}

type Asked = Result<Option<(String, Change)>, Problem>;

fn added(snapshot: &Snapshot, typed: &WhatIfTyped) -> Asked {
    let text = typed.add.trim();
    let count: u32 = match text.parse() {
        _ if text.is_empty() => 0,
        Ok(count) if count <= MOST_ADDED && text.bytes().all(|byte| byte.is_ascii_digit()) => count,
        _ => return Err(Problem::of("add", format!("Enter a whole number, at most {MOST_ADDED}."))),
    };
    if count == 0 {
        return Ok(None);
    }
    let model = named(snapshot, &typed.like).ok_or_else(|| Problem::of("like", "There is no such node."))?;
    let words = match count {
        1 => format!("One more node like {}.", model.name),
        many => format!("{many} more nodes like {}.", model.name),
    };
    Ok(Some((words, Change::AddNodesLike { count, node: model.id })))
}

fn lost(snapshot: &Snapshot, typed: &WhatIfTyped) -> Asked {
    let gone = |words: String, nodes: Vec<NodeId>| {
        if nodes.is_empty() { Err(Problem::of("lose", "There is no such thing.")) } else { Ok((words, nodes)) }
    };
    let (words, nodes) = match typed.lose.split_once(' ') {
        None if typed.lose.is_empty() => return Ok(None),
        Some(("node", name)) => {
            gone(format!("Node {name} is gone."), named(snapshot, name).map(|node| node.id).into_iter().collect())?
        }
        Some(("domain", domain)) => {
            let of_domain = snapshot.nodes.iter().filter(|node| node.failure_domain.as_deref() == Some(domain));
            gone(format!("Failure domain {domain} is gone."), of_domain.map(|node| node.id).collect())?
        }
        _ => gone(String::new(), Vec::new())?,
    };
    Ok(Some((words, Change::Lose { nodes })))
}

fn grown(snapshot: &Snapshot, offers: &[Offer], typed: &WhatIfTyped) -> Asked {
    if typed.grow.is_empty() {
        return Ok(None);
    }
    let find = |field: &str, name: &str| {
        offers.iter().find(|offer| offer.name == name).ok_or_else(|| Problem::of(field, "There is no such offer."))
    };
    let (from, to) = (find("grow", &typed.grow)?, find("to", &typed.to)?);
    if from.name == to.name {
        return Err(Problem::of("to", "It is the same offer."));
    }
    let vms = snapshot.vms.iter().filter(|vm| vm.size == from.size).count();
    let words = format!("All {vms} VMs of the size of {} are given the size of {}.", from.name, to.name);
    Ok(Some((words, Change::Resize { from: from.size, to: to.size })))
}

fn overcommitted(snapshot: &Snapshot, typed: &WhatIfTyped) -> Asked {
    if typed.kind.is_empty() {
        return Ok(None);
    }
    let no_kind = || Problem::of("kind", "There are no nodes of this kind.");
    let kind: HypervisorKind = typed.kind.parse().map_err(|_| no_kind())?;
    let ratios: Vec<Overcommit> =
        snapshot.nodes.iter().filter(|node| node.kind == kind).map(|node| node.settings.overcommit).collect();
    let first = *ratios.first().ok_or_else(no_kind)?;
    let mut overcommit = first;
    for (resource, (field, text)) in Resource::ALL.into_iter().zip(typed.ratios()) {
        if !text.trim().is_empty() {
            overcommit.0.set(resource, ratio(text).map_err(|message| Problem::of(field, message))?);
        } else if ratios.iter().any(|each| each.permille(resource) != first.permille(resource)) {
            return Err(Problem::of(field, "Its nodes have several ratios: give one."));
        }
    }
    let each = Resource::ALL.map(|each| format!("{} {}", each.as_str(), amounts::times(overcommit.permille(each))));
    let words = format!("Overcommit of {kind} nodes: {}.", each.join(", "));
    Ok(Some((words, Change::Overcommit { kind, overcommit })))
}

fn named<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a SnapshotNode> {
    snapshot.nodes.iter().find(|node| node.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::map::{Condition, MapNode, ResourceMap};
    use grid::node::{Administration, Node, NodeSettings};
    use grid::{Resources, Size, UnixMillis};
    use uuid::Uuid;

    fn node(number: u128, domain: &str) -> MapNode {
        let settings = NodeSettings::default();
        let physical = Resources::new(8, 8192, 102_400);
        let domain = Some(domain.to_owned());
        MapNode {
            node: Node {
                id: NodeId(Uuid::from_u128(number)),
                name: format!("n-{number}"),
                kind: HypervisorKind::Lxc,
                region: "north".to_owned(),
                uri: String::new(),
                settings,
                administration: Administration::Open,
                failure_domain: domain.clone(),
            },
            hypervisor: None,
            utility: None,
            physical,
            usable: physical,
            committed: Resources::ZERO,
            reserved: Resources::ZERO,
            measured: Resources::ZERO,
            commitments: Vec::new(),
            disagreements: Vec::new(),
            flags: Vec::new(),
            condition: Condition::Ready,
            failure_domain: domain,
        }
    }

    fn offers() -> Vec<Offer> {
        [("small", 1), ("large", 4)]
            .map(|(name, vcpus)| Offer {
                name: name.to_owned(),
                size: Size { vcpus: grid::Vcpus(vcpus), ..Size::SMALLEST },
            })
            .into()
    }

    fn asked(pairs: &[(&str, &str)]) -> WhatIfView {
        let map = [node(1, "a"), node(2, "b")]
            .into_iter()
            .fold(ResourceMap::default(), |map, node| map.with_node(UnixMillis(0), node));
        let get = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        result(&Snapshot::of(&map, &[]), &offers(), &WhatIfTyped::of(get))
    }

    /// How many of the small offer fit before and after, in the kind as a whole.
    fn small(view: &WhatIfView) -> (u64, u64) {
        (view.before.parts[0].more[0], view.after.parts[0].more[0])
    }

    #[test]
    fn where_nothing_is_typed_nothing_changes() {
        let view = asked(&[("add", " "), ("like", "n-1"), ("kind", "")]);
        assert_eq!((view.changes.len(), view.problems.len(), small(&view)), (0, 0, (16, 16)));
    }

    #[test]
    fn nodes_come_and_go_and_the_answers_follow() {
        assert_eq!(small(&asked(&[("add", "2"), ("like", "n-1")])), (16, 32));
        let view = asked(&[("lose", "domain a")]);
        assert_eq!((small(&view), view.changes), ((16, 8), vec!["Failure domain a is gone.".to_owned()]));
        assert_eq!(small(&asked(&[("lose", "node n-1"), ("add", "1"), ("like", "n-1")])), (16, 16));
        assert_eq!(small(&asked(&[("kind", "lxc"), ("vcpus", "2")])), (16, 32));
    }

    #[test]
    fn what_can_not_be_read_is_told_beside_its_field_and_the_rest_still_counts() {
        let wrong = [
            ("add", "-1"),
            ("add", "１"),
            ("add", "1001"),
            ("lose", "node x"),
            ("lose", "rack"),
            ("grow", "free"),
            ("kind", "kvm"),
            ("kind", "moon"),
        ];
        for pair in wrong {
            let view = asked(&[pair]);
            let fields: Vec<_> = view.problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!((fields, view.changes.len()), (vec![pair.0], 0), "{pair:?}");
        }
        let view = asked(&[("add", "x"), ("lose", "node n-2")]);
        assert_eq!((view.problems.len(), small(&view)), (1, (16, 8)));
        let view = asked(&[("grow", "small"), ("to", "small")]);
        assert_eq!(view.problems[0].field, "to");
        let view = asked(&[("kind", "lxc"), ("memory", "1,5")]);
        assert_eq!(view.problems[0].field, "memory");
    }
}
