//! What the store has recorded that counts in the map: nodes, the VMs at home on them, and what operations hold.

use crate::store::{Store, StoreError};
use grid::node::Node;
use grid::operation::{Operation, OperationKind};
use grid::vm::Vm;
use grid::{NodeId, OperationId, Resources, VmId};
use std::collections::{BTreeMap, BTreeSet};

/// One reading of the store.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    /// By home.
    pub(super) vms: BTreeMap<NodeId, Vec<Vm>>,
    pub(super) reserved: BTreeMap<NodeId, Resources>,
    /// The VMs for which running operations hold something on a node.
    pub(super) held: BTreeMap<NodeId, Vec<VmId>>,
    /// The VMs on which an operation works: their states are the operation's business.
    pub(super) worked_on: BTreeSet<VmId>,
}

impl Records {
    pub(super) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        // Operations first: one that begins meanwhile brings its own call for another reading.
        let unfinished = store.operation_unfinished().await?;
        let reservations = store.reservation_list().await?;
        let vms = store.vm_list(None).await?;
        let nodes = store.node_list().await?;
        Ok(Self::new(nodes, vms, &reservations, &unfinished))
    }

    /// The VMs that were at home or held on a node by these records, and no longer are by the next ones.
    pub(super) fn lost_since(&self, next: &Self) -> impl Iterator<Item = (NodeId, VmId)> {
        let before = self.places();
        let after = next.places();
        before.difference(&after).copied().collect::<Vec<_>>().into_iter()
    }

    fn places(&self) -> BTreeSet<(NodeId, VmId)> {
        let home = self.vms.iter().flat_map(|(node, vms)| vms.iter().map(|vm| (*node, vm.id)));
        let held = self.held.iter().flat_map(|(node, vms)| vms.iter().map(|vm| (*node, *vm)));
        home.chain(held).collect()
    }

    fn new(
        nodes: Vec<Node>,
        vms: Vec<Vm>,
        reservations: &[(NodeId, OperationId, Resources)],
        unfinished: &[Operation],
    ) -> Self {
        let nodes = nodes.into_iter().map(|node| (node.id, node)).collect();
        let mut records = Self { nodes, ..Self::default() };
        for vm in vms {
            records.vms.entry(vm.node).or_default().push(vm);
        }
        for (node, _, resources) in reservations {
            let sum = records.reserved.entry(*node).or_default();
            *sum = sum.plus(*resources);
        }
        for operation in unfinished {
            let vm = operation.kind.vm();
            records.worked_on.insert(vm);
            for node in touched(&operation.kind) {
                records.held.entry(node).or_default().push(vm);
            }
        }
        records
    }
}

/// The nodes on which an operation's VM is nobody's stranger while it runs.
fn touched(kind: &OperationKind) -> Vec<NodeId> {
    match kind {
        OperationKind::Deploy { node, .. } | OperationKind::Rebuild { node, .. } => vec![*node],
        OperationKind::Resize { plan, .. } => [Some(plan.source), plan.destination].into_iter().flatten().collect(),
        OperationKind::Start { .. } | OperationKind::Stop { .. } | OperationKind::Delete { .. } => Vec::new(),
    }
}
