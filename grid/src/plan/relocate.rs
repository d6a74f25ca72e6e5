//! A move of a VM at the size that it has, as the plan of an operation.

use super::estimate::{Pace, estimate};
use super::{Plan, PlanKind};
use crate::map::ResourceMap;
use crate::moves::{Manner, Move};
use crate::vm::Vm;

/// None where the VM is no longer where the move takes it from, or the map doesn't have that node.
pub fn relocate(map: &ResourceMap, vm: &Vm, carried: &Move, pace: &Pace) -> Option<Plan> {
    let home = map.get(carried.from).filter(|_| vm.node == carried.from && vm.id == carried.vm)?;
    let kind = if carried.manner == Manner::Live { PlanKind::MoveLive } else { PlanKind::MoveCold };
    let running = carried.manner != Manner::Stopped;
    Some(Plan {
        vm: vm.id,
        kind,
        from: vm.size,
        to: vm.size,
        source: carried.from,
        destination: Some(carried.to),
        running,
        estimate: estimate(kind, vm, running, vm.size, home, pace),
        generation: vm.generation,
        room: None,
    })
}
