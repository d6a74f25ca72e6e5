//! Placement: which node takes a VM, and why each other one doesn't.
//!
//! Two ways to the same answer: [`choose`] asks the map's index and looks at a few nodes only; [`place`] looks at every
//! node, and says of each why not. Which of the nodes that can take it is the best says the policy of its kind
//! ([`crate::policy`]). The same map and request always give the same answer.

mod compatibility;
mod filters;
mod groups;
mod request;
mod summary;
mod trial;
mod wording;

pub use groups::{Group, Rule};
pub use request::Request;
pub use summary::{Lack, Tally, Why, summarise};
pub use trial::Trial;

pub(crate) use compatibility::missing_for_live_move;
pub(crate) use filters::lacking;

use crate::index::Vector;
use crate::map::{Condition, MapNode, ResourceMap};
use crate::policy::{Policies, Policy};
use crate::{HypervisorKind, NodeId, Resource, Resources};
use serde::{Deserialize, Serialize};

/// Where it goes, the runners-up (best first), and every rejected node with all its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    pub chosen: Option<Candidate>,
    pub runners_up: Vec<Candidate>,
    pub rejected: Vec<RejectedNode>,
}

/// A node that could take it, with its score in parts. The lowest cost is the best; among equals the node that was
/// measured less busy, then the one with the lower id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub node: NodeId,
    pub policy: Policy,
    /// By the policy, from what stays free.
    pub cost: u64,
    /// `0..=10_000`: how busy it was measured to be.
    pub measured_bp: u16,
    /// What stays free on the node.
    pub free_after: Resources,
    /// `0..=10_000`: how full the node will be, in its fullest resource.
    pub fullness_bp: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedNode {
    pub node: NodeId,
    pub reasons: Vec<Rejection>,
}

/// Why a node can't take it; worded for people by its `Display` (admins) in the pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Rejection {
    Excluded,
    OtherKind {
        has: HypervisorKind,
    },
    OtherRegion {
        region: String,
    },
    /// None where nobody told the node's failure domain.
    OtherFailureDomain {
        has: Option<String>,
    },
    /// A group of VMs keeps it away, or keeps it to other nodes.
    Group {
        group: String,
        rule: Rule,
    },
    /// Too little of a resource: asked, available (free), and how much of it is reserved by running operations.
    NoRoom {
        resource: Resource,
        asked: u64,
        available: u64,
        reserved: u64,
    },
    /// Stale, silent, contradicting, cordoned or draining.
    NotReady {
        condition: Condition,
    },
    /// What the destination lacks for a live move.
    Incompatible {
        missing: Vec<String>,
    },
}

/// The best node, found through the map's index. The same as the first of [`place`].
pub fn choose(map: &ResourceMap, request: &Request) -> Option<Candidate> {
    let query = request.query(map)?;
    let choice = map.index().choose(&query)?;
    Some(score(map.policies(), map.get(choice.node)?, request.resources))
}

/// Looks at every node of the map.
pub fn place(map: &ResourceMap, request: &Request) -> Placement {
    let filters = filters::Filters::new(map, request);
    let mut candidates = Vec::new();
    let mut rejected = Vec::new();
    for node in map.iter() {
        let reasons = filters.reasons_against(node);
        if reasons.is_empty() {
            candidates.push(score(map.policies(), node, request.resources));
        } else {
            rejected.push(RejectedNode { node: node.node.id, reasons });
        }
    }
    candidates.sort_by_key(|each| (each.cost, each.measured_bp, each.node));
    let mut best_first = candidates.into_iter();
    Placement { chosen: best_first.next(), runners_up: best_first.collect(), rejected }
}

fn score(policies: Policies, node: &MapNode, asked: Resources) -> Candidate {
    let policy = policies.of(node.kind());
    let left = Vector::of_node(node.available()).minus(Vector::of_request(asked));
    Candidate {
        node: node.node.id,
        policy,
        cost: policy.cost(Vector::of_node(node.usable).into(), left),
        measured_bp: node.measured_bp(),
        free_after: node.available().minus(asked),
        fullness_bp: fullest_bp(node.committed.plus(node.reserved).plus(asked), node.usable),
    }
}

/// The share of the resource of which the largest share is taken, in basis points: 10,000 is all, and more than all is all.
pub(crate) fn fullest_bp(part: Resources, whole: Resources) -> u16 {
    const ALL: u16 = 10_000;
    let share = |resource: Resource| {
        let share = (u128::from(part.get(resource)) * u128::from(ALL)).checked_div(u128::from(whole.get(resource)));
        share.map_or(0, |share| u16::try_from(share).unwrap_or(ALL).min(ALL))
    };
    Resource::ALL.map(share).into_iter().max().unwrap_or(0)
}
