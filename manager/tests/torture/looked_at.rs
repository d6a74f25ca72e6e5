//! What is looked at when a trial is over, and while it waits for that: rows that have not ended, promises, what was left behind.

use crate::trial::Trial;
use grid::operation::{Operation, OperationState};
use grid::sample::DiskSample;
use grid::vm::VmState;
use grid::{OperationId, RelocationId, VmId};
use manager::clock;
use manager::hypervisor::Hypervisor;
use manager::promises::{self, PoolLists};
use manager::store::{OperationStore, RelocationStore, VmStore};
use std::sync::Arc;
use std::time::Duration;

impl Trial<'_> {
    pub(crate) fn relocations(&self) -> Vec<RelocationId> {
        let backstage = self.stage.backstage.handle();
        let _entered = backstage.enter();
        let unfinished = futures::executor::block_on(self.store.relocation_unfinished()).unwrap();
        unfinished.into_iter().map(|it| it.id).collect()
    }

    pub(crate) fn unfinished(&self, which: impl Fn(&Operation) -> bool) -> Vec<(OperationId, OperationState)> {
        let unfinished = {
            let backstage = self.stage.backstage.handle();
            let _entered = backstage.enter();
            futures::executor::block_on(self.store.operation_unfinished()).unwrap()
        };
        unfinished.into_iter().filter(which).map(|it| (it.id, it.state)).collect()
    }

    pub(crate) fn promises(&self) -> Vec<String> {
        let ground = &self.script.ground;
        // What is younger than the look is not counted.
        std::thread::sleep(Duration::from_millis(1));
        let mut pools = PoolLists::new();
        for node in &ground.nodes {
            let disks = ground.grid.disks(node.id).into_iter();
            let disks = disks.map(|(vm, virtual_bytes)| DiskSample { vm, virtual_bytes, real_bytes: 0 }).collect();
            pools.insert(node.id, (clock::now(), disks));
        }
        let hypervisors: Vec<Arc<dyn Hypervisor>> =
            ground.nodes.iter().map(|node| ground.grid.hypervisor(node) as Arc<dyn Hypervisor>).collect();
        let report = {
            let backstage = self.stage.backstage.handle();
            let _entered = backstage.enter();
            futures::executor::block_on(tokio::task::unconstrained(promises::check(
                self.store.as_ref(),
                &hypervisors,
                &pools,
            )))
        };
        let mut broken: Vec<String> = report.unwrap().broken.iter().map(ToString::to_string).collect();
        broken.extend(self.left_behind(&pools));
        broken.extend(self.old_data_gone(&pools));
        broken
    }

    /// Disks of a fenced node that were removed, whoever was rebuilt.
    fn old_data_gone(&self, pools: &PoolLists) -> Vec<String> {
        let template = self.stage.template;
        let Some(node) = template.fenced.map(|node| template.nodes[node].id) else { return Vec::new() };
        let is_there = |vm: &VmId| pools[&node].1.iter().any(|disk| disk.vm == *vm);
        let gone = [template.machine, template.stopped].into_iter().filter(|vm| !is_there(vm));
        gone.map(|vm| format!("I4: the old disk of VM {vm} on its fenced node is gone")).collect()
    }

    /// What the reconciler had to remove: disks of VMs that run at another node.
    fn left_behind(&self, pools: &PoolLists) -> Vec<String> {
        let vms = {
            let backstage = self.stage.backstage.handle();
            let _entered = backstage.enter();
            futures::executor::block_on(self.store.vm_list(None)).unwrap()
        };
        let running: Vec<_> = vms.iter().filter(|vm| vm.state == VmState::Running).collect();
        let fenced = self.stage.template.fenced.map(|node| self.stage.template.nodes[node].id);
        let disks = pools.iter().flat_map(|(node, (_, disks))| disks.iter().map(move |disk| (*node, disk.vm)));
        // Those of a fenced node are the only copies of old data, and stay.
        let disks = disks.filter(|(node, _)| Some(*node) != fenced);
        let left = disks.filter(|(node, disk)| running.iter().any(|vm| vm.id == *disk && vm.node != *node));
        left.map(|(node, vm)| format!("left behind: a disk of VM {vm}, which runs elsewhere, on {node}")).collect()
    }
}
