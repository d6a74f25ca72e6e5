//! Simulated hypervisors: a grid in memory, for tests and for scale.
//!
//! [`SimulatedGrid`] holds all nodes, so that a VM can move between them; [`SimulatedGrid::hypervisor`] gives the
//! trait for one of them. It refuses what libvirt refuses (sizes beyond the maxima, live moves of containers, a
//! second start of a VM that runs elsewhere is possible, as it is with libvirt: [`SimulatedGrid::executing`] tells).
//! Faults come on order: [`SimulatedGrid::faults`]. Needs no thread. Where it is given a file, the grid survives a
//! restart of the manager.

mod calls;
mod faults;
mod machine;
mod migration;

pub use calls::SimulatedHypervisor;
pub use faults::{Call, Failure, Faults, Moment};
pub use machine::Hardware;

use grid::node::Node;
use grid::sample::{DomainState, PoolSample};
use grid::{NodeId, UnixMillis, VmId};
use machine::{Configuration, Domain, Machine};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// All simulated nodes. Cheap to clone; clones share the nodes.
#[derive(Clone, Debug, Default)]
pub struct SimulatedGrid {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    machines: BTreeMap<NodeId, Machine>,
    faults: BTreeMap<NodeId, Faults>,
    file: Option<PathBuf>,
    /// How long a start, a shutdown and a step of a migration take.
    pace: Duration,
    /// Migrations that were asked to stop.
    aborts: std::collections::BTreeSet<VmId>,
}

impl SimulatedGrid {
    /// An empty grid, kept in memory only.
    pub fn new() -> Self {
        Self::default()
    }

    /// The grid that this file holds; an empty one where there is no file. Every change is written to it.
    pub fn kept_at(file: PathBuf) -> std::io::Result<Self> {
        let machines: Vec<Machine> = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let machines = machines.into_iter().map(|machine| (machine.id, machine)).collect();
        Ok(Self { inner: Arc::new(Mutex::new(Inner { machines, file: Some(file), ..Inner::default() })) })
    }

    /// A copy in memory of the grid that this file holds: what is done to it is not written.
    pub fn copy_of(file: PathBuf) -> std::io::Result<Self> {
        let grid = Self::kept_at(file)?;
        grid.lock().file = None;
        Ok(grid)
    }

    /// How long a start, a shutdown and a tenth of a migration take; nothing by default.
    pub fn set_pace(&self, pace: Duration) {
        self.lock().pace = pace;
    }

    /// Adds a node, or gives a known one this hardware; its domains stay.
    pub fn add(&self, node: &Node, hardware: Hardware) -> Arc<SimulatedHypervisor> {
        let mut inner = self.lock();
        let machine = inner.machines.entry(node.id).or_insert_with(|| Machine {
            id: node.id,
            uri: node.uri.clone(),
            kind: node.kind,
            hardware: hardware.clone(),
            domains: BTreeMap::new(),
            disks: BTreeMap::new(),
            written: BTreeMap::new(),
            utility: None,
        });
        machine.hardware = hardware;
        machine.uri.clone_from(&node.uri);
        inner.keep();
        drop(inner);
        self.hypervisor(node)
    }

    /// The trait for a node; calls fail as unreachable until the node was added.
    pub fn hypervisor(&self, node: &Node) -> Arc<SimulatedHypervisor> {
        Arc::new(SimulatedHypervisor::new(self.clone(), node.id, node.kind))
    }

    pub fn has(&self, node: NodeId) -> bool {
        self.lock().machines.contains_key(&node)
    }

    /// Changes what is wrong with a node.
    pub fn faults(&self, node: NodeId, change: impl FnOnce(&mut Faults)) {
        change(self.lock().faults.entry(node).or_default());
    }

    /// The nodes on which the VM's vCPUs execute: never more than one, whatever the caller does.
    pub fn executing(&self, vm: VmId) -> Vec<NodeId> {
        let inner = self.lock();
        let runs =
            |machine: &&Machine| machine.domains.get(&vm).is_some_and(|domain| domain.state == DomainState::Running);
        inner.machines.values().filter(runs).map(|machine| machine.id).collect()
    }

    /// Whether a guest answers on this address of the customers' network: it runs, and has the memory that it needs.
    pub fn answers(&self, address: Ipv4Addr) -> bool {
        let inner = self.lock();
        let needs = |node: NodeId, vm: VmId| inner.faults.get(&node).and_then(|faults| faults.needs.get(&vm)).copied();
        inner.machines.values().any(|machine| {
            machine.domains.iter().filter(|(_, domain)| domain.address == Some(address)).any(|(vm, domain)| {
                let lives =
                    |live: Configuration| needs(machine.id, *vm).is_none_or(|needed| live.size.memory >= needed);
                domain.state == DomainState::Running && domain.live.is_some_and(lives)
            })
        })
    }

    /// The boot id that the guest sees: another one after each start, the same after a live move.
    pub fn boot_id(&self, vm: VmId) -> Option<Uuid> {
        let inner = self.lock();
        let running = inner.machines.values().filter_map(|machine| machine.domains.get(&vm));
        running.filter(|domain| domain.live.is_some()).map(|domain| domain.boot_id).next()
    }

    /// Puts a VM's disk into a node's pool, or gives it this length, as a utility module does.
    pub fn disk_put(&self, node: NodeId, vm: VmId, bytes: u64) {
        self.change(node, |machine| {
            machine.disks.insert(vm, bytes);
        });
    }

    pub fn disk_remove(&self, node: NodeId, vm: VmId) {
        self.change(node, |machine| {
            machine.disks.remove(&vm);
            machine.written.remove(&vm);
        });
    }

    /// What is on a VM's disk in a node's pool: how many times its guest wrote.
    pub fn written(&self, node: NodeId, vm: VmId) -> u64 {
        self.lock().machines.get(&node).and_then(|machine| machine.written.get(&vm).copied()).unwrap_or(0)
    }

    /// Puts other contents on a disk, as a utility module does that received it.
    pub fn written_put(&self, node: NodeId, vm: VmId, written: u64) {
        self.change(node, |machine| {
            machine.written.insert(vm, written);
        });
    }

    /// Every guest that executes writes once more, and is told that it is kept: who, where, and how many times in all.
    /// A VM that executes twice is in it twice.
    pub fn guests_write(&self) -> Vec<(VmId, NodeId, u64)> {
        let mut inner = self.lock();
        let mut told = Vec::new();
        for machine in inner.machines.values_mut() {
            let running = machine.domains.iter().filter(|(_, domain)| domain.state == DomainState::Running);
            for (vm, _) in running {
                let written = machine.written.entry(*vm).or_insert(0);
                *written += 1;
                told.push((*vm, machine.id, *written));
            }
        }
        told
    }

    /// The length in bytes of a VM's disk in a node's pool.
    pub fn disk(&self, node: NodeId, vm: VmId) -> Option<u64> {
        self.lock().machines.get(&node)?.disks.get(&vm).copied()
    }

    /// All VMs' disks in a node's pool, with their lengths in bytes.
    pub fn disks(&self, node: NodeId) -> BTreeMap<VmId, u64> {
        self.lock().machines.get(&node).map(|machine| machine.disks.clone()).unwrap_or_default()
    }

    /// The pool's capacity and what it has left.
    pub fn pool(&self, node: NodeId) -> Option<PoolSample> {
        let inner = self.lock();
        let machine = inner.machines.get(&node)?;
        Some(PoolSample { capacity_mib: machine.hardware.pool_mib, free_mib: machine.pool_free_mib() })
    }

    /// Whether the node's utility VM runs.
    pub fn utility_runs(&self, node: NodeId) -> bool {
        let inner = self.lock();
        let utility = inner.machines.get(&node).and_then(|machine| machine.utility.as_ref());
        utility.is_some_and(|utility| utility.state == DomainState::Running)
    }

    /// A guest goes off by itself, or its hypervisor's process dies: nobody had asked for that.
    pub fn dies(&self, node: NodeId, vm: VmId) {
        self.change(node, |machine| {
            if let Some(domain) = machine.domains.get_mut(&vm) {
                domain.die();
            }
        });
    }

    /// A guest stands still, as where its disk can't be written.
    pub fn stands_still(&self, node: NodeId, vm: VmId) {
        self.change(node, |machine| {
            if let Some(domain) = machine.domains.get_mut(&vm) {
                domain.state = DomainState::Paused;
            }
        });
    }

    /// The node dies: what ran there is off, the utility VM too. Silence it as well to have it unreachable.
    pub fn power_fail(&self, node: NodeId) {
        self.change(node, |machine| {
            machine.domains.values_mut().for_each(Domain::die);
            machine.domains.retain(|_, domain| domain.persistent.is_some());
            machine.utility = None;
        });
    }

    fn change(&self, node: NodeId, change: impl FnOnce(&mut Machine)) {
        let mut inner = self.lock();
        if let Some(machine) = inner.machines.get_mut(&node) {
            change(machine);
            inner.keep();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole before anything can panic, so what a poisoned lock holds is sound.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Writes the file, where there is one: under another name first, so that it is never half there.
    fn keep(&self) {
        let Some(file) = &self.file else { return };
        let machines: Vec<&Machine> = self.machines.values().collect();
        let partial = file.with_extension("partial");
        let written = serde_json::to_vec(&machines)
            .map_err(std::io::Error::from)
            .and_then(|bytes| std::fs::write(&partial, bytes))
            .and_then(|()| std::fs::rename(&partial, file));
        if let Err(error) = written {
            tracing::error!(%error, file = %file.display(), "the simulated grid could not be written");
        }
    }
}

fn now() -> UnixMillis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
