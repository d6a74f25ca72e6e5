//! What the store has recorded that counts in the map: nodes, the VMs at home on them, and what operations hold.
//!
//! A change of one VM replaces what is known of that VM and no more, so that it costs the same however many VMs and nodes
//! there are.

use crate::store::rows::VmRecord;
use crate::store::{Store, StoreError};
use grid::node::Node;
use grid::operation::{Operation, OperationKind};
use grid::vm::Vm;
use grid::{HypervisorKind, NodeId, OperationId, Resources, VmId};
use std::collections::{BTreeMap, BTreeSet};

/// One reading of the store, and what has changed since.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    /// By home, each by name.
    pub(super) vms: BTreeMap<NodeId, Vec<Vm>>,
    reserved: BTreeMap<NodeId, BTreeMap<OperationId, Resources>>,
    /// The VMs for which running operations hold something on a node.
    pub(super) held: BTreeMap<NodeId, BTreeSet<VmId>>,
    /// The VMs on which an operation works: their states are the operation's business.
    pub(super) worked_on: BTreeSet<VmId>,
    places: BTreeMap<VmId, Places>,
    kinds: BTreeMap<String, BTreeSet<HypervisorKind>>,
    macs: BTreeSet<String>,
}

/// Where something is recorded of a VM.
#[derive(Clone, Debug, Default)]
struct Places {
    home: Option<NodeId>,
    held: Vec<NodeId>,
    reserved: Vec<(NodeId, OperationId)>,
}

impl Places {
    /// Where it is at home or held.
    fn seen(&self) -> BTreeSet<NodeId> {
        self.home.iter().chain(&self.held).copied().collect()
    }

    fn all(&self) -> impl Iterator<Item = NodeId> {
        let reserved = self.reserved.iter().map(|(node, _)| *node);
        self.home.into_iter().chain(self.held.iter().copied()).chain(reserved)
    }
}

/// What another record of a VM changes.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// The nodes on which the VM is or was.
    pub(super) nodes: BTreeSet<NodeId>,
    /// Those where it was at home or held, and no longer is.
    pub(super) left: Vec<NodeId>,
    /// Whether an operation worked on it, and no longer does.
    pub(super) let_go: bool,
}

impl Records {
    pub(super) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        // Operations first: one that begins meanwhile brings its own word of it.
        let unfinished = store.operation_unfinished().await?;
        let reservations = store.reservation_list().await?;
        let vms = store.vm_list(None).await?;
        let nodes = store.node_list().await?;
        Ok(Self::new(nodes, vms, &reservations, &unfinished))
    }

    fn new(
        nodes: Vec<Node>,
        vms: Vec<Vm>,
        reservations: &[(NodeId, OperationId, Resources)],
        unfinished: &[Operation],
    ) -> Self {
        let mut records = Self::default();
        for node in nodes {
            records.kinds.entry(node.region.clone()).or_default().insert(node.kind);
            records.nodes.insert(node.id, node);
        }
        for vm in vms {
            records.home(vm);
        }
        let works_on: BTreeMap<OperationId, VmId> = unfinished.iter().map(|each| (each.id, each.kind.vm())).collect();
        for (node, operation, amount) in reservations {
            records.reserve(works_on.get(operation).copied(), (*node, *operation), *amount);
        }
        for operation in unfinished {
            records.hold(&operation.kind);
        }
        records
    }

    /// What is recorded of a VM takes the place of what was.
    pub(super) fn put(&mut self, id: VmId, record: VmRecord) -> Changed {
        let before = self.places.remove(&id).unwrap_or_default();
        self.forget(id, &before);
        let worked_on = self.worked_on.remove(&id);
        if let Some(vm) = record.vm {
            self.home(vm);
        }
        for (node, operation, amount) in record.reservations {
            self.reserve(Some(id), (node, operation), amount);
        }
        if let Some((_, kind)) = record.operation {
            self.hold(&kind);
        }
        let after = self.places.get(&id).cloned().unwrap_or_default();
        Changed {
            nodes: before.all().chain(after.all()).collect(),
            left: before.seen().difference(&after.seen()).copied().collect(),
            let_go: worked_on && !self.worked_on.contains(&id),
        }
    }

    /// What is known of one VM.
    pub(super) fn of(&self, id: VmId) -> Option<&Vm> {
        let home = self.places.get(&id)?.home?;
        self.vms.get(&home)?.iter().find(|vm| vm.id == id)
    }

    /// What running operations hold on a node, each by itself.
    pub(super) fn reserved(&self, node: NodeId) -> impl Iterator<Item = (OperationId, Resources)> {
        self.reserved.get(&node).into_iter().flatten().map(|(operation, amount)| (*operation, *amount))
    }

    /// The hypervisor kinds that a region has.
    pub(super) fn kinds_in(&self, region: &str) -> BTreeSet<HypervisorKind> {
        self.kinds.get(region).cloned().unwrap_or_default()
    }

    pub(super) fn has_mac(&self, mac: &str) -> bool {
        self.macs.contains(mac)
    }

    /// The VMs that were at home or held on a node by these records, and no longer are by the next ones.
    pub(super) fn lost_since(&self, next: &Self) -> impl Iterator<Item = (NodeId, VmId)> {
        let before = self.seen();
        let after = next.seen();
        before.difference(&after).copied().collect::<Vec<_>>().into_iter()
    }

    /// As these records have it: what is known of one VM, to be put into others.
    pub(super) fn take(&self, id: VmId, into: &mut Self) {
        let places = self.places.get(&id).cloned().unwrap_or_default();
        into.put(id, VmRecord { vm: self.of(id).cloned(), operation: None, reservations: Vec::new() });
        for key in places.reserved {
            let amount = self.reserved.get(&key.0).and_then(|held| held.get(&key.1)).copied();
            into.reserve(Some(id), key, amount.unwrap_or(Resources::ZERO));
        }
        if self.worked_on.contains(&id) {
            into.hold_on(id, places.held);
        }
    }

    fn seen(&self) -> BTreeSet<(NodeId, VmId)> {
        self.places.iter().flat_map(|(vm, places)| places.seen().into_iter().map(|node| (node, *vm))).collect()
    }

    fn home(&mut self, vm: Vm) {
        self.places.entry(vm.id).or_default().home = Some(vm.node);
        self.macs.insert(vm.mac.clone());
        let of_home = self.vms.entry(vm.node).or_default();
        let at = of_home.partition_point(|other| (&other.name, other.id) < (&vm.name, vm.id));
        of_home.insert(at, vm);
    }

    /// An operation that no reading has told of holds what it holds, for a VM that is not known.
    fn reserve(&mut self, vm: Option<VmId>, (node, operation): (NodeId, OperationId), amount: Resources) {
        self.reserved.entry(node).or_default().insert(operation, amount);
        if let Some(vm) = vm {
            self.places.entry(vm).or_default().reserved.push((node, operation));
        }
    }

    fn hold(&mut self, kind: &OperationKind) {
        self.hold_on(kind.vm(), touched(kind));
    }

    fn hold_on(&mut self, vm: VmId, nodes: Vec<NodeId>) {
        self.worked_on.insert(vm);
        for node in &nodes {
            self.held.entry(*node).or_default().insert(vm);
        }
        self.places.entry(vm).or_default().held = nodes;
    }

    fn forget(&mut self, id: VmId, places: &Places) {
        if let Some(of_home) = places.home.and_then(|home| self.vms.get_mut(&home))
            && let Some(at) = of_home.iter().position(|vm| vm.id == id)
        {
            self.macs.remove(&of_home.remove(at).mac);
        }
        for node in &places.held {
            self.held.entry(*node).or_default().remove(&id);
        }
        for (node, operation) in &places.reserved {
            self.reserved.entry(*node).or_default().remove(operation);
        }
    }
}

/// The nodes on which an operation's VM is nobody's stranger while it runs.
fn touched(kind: &OperationKind) -> Vec<NodeId> {
    match kind {
        OperationKind::Deploy { node, .. } | OperationKind::Rebuild { node, .. } => vec![*node],
        OperationKind::Resize { plan, .. } => [Some(plan.source), plan.destination].into_iter().flatten().collect(),
        OperationKind::Start { .. }
        | OperationKind::Stop { .. }
        | OperationKind::Delete { .. }
        | OperationKind::Unreadable { .. } => Vec::new(),
    }
}
