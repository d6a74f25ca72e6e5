//! Simulated utility modules: in this process, on a pool in memory, for tests and for the simulated grid. They report
//! to the hub and carry out the same work as the real ones; they can be slow, silent, failing and lying on order.
//!
//! What a module's pool is, its maker says by [`SimulatedPool`]: so that a simulated hypervisor and the module of
//! the same node see the same disks.

use super::{UtilityError, UtilityHub, UtilityModule};
use async_trait::async_trait;
use grid::identity::{TransferId, WorkId};
use grid::sample::{DeployedVm, DiskSample, ImageSample, PoolSample, UtilitySample};
use grid::work::{Image, Work, WorkDone, WorkFailure};
use grid::{NodeId, Size, UnixMillis, VmId};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// A simulated node as its utility module sees it.
pub trait SimulatedPool: Send + Sync + std::fmt::Debug {
    /// Whether the utility VM runs; where it doesn't, the module is silent.
    fn runs(&self) -> bool;
    fn space(&self) -> PoolSample;
    /// The length of a VM's disk in bytes.
    fn disk(&self, vm: VmId) -> Option<u64>;
    /// All VMs' disks, whoever put them there.
    fn disks(&self) -> BTreeMap<VmId, u64>;
    fn disk_put(&self, vm: VmId, bytes: u64);
    fn disk_remove(&self, vm: VmId);
    /// Whether a guest answers on this address of the customers' network.
    fn answers(&self, address: Ipv4Addr) -> bool;
    /// What is on a disk, as a number that stands for it.
    fn contents(&self, vm: VmId) -> u64;
    fn contents_put(&self, vm: VmId, contents: u64);
}

/// What is wrong with a module.
#[derive(Clone, Debug, Default)]
pub struct UtilityFaults {
    /// Says nothing: no reports, no answers.
    pub silent: bool,
    /// Takes this long for each piece of work.
    pub slow: Duration,
    /// The next pieces of work fail so, first in first out.
    pub failures: Vec<WorkFailure>,
    /// Changes each report before it is sent.
    pub lie: Option<fn(&mut UtilitySample)>,
}

/// The disks on their way between the modules of one simulated grid.
#[derive(Clone, Debug, Default)]
pub struct SimulatedTransfers {
    /// Bytes and contents.
    sent: Arc<Mutex<HashMap<TransferId, (u64, u64)>>>,
}

/// One node's simulated module.
#[derive(Debug)]
pub struct SimulatedUtility {
    node: NodeId,
    pool: Arc<dyn SimulatedPool>,
    transfers: SimulatedTransfers,
    state: Mutex<State>,
}

/// An address that is asked whether it answers.
#[derive(Clone, Copy, Debug)]
struct Watch {
    address: Ipv4Addr,
    begin: Instant,
    /// How it ended, if it has: whether there was an answer.
    ended: Option<bool>,
}

#[derive(Debug)]
struct State {
    faults: UtilityFaults,
    sequence: u64,
    boot_id: String,
    images: Vec<Image>,
    deployed: BTreeMap<VmId, Size>,
    watches: HashMap<WorkId, Watch>,
}

impl SimulatedUtility {
    /// Makes a node's module and puts it into the hub.
    pub fn install(
        hub: &UtilityHub,
        node: NodeId,
        pool: Arc<dyn SimulatedPool>,
        transfers: SimulatedTransfers,
    ) -> Arc<Self> {
        let state = State {
            faults: UtilityFaults::default(),
            sequence: 0,
            boot_id: Uuid::new_v4().to_string(),
            images: Vec::new(),
            deployed: BTreeMap::new(),
            watches: HashMap::new(),
        };
        let module = Arc::new(Self { node, pool, transfers, state: Mutex::new(state) });
        hub.simulate(Arc::clone(&module) as Arc<dyn UtilityModule>);
        module
    }

    /// Reports to the hub for ever, every `every`.
    pub async fn report_for_ever(self: Arc<Self>, hub: Arc<UtilityHub>, every: Duration) {
        loop {
            self.report(&hub);
            sleep(every).await;
        }
    }

    /// Sends one report, unless it is silent.
    pub fn report(&self, hub: &UtilityHub) {
        if self.is_silent() {
            return;
        }
        if let Err(error) = hub.report(self.node, self.sample()) {
            tracing::warn!(node = %self.node, %error, "a simulated utility module's report was refused");
        }
    }

    /// Changes what is wrong with it.
    pub fn faults(&self, change: impl FnOnce(&mut UtilityFaults)) {
        change(&mut self.lock().faults);
    }

    /// Loses its watches, as a module does that is started afresh.
    pub fn forget_watches(&self) {
        self.lock().watches.clear();
    }

    /// Takes over what an earlier run deployed.
    pub fn deployed_put(&self, vm: VmId, size: Size) {
        self.lock().deployed.insert(vm, size);
    }

    fn is_silent(&self) -> bool {
        self.lock().faults.silent || !self.pool.runs()
    }

    fn sample(&self) -> UtilitySample {
        let mut state = self.lock();
        state.sequence += 1;
        let deployed: Vec<DeployedVm> =
            state.deployed.iter().map(|(vm, size)| DeployedVm { vm: *vm, size: *size }).collect();
        let disks = self.pool.disks().into_iter().map(|(vm, virtual_bytes)| DiskSample {
            vm,
            virtual_bytes,
            real_bytes: virtual_bytes / 4,
        });
        let images = state.images.iter();
        let mut sample = UtilitySample {
            taken_at: now(),
            sequence: state.sequence,
            boot_id: state.boot_id.clone(),
            process_namespace: "simulated".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: state.sequence.saturating_mul(3),
            own_memory_total_mib: 128,
            own_memory_available_mib: 96,
            own_resident_mib: 4,
            load_permille: 120,
            steal_permille: 0,
            sees_node: false,
            node_memory_total_mib: None,
            node_memory_free_mib: None,
            node_memory_available_mib: None,
            pool: self.pool.space(),
            write_latency_us: 350 + state.sequence % 7 * 20,
            disks: disks.collect(),
            images: images
                .map(|image| ImageSample {
                    name: image.name.clone(),
                    checksum: image.checksum.clone(),
                    bytes: image.bytes,
                })
                .collect(),
            deployed,
        };
        if let Some(lie) = state.faults.lie {
            lie(&mut sample);
        }
        sample
    }

    fn work(&self, work: &Work) -> Result<WorkDone, WorkFailure> {
        let mut state = self.lock();
        match work {
            Work::FetchImage { image } => {
                if !state.images.contains(image) {
                    state.images.push(image.clone());
                }
            }
            Work::CreateDisk { vm, image, size } => {
                if !state.images.contains(image) {
                    return Err(WorkFailure::NoImage);
                }
                self.make(*vm, size.disk.bytes())?;
                state.deployed.insert(*vm, *size);
            }
            Work::PrepareDisk { vm, bytes, size } => {
                self.make(*vm, *bytes)?;
                state.deployed.insert(*vm, *size);
            }
            Work::WriteSeed { .. } => {}
            Work::GrowDisk { vm, disk } => {
                self.pool.disk(*vm).ok_or(WorkFailure::NoDisk)?;
                self.make(*vm, disk.bytes())?;
            }
            Work::RecordSize { vm, size } => {
                state.deployed.insert(*vm, *size);
            }
            Work::CopyOut { vm, transfer } => {
                let bytes = self.pool.disk(*vm).ok_or(WorkFailure::NoDisk)?;
                self.transfers.lock().insert(*transfer, (bytes, self.pool.contents(*vm)));
                return Ok(WorkDone::Copied { bytes, checksum: checksum(*vm) });
            }
            Work::CopyIn { vm, transfer, size } => {
                let broken = || WorkFailure::Transfer { reason: "nobody sends".to_owned() };
                let (bytes, contents) = self.transfers.lock().get(transfer).copied().ok_or_else(broken)?;
                self.make(*vm, size.disk.bytes().max(bytes))?;
                self.pool.contents_put(*vm, contents);
                state.deployed.insert(*vm, *size);
                return Ok(WorkDone::Copied { bytes, checksum: checksum(*vm) });
            }
            Work::Delete { vm } => {
                self.pool.disk_remove(*vm);
                state.deployed.remove(vm);
            }
            Work::WatchStart { watch, address, .. } => {
                let begin = Instant::now();
                state.watches.entry(*watch).or_insert(Watch { address: *address, begin, ended: None });
            }
            Work::WatchStop { watch, .. } => {
                let watch = state.watches.get_mut(watch).ok_or_else(|| io("the address isn't watched"))?;
                let answered = self.pool.answers(watch.address);
                if !*watch.ended.get_or_insert(answered) {
                    return Err(WorkFailure::NoAnswer);
                }
                let asked = u64::try_from(watch.begin.elapsed().as_millis()).unwrap_or(u64::MAX) / 50 + 2;
                return Ok(WorkDone::Watched { longest_gap_ms: 50, asked, answered: asked });
            }
        }
        Ok(WorkDone::Done)
    }

    /// Waits until the watched address answers, this long at most.
    async fn wait_for_answer(&self, watch: WorkId, patience: Duration) {
        let until = Instant::now() + patience;
        let waits = |it: &Watch| it.ended.is_none() && !self.pool.answers(it.address);
        while Instant::now() < until && self.lock().watches.get(&watch).is_some_and(waits) {
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Gives a disk at least this length; never less.
    fn make(&self, vm: VmId, bytes: u64) -> Result<(), WorkFailure> {
        match self.pool.disk(vm) {
            Some(has_bytes) if has_bytes > bytes => {
                return Err(WorkFailure::WouldShrink { has_bytes, asked_bytes: bytes });
            }
            Some(has_bytes) if has_bytes == bytes => {}
            has => {
                let more = bytes - has.unwrap_or(0);
                if self.pool.space().free_mib < more >> 20 {
                    return Err(WorkFailure::PoolFull);
                }
                self.pool.disk_put(vm, bytes);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimulatedTransfers {
    fn lock(&self) -> MutexGuard<'_, HashMap<TransferId, (u64, u64)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the other side has sent.
    async fn wait_for(&self, transfer: TransferId) {
        while !self.lock().contains_key(&transfer) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[async_trait]
impl UtilityModule for SimulatedUtility {
    fn node(&self) -> NodeId {
        self.node
    }

    async fn carry_out(&self, work: Work, deadline: Duration) -> Result<WorkDone, UtilityError> {
        if self.is_silent() {
            return Err(UtilityError::Silent);
        }
        let (slow, failure) = {
            let mut state = self.lock();
            let failure = (!state.faults.failures.is_empty()).then(|| state.faults.failures.remove(0));
            (state.faults.slow, failure)
        };
        let done = async {
            sleep(slow).await;
            if let Some(failure) = failure {
                return Err(UtilityError::Failed(failure));
            }
            if let Work::CopyIn { transfer, .. } = &work {
                self.transfers.wait_for(*transfer).await;
            }
            if let Work::WatchStop { watch, deadline_ms } = &work {
                self.wait_for_answer(*watch, Duration::from_millis(*deadline_ms)).await;
            }
            if self.is_silent() {
                return Err(UtilityError::Silent);
            }
            Ok(self.work(&work)?)
        };
        tokio::time::timeout(deadline, done).await.map_err(|_| UtilityError::Deadline)?
    }
}

fn checksum(vm: VmId) -> String {
    super::keys::hash(&vm.to_string())
}

fn io(reason: &str) -> WorkFailure {
    WorkFailure::Io { reason: reason.to_owned() }
}

fn now() -> UnixMillis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
