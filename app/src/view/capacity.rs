//! The dashboard: what there is, what is promised, what is left.

use super::chart::ChartView;
use super::node::NodeLine;
use super::operation::OperationLine;
use grid::{Resources, Size};
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

/// All nodes of one hypervisor kind together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindView {
    /// The kind's word.
    pub kind: String,
    pub figures: Figures,
    pub nodes: Vec<NodeLine>,
    /// The largest VM that fits on one node.
    pub largest: Option<Size>,
    /// Offer, its size, and how many more of it fit.
    pub offers: Vec<(String, Size, u64)>,
    pub charts: Vec<ChartView>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DashboardView {
    pub kinds: Vec<KindView>,
    pub operations: Vec<OperationLine>,
    pub as_of: String,
}
