//! A simulated live move: told of in parts, stopped by an abort, handed over at one stroke.

use super::SimulatedHypervisor;
use super::calls::refused;
use super::faults::{Call, Moment};
use super::machine::Domain;
use crate::hypervisor::{Destination, HypervisorError, Migrated, Progress};
use grid::{NodeId, VmId};

/// A move is told of in this many parts.
const PARTS: u64 = 10;

impl SimulatedHypervisor {
    pub(super) async fn carry(
        &self,
        vm: VmId,
        destination: &Destination,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Migrated, HypervisorError> {
        let failure = self.meet_faults(Call::Migrate).await?;
        if let Some((Moment::Before, error)) = failure {
            return Err(error);
        }
        if !self.kind.moves_live() {
            return Err(HypervisorError::Unsupported("containers don't move while they run"));
        }
        let (to, bytes) = self.destination_of(vm, &destination.uri)?;
        self.grid.lock().aborts.remove(&vm);
        let pace = self.pace();
        for part in 0..PARTS {
            progress(Progress { bytes_done: bytes / PARTS * part, bytes_left: bytes - bytes / PARTS * part });
            tokio::time::sleep(pace).await;
            if self.grid.lock().aborts.remove(&vm) {
                return Err(refused("the migration was aborted"));
            }
            self.destination_of(vm, &destination.uri)?;
        }
        self.hand_over(vm, to)?;
        progress(Progress { bytes_done: bytes, bytes_left: 0 });
        match failure {
            Some((_, error)) => Err(error),
            None => Ok(Migrated { downtime_ms: 12, bytes }),
        }
    }

    /// Looks for the destination and for what a live move needs there.
    fn destination_of(&self, vm: VmId, uri: &str) -> Result<(NodeId, u64), HypervisorError> {
        let inner = self.grid.lock();
        let source = inner.machines.get(&self.node).ok_or(HypervisorError::NoSuchVm)?;
        let domain = source.domains.get(&vm).ok_or(HypervisorError::NoSuchVm)?;
        let live = domain.live.ok_or_else(|| refused("the domain is not running"))?;
        let destination = inner
            .machines
            .values()
            .find(|machine| machine.uri == uri)
            .ok_or_else(|| HypervisorError::Unreachable("the destination can't be reached".into()))?;
        if inner.faults.get(&destination.id).is_some_and(|faults| faults.silent || faults.hung) {
            return Err(HypervisorError::Unreachable("the destination can't be reached".into()));
        }
        if destination.kind != source.kind {
            return Err(refused("the destination is of another hypervisor kind"));
        }
        if destination.hardware.cpu_model != source.hardware.cpu_model {
            return Err(refused("the destination's CPU has not what the guest uses"));
        }
        if destination.domains.get(&vm).is_some_and(|domain| domain.live.is_some()) {
            return Err(refused("the domain runs at the destination"));
        }
        let carried = source.disk_bytes(vm);
        match destination.disks.get(&vm) {
            Some(bytes) if *bytes != carried => return Err(refused("the destination's disk has another length")),
            None if destination.pool_free_mib() < carried >> 20 => return Err(HypervisorError::PoolFull),
            _ => {}
        }
        Ok((destination.id, carried.saturating_add(live.size.memory.bytes())))
    }

    /// Ends a live move whose caller is gone, as a move peer to peer ends by itself.
    pub fn arrive(&self, vm: VmId, destination: &Destination) -> Result<(), HypervisorError> {
        let (to, _) = self.destination_of(vm, &destination.uri)?;
        self.hand_over(vm, to)
    }

    /// The hand-over, at one stroke: off here, running there.
    fn hand_over(&self, vm: VmId, to: NodeId) -> Result<(), HypervisorError> {
        let mut inner = self.grid.lock();
        let source = inner.machines.get_mut(&self.node).ok_or(HypervisorError::NoSuchVm)?;
        let domain = source.domain(vm)?;
        if domain.live.is_none() {
            return Err(refused("the guest ended during its migration"));
        }
        let moved = Domain { persistent: domain.live, ..domain.clone() };
        Self::switch_off(source, vm)?;
        let written = source.written.get(&vm).copied();
        if let Some(destination) = inner.machines.get_mut(&to) {
            destination.domains.insert(vm, moved);
            destination.written.extend(written.map(|written| (vm, written)));
        }
        inner.keep();
        Ok(())
    }
}
