//! Placement: which node takes a VM, and why each other one doesn't. An exhaustive search over the map.
//!
//! The policy is to pack: of the nodes that can take it, the one that will be fullest; among equals the one that was
//! measured less busy, then the one with the lower id. The same map and request always give the same answer.

use crate::map::{Condition, MapNode, ResourceMap};
use crate::wording::Grouped;
use crate::{HypervisorKind, NodeId, Resource, Resources};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub kind: HypervisorKind,
    /// Only nodes of this region; any where there is none.
    pub region: Option<String>,
    /// All that it takes on the node, overhead included.
    pub resources: Resources,
    /// Nodes that are out of the question (the VM's own home).
    pub excluded: Vec<NodeId>,
    /// For a live move: the node whose compatibility the destination must meet.
    pub live_from: Option<NodeId>,
}

/// Where it goes, the runners-up (best first), and every rejected node with all its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    pub chosen: Option<Candidate>,
    pub runners_up: Vec<Candidate>,
    pub rejected: Vec<RejectedNode>,
}

/// A node that could take it, with its score in parts; higher is better, ties go to the lower node id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub node: NodeId,
    /// `0..=1_000_000`: how full the node will be (pack), in its fullest resource.
    pub fullness_ppm: u32,
    /// `0..=1_000_000`: how busy it was measured to be; less is better, among equals.
    pub measured_ppm: u32,
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

/// Looks at every node of the map.
pub fn place(map: &ResourceMap, request: &Request) -> Placement {
    let mut candidates = Vec::new();
    let mut rejected = Vec::new();
    for node in map.iter() {
        let reasons = reasons_against(map, node, request);
        if reasons.is_empty() {
            candidates.push(score(node, request.resources));
        } else {
            rejected.push(RejectedNode { node: node.node.id, reasons });
        }
    }
    candidates.sort_by_key(|each| (Reverse(each.fullness_ppm), each.measured_ppm, each.node));
    let mut best_first = candidates.into_iter();
    Placement { chosen: best_first.next(), runners_up: best_first.collect(), rejected }
}

fn reasons_against(map: &ResourceMap, node: &MapNode, request: &Request) -> Vec<Rejection> {
    let mut reasons = Vec::new();
    if request.excluded.contains(&node.node.id) {
        reasons.push(Rejection::Excluded);
    }
    if node.kind() != request.kind {
        reasons.push(Rejection::OtherKind { has: node.kind() });
    }
    if request.region.as_ref().is_some_and(|region| *region != node.node.region) {
        reasons.push(Rejection::OtherRegion { region: node.node.region.clone() });
    }
    if node.condition != Condition::Ready {
        reasons.push(Rejection::NotReady { condition: node.condition });
    }
    reasons.extend(lacking(node, request.resources));
    if let Some(source) = request.live_from {
        let missing = missing_for_live_move(map.get(source), node);
        if !missing.is_empty() {
            reasons.push(Rejection::Incompatible { missing });
        }
    }
    reasons
}

/// One reason for each resource of which the node has too little available.
pub(crate) fn lacking(node: &MapNode, asked: Resources) -> impl Iterator<Item = Rejection> {
    let (available, reserved) = (node.available(), node.reserved);
    Resource::ALL.into_iter().filter(move |&resource| asked.get(resource) > available.get(resource)).map(
        move |resource| Rejection::NoRoom {
            resource,
            asked: asked.get(resource),
            available: available.get(resource),
            reserved: reserved.get(resource),
        },
    )
}

/// What the destination lacks to receive a running VM of the source: the same CPU model, all its CPU features and
/// machine types, a hypervisor that isn't older. What neither tells (containers have no CPU model) isn't compared;
/// of a node that never told anything all is missing.
fn missing_for_live_move(source: Option<&MapNode>, destination: &MapNode) -> Vec<String> {
    let source = source.and_then(|node| node.hypervisor.as_ref()).map(|reading| &reading.sample);
    let destination = destination.hypervisor.as_ref().map(|reading| &reading.sample);
    let (Some(source), Some(destination)) = (source, destination) else {
        return vec!["a known CPU on both nodes".to_owned()];
    };
    let (needs, has) = (&source.compatibility, &destination.compatibility);
    let mut missing = Vec::new();
    if needs.cpu_model != has.cpu_model {
        missing.push(format!("CPU model {}", needs.cpu_model));
    }
    let not_in = |wanted: &[String], there: &[String]| -> Vec<String> {
        let there: BTreeSet<&String> = there.iter().collect();
        wanted.iter().filter(|each| !there.contains(each)).cloned().collect()
    };
    missing
        .extend(not_in(&needs.cpu_features, &has.cpu_features).into_iter().map(|name| format!("CPU feature {name}")));
    missing.extend(
        not_in(&needs.machine_types, &has.machine_types).into_iter().map(|name| format!("machine type {name}")),
    );
    if destination.hypervisor_version < source.hypervisor_version {
        let version = source.hypervisor_version;
        let (major, minor, release) = (version / 1_000_000, version / 1000 % 1000, version % 1000);
        missing.push(format!("hypervisor version {major}.{minor}.{release}"));
    }
    missing
}

/// A million is full, and more than full is full.
fn share_ppm(part: u64, whole: u64) -> u32 {
    let share = (u128::from(part) * 1_000_000).checked_div(u128::from(whole));
    share.map_or(0, |share| u32::try_from(share.min(1_000_000)).unwrap_or(1_000_000))
}

fn score(node: &MapNode, asked: Resources) -> Candidate {
    let taken = node.committed.plus(node.reserved).plus(asked);
    let most = |part: Resources, whole: Resources| {
        Resource::ALL.map(|resource| share_ppm(part.get(resource), whole.get(resource))).into_iter().max().unwrap_or(0)
    };
    Candidate {
        node: node.node.id,
        fullness_ppm: most(taken, node.usable),
        measured_ppm: most(node.measured, node.physical),
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Excluded => formatter.write_str("excluded from the search"),
            Self::OtherKind { has } => write!(formatter, "another hypervisor kind: {has}"),
            Self::OtherRegion { region } => write!(formatter, "another region: {region}"),
            Self::NoRoom { resource, asked, available, reserved } => {
                let [asked, free, reserved] = [*asked, *available, *reserved].map(Grouped);
                let unit = match resource {
                    Resource::Vcpus => "",
                    Resource::Memory | Resource::Disk => " MiB",
                };
                let name = resource.as_str();
                write!(formatter, "{name}: asked {asked}{unit}, free {free}{unit}, reserved {reserved}{unit}")
            }
            Self::NotReady { condition } => write!(formatter, "{condition}"),
            Self::Incompatible { missing } => {
                write!(formatter, "no live move: it lacks {}", Few(missing))
            }
        }
    }
}

/// The first few of a list, and how many more there are.
struct Few<'a>(&'a [String]);

impl fmt::Display for Few<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 6;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        formatter.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(shown.len()) {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}
