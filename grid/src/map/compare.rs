//! The comparison of the two sets of statistics, fact by fact. Only fresh readings are compared: an old one differs
//! because time went by.
//!
//! Tolerances: a pool's capacity and free space 5% of the capacity or 64 MiB, whichever is larger (the readings are
//! seconds apart); a VM's vCPUs none, its memory and disk 16 MiB (rounding, the seed's disk); a node's memory 10%
//! (firmware and kernel keep some), what is free of it 25% of the whole (the kernel's caches come and go).
//!
//! Not everything that both tell is the same fact. A node's load average counts who waits, the hypervisor's CPU time who
//! runs; what the kernel would give up of its caches the hypervisor doesn't tell. These stand side by side on the pages.
//!
//! A VM at home on the node that one source lists and the other doesn't is a disagreement too. In an operation's hands
//! it is made, moved or removed, and differs for a moment: then it isn't looked at. Nor is a VM at home elsewhere: what
//! the hypervisor has of it is a stranger, and counts as that.

use crate::sample::{DomainSample, HypervisorSample, Source, UtilitySample};
use crate::wording::Grouped;
use crate::{Resource, Resources, Size, Unit, VmId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A fact about which the two sets of statistics differ by more than their tolerance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    pub fact: Fact,
    pub hypervisor: u64,
    pub utility: u64,
    /// The one that counts: the worse.
    pub counted: Source,
}

/// A fact that both sources tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// MiB.
    PoolCapacity,
    /// MiB.
    PoolFree,
    /// Of a VM: vCPUs as a count, memory and disk in MiB.
    VmSize { vm: VmId, resource: Resource },
    /// MiB, where the module sees the node.
    NodeMemory,
    /// MiB that nobody uses, not even as a cache; where the module sees the node.
    NodeMemoryFree,
    /// That a VM is there: 1 where the source lists it, else 0.
    VmThere { vm: VmId },
}

impl Disagreement {
    /// Whether it is so large that neither source can be trusted: more than twofold, about what the node has.
    pub fn is_contradiction(&self) -> bool {
        let (less, more) = (self.hypervisor.min(self.utility), self.hypervisor.max(self.utility));
        matches!(self.fact, Fact::PoolCapacity | Fact::NodeMemory) && more > less.saturating_mul(2)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoolCapacity => formatter.write_str("pool capacity"),
            Self::PoolFree => formatter.write_str("pool free"),
            Self::VmSize { vm, resource } => write!(formatter, "{} of VM {vm}", resource.as_str()),
            Self::NodeMemory => formatter.write_str("node memory"),
            Self::NodeMemoryFree => formatter.write_str("free node memory"),
            Self::VmThere { vm } => write!(formatter, "VM {vm}"),
        }
    }
}

/// `VM 1f…: listed by the hypervisor and not by the utility module`, or
/// `pool free: 51,200 MiB by the hypervisor, 40,960 MiB by the utility module, whose word counts`.
impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.fact {
            Fact::VmThere { .. } => {
                let (there, not) = match self.counted {
                    Source::Hypervisor => (Source::Hypervisor, Source::Utility),
                    Source::Utility => (Source::Utility, Source::Hypervisor),
                };
                return write!(
                    formatter,
                    "{}: listed by the {} and not by the {}",
                    self.fact,
                    there.in_words(),
                    not.in_words()
                );
            }
            Fact::VmSize { resource, .. } => resource.unit(),
            Fact::PoolCapacity | Fact::PoolFree | Fact::NodeMemory | Fact::NodeMemoryFree => Unit::Mib,
        };
        let space = if unit.as_str().is_empty() { "" } else { " " };
        let (counts, other) = match self.counted {
            Source::Hypervisor => ((self.hypervisor, Source::Hypervisor), (self.utility, Source::Utility)),
            Source::Utility => ((self.utility, Source::Utility), (self.hypervisor, Source::Hypervisor)),
        };
        let by = |(amount, source): (u64, Source)| {
            format!("{}{space}{} by the {}", Grouped(amount), unit.as_str(), source.in_words())
        };
        write!(formatter, "{}: {}, {}, whose word counts", self.fact, by(other), by(counts))
    }
}

/// All disagreements, in the order of the facts, VMs by id. `settled` are the VMs at home there on which nothing works.
pub(super) fn compare(
    hypervisor: &HypervisorSample,
    utility: &UtilitySample,
    settled: impl Iterator<Item = VmId>,
) -> Vec<Disagreement> {
    let mut found = Vec::new();
    if let Some(pool) = hypervisor.pool {
        let tolerance = (pool.capacity_mib.max(utility.pool.capacity_mib) / 20).max(64);
        found.extend(less_counts(Fact::PoolCapacity, pool.capacity_mib, utility.pool.capacity_mib, tolerance));
        found.extend(less_counts(Fact::PoolFree, pool.free_mib, utility.pool.free_mib, tolerance));
    }
    compare_sizes(hypervisor, utility, &mut found);
    if let Some(seen) = node_memory(utility) {
        let tolerance = hypervisor.memory_total_mib.max(seen) / 10;
        found.extend(less_counts(Fact::NodeMemory, hypervisor.memory_total_mib, seen, tolerance));
    }
    if let Some(free) = utility.node_memory_free_mib.filter(|_| utility.sees_node) {
        let tolerance = hypervisor.memory_total_mib / 4;
        found.extend(less_counts(Fact::NodeMemoryFree, hypervisor.memory_free_mib, free, tolerance));
    }
    compare_lists(hypervisor, utility, settled, &mut found);
    found
}

fn compare_lists(
    hypervisor: &HypervisorSample,
    utility: &UtilitySample,
    settled: impl Iterator<Item = VmId>,
    found: &mut Vec<Disagreement>,
) {
    let domains: BTreeSet<VmId> = hypervisor.domains.iter().map(|domain| domain.id).collect();
    let deployed: BTreeSet<VmId> = utility.deployed.iter().map(|deployed| deployed.vm).collect();
    for vm in settled.collect::<BTreeSet<VmId>>() {
        let (first, second) = (domains.contains(&vm), deployed.contains(&vm));
        if first != second {
            let counted = if first { Source::Hypervisor } else { Source::Utility };
            let fact = Fact::VmThere { vm };
            found.push(Disagreement { fact, hypervisor: u64::from(first), utility: u64::from(second), counted });
        }
    }
}

/// The node's memory as the module sees it, where it sees the node and not only itself.
pub(super) fn node_memory(utility: &UtilitySample) -> Option<u64> {
    utility.node_memory_total_mib.filter(|_| utility.sees_node)
}

fn compare_sizes(hypervisor: &HypervisorSample, utility: &UtilitySample, found: &mut Vec<Disagreement>) {
    let deployed: BTreeMap<VmId, Size> = utility.deployed.iter().map(|deployed| (deployed.vm, deployed.size)).collect();
    let domains: BTreeMap<VmId, &DomainSample> = hypervisor.domains.iter().map(|domain| (domain.id, domain)).collect();
    for (vm, size) in deployed {
        let Some(domain) = domains.get(&vm) else { continue };
        let told = reported(domain);
        for resource in Resource::ALL {
            let (first, second) = (told.get(resource), Resources::from(size).get(resource));
            if differs(resource, first, second) {
                let counted = if first > second { Source::Hypervisor } else { Source::Utility };
                let fact = Fact::VmSize { vm, resource };
                found.push(Disagreement { fact, hypervisor: first, utility: second, counted });
            }
        }
    }
}

/// What the hypervisor says that a domain is configured with. 0 where it can't know (a container's disk).
pub(super) const fn reported(domain: &DomainSample) -> Resources {
    Resources::new(domain.vcpus_current as u64, domain.memory_current_mib, domain.disk_capacity_mib)
}

/// Whether two amounts of a VM's resource are different. What the hypervisor doesn't know (0) differs from nothing.
pub(super) const fn differs(resource: Resource, told: u64, other: u64) -> bool {
    told != 0 && told.abs_diff(other) > resource.tolerance()
}

fn less_counts(fact: Fact, hypervisor: u64, utility: u64, tolerance: u64) -> Option<Disagreement> {
    let counted = if hypervisor <= utility { Source::Hypervisor } else { Source::Utility };
    let differ = hypervisor.abs_diff(utility) > tolerance;
    differ.then_some(Disagreement { fact, hypervisor, utility, counted })
}
