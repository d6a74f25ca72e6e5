//! The map: the current picture of all nodes, of what is used and what is available, made from both sets of
//! statistics and from what the store has committed and reserved.
//!
//! Invariants: available = usable − committed − reserved, never below zero; where the two sources disagree about an
//! amount, the worse counts; a node that is not [`Condition::Ready`] takes no new VM.

mod answers;
mod build;
mod capacity;
mod compare;
mod condition;
mod losses;
mod stranded;

pub use answers::{Answers, PartAnswer, answers};
pub use build::NodeInputs;
pub use capacity::{
    KindTotals, Part, PartLargest, how_many_fit, how_many_fit_in, how_many_fit_on, largest_fit, largest_fit_in,
    rounds_of_mix,
};
pub use compare::{Disagreement, Fact};
pub use condition::{Condition, Freshness};
pub use losses::{LeftOver, Loss, LossOf, Obstacle, absorb, losses_not_absorbed, nodes_that_cannot_be_drained};
pub use stranded::{Stranded, stranded};

use crate::index::Index;
use crate::node::Node;
use crate::placement::fullest_bp;
use crate::policy::Policies;
use crate::sample::{Compatibility, HypervisorSample, Source, UtilitySample};
use crate::sanitise::Flag;
use crate::{HypervisorKind, NodeId, Resources, Size, UnixMillis, VmId};
use imbl::OrdMap;
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
    /// What fails with it (a rack, a power feed); where nobody told, it is one by itself.
    #[serde(default)]
    pub failure_domain: Option<String>,
    /// What in the last samples could not be true, and was made harmless; put there by whoever sanitised them.
    #[serde(default)]
    pub flags: Vec<(Source, Flag)>,
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

    /// What its hypervisor told of itself: what a live move compares, and its version.
    pub(crate) fn told(&self) -> Option<(&Compatibility, u64)> {
        self.hypervisor.as_ref().map(|reading| (&reading.sample.compatibility, reading.sample.hypervisor_version))
    }

    /// `0..=10_000`: how busy it was measured to be, in its busiest resource.
    pub fn measured_bp(&self) -> u16 {
        fullest_bp(self.measured, self.physical)
    }

    /// What the node has committed to this VM; nothing where the map doesn't count it here.
    pub fn committed_to(&self, vm: VmId) -> Resources {
        let held = self.commitments.iter().find(|commitment| commitment.holder == Holder::Vm(vm));
        held.map_or(Resources::ZERO, |commitment| commitment.resources)
    }
}

/// All nodes, by id, and the index by which placement finds the best of them. A new version is made by the collector and
/// swapped in whole; readers hold the old one. Versions share all that is the same in both, so that a new one costs
/// little however many nodes there are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct ResourceMap {
    pub version: u64,
    pub as_of: UnixMillis,
    nodes: OrdMap<NodeId, Arc<MapNode>>,
    policies: Policies,
    index: Index,
}

/// A map as it crosses a wire: without its index.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u64,
    as_of: UnixMillis,
    nodes: BTreeMap<NodeId, Arc<MapNode>>,
    #[serde(default)]
    policies: Policies,
}

impl From<Stored> for ResourceMap {
    fn from(stored: Stored) -> Self {
        let index = Index::of_nodes(stored.nodes.values().map(AsRef::as_ref));
        let Stored { version, as_of, nodes, policies } = stored;
        Self { version, as_of, nodes: nodes.into_iter().collect(), policies, index }
    }
}

impl From<ResourceMap> for Stored {
    fn from(map: ResourceMap) -> Self {
        let nodes = map.nodes.iter().map(|(id, node)| (*id, Arc::clone(node))).collect();
        Self { version: map.version, as_of: map.as_of, nodes, policies: map.policies }
    }
}

/// The index follows from the nodes.
impl PartialEq for ResourceMap {
    fn eq(&self, other: &Self) -> bool {
        let parts = |map: &Self| (map.version, map.as_of, map.policies);
        parts(self) == parts(other) && self.nodes == other.nodes
    }
}

impl ResourceMap {
    pub fn get(&self, id: NodeId) -> Option<&MapNode> {
        self.nodes.get(&id).map(AsRef::as_ref)
    }

    /// All nodes, in the order of their ids.
    pub const fn nodes(&self) -> &OrdMap<NodeId, Arc<MapNode>> {
        &self.nodes
    }

    pub const fn index(&self) -> &Index {
        &self.index
    }

    pub const fn policies(&self) -> Policies {
        self.policies
    }

    /// The next version, with other policies.
    #[must_use]
    pub fn with_policies(&self, policies: Policies) -> Self {
        Self { policies, ..self.next(self.as_of) }
    }

    pub fn iter(&self) -> impl Iterator<Item = &MapNode> {
        self.nodes.values().map(AsRef::as_ref)
    }

    /// The next version, with this node new or replaced.
    #[must_use]
    pub fn with_node(&self, as_of: UnixMillis, node: MapNode) -> Self {
        self.with_nodes(as_of, [node])
    }

    /// The next version, with all these nodes new or replaced: what many of them share the way to is copied once.
    #[must_use]
    pub fn with_nodes(&self, as_of: UnixMillis, nodes: impl IntoIterator<Item = MapNode>) -> Self {
        let mut next = self.next(as_of);
        for node in nodes {
            next.index.put_node(&node);
            next.nodes.insert(node.node.id, Arc::new(node));
        }
        next
    }

    /// The next version, without this node.
    #[must_use]
    pub fn without_node(&self, as_of: UnixMillis, id: NodeId) -> Self {
        let mut next = self.next(as_of);
        next.index.remove(id);
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
            next.index.put_node(node);
        }
        next
    }

    fn next(&self, as_of: UnixMillis) -> Self {
        Self { version: self.version.saturating_add(1), as_of: self.as_of.max(as_of), ..self.clone() }
    }
}
