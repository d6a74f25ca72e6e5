//! Samples: one reading of a node, by its hypervisor (the first set of statistics) or by its utility module (the
//! second set). The numbers come from nodes and guests and are hostile input: the collector clamps them before the
//! map sees them.

use crate::{HypervisorKind, Size, UnixMillis, VmId};
use serde::{Deserialize, Serialize};

/// The name of a node's utility VM, as its hypervisor lists it.
pub const UTILITY_DOMAIN: &str = "hostgrid-utility";

/// Where a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Hypervisor,
    Utility,
}

impl Source {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hypervisor => "hypervisor",
            Self::Utility => "utility",
        }
    }

    /// What a person reads.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Hypervisor => "hypervisor",
            Self::Utility => "utility module",
        }
    }
}

/// The first set: what a node's hypervisor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HypervisorSample {
    /// The manager's time when the answer was complete.
    pub taken_at: UnixMillis,
    /// libvirt's and the hypervisor's versions, `major * 1_000_000 + minor * 1_000 + release`.
    pub library_version: u64,
    pub hypervisor_version: u64,
    /// The domain types that the node can run.
    pub domain_kinds: Vec<HypervisorKind>,
    pub compatibility: Compatibility,
    pub cpus: u32,
    pub memory_total_mib: u64,
    pub memory_free_mib: u64,
    pub numa_cells: Vec<NumaCell>,
    /// CPU time of the whole node since its start, in nanoseconds, where the driver tells it.
    pub cpu_busy_ns: Option<u64>,
    pub cpu_idle_ns: Option<u64>,
    pub pool: Option<PoolSample>,
    /// What the hypervisor counts as taken in the pool. Not always all that is not free: a pool may keep some back.
    #[serde(default)]
    pub pool_allocated_mib: Option<u64>,
    pub domains: Vec<DomainSample>,
}

/// What must agree for a live move.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Compatibility {
    /// Host CPU model as libvirt names it; empty where there is none (containers).
    pub cpu_model: String,
    /// CPU features, sorted.
    pub cpu_features: Vec<String>,
    /// Machine types that the hypervisor offers, sorted.
    pub machine_types: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumaCell {
    pub id: u32,
    pub memory_mib: u64,
    pub free_mib: u64,
    pub cpus: u32,
}

/// A storage pool's figures, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSample {
    pub capacity_mib: u64,
    pub free_mib: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    Running,
    Paused,
    ShutOff,
    /// Being shut down, crashed, suspended by the guest: libvirt's other states.
    Other,
}

/// One domain as its hypervisor reports it. Sizes are the configured ones of the live domain, or of the persistent
/// definition where it is off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSample {
    /// The domain's UUID; a stranger has one too.
    pub id: VmId,
    /// libvirt's name of it.
    pub name: String,
    pub state: DomainState,
    /// It is off, and its hypervisor knows no reason: it was never started, or its node went down under it.
    #[serde(default)]
    pub off_unexplained: bool,
    pub vcpus_current: u32,
    pub vcpus_maximum: u32,
    pub memory_current_mib: u64,
    pub memory_maximum_mib: u64,
    /// Sum of its disks' virtual sizes.
    pub disk_capacity_mib: u64,
    /// Since the domain's start: CPU time in ns, bytes of its disks, where its hypervisor tells them, and interfaces.
    pub cpu_time_ns: u64,
    pub memory_resident_mib: Option<u64>,
    pub block_read_bytes: Option<u64>,
    pub block_write_bytes: Option<u64>,
    pub network_receive_bytes: u64,
    pub network_transmit_bytes: u64,
}

/// The second set: what a node's utility module says. All of it is as the module sees it from inside its VM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UtilitySample {
    /// The module's own clock; the collector stamps its own time of arrival beside it.
    pub taken_at: UnixMillis,
    /// Goes up by one with each report of one boot.
    pub sequence: u64,
    /// The utility VM's own, not the host's.
    pub boot_id: String,
    /// `pid:[4026531836]`, as `/proc/self/ns/pid` reads inside.
    pub process_namespace: String,
    pub version: String,
    pub uptime_seconds: u64,
    /// Its own memory: total, available, and what its program holds, in MiB.
    pub own_memory_total_mib: u64,
    pub own_memory_available_mib: u64,
    pub own_resident_mib: u64,
    /// Load average of one minute, in thousandths: the node's where the module shares its kernel, else its own.
    pub load_permille: u64,
    /// Time that the node's CPUs were withheld from the module, in thousandths of the last interval.
    pub steal_permille: u64,
    /// Whether load and memory below are the node's (containers) or only the module's own view (VMs).
    pub sees_node: bool,
    /// The node's memory, where it can be seen: all of it, what nobody uses, and what could be had with the caches that
    /// the kernel would give up.
    pub node_memory_total_mib: Option<u64>,
    /// An older module doesn't tell it.
    pub node_memory_free_mib: Option<u64>,
    pub node_memory_available_mib: Option<u64>,
    pub pool: PoolSample,
    /// A synchronous write of 4 KiB to the pool, in microseconds.
    pub write_latency_us: u64,
    pub disks: Vec<DiskSample>,
    pub images: Vec<ImageSample>,
    pub deployed: Vec<DeployedVm>,
}

/// A VM's disk in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSample {
    pub vm: VmId,
    pub virtual_bytes: u64,
    /// What the file really takes.
    pub real_bytes: u64,
}

/// An image held in the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSample {
    pub name: String,
    /// SHA-256, lower-case hexadecimal.
    pub checksum: String,
    pub bytes: u64,
}

/// A VM that the module deployed, with the size that it was told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedVm {
    pub vm: VmId,
    pub size: Size,
}
