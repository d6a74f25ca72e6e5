//! Stranded resources: what is free and yet of no use, for what has to go with it isn't there.

use super::capacity::{Part, times};
use super::{MapNode, ResourceMap};
use crate::offer::Offer;
use crate::vm::commitment;
use crate::{Resource, Resources};
use serde::{Deserialize, Serialize};

/// What can't be sold by an offer, on the nodes that take new VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stranded {
    /// Nodes on which something is free and not one VM of the offer fits.
    pub nodes: u64,
    /// What is free on these.
    pub on_them: Resources,
    /// What would stay free on all nodes, were they filled with VMs of the offer.
    pub after_filling: Resources,
    /// On how many nodes each resource is the one that runs out first, in the order of [`Resource::ALL`].
    pub runs_out_first: [u64; Resource::ALL.len()],
}

/// What an offer strands in a part of the grid.
pub fn stranded(map: &ResourceMap, part: &Part, offer: &Offer) -> Stranded {
    let each = commitment(part.kind, offer.size);
    let none = Stranded {
        nodes: 0,
        on_them: Resources::ZERO,
        after_filling: Resources::ZERO,
        runs_out_first: [0; Resource::ALL.len()],
    };
    part.ready(map).fold(none, |sum, node| with(sum, node, each))
}

fn with(mut sum: Stranded, node: &MapNode, each: Resources) -> Stranded {
    let free = node.available();
    let count = times(free, each);
    if count == 0 && free != Resources::ZERO {
        sum.nodes = sum.nodes.saturating_add(1);
        sum.on_them = sum.on_them.plus(free);
    }
    let filled = each.zip(Resources::ZERO, |amount, _| amount.saturating_mul(count));
    sum.after_filling = sum.after_filling.plus(free.minus(filled));
    let goes = |resource: Resource| free.get(resource).checked_div(each.get(resource)).unwrap_or(u64::MAX);
    for (resource, nodes) in Resource::ALL.into_iter().zip(&mut sum.runs_out_first) {
        // Of several that run out together, each counts.
        *nodes = nodes.saturating_add(u64::from(goes(resource) == count));
    }
    sum
}
