//! How a node's entry in the map is made: from both samples, from what the store has recorded there, and from what
//! running operations hold.
//!
//! - **physical**: vCPUs and memory as the hypervisor says, memory and the pool's capacity the smaller of both sources.
//!   The network's bandwidth as the node's settings say. What nobody told is 0.
//! - **usable**: by the node's settings. Disk moreover never exceeds what is committed plus what the pool can still
//!   take: its free space, less what the disks there can still grow to (a thin disk takes room as its guest writes).
//!   Images and other files in the pool therefore lower it. Where disk is sold more than once over, growth counts by
//!   that ratio.
//! - **committed**: each recorded VM at the larger of what is recorded and what the hypervisor reports (a difference
//!   within the tolerance of the comparison is none); the utility VM; strangers at their maxima, for nobody keeps
//!   them from growing.

use super::compare::{compare, differs, node_memory, reported};
use super::{Commitment, Condition, Freshness, Holder, MapNode, Reading};
use crate::node::Node;
use crate::rates::{network_mbit, node_cpu_permille};
use crate::sample::{DomainSample, HypervisorSample, PoolSample, UTILITY_DOMAIN, UtilitySample};
use crate::vm::{Vm, VmState, commitment};
use crate::{Gib, HypervisorKind, Resource, Resources, Size, UnixMillis, VmId};
use std::collections::{BTreeMap, BTreeSet};

/// All that a node's entry is made of.
#[derive(Clone, Debug)]
pub struct NodeInputs<'a> {
    pub node: Node,
    pub hypervisor: Option<Reading<HypervisorSample>>,
    /// The hypervisor's reading before this one: with it, how busy the CPUs are can be told.
    pub previous: Option<&'a HypervisorSample>,
    pub utility: Option<Reading<UtilitySample>>,
    /// When the utility VM was last seen not to run.
    pub utility_off: Option<UnixMillis>,
    /// The recorded VMs whose home this is.
    pub vms: &'a [Vm],
    /// The sum of what running operations hold here.
    pub reserved: Resources,
    /// The VMs for which running operations hold it: moving in, being deployed, growing. Such a domain is no
    /// stranger, and counts beyond its recorded size by the reservation only.
    pub held: &'a [VmId],
    /// The VMs on which operations work, or worked a moment ago: what the sources list of them differs for a while.
    pub worked_on: &'a BTreeSet<VmId>,
    /// What the utility VM takes, overhead included.
    pub utility_vm: Resources,
    pub now: UnixMillis,
    pub limits: Freshness,
}

impl MapNode {
    /// Makes a node's entry; see the head of this file.
    pub fn build(inputs: NodeInputs<'_>) -> Self {
        let disagreements = disagreements(&inputs);
        let condition = Condition::of(&inputs, &disagreements);
        let physical = physical(&inputs);
        let commitments = commitments(&inputs);
        let committed = commitments.iter().map(|each| each.resources).fold(Resources::ZERO, Resources::plus);
        let mut usable = inputs.node.settings.usable(physical);
        if let Some(room) = pool_room(&inputs, &commitments) {
            usable.set(Resource::Disk, usable.disk_mib().min(committed.disk_mib().saturating_add(room)));
        }
        let measured = measured(&inputs, physical);
        Self {
            physical,
            usable,
            committed,
            reserved: inputs.reserved,
            measured,
            commitments,
            disagreements,
            condition,
            failure_domain: inputs.node.failure_domain.clone(),
            flags: Vec::new(),
            node: inputs.node,
            hypervisor: inputs.hypervisor,
            utility: inputs.utility,
        }
    }
}

fn disagreements(inputs: &NodeInputs<'_>) -> Vec<super::Disagreement> {
    let (Some(hypervisor), Some(utility)) = (&inputs.hypervisor, &inputs.utility) else { return Vec::new() };
    let fresh = |at: UnixMillis| inputs.limits.is_fresh(at, inputs.now);
    if !fresh(hypervisor.at) || !fresh(utility.at) {
        return Vec::new();
    }
    let is_settled = |vm: &&Vm| {
        let is_home = matches!(vm.state, VmState::Running | VmState::Stopped);
        is_home && !inputs.held.contains(&vm.id) && !inputs.worked_on.contains(&vm.id)
    };
    compare(&hypervisor.sample, &utility.sample, inputs.vms.iter().filter(is_settled).map(|vm| vm.id))
}

fn physical(inputs: &NodeInputs<'_>) -> Resources {
    let disk_mib = pool(inputs).map_or(0, |pool| pool.capacity_mib);
    let known = Resources::new(0, 0, disk_mib).with(Resource::Network, inputs.node.settings.network_mbit);
    let Some(Reading { sample, .. }) = &inputs.hypervisor else { return known };
    let seen = inputs.utility.as_ref().and_then(|reading| node_memory(&reading.sample)).unwrap_or(u64::MAX);
    let memory_mib = sample.memory_total_mib.min(seen);
    known.with(Resource::Vcpus, u64::from(sample.cpus)).with(Resource::Memory, memory_mib)
}

/// The pool as its worse side has it.
fn pool(inputs: &NodeInputs<'_>) -> Option<PoolSample> {
    let hypervisor = inputs.hypervisor.as_ref().and_then(|reading| reading.sample.pool);
    let utility = inputs.utility.as_ref().map(|reading| reading.sample.pool);
    match (hypervisor, utility) {
        (Some(first), Some(second)) => Some(PoolSample {
            capacity_mib: first.capacity_mib.min(second.capacity_mib),
            free_mib: first.free_mib.min(second.free_mib),
        }),
        (first, second) => first.or(second),
    }
}

/// What the pool can still take, in MiB; nothing where no pool was told.
fn pool_room(inputs: &NodeInputs<'_>, commitments: &[Commitment]) -> Option<u64> {
    let free = pool(inputs)?.free_mib;
    let Some(utility) = &inputs.utility else { return Some(free) };
    let committed: BTreeMap<VmId, u64> = commitments
        .iter()
        .filter_map(|each| match each.holder {
            Holder::Vm(id) | Holder::Stranger(id) => Some((id, each.resources.disk_mib())),
            Holder::Utility => None,
        })
        .collect();
    let held: BTreeSet<VmId> = inputs.held.iter().copied().collect();
    let (mut growth, mut counted_twice) = (0_u64, 0_u64);
    for disk in &utility.sample.disks {
        let real = disk.real_bytes.div_ceil(1 << 20);
        match committed.get(&disk.vm) {
            Some(promised) => growth = growth.saturating_add(promised.saturating_sub(real)),
            // Its whole size is reserved; what of it is there already is not free any more.
            None if held.contains(&disk.vm) => counted_twice = counted_twice.saturating_add(real),
            None => {}
        }
    }
    let ratio = u64::from(inputs.node.settings.overcommit.permille(Resource::Disk).max(1000));
    let growth = u64::try_from(u128::from(growth) * 1000 / u128::from(ratio)).unwrap_or(u64::MAX);
    Some(free.saturating_add(counted_twice).saturating_sub(growth))
}

fn commitments(inputs: &NodeInputs<'_>) -> Vec<Commitment> {
    let kind = inputs.node.kind;
    let domains: BTreeMap<VmId, &DomainSample> = inputs
        .hypervisor
        .iter()
        .flat_map(|reading| &reading.sample.domains)
        .filter(|domain| domain.name != UTILITY_DOMAIN)
        .map(|domain| (domain.id, domain))
        .collect();
    let held: BTreeSet<VmId> = inputs.held.iter().copied().collect();
    let recorded: BTreeSet<VmId> = inputs.vms.iter().map(|vm| vm.id).collect();

    let mut found = vec![utility_commitment(inputs.utility_vm)];
    for vm in inputs.vms {
        let domain = domains.get(&vm.id).filter(|_| !held.contains(&vm.id)).copied();
        if let Some(size) = size_that_counts(vm, domain, held.contains(&vm.id)) {
            found.push(Commitment { holder: Holder::Vm(vm.id), size, resources: commitment(kind, size) });
        }
    }
    for (id, domain) in domains {
        if !recorded.contains(&id) && !held.contains(&id) {
            found.push(stranger(kind, id, domain));
        }
    }
    found
}

/// A VM that is being deployed counts by its operation's reservation; one whose deployment failed by what the
/// hypervisor still has of it; all others by the larger of what is recorded and what is reported.
fn size_that_counts(vm: &Vm, domain: Option<&DomainSample>, held: bool) -> Option<Size> {
    match (vm.state, domain) {
        (VmState::Deploying, _) if held => None,
        (VmState::Failed, None) => None,
        (VmState::Failed, Some(domain)) => Some(size_of(reported(domain))),
        (_, None) => Some(vm.size),
        (_, Some(domain)) => {
            let (recorded, told) = (Resources::from(vm.size), reported(domain));
            let mut counts = recorded;
            for resource in Resource::ALL {
                if differs(resource, told.get(resource), recorded.get(resource)) {
                    counts.set(resource, told.get(resource).max(recorded.get(resource)));
                }
            }
            Some(size_of(counts))
        }
    }
}

fn stranger(kind: HypervisorKind, id: VmId, domain: &DomainSample) -> Commitment {
    let maxima = Resources::new(u64::from(domain.vcpus_maximum), domain.memory_maximum_mib, domain.disk_capacity_mib);
    let size = size_of(reported(domain).larger(maxima));
    Commitment { holder: Holder::Stranger(id), size, resources: commitment(kind, size) }
}

fn utility_commitment(resources: Resources) -> Commitment {
    Commitment { holder: Holder::Utility, size: size_of(resources), resources }
}

/// The size that takes these resources without overhead; disk rounded up to whole GiB.
fn size_of(resources: Resources) -> Size {
    Size { disk: Gib(resources.disk_mib().div_ceil(1024)), ..Size::within(resources) }
}

/// What is really in use: busy CPUs rounded up, memory and pool space that isn't free, what goes over the VMs'
/// interfaces.
fn measured(inputs: &NodeInputs<'_>, physical: Resources) -> Resources {
    let disk_mib = pool(inputs).map_or(0, |pool| pool.capacity_mib.saturating_sub(pool.free_mib));
    let Some(Reading { sample, .. }) = &inputs.hypervisor else {
        return Resources::ZERO.with(Resource::Disk, disk_mib);
    };
    let busy = inputs.previous.and_then(|previous| node_cpu_permille(previous, sample));
    let load = inputs.utility.as_ref().filter(|reading| reading.sample.sees_node);
    let vcpus = match (busy, load) {
        (Some(permille), _) => physical.vcpus().saturating_mul(u64::from(permille)).div_ceil(1000),
        (None, Some(reading)) => reading.sample.load_permille.div_ceil(1000).min(physical.vcpus()),
        (None, None) => 0,
    };
    let memory_mib = sample.memory_total_mib.saturating_sub(sample.memory_free_mib);
    let network = inputs.previous.map_or(0, |previous| network_mbit(previous, sample));
    Resources::new(vcpus, memory_mib, disk_mib).with(Resource::Network, network)
}
