//! Losses: whether the rest of the grid could take the VMs of a node, or of a failure domain, were it lost or drained.
//!
//! The method: the VMs, the most memory first, are placed one after another on the nodes that are left, each in its
//! region and kind by its policy. Where all find a place, the loss can be absorbed. Where one doesn't, another order
//! might have found one, unless there is less free in all than the VMs take: that is told apart.

use super::{Commitment, Holder, MapNode, ResourceMap};
use crate::placement::{Request, Trial};
use crate::{HypervisorKind, NodeId, Resource, Resources, Size, VmId};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What is lost, and why the rest can't take its VMs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub of: LossOf,
    pub obstacle: Obstacle,
    pub left_over: LeftOver,
}

/// The VMs of a loss that find no place, and what they take, overhead included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOver {
    pub vms: u32,
    pub resources: Resources,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossOf {
    Node(NodeId),
    FailureDomain(String),
}

/// Why a node can't be emptied, or a loss absorbed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "obstacle", rename_all = "snake_case")]
pub enum Obstacle {
    /// Its hypervisor doesn't answer: nothing can be moved from there.
    NoAnswer,
    /// A domain that nobody recorded runs there; nobody moves it.
    Stranger { vm: VmId },
    /// No other node can take this VM, even were nothing else placed.
    FitsNowhere { vm: VmId, size: Size },
    /// All nodes of the kind and region together have less free than its VMs take.
    TooLittleInAll { kind: HypervisorKind, region: String, resource: Resource, needed: u64, free: u64 },
    /// Once the larger ones are placed there is no room for this VM.
    NoRoomBesideOthers { vm: VmId, size: Size },
}

impl Obstacle {
    /// The VM that it is about, where it is about one.
    pub const fn vm(&self) -> Option<VmId> {
        match self {
            Self::Stranger { vm } | Self::FitsNowhere { vm, .. } | Self::NoRoomBesideOthers { vm, .. } => Some(*vm),
            Self::NoAnswer | Self::TooLittleInAll { .. } => None,
        }
    }
}

/// Whether the others could take all VMs of these nodes; if not, why.
pub fn absorb(map: &ResourceMap, lost: &[&MapNode]) -> Option<Obstacle> {
    place_all(map, lost, true).0
}

/// What is against it, and what finds no place; only the first of these where that is enough.
fn place_all(map: &ResourceMap, lost: &[&MapNode], first_only: bool) -> (Option<Obstacle>, LeftOver) {
    let mut trial = Trial::of(map);
    for node in lost {
        trial.close(node.node.id);
    }
    let empty = trial.clone();
    let mut moving: Vec<(&MapNode, &Commitment, VmId)> = lost.iter().flat_map(|node| vms(node)).collect();
    moving.sort_by_key(|(_, each, vm)| (Reverse(each.resources.memory_mib()), Reverse(each.resources.vcpus()), *vm));
    let (mut obstacle, mut left_over) = (None, LeftOver::default());
    for (node, each, vm) in &moving {
        let request = request(node, each.resources);
        if trial.place(&request).is_some() {
            continue;
        }
        let (vm, size) = (*vm, each.size);
        left_over.vms = left_over.vms.saturating_add(1);
        left_over.resources = left_over.resources.plus(each.resources);
        obstacle.get_or_insert_with(|| {
            if empty.clone().place(&request).is_none() {
                Obstacle::FitsNowhere { vm, size }
            } else {
                too_little(map, lost, &moving).unwrap_or(Obstacle::NoRoomBesideOthers { vm, size })
            }
        });
        if first_only {
            break;
        }
    }
    (obstacle, left_over)
}

/// The nodes and failure domains whose loss the rest of the grid could not absorb, and why. With none the grid is N+1.
pub fn losses_not_absorbed(map: &ResourceMap) -> Vec<Loss> {
    let mut domains: BTreeMap<&str, Vec<&MapNode>> = BTreeMap::new();
    for node in map.iter() {
        if let Some(domain) = &node.failure_domain {
            domains.entry(domain).or_default().push(node);
        }
    }
    let nodes = map.iter().map(|node| (LossOf::Node(node.node.id), vec![node]));
    let domains = domains.into_iter().map(|(domain, nodes)| (LossOf::FailureDomain(domain.to_owned()), nodes));
    let losses = nodes.chain(domains).filter_map(|(of, lost)| {
        let (obstacle, left_over) = place_all(map, &lost, false);
        Some(Loss { of, obstacle: obstacle?, left_over })
    });
    losses.collect()
}

/// The nodes that could not be drained now, and why. A node without VMs always can.
pub fn nodes_that_cannot_be_drained(map: &ResourceMap) -> Vec<(NodeId, Obstacle)> {
    map.iter().filter_map(|node| Some((node.node.id, obstacle_to_drain(map, node)?))).collect()
}

fn obstacle_to_drain(map: &ResourceMap, node: &MapNode) -> Option<Obstacle> {
    let stranger = node.commitments.iter().find_map(|each| match each.holder {
        Holder::Stranger(vm) => Some(Obstacle::Stranger { vm }),
        Holder::Vm(_) | Holder::Utility => None,
    });
    let silent = !node.condition.hypervisor_answers() && vms(node).next().is_some();
    stranger.or_else(|| silent.then_some(Obstacle::NoAnswer)).or_else(|| absorb(map, &[node]))
}

/// The VMs that would have to go elsewhere.
fn vms(node: &MapNode) -> impl Iterator<Item = (&MapNode, &Commitment, VmId)> {
    node.commitments.iter().filter_map(move |each| match each.holder {
        Holder::Vm(vm) => Some((node, each, vm)),
        Holder::Stranger(_) | Holder::Utility => None,
    })
}

fn request(node: &MapNode, resources: Resources) -> Request {
    Request { region: Some(node.node.region.clone()), ..Request::new(node.kind(), resources) }
}

/// A kind and region of which all nodes together have less free of a resource than these VMs take.
fn too_little(map: &ResourceMap, lost: &[&MapNode], moving: &[(&MapNode, &Commitment, VmId)]) -> Option<Obstacle> {
    let mut needed: BTreeMap<(HypervisorKind, &str), Resources> = BTreeMap::new();
    for (node, each, _) in moving {
        let sum = needed.entry((node.kind(), &node.node.region)).or_default();
        *sum = sum.plus(each.resources);
    }
    needed.into_iter().find_map(|((kind, region), needed)| {
        let part = super::Part { region: Some(region.to_owned()), ..super::Part::of(kind) };
        let left = part.ready(map).filter(|node| lost.iter().all(|gone| gone.node.id != node.node.id));
        let free = left.map(MapNode::available).fold(Resources::ZERO, Resources::plus);
        let resource = Resource::ALL.into_iter().find(|each| needed.get(*each) > free.get(*each))?;
        let (needed, free) = (needed.get(resource), free.get(resource));
        Some(Obstacle::TooLittleInAll { kind, region: region.to_owned(), resource, needed, free })
    })
}
