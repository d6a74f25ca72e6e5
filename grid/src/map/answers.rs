//! All that an admin asks of a grid's capacity, answered together: of a map as it is, or as it would be.

use super::capacity::{Part, how_many_fit_in, largest_fit_in};
use super::losses::{Loss, Obstacle, losses_not_absorbed, nodes_that_cannot_be_drained};
use super::stranded::{Stranded, stranded};
use super::{Condition, ResourceMap};
use crate::offer::Offer;
use crate::{HypervisorKind, NodeId, Size};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The answers. Offers stand in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Each kind, each of its regions, and each of their failure domains.
    pub parts: Vec<PartAnswer>,
    /// What each offer strands in each kind.
    pub stranded: Vec<(HypervisorKind, Vec<Stranded>)>,
    /// The nodes and failure domains whose loss could not be absorbed.
    pub losses: Vec<Loss>,
    /// How many losses were looked at: every node, every failure domain.
    pub looked_at: u32,
    /// The nodes that could not be drained now.
    pub not_drainable: Vec<(NodeId, Obstacle)>,
    pub nodes: u32,
}

/// What fits in a part of the grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartAnswer {
    pub part: Part,
    pub nodes: u32,
    /// Nodes that take new VMs.
    pub ready: u32,
    /// The largest VM that fits on one node now.
    pub largest: Option<Size>,
    /// How many more of each offer fit, were nothing else deployed.
    pub more: Vec<u64>,
}

/// Answers all. The losses are the dear part: every VM is placed once for its node, and once for its failure domain.
pub fn answers(map: &ResourceMap, offers: &[Offer]) -> Answers {
    let parts: BTreeSet<Part> = map.largest_by_part().into_iter().map(|each| each.part).collect();
    let kinds = parts.iter().filter(|part| part.region.is_none());
    let domains: BTreeSet<&str> = map.iter().filter_map(|node| node.failure_domain.as_deref()).collect();
    Answers {
        stranded: kinds
            .map(|part| (part.kind, offers.iter().map(|offer| stranded(map, part, offer)).collect()))
            .collect(),
        parts: parts.iter().map(|part| part_answer(map, part, offers)).collect(),
        losses: losses_not_absorbed(map),
        looked_at: count(map.iter()).saturating_add(count(domains.iter())),
        not_drainable: nodes_that_cannot_be_drained(map),
        nodes: count(map.iter()),
    }
}

fn part_answer(map: &ResourceMap, part: &Part, offers: &[Offer]) -> PartAnswer {
    let nodes = || map.iter().filter(|node| part.holds(node));
    PartAnswer {
        nodes: count(nodes()),
        ready: count(nodes().filter(|node| node.condition == Condition::Ready)),
        largest: largest_fit_in(map, part),
        more: offers.iter().map(|offer| how_many_fit_in(map, part, offer)).collect(),
        part: part.clone(),
    }
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
