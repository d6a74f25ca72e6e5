//! Policies: which of the nodes that can take a VM is the best. One integer cost, smaller is better; among equals the
//! node that was measured less busy, then the one with the lower id.
//!
//! All amounts are weighed by their worth: 1 vCPU is worth 4 GiB of memory, 20 GiB of disk, or 160 Mbit/s; of this the
//! unit is a 20,480th, so that every weight is a whole number.
//!
//! - **pack** (default): the worth of what stays free on the node. The node that is left with the least takes it.
//! - **spread**: the opposite. The node that is left with the most takes it.
//! - **balanced**: as pack, and four times what the worths of free vCPUs and free memory differ by: the node takes it
//!   whose rest is closest to the proportion in which VMs need it.
//! - **tight**: a formula found by experiment, for nodes of few shapes; see `tight.rs`.

mod tight;

use crate::index::Vector;
use crate::{HypervisorKind, Resource};
use serde::{Deserialize, Serialize};

/// How a node is chosen among those that can take a VM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    #[default]
    Pack,
    Spread,
    Balanced,
    Tight,
}

/// The policy of each hypervisor kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies([Policy; HypervisorKind::ALL.len()]);

impl Policies {
    /// The same policy for all kinds.
    pub const fn all(policy: Policy) -> Self {
        Self([policy; HypervisorKind::ALL.len()])
    }

    pub fn of(self, kind: HypervisorKind) -> Policy {
        let found = HypervisorKind::ALL.into_iter().zip(self.0).find(|(each, _)| *each == kind);
        found.map_or_else(Policy::default, |(_, policy)| policy)
    }

    /// The same, with another policy for one kind.
    #[must_use]
    pub fn with(mut self, kind: HypervisorKind, policy: Policy) -> Self {
        for (each, slot) in HypervisorKind::ALL.into_iter().zip(&mut self.0) {
            if each == kind {
                *slot = policy;
            }
        }
        self
    }
}

/// What a node has of those resources of which a policy asks how large a share is left: vCPUs and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    pub(crate) vcpus: i32,
    pub(crate) memory: i32,
}

impl From<Vector> for Whole {
    fn from(all: Vector) -> Self {
        let of = |resource: Resource| all.0[resource.place()];
        Self { vcpus: of(Resource::Vcpus), memory: of(Resource::Memory) }
    }
}

impl Whole {
    /// The smaller of the two, resource by resource.
    pub(crate) fn smaller(self, other: Self) -> Self {
        Self { vcpus: self.vcpus.min(other.vcpus), memory: self.memory.min(other.memory) }
    }

    /// The larger of the two, resource by resource.
    pub(crate) fn larger(self, other: Self) -> Self {
        Self { vcpus: self.vcpus.max(other.vcpus), memory: self.memory.max(other.memory) }
    }
}

/// The limits between which usable capacity, and what is free after placement, lie on each of several nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub usable_low: Whole,
    pub usable_high: Whole,
    pub free_low: Vector,
    pub free_high: Vector,
    /// The least and the most that all of a node's resources are worth together after placement.
    pub worth_low: u64,
    pub worth_high: u64,
}

/// What a unit of each resource is worth.
pub const WORTH: [u64; Vector::LEN] = weights();

const fn weights() -> [u64; Vector::LEN] {
    let mut weights = [0; Vector::LEN];
    let mut position = 0;
    while position < Vector::LEN {
        weights[position] = Resource::ALL[position].worth();
        position += 1;
    }
    weights
}

/// More than any worth.
const TOP: u64 = 1 << 60;

impl Policy {
    /// All policies, in the order in which pages list them.
    pub const ALL: [Self; 4] = [Self::Pack, Self::Spread, Self::Balanced, Self::Tight];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pack => "pack",
            Self::Spread => "spread",
            Self::Balanced => "balanced",
            Self::Tight => "tight",
        }
    }

    /// What it costs to leave a node with this much free. Smaller is better.
    pub fn cost(self, usable: Whole, free_after: Vector) -> u64 {
        match self {
            Self::Pack => worth_of(free_after),
            Self::Tight => tight::cost(usable, free_after),
            Self::Spread => TOP - worth_of(free_after),
            Self::Balanced => {
                let [vcpus, memory] =
                    [Resource::Vcpus, Resource::Memory].map(|each| each.worth() * free_after.get(each));
                worth_of(free_after) + 4 * vcpus.abs_diff(memory)
            }
        }
    }

    /// No node within these limits costs less than this.
    pub fn bound(self, extent: &Extent) -> u64 {
        match self {
            Self::Tight => tight::bound(extent),
            Self::Pack => worth_of(extent.free_low).max(extent.worth_low),
            Self::Spread => TOP - worth_of(extent.free_high).min(extent.worth_high),
            Self::Balanced => {
                let between = |resource: Resource| {
                    [extent.free_low, extent.free_high].map(|end| resource.worth() * end.get(resource))
                };
                let ([vcpus_low, vcpus_high], [memory_low, memory_high]) =
                    (between(Resource::Vcpus), between(Resource::Memory));
                let apart = vcpus_low.saturating_sub(memory_high).max(memory_low.saturating_sub(vcpus_high));
                worth_of(extent.free_low).max(extent.worth_low) + 4 * apart
            }
        }
    }
}

/// The worth of these amounts together; below 2^31 × 20,614, so that it never overflows.
pub fn worth_of(free: Vector) -> u64 {
    free.amounts().into_iter().zip(WORTH).map(|(amount, worth)| amount * worth).sum()
}
