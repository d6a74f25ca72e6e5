//! The map: the current picture of all nodes, of what is used and what is available, made from both sets of
//! statistics and from what the store has committed and reserved.
//!
//! Invariants: available = usable − committed − reserved, never below zero; where the two sources disagree about an
//! amount, the smaller counts; a node that is not [`Condition::Ready`] takes no new VM.

use crate::node::{Administration, Node};
use crate::sample::{Compatibility, HypervisorSample, Source, UtilitySample};
use crate::{HypervisorKind, NodeId, Resource, Resources, Size, UnixMillis, VmId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A sample and when the manager had it complete, on the manager's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading<S> {
    pub at: UnixMillis,
    pub sample: S,
}

/// What a node has committed to one VM, or to something that nobody recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commitment {
    pub holder: Holder,
    /// The VM's size; what it takes is in `resources`, overhead included.
    pub size: Size,
    pub resources: Resources,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    Vm(VmId),
    Utility,
    /// A domain that nobody recorded.
    Stranger(VmId),
}

/// A node in the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapNode {
    pub node: Node,
    pub hypervisor: Option<Reading<HypervisorSample>>,
    pub utility: Option<Reading<UtilitySample>>,
    pub physical: Resources,
    pub usable: Resources,
    pub committed: Resources,
    pub reserved: Resources,
    /// What is really in use; ranks nodes, never makes room.
    pub measured: Resources,
    pub commitments: Vec<Commitment>,
    pub disagreements: Vec<Disagreement>,
    pub condition: Condition,
}

impl MapNode {
    /// What can still be promised; nothing underflows when more is committed than usable.
    pub fn available(&self) -> Resources {
        self.usable.minus(self.committed).minus(self.reserved)
    }

    pub const fn kind(&self) -> HypervisorKind {
        self.node.kind
    }

    /// What a live move compares.
    pub fn compatibility(&self) -> Option<&Compatibility> {
        self.hypervisor.as_ref().map(|reading| &reading.sample.compatibility)
    }
}

/// A fact about which the two sets of statistics differ by more than their tolerance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    pub fact: Fact,
    pub hypervisor: u64,
    pub utility: u64,
    /// The one that counts: the worse.
    pub counted: Source,
}

/// A fact that both sources tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// MiB.
    PoolCapacity,
    /// MiB.
    PoolFree,
    /// Of a VM: vCPUs as a count, memory and disk in MiB.
    VmSize { vm: VmId, resource: Resource },
    /// MiB, where the module sees the node.
    NodeMemory,
}

/// Whether a node takes new VMs, and if not, why: the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "condition", rename_all = "snake_case")]
pub enum Condition {
    Ready,
    /// Nothing was ever heard from this source.
    Silent {
        source: Source,
    },
    /// The last word from this source is this old.
    Stale {
        source: Source,
        age_ms: u64,
    },
    /// The sources contradict each other so much that neither can be trusted.
    Contradicting,
    Cordoned,
    Draining,
}

impl From<Administration> for Condition {
    fn from(administration: Administration) -> Self {
        match administration {
            Administration::Open => Self::Ready,
            Administration::Cordoned => Self::Cordoned,
            Administration::Draining => Self::Draining,
        }
    }
}

/// All nodes, by id. A new version is made by the collector and swapped in whole; readers hold the old one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceMap {
    pub version: u64,
    pub as_of: UnixMillis,
    pub nodes: BTreeMap<NodeId, std::sync::Arc<MapNode>>,
}

impl ResourceMap {
    pub fn get(&self, id: NodeId) -> Option<&MapNode> {
        self.nodes.get(&id).map(AsRef::as_ref)
    }

    pub fn iter(&self) -> impl Iterator<Item = &MapNode> {
        self.nodes.values().map(AsRef::as_ref)
    }
}
