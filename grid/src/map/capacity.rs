//! Capacity questions that the dashboard asks: totals a kind, the largest VM that fits, how many of an offer fit.

use super::{Condition, MapNode, ResourceMap};
use crate::offer::Offer;
use crate::vm::{commitment, largest_size};
use crate::{HypervisorKind, Resource, Resources, Size};
use serde::{Deserialize, Serialize};

/// The sums over all nodes of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindTotals {
    pub kind: HypervisorKind,
    pub nodes: u32,
    /// Nodes that take new VMs.
    pub ready: u32,
    pub physical: Resources,
    pub usable: Resources,
    pub committed: Resources,
    pub reserved: Resources,
    /// On the ready nodes only: what is not known, or not to be used, is not available.
    pub available: Resources,
    pub measured: Resources,
}

impl ResourceMap {
    /// The totals of each kind that there is, in the order of [`HypervisorKind::ALL`].
    pub fn totals(&self) -> Vec<KindTotals> {
        HypervisorKind::ALL.into_iter().filter_map(|kind| self.totals_of(kind)).collect()
    }

    fn totals_of(&self, kind: HypervisorKind) -> Option<KindTotals> {
        let mut nodes = self.iter().filter(|node| node.kind() == kind).peekable();
        nodes.peek()?;
        let none = Resources::ZERO;
        let start = KindTotals {
            kind,
            nodes: 0,
            ready: 0,
            physical: none,
            usable: none,
            committed: none,
            reserved: none,
            available: none,
            measured: none,
        };
        Some(nodes.fold(start, |sum, node| KindTotals {
            kind,
            nodes: sum.nodes.saturating_add(1),
            ready: sum.ready.saturating_add(u32::from(node.condition == Condition::Ready)),
            physical: sum.physical.plus(node.physical),
            usable: sum.usable.plus(node.usable),
            committed: sum.committed.plus(node.committed),
            reserved: sum.reserved.plus(node.reserved),
            available: sum.available.plus(takes_now(node)),
            measured: sum.measured.plus(node.measured),
        }))
    }
}

/// The largest VM of a kind that fits on one node now: of the nodes' largest, the one with the most memory, then
/// vCPUs, then disk. None where no node takes even the smallest.
pub fn largest_fit(map: &ResourceMap, kind: HypervisorKind, region: Option<&str>) -> Option<Size> {
    let sizes = eligible(map, kind, region).filter_map(|node| largest_size(kind, node.available()));
    sizes.max_by_key(|size| (size.memory, size.vcpus, size.disk))
}

/// How many more VMs of an offer fit, were nothing else deployed. Exact: VMs of one size fill each node by itself.
pub fn how_many_fit(map: &ResourceMap, kind: HypervisorKind, region: Option<&str>, offer: &Offer) -> u64 {
    let each = commitment(kind, offer.size);
    let on_node = |node: &MapNode| {
        let counts = Resource::ALL.map(|resource| node.available().get(resource).checked_div(each.get(resource)));
        counts.into_iter().flatten().min().unwrap_or(0)
    };
    eligible(map, kind, region).map(on_node).fold(0, u64::saturating_add)
}

fn eligible<'a>(
    map: &'a ResourceMap,
    kind: HypervisorKind,
    region: Option<&'a str>,
) -> impl Iterator<Item = &'a MapNode> {
    map.iter().filter(move |node| {
        node.kind() == kind
            && node.condition == Condition::Ready
            && region.is_none_or(|region| node.node.region == region)
    })
}

fn takes_now(node: &MapNode) -> Resources {
    if node.condition == Condition::Ready { node.available() } else { Resources::ZERO }
}
