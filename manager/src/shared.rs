//! What the collector, the operations and the use cases hold together.

use crate::hypervisor::Hypervisor;
use crate::lease::Lease;
use crate::options::{NetworkOptions, Pace, UtilityOptions};
use crate::reconciler::Mending;
use crate::store::Store;
use crate::utility::{ImageLibrary, UtilityHub};
use grid::{NodeId, OperationId, RelocationId, VmId};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Something that a page may be showing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new version of the map.
    Map,
    Operation(OperationId),
    /// The operation is over, or waits for the operator; told besides [`Change::Operation`].
    Ended(OperationId),
    /// It was cancelled or has ended.
    Relocation(RelocationId),
    Vm(VmId),
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hypervisors: BTreeMap<NodeId, Arc<dyn Hypervisor>>,
    pub(crate) hub: Arc<UtilityHub>,
    pub(crate) images: Arc<ImageLibrary>,
    pub(crate) utility: UtilityOptions,
    pub(crate) network: NetworkOptions,
    pub(crate) pace: Pace,
    pub(crate) simulated: bool,
    pub(crate) lease: Lease,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) mending: Mending,
    /// What tests have ordered to go wrong.
    #[cfg(any(test, feature = "trial"))]
    pub(crate) trial: crate::operations::trial::Trial,
}

impl Shared {
    /// Tells whoever listens; nobody has to.
    pub(crate) fn tell(&self, change: Change) {
        let _ = self.changes.send(change);
    }

    pub(crate) fn hypervisor(&self, node: NodeId) -> Option<&Arc<dyn Hypervisor>> {
        self.hypervisors.get(&node)
    }
}
