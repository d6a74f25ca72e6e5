//! What the checkers look at: gathered once, the store before and after the hypervisors, so that what changed meanwhile
//! is known.

use super::PoolLists;
use crate::clock;
use crate::hypervisor::{Hypervisor, Observation};
use crate::store::rows::{AuditRow, OperationFilter};
use crate::store::{Store, StoreError};
use grid::operation::Operation;
use grid::relocation::Relocation;
use grid::sample::{DiskSample, DomainSample, DomainState, UTILITY_DOMAIN};
use grid::vm::Vm;
use grid::{NodeId, OperationId, Resources, UnixMillis, VmId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A hypervisor that doesn't answer for this long is not looked at.
const PATIENCE: Duration = Duration::from_secs(10);

/// One node, as it shows itself.
#[derive(Clone, Debug, Default)]
pub struct SeenNode {
    pub name: String,
    /// All domains; none where the hypervisor does not answer.
    pub domains: Option<Vec<DomainSample>>,
    /// What its module says is in the pool, and when.
    pub disks: Option<(UnixMillis, Vec<DiskSample>)>,
}

/// All that was seen.
#[derive(Clone, Debug)]
pub struct Facts {
    /// When the look began: what is younger is not counted.
    pub began: UnixMillis,
    pub nodes: BTreeMap<NodeId, SeenNode>,
    /// The VMs whose rows were the same before and after the look.
    pub vms: Vec<Vm>,
    /// What a VM's home says of it, where it answered.
    pub homes: BTreeMap<VmId, Option<Observation>>,
    /// All that ever were, oldest last.
    pub operations: Vec<Operation>,
    /// Work that is made of moves, with its moves, oldest first.
    pub relocations: Vec<(Relocation, Vec<Operation>)>,
    pub reservations: Vec<(NodeId, OperationId, Resources)>,
    /// What was usable on each node when room was given there last.
    pub grants: BTreeMap<NodeId, Resources>,
    pub audit: Vec<AuditRow>,
    /// VMs on which an operation worked before, during or after the look.
    pub worked_on: BTreeSet<VmId>,
}

impl Facts {
    pub(super) async fn gather(
        store: &dyn Store,
        hypervisors: &[Arc<dyn Hypervisor>],
        pools: &PoolLists,
    ) -> Result<Self, StoreError> {
        let began = clock::now();
        let mut nodes: BTreeMap<NodeId, SeenNode> = BTreeMap::new();
        for node in store.node_list().await? {
            let disks = pools.get(&node.id).cloned();
            nodes.insert(node.id, SeenNode { name: node.name, domains: None, disks });
        }
        let before = store.vm_list(None).await?;
        let unfinished = store.operation_unfinished().await?;
        let mut worked_on: BTreeSet<VmId> = unfinished.iter().map(|operation| operation.kind.vm()).collect();
        let samples = hypervisors.iter().map(|it| async move { (it.node(), patiently(it.sample()).await) });
        for (node, sample) in futures::future::join_all(samples).await {
            nodes.entry(node).or_default().domains = sample.map(|sample| sample.domains);
        }
        look_again(hypervisors, &mut nodes).await;
        let homes = observe_at_home(hypervisors, &nodes, &before).await;
        let grants = store.grant_list().await?.into_iter().collect();
        let every = OperationFilter { limit: u32::MAX, ..OperationFilter::default() };
        let operations = store.operation_list(&every).await?;
        let mut relocations = Vec::new();
        for relocation in store.relocation_list().await? {
            let moves = store.relocation_operations(relocation.id).await?;
            relocations.push((relocation, moves));
        }
        let reservations = store.reservation_list().await?;
        let audit = store.audit_list(u32::MAX).await?;
        let after: BTreeMap<VmId, u64> =
            store.vm_list(None).await?.into_iter().map(|vm| (vm.id, vm.generation)).collect();
        worked_on.extend(operations.iter().filter(|it| !it.state.is_over()).map(|operation| operation.kind.vm()));
        let vms = before.into_iter().filter(|vm| after.get(&vm.id) == Some(&vm.generation)).collect();
        Ok(Self { began, nodes, vms, homes, operations, relocations, reservations, grants, audit, worked_on })
    }

    /// What could not be looked at, in words.
    pub(super) fn unseen(&self) -> Vec<String> {
        let silent = self.nodes.values().filter(|node| node.domains.is_none());
        let silent = silent.map(|node| format!("{}: its hypervisor does not answer", node.name));
        let no_list = self.nodes.values().filter(|node| node.disks.is_none());
        silent.chain(no_list.map(|node| format!("{}: its utility module has told no list", node.name))).collect()
    }

    pub(super) fn name(&self, node: NodeId) -> String {
        self.nodes.get(&node).map_or_else(|| node.to_string(), |seen| seen.name.clone())
    }

    /// Whether something may have changed about the VM since `at`.
    pub(super) fn touched_since(&self, vm: VmId, at: UnixMillis) -> bool {
        let of_vm = self.operations.iter().filter(|operation| operation.kind.vm() == vm);
        self.worked_on.contains(&vm) || of_vm.into_iter().any(|it| it.ended_at.is_none_or(|ended| ended.0 >= at.0))
    }
}

/// What executes on more than one node, and where.
pub(super) fn twice(nodes: &BTreeMap<NodeId, SeenNode>) -> BTreeMap<VmId, Vec<NodeId>> {
    let mut executing: BTreeMap<VmId, Vec<NodeId>> = BTreeMap::new();
    for (id, node) in nodes {
        let domains = node.domains.iter().flatten();
        let running = domains.filter(|domain| domain.state == DomainState::Running && domain.name != UTILITY_DOMAIN);
        running.for_each(|domain| executing.entry(domain.id).or_default().push(*id));
    }
    executing.retain(|_, on| on.len() > 1);
    executing
}

/// The nodes were not looked at in the same moment: what was handed over meanwhile seems to execute at both its ends. So where
/// something seems to execute twice, its nodes are asked of it once more, and that is what counts. One that gives no answer now
/// was not seen.
async fn look_again(hypervisors: &[Arc<dyn Hypervisor>], nodes: &mut BTreeMap<NodeId, SeenNode>) {
    let twice: Vec<(VmId, NodeId)> =
        twice(nodes).into_iter().flat_map(|(vm, on)| on.into_iter().map(move |node| (vm, node))).collect();
    let asked = twice.into_iter().map(|(vm, node)| async move {
        let hypervisor = hypervisors.iter().find(|it| it.node() == node)?;
        Some((vm, node, patiently(hypervisor.observe(vm)).await))
    });
    for (vm, node, seen) in futures::future::join_all(asked).await.into_iter().flatten() {
        let Some(node) = nodes.get_mut(&node) else { continue };
        match (seen, &mut node.domains) {
            (None, domains) => *domains = None,
            (Some(None), Some(domains)) => domains.retain(|domain| domain.id != vm),
            (Some(Some(seen)), Some(domains)) => {
                domains.iter_mut().filter(|domain| domain.id == vm).for_each(|domain| domain.state = seen.state);
            }
            (Some(_), None) => {}
        }
    }
}

/// What each VM's home says of it; a home that is silent is not asked for each of its VMs.
async fn observe_at_home(
    hypervisors: &[Arc<dyn Hypervisor>],
    nodes: &BTreeMap<NodeId, SeenNode>,
    vms: &[Vm],
) -> BTreeMap<VmId, Option<Observation>> {
    let answers = |node: NodeId| nodes.get(&node).is_some_and(|seen| seen.domains.is_some());
    let asked = hypervisors.iter().filter(|it| answers(it.node())).map(|hypervisor| async move {
        let mut seen = Vec::new();
        for vm in vms.iter().filter(|vm| vm.node == hypervisor.node()) {
            if let Some(observation) = patiently(hypervisor.observe(vm.id)).await {
                seen.push((vm.id, observation));
            }
        }
        seen
    });
    futures::future::join_all(asked).await.into_iter().flatten().collect()
}

async fn patiently<T, E>(call: impl Future<Output = Result<T, E>>) -> Option<T> {
    tokio::time::timeout(PATIENCE, call).await.ok()?.ok()
}
