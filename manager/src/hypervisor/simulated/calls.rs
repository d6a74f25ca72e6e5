//! The trait's calls on a simulated node: faults first, then what libvirt would check, then the change.

use super::faults::{Call, Moment, absurd};
use super::machine::{Configuration, Domain, Machine, UtilityVm};
use super::{SimulatedGrid, now};
use crate::hypervisor::{
    Definition, Destination, Hypervisor, HypervisorError, Migrated, Observation, Progress, UtilityConfiguration,
};
use async_trait::async_trait;
use grid::sample::{DomainState, HypervisorSample};
use grid::vm::Maxima;
use grid::{Gib, HypervisorKind, Mib, NodeId, Size, Vcpus, VmId};
use std::time::Duration;
use uuid::Uuid;

/// How long a hung node keeps its callers waiting.
const HUNG: Duration = Duration::from_secs(5);
/// One simulated node's hypervisor.
#[derive(Debug)]
pub struct SimulatedHypervisor {
    pub(super) grid: SimulatedGrid,
    pub(super) node: NodeId,
    pub(super) kind: HypervisorKind,
}

pub(super) fn refused(reason: &str) -> HypervisorError {
    HypervisorError::Refused(reason.into())
}

impl SimulatedHypervisor {
    pub(super) fn new(grid: SimulatedGrid, node: NodeId, kind: HypervisorKind) -> Self {
        Self { grid, node, kind }
    }

    /// Meets the node's faults, then does the work under the lock; nothing waits while it is held.
    async fn call<T>(
        &self,
        call: Call,
        work: impl FnOnce(&mut Machine) -> Result<T, HypervisorError>,
    ) -> Result<T, HypervisorError> {
        let failure = self.meet_faults(call).await?;
        if let Some((Moment::Before, error)) = failure {
            return Err(error);
        }
        let answer = {
            let mut inner = self.grid.lock();
            let machine = inner
                .machines
                .get_mut(&self.node)
                .ok_or_else(|| HypervisorError::Unreachable("the simulated grid has no such node".into()))?;
            let answer = work(machine);
            if !matches!(call, Call::Sample | Call::Observe | Call::UtilityState) {
                inner.keep();
            }
            answer
        };
        match failure {
            Some((_, error)) => Err(error),
            None => answer,
        }
    }

    pub(super) async fn meet_faults(&self, call: Call) -> Result<Option<(Moment, HypervisorError)>, HypervisorError> {
        let (delay, silent, hung, failure) = {
            let mut inner = self.grid.lock();
            let faults = inner.faults.entry(self.node).or_default();
            (faults.delay, faults.silent, faults.hung, faults.count(call))
        };
        if silent {
            return Err(HypervisorError::Unreachable("no route to the simulated node".into()));
        }
        if hung {
            tokio::time::sleep(HUNG).await;
            return Err(HypervisorError::Deadline);
        }
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Ok(failure.map(|failure| (failure.moment, failure.error)))
    }

    pub(super) fn pace(&self) -> Duration {
        self.grid.lock().pace
    }

    fn is_stubborn(&self, vm: VmId) -> bool {
        self.grid.lock().faults.get(&self.node).is_some_and(|faults| faults.stubborn.contains(&vm))
    }

    /// How long its guest takes to shut down, where that was ordered.
    fn slowness(&self, vm: VmId) -> Option<Duration> {
        self.grid.lock().faults.get(&self.node)?.slow.get(&vm).copied()
    }

    pub(super) fn switch_off(machine: &mut Machine, vm: VmId) -> Result<(), HypervisorError> {
        let domain = machine.domain(vm)?;
        domain.live = None;
        domain.state = DomainState::ShutOff;
        domain.off_unexplained = false;
        if domain.persistent.is_none() {
            machine.domains.remove(&vm);
        }
        Ok(())
    }
}

#[async_trait]
impl Hypervisor for SimulatedHypervisor {
    fn node(&self) -> NodeId {
        self.node
    }

    fn kind(&self) -> HypervisorKind {
        self.kind
    }

    async fn sample(&self) -> Result<HypervisorSample, HypervisorError> {
        let sample = self.call(Call::Sample, |machine| Ok(machine.sample(now()))).await?;
        let lying = self.grid.lock().faults.get(&self.node).is_some_and(|faults| faults.lying);
        Ok(if lying { absurd(sample) } else { sample })
    }

    async fn observe(&self, vm: VmId) -> Result<Option<Observation>, HypervisorError> {
        self.call(Call::Observe, |machine| Ok(machine.observe(vm))).await
    }

    async fn define(&self, definition: &Definition) -> Result<(), HypervisorError> {
        self.call(Call::Define, |machine| {
            let (size, maxima) = (definition.size, definition.maxima);
            check(size, maxima)?;
            if !machine.disks.contains_key(&definition.vm)
                && !machine.domains.contains_key(&definition.vm)
                && machine.pool_free_mib() < size.disk.to_mib().0
            {
                return Err(HypervisorError::PoolFull);
            }
            let fresh = Domain {
                title: String::new(),
                mac: String::new(),
                address: None,
                state: DomainState::ShutOff,
                off_unexplained: true,
                live: None,
                persistent: None,
                base_memory: Mib(0),
                boot_id: Uuid::nil(),
                started_at: now(),
            };
            let domain = machine.domains.entry(definition.vm).or_insert(fresh);
            domain.title.clone_from(&definition.title);
            domain.mac.clone_from(&definition.mac);
            domain.address = Some(definition.address);
            domain.persistent = Some(Configuration { size, maxima });
            Ok(())
        })
        .await
    }

    async fn redefine(&self, vm: VmId, size: Size, maxima: Maxima) -> Result<(), HypervisorError> {
        self.call(Call::Redefine, |machine| {
            check(size, maxima)?;
            machine.domain(vm)?.persistent = Some(Configuration { size, maxima });
            Ok(())
        })
        .await
    }

    async fn undefine(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.call(Call::Undefine, |machine| {
            if machine.domains.get(&vm).is_some_and(|domain| domain.live.is_some()) {
                return Err(refused("the domain is running"));
            }
            machine.domains.remove(&vm);
            Ok(())
        })
        .await
    }

    async fn start(&self, vm: VmId) -> Result<(), HypervisorError> {
        tokio::time::sleep(self.pace()).await;
        self.call(Call::Start, |machine| {
            let free = machine.sample(now()).memory_free_mib;
            let domain = machine.domain(vm)?;
            if domain.live.is_some() {
                return Ok(());
            }
            let configuration = domain.persistent.ok_or(HypervisorError::NoSuchVm)?;
            if configuration.size.memory.0 / 3 > free {
                return Err(refused("cannot allocate memory"));
            }
            domain.live = Some(configuration);
            domain.base_memory = configuration.maxima.floor_memory().min(configuration.size.memory);
            domain.state = DomainState::Running;
            domain.off_unexplained = false;
            domain.boot_id = Uuid::new_v4();
            domain.started_at = now();
            Ok(())
        })
        .await
    }

    async fn shut_down(&self, vm: VmId, deadline: Duration) -> Result<(), HypervisorError> {
        if self.is_stubborn(vm) {
            tokio::time::sleep(deadline).await;
            return Err(HypervisorError::Deadline);
        }
        let needs = self.slowness(vm).unwrap_or_else(|| self.pace().min(deadline));
        if needs > deadline {
            let grid = self.grid.clone();
            let node = self.node;
            tokio::spawn(async move {
                tokio::time::sleep(needs).await;
                if let Some(machine) = grid.lock().machines.get_mut(&node) {
                    // Who asked may be gone; the guest goes off all the same.
                    let _gone = Self::switch_off(machine, vm);
                }
            });
            tokio::time::sleep(deadline).await;
            return Err(HypervisorError::Deadline);
        }
        tokio::time::sleep(needs).await;
        self.call(Call::ShutDown, |machine| Self::switch_off(machine, vm)).await
    }

    async fn resume(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.call(Call::Resume, |machine| {
            let is_full = machine.pool_free_mib() == 0;
            let domain = machine.domain(vm)?;
            match domain.state {
                DomainState::Running => Ok(()),
                DomainState::Paused if is_full => Err(HypervisorError::PoolFull),
                DomainState::Paused => {
                    domain.state = DomainState::Running;
                    Ok(())
                }
                DomainState::ShutOff | DomainState::Other => Err(refused("the domain is not running")),
            }
        })
        .await
    }

    async fn force_off(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.call(Call::ForceOff, |machine| Self::switch_off(machine, vm)).await
    }

    async fn set_vcpus(&self, vm: VmId, vcpus: Vcpus) -> Result<(), HypervisorError> {
        self.call(Call::SetVcpus, |machine| {
            let domain = machine.domain(vm)?;
            if vcpus.0 > 0 && !self.kind.unplugs_vcpus() && domain.live.is_some_and(|live| vcpus < live.size.vcpus) {
                return Err(HypervisorError::Unsupported("vCPUs are taken away while it is off"));
            }
            change_both(domain, |size| size.vcpus = vcpus)
        })
        .await
    }

    async fn set_memory(&self, vm: VmId, memory: Mib) -> Result<(), HypervisorError> {
        let stubborn = self.is_stubborn(vm);
        self.call(Call::SetMemory, |machine| {
            let domain = machine.domain(vm)?;
            if stubborn && domain.live.is_some_and(|live| memory < live.size.memory) {
                return Err(HypervisorError::Guest("it gives no memory back".into()));
            }
            if !self.kind.is_container() && memory < domain.base_memory {
                return Err(refused("less memory than it was started with needs a restart"));
            }
            change_both(domain, |size| size.memory = memory)
        })
        .await
    }

    async fn grow_disk(&self, vm: VmId, disk: Gib) -> Result<(), HypervisorError> {
        self.call(Call::GrowDisk, |machine| {
            if self.kind.is_container() {
                return Err(HypervisorError::Unsupported("a container's disk grows while it is off"));
            }
            let (has, free) = (machine.disk_bytes(vm), machine.pool_free_mib());
            let domain = machine.domain(vm)?;
            if domain.live.is_none() {
                return Err(refused("the domain is not running"));
            }
            if disk.bytes() < has {
                return Err(refused("a disk never shrinks"));
            }
            if (disk.bytes() - has) >> 20 > free {
                return Err(HypervisorError::PoolFull);
            }
            change_both(domain, |size| size.disk = disk)?;
            machine.disks.entry(vm).and_modify(|bytes| *bytes = disk.bytes());
            Ok(())
        })
        .await
    }

    async fn migrate(
        &self,
        vm: VmId,
        destination: &Destination,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Migrated, HypervisorError> {
        self.carry(vm, destination, progress).await
    }

    /// One of ours ends with whoever began it.
    async fn migrate_watch(
        &self,
        _: VmId,
        _: &Destination,
        _: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<bool, HypervisorError> {
        self.call(Call::MigrateWatch, |_| Ok(false)).await
    }

    async fn migrate_abort(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.call(Call::MigrateAbort, |_| Ok(())).await?;
        self.grid.lock().aborts.insert(vm);
        Ok(())
    }

    async fn utility_state(&self) -> Result<Option<DomainState>, HypervisorError> {
        self.call(Call::UtilityState, |machine| Ok(machine.utility.as_ref().map(|utility| utility.state))).await
    }

    async fn utility_start(&self, configuration: &UtilityConfiguration) -> Result<(), HypervisorError> {
        tokio::time::sleep(self.pace()).await;
        self.call(Call::UtilityStart, |machine| {
            machine.utility = Some(UtilityVm {
                address: configuration.address.clone(),
                memory_mib: configuration.memory.0,
                state: DomainState::Running,
                started_at: now(),
            });
            Ok(())
        })
        .await
    }
}

fn check(size: Size, maxima: Maxima) -> Result<(), HypervisorError> {
    if size.vcpus.0 == 0 || size.memory.0 == 0 {
        return Err(refused("a size of nothing"));
    }
    if maxima.admit(&size) { Ok(()) } else { Err(refused("the size is beyond the maxima")) }
}

/// Changes the running domain, within its maxima, and its persistent configuration.
fn change_both(domain: &mut Domain, change: impl Fn(&mut Size)) -> Result<(), HypervisorError> {
    let live = domain.live.as_mut().ok_or_else(|| refused("the domain is not running"))?;
    let mut size = live.size;
    change(&mut size);
    check(size, live.maxima)?;
    live.size = size;
    if let Some(persistent) = &mut domain.persistent {
        change(&mut persistent.size);
    }
    Ok(())
}
