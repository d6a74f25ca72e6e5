//! Placement: which node takes a VM, and why each other one doesn't. An exhaustive search over the map.

use crate::map::Condition;
use crate::{HypervisorKind, NodeId, Resource, Resources};
use serde::{Deserialize, Serialize};

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
