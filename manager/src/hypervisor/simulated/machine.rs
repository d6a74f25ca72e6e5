//! The state of a simulated node: what it is made of, its domains, its pool. Plain data that can be kept in a file.

use crate::hypervisor::{HypervisorError, Observation};
use grid::sample::{Compatibility, DomainSample, DomainState, HypervisorSample, NumaCell, PoolSample, UTILITY_DOMAIN};
use grid::vm::Maxima;
use grid::{Gib, HypervisorKind, Mib, NodeId, Size, UnixMillis, VmId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// What a simulated node is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    pub cpus: u32,
    pub memory_mib: u64,
    pub pool_mib: u64,
    pub cpu_model: String,
    pub machine_types: Vec<String>,
}

impl Hardware {
    /// A node of this many CPUs and MiB, like all others of its make.
    pub fn new(cpus: u32, memory_mib: u64, pool_mib: u64) -> Self {
        Self {
            cpus,
            memory_mib,
            pool_mib,
            cpu_model: "simulated-v1".into(),
            machine_types: vec!["pc-q35-7.2".into(), "q35".into()],
        }
    }
}

/// A domain's configuration, live or persistent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Configuration {
    pub(super) size: Size,
    pub(super) maxima: Maxima,
}

/// A VM as a simulated hypervisor has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Domain {
    pub(super) title: String,
    pub(super) mac: String,
    #[serde(default)]
    pub(super) address: Option<Ipv4Addr>,
    pub(super) state: DomainState,
    /// It is off, and nobody switched it off.
    #[serde(default)]
    pub(super) off_unexplained: bool,
    pub(super) live: Option<Configuration>,
    pub(super) persistent: Option<Configuration>,
    /// What a machine was started with and keeps while it runs.
    #[serde(default)]
    pub(super) base_memory: Mib,
    /// One a start; a live move keeps it.
    pub(super) boot_id: Uuid,
    pub(super) started_at: UnixMillis,
}

impl Domain {
    /// It goes off, and nobody had asked for that.
    pub(super) fn die(&mut self) {
        self.live = None;
        self.state = DomainState::ShutOff;
        self.off_unexplained = true;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UtilityVm {
    pub(super) address: String,
    pub(super) memory_mib: u64,
    pub(super) state: DomainState,
    pub(super) started_at: UnixMillis,
}

/// One simulated node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) id: NodeId,
    pub(super) uri: String,
    pub(super) kind: HypervisorKind,
    pub(super) hardware: Hardware,
    pub(super) domains: BTreeMap<VmId, Domain>,
    /// Disks in the pool, in bytes, as a utility module put them. A domain whose disk is not here has one of its
    /// configured size.
    pub(super) disks: BTreeMap<VmId, u64>,
    /// What its guest has written to each disk: how many times. A disk is never empty of it by being carried.
    #[serde(default)]
    pub(super) written: BTreeMap<VmId, u64>,
    pub(super) utility: Option<UtilityVm>,
}

impl Machine {
    pub(super) fn domain(&mut self, vm: VmId) -> Result<&mut Domain, HypervisorError> {
        self.domains.get_mut(&vm).ok_or(HypervisorError::NoSuchVm)
    }

    pub(super) fn disk_bytes(&self, vm: VmId) -> u64 {
        let configured = |domain: &Domain| domain.live.or(domain.persistent).map_or(0, |it| it.size.disk.bytes());
        self.disks.get(&vm).copied().unwrap_or_else(|| self.domains.get(&vm).map_or(0, configured))
    }

    /// What the pool has left, in MiB.
    pub(super) fn pool_free_mib(&self) -> u64 {
        let only_configured = self.domains.keys().filter(|vm| !self.disks.contains_key(vm));
        let bytes =
            self.disks.keys().chain(only_configured).fold(0_u64, |sum, vm| sum.saturating_add(self.disk_bytes(*vm)));
        self.hardware.pool_mib.saturating_sub(bytes >> 20)
    }

    pub(super) fn observe(&self, vm: VmId) -> Option<Observation> {
        let domain = self.domains.get(&vm)?;
        let disk = Gib(self.disk_bytes(vm) >> 30);
        let size = |it: Configuration| Size { disk, ..it.size };
        Some(Observation {
            state: domain.state,
            off_unexplained: domain.off_unexplained,
            live: domain.live.map(size),
            persistent: domain.persistent.map(size),
            maxima: domain.live.or(domain.persistent)?.maxima,
            mac: domain.mac.clone(),
        })
    }

    pub(super) fn sample(&self, now: UnixMillis) -> HypervisorSample {
        let mut domains: Vec<_> = self.domains.iter().map(|(vm, domain)| self.sample_of(*vm, domain, now)).collect();
        domains.extend(self.utility.as_ref().map(|utility| self.sample_of_utility(utility, now)));
        let used = domains.iter().filter_map(|domain| domain.memory_resident_mib).fold(0, u64::saturating_add);
        let busy = domains.iter().map(|domain| domain.cpu_time_ns).fold(0, u64::saturating_add);
        let cpus = u64::from(self.hardware.cpus);
        let uptime_ns = now.since(UnixMillis(0)).saturating_mul(1_000_000).saturating_mul(cpus.max(1));
        let memory_free_mib = self.hardware.memory_mib.saturating_sub(used);
        HypervisorSample {
            taken_at: now,
            library_version: 9_000_000,
            hypervisor_version: 7_002_000,
            domain_kinds: vec![self.kind],
            compatibility: Compatibility {
                cpu_model: self.hardware.cpu_model.clone(),
                cpu_features: Vec::new(),
                machine_types: self.hardware.machine_types.clone(),
            },
            cpus: self.hardware.cpus,
            memory_total_mib: self.hardware.memory_mib,
            memory_free_mib,
            numa_cells: vec![NumaCell {
                id: 0,
                memory_mib: self.hardware.memory_mib,
                free_mib: memory_free_mib,
                cpus: self.hardware.cpus,
            }],
            cpu_busy_ns: Some(busy),
            cpu_idle_ns: Some(uptime_ns.saturating_sub(busy)),
            pool: Some(PoolSample { capacity_mib: self.hardware.pool_mib, free_mib: self.pool_free_mib() }),
            pool_allocated_mib: Some(self.hardware.pool_mib.saturating_sub(self.pool_free_mib())),
            domains,
        }
    }

    fn sample_of(&self, vm: VmId, domain: &Domain, now: UnixMillis) -> DomainSample {
        let none = Configuration {
            size: Size::new(grid::Vcpus(0), Mib(0), Gib(0)),
            maxima: Maxima { vcpus: grid::Vcpus(0), memory: Mib(0) },
        };
        let configuration = domain.live.or(domain.persistent).unwrap_or(none);
        let running_ms = if domain.live.is_some() { now.since(domain.started_at) } else { 0 };
        let permille = load_permille(vm, now);
        let memory = configuration.size.memory.0;
        DomainSample {
            id: vm,
            name: format!("vm-{vm}"),
            state: domain.state,
            off_unexplained: domain.off_unexplained,
            vcpus_current: configuration.size.vcpus.0,
            vcpus_maximum: configuration.maxima.vcpus.0,
            memory_current_mib: memory,
            memory_maximum_mib: configuration.maxima.memory.0,
            disk_capacity_mib: self.disk_bytes(vm) >> 20,
            cpu_time_ns: busy_ns(vm, running_ms).saturating_mul(u64::from(configuration.size.vcpus.0)),
            memory_resident_mib: domain.live.map(|_| memory / 3 + memory * permille / 2000),
            block_read_bytes: Some(running_ms.saturating_mul(150)),
            block_write_bytes: Some(running_ms.saturating_mul(40)),
            network_receive_bytes: running_ms.saturating_mul(90),
            network_transmit_bytes: running_ms.saturating_mul(30),
        }
    }

    fn sample_of_utility(&self, utility: &UtilityVm, now: UnixMillis) -> DomainSample {
        let running = utility.state == DomainState::Running;
        let running_ms = if running { now.since(utility.started_at) } else { 0 };
        DomainSample {
            // Every bit of a node's own id but one, so that it is fixed and nobody else's.
            id: VmId(Uuid::from_u128(self.id.0.as_u128() ^ 1)),
            name: UTILITY_DOMAIN.into(),
            state: utility.state,
            off_unexplained: false,
            vcpus_current: 1,
            vcpus_maximum: 1,
            memory_current_mib: utility.memory_mib,
            memory_maximum_mib: utility.memory_mib,
            disk_capacity_mib: 0,
            cpu_time_ns: running_ms.saturating_mul(20_000),
            memory_resident_mib: running.then_some(utility.memory_mib / 2),
            block_read_bytes: Some(0),
            block_write_bytes: Some(0),
            network_receive_bytes: running_ms,
            network_transmit_bytes: running_ms.saturating_mul(2),
        }
    }
}

/// The constant part of a VM's load, from its id: 50 to 449 thousandths of its vCPUs.
fn base_permille(vm: VmId) -> u64 {
    50 + u64::from(vm.0.as_bytes()[15]).wrapping_mul(101) % 400
}

/// How busy a VM is now: its own constant part and a wave of ten minutes.
fn load_permille(vm: VmId, now: UnixMillis) -> u64 {
    let phase = (now.since(UnixMillis(0)) / 1000 + u64::from(vm.0.as_bytes()[14])) % 600;
    base_permille(vm) + phase.min(600 - phase)
}

/// CPU time of one vCPU after this long: never runs backwards.
pub(super) fn busy_ns(vm: VmId, running_ms: u64) -> u64 {
    let whole_waves = running_ms / 600_000;
    let phase = running_ms % 600_000 / 1000;
    let wave = whole_waves * 90_000 + if phase <= 300 { phase * phase / 2 } else { 90_000 - (600 - phase).pow(2) / 2 };
    (running_ms.saturating_mul(base_permille(vm)) / 1000).saturating_add(wave).saturating_mul(1_000_000)
}
