//! The simulated grid under torture: its nodes and modules, what is wrong with them now, and what must be true of them
//! at every moment, whatever the program says: no VM executes twice, and no guest loses what it wrote.

use grid::VmId;
use grid::node::Node;
use manager::hypervisor::Destination;
use manager::hypervisor::simulated::SimulatedGrid;
use manager::utility::simulated::SimulatedUtility;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::script::{Fault, Move};

#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) grid: SimulatedGrid,
    pub(crate) nodes: Vec<Node>,
    pub(crate) modules: Vec<Arc<SimulatedUtility>>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How many times each guest wrote and was told that it is kept.
    kept: BTreeMap<VmId, u64>,
    broken: Vec<String>,
}

impl Ground {
    pub(crate) fn new(grid: SimulatedGrid, nodes: Vec<Node>, modules: Vec<Arc<SimulatedUtility>>) -> Self {
        Self { grid, nodes, modules, seen: Mutex::default() }
    }

    /// Every guest writes, and is looked at.
    pub(crate) fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut executing: BTreeMap<VmId, u32> = BTreeMap::new();
        for (vm, node, written) in self.grid.guests_write() {
            let times = executing.entry(vm).or_default();
            *times += 1;
            if *times > 1 {
                seen.broken.push(format!("I1: VM {vm} executes twice"));
            }
            let kept = seen.kept.get(&vm).copied().unwrap_or(0);
            if written <= kept {
                seen.broken.push(format!("I4: VM {vm} on {node} has {written} of {kept} writes"));
            }
            seen.kept.insert(vm, written);
        }
    }

    /// What was seen that must never be.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).broken.clone()
    }

    pub(crate) fn begin(&self, fault: Fault) {
        match fault {
            Fault::Silent { node, .. } => self.grid.faults(self.nodes[node].id, |faults| faults.silent = true),
            Fault::ModuleSilent { node, .. } => self.modules[node].faults(|faults| faults.silent = true),
            Fault::PowerFail { node } => self.grid.power_fail(self.nodes[node].id),
            _ => {}
        }
    }

    pub(crate) fn end(&self, fault: Fault) {
        match fault {
            Fault::Silent { node, .. } => self.grid.faults(self.nodes[node].id, |faults| faults.silent = false),
            Fault::ModuleSilent { node, .. } => self.modules[node].faults(|faults| faults.silent = false),
            _ => {}
        }
    }

    /// A move that went on by itself has arrived, unless one of its ends had to give it up.
    pub(crate) fn arrive(&self, moving: &Move) {
        if let Some(source) = self.nodes.iter().find(|node| node.id == moving.source) {
            let destination = Destination { uri: moving.uri.clone() };
            drop(self.grid.hypervisor(source).arrive(moving.vm, &destination));
        }
    }

    pub(crate) fn clear(&self) {
        for (node, module) in self.nodes.iter().zip(&self.modules) {
            self.grid.faults(node.id, |faults| faults.silent = false);
            module.faults(|faults| faults.silent = false);
        }
    }
}
