//! The map: the current picture of all nodes, of what is used and what is available, made from both sets of
//! statistics and from what the store has committed and reserved.
//!
//! Invariants: available = usable − committed − reserved, never below zero; where the two sources disagree about an
//! amount, the worse counts; a node that is not [`Condition::Ready`] takes no new VM.

mod build;
mod capacity;
mod compare;
mod condition;

pub use build::NodeInputs;
pub use capacity::{KindTotals, how_many_fit, largest_fit};
pub use compare::{Disagreement, Fact};
pub use condition::{Condition, Freshness};

use crate::node::Node;
use crate::sample::{Compatibility, HypervisorSample, UtilitySample};
use crate::{HypervisorKind, NodeId, Resources, Size, UnixMillis, VmId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

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

/// A node in the map. Made by [`MapNode::build`].
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

    /// What the node has committed to this VM; nothing where the map doesn't count it here.
    pub fn committed_to(&self, vm: VmId) -> Resources {
        let held = self.commitments.iter().find(|commitment| commitment.holder == Holder::Vm(vm));
        held.map_or(Resources::ZERO, |commitment| commitment.resources)
    }
}

/// All nodes, by id. A new version is made by the collector and swapped in whole; readers hold the old one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceMap {
    pub version: u64,
    pub as_of: UnixMillis,
    pub nodes: BTreeMap<NodeId, Arc<MapNode>>,
}

impl ResourceMap {
    pub fn get(&self, id: NodeId) -> Option<&MapNode> {
        self.nodes.get(&id).map(AsRef::as_ref)
    }

    pub fn iter(&self) -> impl Iterator<Item = &MapNode> {
        self.nodes.values().map(AsRef::as_ref)
    }

    /// The next version, with this node new or replaced.
    #[must_use]
    pub fn with_node(&self, as_of: UnixMillis, node: MapNode) -> Self {
        let mut next = self.next(as_of);
        next.nodes.insert(node.node.id, Arc::new(node));
        next
    }

    /// The next version, without this node.
    #[must_use]
    pub fn without_node(&self, as_of: UnixMillis, id: NodeId) -> Self {
        let mut next = self.next(as_of);
        next.nodes.remove(&id);
        next
    }

    /// The next version, with this much more reserved on a node: how a choice counts at once, before the store has
    /// it. Unchanged but for the version where the node is not in the map.
    #[must_use]
    pub fn with_reservation(&self, as_of: UnixMillis, id: NodeId, resources: Resources) -> Self {
        self.with_reserved(as_of, id, |reserved| reserved.plus(resources))
    }

    /// The next version, with this much less reserved on a node: takes [`Self::with_reservation`] back.
    #[must_use]
    pub fn without_reservation(&self, as_of: UnixMillis, id: NodeId, resources: Resources) -> Self {
        self.with_reserved(as_of, id, |reserved| reserved.minus(resources))
    }

    fn with_reserved(&self, as_of: UnixMillis, id: NodeId, change: impl Fn(Resources) -> Resources) -> Self {
        let mut next = self.next(as_of);
        if let Some(node) = next.nodes.get_mut(&id) {
            let node = Arc::make_mut(node);
            node.reserved = change(node.reserved);
        }
        next
    }

    fn next(&self, as_of: UnixMillis) -> Self {
        Self { version: self.version.saturating_add(1), as_of: self.as_of.max(as_of), nodes: self.nodes.clone() }
    }
}
