//! What can go wrong with a simulated node, on order: slow, silent, lying, failing at a given call, stubborn guests.

use crate::hypervisor::HypervisorError;
use grid::sample::HypervisorSample;
use grid::{Mib, VmId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The calls of the trait, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    Sample,
    Observe,
    Define,
    Redefine,
    Undefine,
    Start,
    ShutDown,
    Resume,
    ForceOff,
    SetVcpus,
    SetMemory,
    GrowDisk,
    Migrate,
    MigrateWatch,
    MigrateAbort,
    UtilityState,
    UtilityStart,
}

/// When, within a call, it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was done.
    Before,
    /// All was done, and the answer was lost.
    After,
}

/// One failure on order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub call: Call,
    /// The how manieth of these calls, from now on, fails; the first is 1.
    pub nth: u32,
    pub moment: Moment,
    pub error: HypervisorError,
}

/// All that is wrong with a node; by default nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Every call takes this much longer.
    pub delay: Duration,
    /// Nothing is reached: every call fails at once with [`HypervisorError::Unreachable`].
    pub silent: bool,
    /// Calls are taken and never answered: each fails with [`HypervisorError::Deadline`] when its time is up.
    pub hung: bool,
    /// Samples are absurd: see [`absurd`].
    pub lying: bool,
    /// Guests that ignore a shutdown and give no memory back.
    pub stubborn: BTreeSet<VmId>,
    /// Guests that take so long to shut down, whether anybody still waits for it or not.
    pub slow: BTreeMap<VmId, Duration>,
    /// Guests that die with less memory than this: the VM runs on, and its address gives no answer.
    pub needs: BTreeMap<VmId, Mib>,
    pub failures: Vec<Failure>,
    counts: BTreeMap<Call, u32>,
}

impl Faults {
    /// Fails the `nth` call of this name from now on, before it has done anything.
    pub fn fail(&mut self, call: Call, nth: u32, error: HypervisorError) {
        self.order(Failure { call, nth, moment: Moment::Before, error });
    }

    /// Loses the answer of the `nth` call of this name from now on: what it does is done.
    pub fn lose_answer(&mut self, call: Call, nth: u32) {
        self.order(Failure { call, nth, moment: Moment::After, error: HypervisorError::Deadline });
    }

    fn order(&mut self, mut failure: Failure) {
        failure.nth = failure.nth.saturating_add(self.counts.get(&failure.call).copied().unwrap_or(0));
        self.failures.push(failure);
    }

    /// Counts a call and says which failure was ordered for it.
    pub(super) fn count(&mut self, call: Call) -> Option<Failure> {
        let count = self.counts.entry(call).or_insert(0);
        *count = count.saturating_add(1);
        let now = *count;
        let at = self.failures.iter().position(|failure| failure.call == call && failure.nth == now)?;
        Some(self.failures.remove(at))
    }
}

/// What a lying node says: more memory free than there is, time that runs backwards, sizes beyond all sense.
pub(super) fn absurd(mut sample: HypervisorSample) -> HypervisorSample {
    sample.memory_free_mib = u64::MAX;
    sample.memory_total_mib = 0;
    sample.cpus = u32::MAX;
    sample.cpu_busy_ns = Some(u64::MAX);
    sample.cpu_idle_ns = Some(0);
    if let Some(pool) = &mut sample.pool {
        pool.free_mib = u64::MAX;
        pool.capacity_mib = 1;
    }
    for domain in &mut sample.domains {
        domain.vcpus_current = u32::MAX;
        domain.vcpus_maximum = 0;
        domain.memory_current_mib = u64::MAX;
        domain.memory_maximum_mib = 0;
        domain.disk_capacity_mib = u64::MAX;
        domain.cpu_time_ns = u64::MAX - domain.cpu_time_ns;
        domain.memory_resident_mib = Some(u64::MAX);
    }
    sample
}
