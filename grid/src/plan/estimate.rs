//! What a plan is expected to take: the bytes that it moves by the pace at which they go, and the constants of a
//! start, a shutdown and a hot-plug. The defaults are cautious: what is measured on the way is not fed back.

use super::{Estimate, PlanKind};
use crate::map::MapNode;
use crate::moves::{Manner, Move};
use crate::vm::Vm;
use crate::{HypervisorKind, Size};
use serde::{Deserialize, Serialize};

/// How fast things go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// A live move's memory and disk, from hypervisor to hypervisor.
    pub migrate_bytes_per_s: u64,
    /// A cold move's disk, from utility module to utility module through the manager.
    pub copy_bytes_per_s: u64,
    /// Checking, reserving, defining, verifying: what every plan takes.
    pub prepare_ms: u64,
    /// Until the guest has taken plugged vCPUs, memory and disk.
    pub hotplug_ms: u64,
    /// The pause at the end of a live move.
    pub switch_ms: u64,
    pub shutdown_ms: u64,
    pub boot_ms: u64,
    pub container_shutdown_ms: u64,
    pub container_boot_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            migrate_bytes_per_s: 100 << 20,
            copy_bytes_per_s: 50 << 20,
            prepare_ms: 1_000,
            hotplug_ms: 2_000,
            switch_ms: 300,
            shutdown_ms: 5_000,
            boot_ms: 5_000,
            container_shutdown_ms: 1_000,
            container_boot_ms: 1_000,
        }
    }
}

impl Pace {
    fn restart_ms(&self, kind: HypervisorKind) -> u64 {
        if kind.is_container() {
            self.container_shutdown_ms.saturating_add(self.container_boot_ms)
        } else {
            self.shutdown_ms.saturating_add(self.boot_ms)
        }
    }
}

/// What this kind of plan takes for this VM, whose home is `home`.
pub(super) fn estimate(kind: PlanKind, vm: &Vm, running: bool, to: Size, home: &MapNode, pace: &Pace) -> Estimate {
    let restart_ms = if running && kind.restarts() { pace.restart_ms(vm.kind) } else { 0 };
    let carry_ms = match kind {
        PlanKind::InPlaceLive | PlanKind::InPlaceRestart | PlanKind::MakeRoom => 0,
        PlanKind::MoveLive | PlanKind::MoveLiveRestart => {
            let bytes = disk_bytes(vm, home).saturating_add(vm.size.memory.bytes());
            milliseconds(bytes, pace.migrate_bytes_per_s).saturating_add(pace.switch_ms)
        }
        PlanKind::MoveCold => milliseconds(disk_bytes(vm, home), pace.copy_bytes_per_s),
    };
    let grows_live = matches!(kind, PlanKind::InPlaceLive | PlanKind::MoveLive) && to != vm.size;
    let plug_ms = if grows_live { pace.hotplug_ms } else { 0 };
    let downtime_ms = match kind {
        _ if !running => 0,
        PlanKind::InPlaceLive | PlanKind::MakeRoom => 0,
        PlanKind::MoveLive | PlanKind::MoveLiveRestart => restart_ms.saturating_add(pace.switch_ms),
        PlanKind::InPlaceRestart | PlanKind::MoveCold => restart_ms.saturating_add(carry_ms),
    };
    let parts = [pace.prepare_ms, restart_ms, carry_ms, plug_ms];
    Estimate { duration_ms: parts.into_iter().fold(0, u64::saturating_add), downtime_ms }
}

/// What moves of other VMs are expected to take, one after the other.
pub(super) fn moves_ms(moves: &[Move], pace: &Pace) -> u64 {
    let each = |it: &Move| {
        let (bytes_per_s, switch_ms) = match it.manner {
            Manner::Live => (pace.migrate_bytes_per_s, pace.switch_ms),
            Manner::Stopped | Manner::Cold => (pace.copy_bytes_per_s, 0),
        };
        milliseconds(it.bytes, bytes_per_s).saturating_add(switch_ms).saturating_add(pace.prepare_ms)
    };
    moves.iter().map(each).fold(0, u64::saturating_add)
}

/// What the VM's disk really takes, where its home's utility module has said it; else its whole size.
fn disk_bytes(vm: &Vm, home: &MapNode) -> u64 {
    let disks = home.utility.iter().flat_map(|reading| &reading.sample.disks);
    let real = disks.filter(|disk| disk.vm == vm.id).map(|disk| disk.real_bytes).next();
    real.unwrap_or(u64::MAX).min(vm.size.disk.bytes())
}

/// Rounded up; a pace of nothing is taken as one byte a second.
fn milliseconds(bytes: u64, bytes_per_s: u64) -> u64 {
    let exact = (u128::from(bytes) * 1000).div_ceil(u128::from(bytes_per_s.max(1)));
    u64::try_from(exact).unwrap_or(u64::MAX)
}
