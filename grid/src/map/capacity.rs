//! Capacity questions that the dashboard asks: totals a kind, the largest VM that fits, how many of an offer fit, how
//! many rounds of a mix of them.

use super::{Condition, MapNode, ResourceMap};
use crate::offer::Offer;
use crate::placement::{Request, Trial};
use crate::vm::{commitment, largest_size};
use crate::{Gib, HypervisorKind, Mbit, Mib, Resource, Resources, Size, Vcpus};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

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

/// A part of the grid: the nodes of a kind, all or those of a region, of a failure domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    pub kind: HypervisorKind,
    pub region: Option<String>,
    pub failure_domain: Option<String>,
}

impl Part {
    /// All nodes of a kind.
    pub const fn of(kind: HypervisorKind) -> Self {
        Self { kind, region: None, failure_domain: None }
    }

    /// The nodes of the part that take new VMs.
    pub(super) fn ready<'a>(&'a self, map: &'a ResourceMap) -> impl Iterator<Item = &'a MapNode> {
        map.iter().filter(move |node| node.condition == Condition::Ready && self.holds(node))
    }

    pub(super) fn holds(&self, node: &MapNode) -> bool {
        node.kind() == self.kind
            && self.region.as_ref().is_none_or(|region| node.node.region == *region)
            && (self.failure_domain.is_none() || node.failure_domain == self.failure_domain)
    }
}

/// A part of the grid, and the largest VM that fits there on one node now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLargest {
    pub part: Part,
    pub largest: Option<Size>,
}

impl ResourceMap {
    /// The largest VM that fits in each kind, in each of its regions, and in each of their failure domains.
    pub fn largest_by_part(&self) -> Vec<PartLargest> {
        let mut parts: BTreeMap<Part, Option<Size>> = BTreeMap::new();
        for node in self.iter() {
            let ready = node.condition == Condition::Ready;
            let size = ready.then(|| largest_size(node.kind(), node.available())).flatten();
            let kind = Part::of(node.kind());
            let region = Part { region: Some(node.node.region.clone()), ..kind.clone() };
            let domain = Part { failure_domain: node.failure_domain.clone(), ..region.clone() };
            let here = [Some(kind), Some(region), node.failure_domain.is_some().then_some(domain)];
            for part in here.into_iter().flatten() {
                let largest = parts.entry(part).or_default();
                *largest = [*largest, size].into_iter().flatten().max_by_key(order);
            }
        }
        parts.into_iter().map(|(part, largest)| PartLargest { part, largest }).collect()
    }
}

/// Of two sizes the larger has more memory, then vCPUs, then disk, then bandwidth.
const fn order(size: &Size) -> (Mib, Vcpus, Gib, Mbit) {
    (size.memory, size.vcpus, size.disk, size.network)
}

/// The largest VM of a kind that fits on one node now: of the nodes' largest, the one with the most memory, then
/// vCPUs, then disk. None where no node takes even the smallest.
pub fn largest_fit(map: &ResourceMap, kind: HypervisorKind, region: Option<&str>) -> Option<Size> {
    largest_fit_in(map, &Part { region: region.map(str::to_owned), ..Part::of(kind) })
}

/// The largest VM that fits in a part of the grid.
pub fn largest_fit_in(map: &ResourceMap, part: &Part) -> Option<Size> {
    part.ready(map).filter_map(|node| largest_size(part.kind, node.available())).max_by_key(order)
}

/// How many more VMs of an offer fit, were nothing else deployed. Exact: VMs of one size fill each node by itself.
pub fn how_many_fit(map: &ResourceMap, kind: HypervisorKind, region: Option<&str>, offer: &Offer) -> u64 {
    how_many_fit_in(map, &Part { region: region.map(str::to_owned), ..Part::of(kind) }, offer)
}

/// How many more VMs of an offer fit in a part of the grid. Exact.
pub fn how_many_fit_in(map: &ResourceMap, part: &Part, offer: &Offer) -> u64 {
    part.ready(map).map(|node| how_many_fit_on(node, offer)).fold(0, u64::saturating_add)
}

/// How many more VMs of an offer fit on one node; none where it takes no new ones. Exact.
pub fn how_many_fit_on(node: &MapNode, offer: &Offer) -> u64 {
    if node.condition != Condition::Ready {
        return 0;
    }
    times(node.available(), commitment(node.kind(), offer.size))
}

/// How many times the amounts go into what is there.
pub(super) fn times(available: Resources, each: Resources) -> u64 {
    let counts = Resource::ALL.map(|resource| available.get(resource).checked_div(each.get(resource)));
    counts.into_iter().flatten().min().unwrap_or(0)
}

/// How many rounds of a mix of offers fit in a part of the grid, at most `most`: how often one VM after another is
/// placed, each time every offer as often as the mix has it, the most memory first, by the kind's policy, until one
/// fits nowhere. So many surely fit; a better order might fit more, for that is a question of packing.
pub fn rounds_of_mix(map: &ResourceMap, part: &Part, mix: &[(Size, u32)], most: u64) -> u64 {
    let mut sizes: Vec<Size> = mix.iter().flat_map(|(size, count)| (0..*count).map(|_| *size)).collect();
    if sizes.is_empty() {
        return most;
    }
    sizes.sort_by_key(|size| Reverse(order(size)));
    let mut trial = Trial::of(map);
    let asked: Vec<Request> = sizes
        .into_iter()
        .map(|size| Request {
            region: part.region.clone(),
            failure_domain: part.failure_domain.clone(),
            ..Request::new(part.kind, commitment(part.kind, size))
        })
        .collect();
    let fits = |_: &u64| asked.iter().all(|request| trial.place(request).is_some());
    (0..most).take_while(fits).count() as u64
}

fn takes_now(node: &MapNode) -> Resources {
    if node.condition == Condition::Ready { node.available() } else { Resources::ZERO }
}
