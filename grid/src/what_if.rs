//! What-if: hypothetical changes, applied to a copy of what is. All that can be asked of the grid can be asked of the
//! result. Nothing here touches a real node.

mod snapshot;

pub use snapshot::{Snapshot, SnapshotNode, SnapshotVm};

use crate::map::{Condition, MapNode, ResourceMap};
use crate::moves::Layout;
use crate::node::{Administration, Node, NodeSettings, Overcommit};
use crate::placement::{Request, Trial};
use crate::vm::{Vm, commitment};
use crate::{HypervisorKind, NodeId, Resource, Resources, Size, VmId};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One hypothetical change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// So many more nodes like this, empty and ready. They can't receive running VMs of others: their CPUs are unknown.
    AddNodes {
        count: u32,
        kind: HypervisorKind,
        region: String,
        #[serde(default)]
        failure_domain: Option<String>,
        physical: Resources,
        settings: NodeSettings,
    },
    /// As before, each with what the hypervisor of this node says of its CPU and version.
    AddNodesLike { count: u32, node: NodeId },
    /// These nodes and their VMs are gone.
    Lose { nodes: Vec<NodeId> },
    /// All nodes of a failure domain (a rack, a power feed) and their VMs are gone.
    LoseFailureDomain { failure_domain: String },
    /// All VMs of one size have another.
    Resize { from: Size, to: Size },
    /// The overcommit ratio of a kind's nodes is another.
    Overcommit { kind: HypervisorKind, overcommit: Overcommit },
}

/// A map and the VMs on it, to be changed and asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub map: ResourceMap,
    pub vms: Vec<Vm>,
    /// VMs whose node was lost: they have no home in this scenario.
    pub lost: Vec<Vm>,
}

impl Scenario {
    /// What is.
    pub fn new(map: ResourceMap, vms: Vec<Vm>) -> Self {
        Self { map, vms, lost: Vec::new() }
    }

    /// The scenario after a change.
    #[must_use]
    pub fn with(mut self, change: &Change) -> Self {
        match change {
            Change::AddNodes { count, kind, region, failure_domain, physical, settings } => {
                let (kind, region, settings) = (*kind, region.clone(), *settings);
                self.add(*count, |id, name| MapNode {
                    failure_domain: failure_domain.clone(),
                    ..empty_node(id, name, kind, region.clone(), *physical, settings)
                });
            }
            Change::AddNodesLike { count, node } => {
                if let Some(model) = self.map.get(*node).cloned() {
                    self.add(*count, |id, name| emptied(&model, id, name));
                }
            }
            Change::Lose { nodes } => self.lose(nodes),
            Change::LoseFailureDomain { failure_domain } => {
                let there = |node: &&MapNode| node.failure_domain.as_ref() == Some(failure_domain);
                let nodes: Vec<NodeId> = self.map.iter().filter(there).map(|node| node.node.id).collect();
                self.lose(&nodes);
            }
            Change::Resize { from, to } => self.resize(*from, *to),
            Change::Overcommit { kind, overcommit } => {
                let of_kind: Vec<MapNode> = self.map.iter().filter(|node| node.kind() == *kind).cloned().collect();
                for node in of_kind {
                    self.put(overcommitted(node, *overcommit));
                }
            }
        }
        self
    }

    /// What plans of moves are tried on: room, drains, rebalances.
    pub fn layout(&self, opted_out: &dyn Fn(VmId) -> bool) -> Layout {
        Layout::of(&self.map, &self.vms, opted_out)
    }

    /// Where each of the lost VMs would go, none where it fits nowhere beside those before it: the one with the most
    /// memory first, each in its kind and region by the policy, none of the others being moved for it.
    pub fn refuge(&self) -> Vec<(VmId, Option<NodeId>)> {
        let mut lost: Vec<&Vm> = self.lost.iter().filter(|vm| vm.commitment() != Resources::ZERO).collect();
        lost.sort_by_key(|vm| (Reverse(vm.size.memory), Reverse(vm.size.vcpus), vm.id));
        let mut trial = Trial::of(&self.map);
        let asked = |vm: &Vm| Request { region: Some(vm.region.clone()), ..Request::new(vm.kind, vm.commitment()) };
        lost.into_iter().map(|vm| (vm.id, trial.place(&asked(vm)))).collect()
    }

    fn put(&mut self, node: MapNode) {
        self.map = self.map.with_node(self.map.as_of, node);
    }

    /// New nodes have ids that no node has, and that are the same each time.
    fn add(&mut self, count: u32, make: impl Fn(NodeId, String) -> MapNode) {
        let mut number = u128::MAX;
        for at in 1..=count {
            while self.map.get(NodeId(Uuid::from_u128(number))).is_some() {
                number = number.wrapping_sub(1);
            }
            let id = NodeId(Uuid::from_u128(number));
            self.put(make(id, format!("what-if-{at}")));
        }
    }

    fn lose(&mut self, nodes: &[NodeId]) {
        for id in nodes {
            self.map = self.map.without_node(self.map.as_of, *id);
        }
        let (lost, kept) = std::mem::take(&mut self.vms).into_iter().partition(|vm| nodes.contains(&vm.node));
        self.vms = kept;
        self.lost.extend::<Vec<Vm>>(lost);
    }

    fn resize(&mut self, from: Size, to: Size) {
        let mut touched: BTreeMap<NodeId, MapNode> = BTreeMap::new();
        for vm in self.vms.iter_mut().filter(|vm| vm.size == from) {
            let (before, after) = (commitment(vm.kind, from), commitment(vm.kind, to));
            vm.size = to;
            let Some(known) = self.map.get(vm.node) else { continue };
            let node = touched.entry(vm.node).or_insert_with(|| known.clone());
            let holder = crate::map::Holder::Vm(vm.id);
            for each in node.commitments.iter_mut().filter(|each| each.holder == holder) {
                // What it holds beyond its recorded size, it keeps.
                let now = each.resources.minus(before).plus(after);
                node.committed = node.committed.minus(each.resources).plus(now);
                (each.resources, each.size) = (now, to);
            }
        }
        for node in touched.into_values() {
            self.put(node);
        }
    }
}

fn empty_node(
    id: NodeId,
    name: String,
    kind: HypervisorKind,
    region: String,
    physical: Resources,
    settings: NodeSettings,
) -> MapNode {
    let administration = Administration::Open;
    let node = Node { id, uri: String::new(), name, kind, region, settings, administration, failure_domain: None };
    MapNode {
        node,
        hypervisor: None,
        utility: None,
        physical,
        usable: settings.usable(physical),
        committed: Resources::ZERO,
        reserved: Resources::ZERO,
        measured: Resources::ZERO,
        commitments: Vec::new(),
        disagreements: Vec::new(),
        condition: Condition::Ready,
        failure_domain: None,
        flags: Vec::new(),
    }
}

fn emptied(model: &MapNode, id: NodeId, name: String) -> MapNode {
    let old = &model.node;
    let fresh = empty_node(id, name, old.kind, old.region.clone(), model.physical, old.settings);
    let mut hypervisor = model.hypervisor.clone();
    if let Some(reading) = &mut hypervisor {
        reading.sample.domains.clear();
    }
    MapNode { hypervisor, ..fresh }
}

/// Usable as its settings give it. Where the pool lowered usable disk, it stays lowered in proportion.
fn overcommitted(mut node: MapNode, overcommit: Overcommit) -> MapNode {
    let before = node.node.settings.usable(node.physical);
    node.node.settings.overcommit = overcommit;
    let after = node.node.settings.usable(node.physical);
    for resource in Resource::ALL {
        let (was, old, new) = (node.usable.get(resource), before.get(resource), after.get(resource));
        let scaled = (u128::from(was) * u128::from(new)).checked_div(u128::from(old)).unwrap_or(u128::from(new));
        node.usable.set(resource, u64::try_from(scaled).unwrap_or(u64::MAX));
    }
    node
}
