//! A whole simulated node: its hypervisor and its utility module, on one pool. For tests, and for the story where no
//! libvirt can be had.

use crate::hypervisor::Hypervisor;
use crate::hypervisor::simulated::{Hardware, SimulatedGrid};
use crate::utility::UtilityHub;
use crate::utility::simulated::{SimulatedPool, SimulatedTransfers, SimulatedUtility};
use grid::node::Node;
use grid::sample::PoolSample;
use grid::vm::Vm;
use grid::{NodeId, VmId};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The pool that a simulated hypervisor and the module of the same node share.
#[derive(Debug)]
struct SharedPool {
    grid: SimulatedGrid,
    node: NodeId,
}

impl SimulatedPool for SharedPool {
    fn runs(&self) -> bool {
        self.grid.utility_runs(self.node)
    }

    fn space(&self) -> PoolSample {
        self.grid.pool(self.node).unwrap_or(PoolSample { capacity_mib: 0, free_mib: 0 })
    }

    fn disk(&self, vm: VmId) -> Option<u64> {
        self.grid.disk(self.node, vm)
    }

    fn disks(&self) -> BTreeMap<VmId, u64> {
        self.grid.disks(self.node)
    }

    fn disk_put(&self, vm: VmId, bytes: u64) {
        self.grid.disk_put(self.node, vm, bytes);
    }

    fn disk_remove(&self, vm: VmId) {
        self.grid.disk_remove(self.node, vm);
    }

    fn answers(&self, address: Ipv4Addr) -> bool {
        self.grid.answers(address)
    }

    fn contents(&self, vm: VmId) -> u64 {
        self.grid.written(self.node, vm)
    }

    fn contents_put(&self, vm: VmId, contents: u64) {
        self.grid.written_put(self.node, vm, contents);
    }
}

/// Adds a node to the simulated grid and its module to the hub. `vms` are those whose home it is, so that the module
/// knows what an earlier run deployed.
pub fn add_node(
    grid: &SimulatedGrid,
    hub: &UtilityHub,
    transfers: &SimulatedTransfers,
    node: &Node,
    hardware: Hardware,
    vms: &[Vm],
) -> (Arc<dyn Hypervisor>, Arc<SimulatedUtility>) {
    let hypervisor = grid.add(node, hardware);
    let pool = Arc::new(SharedPool { grid: grid.clone(), node: node.id });
    let module = SimulatedUtility::install(hub, node.id, pool, transfers.clone());
    for vm in vms.iter().filter(|vm| vm.node == node.id) {
        module.deployed_put(vm.id, vm.size);
    }
    (hypervisor, module)
}
