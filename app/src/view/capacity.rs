//! The dashboard: what there is, what is promised, what is left.

use super::answers::AnswersView;
use super::chart::ChartView;
use super::node::NodeLine;
use super::operation::OperationLine;
use grid::{Resource, Resources};
use serde::{Deserialize, Serialize};

/// The six numbers of every resource, of a node or of a hypervisor kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub physical: Resources,
    pub usable: Resources,
    pub committed: Resources,
    pub reserved: Resources,
    pub available: Resources,
    pub measured: Resources,
}

impl Figures {
    /// Whether a resource is told of: not one that VMs can do without, where nothing of it is there or promised.
    pub fn tells_of(&self, resource: Resource) -> bool {
        let some = [self.physical, self.usable, self.committed, self.reserved];
        !resource.is_optional() || some.iter().any(|amounts| amounts.get(resource) > 0)
    }

    /// The resources that are told of.
    pub fn resources(self) -> impl Iterator<Item = Resource> {
        Resource::ALL.into_iter().filter(move |resource| self.tells_of(*resource))
    }
}

/// All nodes of one hypervisor kind together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindView {
    /// The kind's word.
    pub kind: String,
    /// How many nodes it has, and how many of them take new VMs.
    pub node_count: u32,
    pub ready: u32,
    pub figures: Figures,
    pub nodes: Vec<NodeLine>,
    pub charts: Vec<ChartView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DashboardView {
    pub answers: AnswersView,
    /// When the answers were so; they are kept for a while.
    pub answers_as_of: String,
    pub kinds: Vec<KindView>,
    pub operations: Vec<OperationLine>,
    pub as_of: String,
}
