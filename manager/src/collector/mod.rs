//! From samples to the map: each node's hypervisor is asked on a clock, its utility module's reports come in, both are
//! cleaned, compared and made into a new version of the map, which readers hold without waiting.
//!
//! ```text
//!   hypervisor.sample() ─┐ (a task a node: a hung one delays nobody)
//!                        ├─> Heard ─┬─> MapNode::build ─> new map version, swapped
//!   utility reports ─────┘          ├─> states of VMs
//!   store: VMs, reservations ───────┘─> points ─> one writer ─> history
//! ```

mod came_back;
mod chosen;
mod heard;
mod history;
mod lately;
mod node;
mod outage;
mod records;
mod states;
mod utility;

use crate::shared::{Change, Shared};
use crate::store::StoreError;
use crate::vms::VmUsage;
use arc_swap::ArcSwap;
pub(crate) use came_back::Back;
use came_back::CameBack;
pub(crate) use chosen::Chosen;
use grid::map::ResourceMap;
use grid::sample::UtilitySample;
use grid::{HypervisorKind, NodeId, UnixMillis, VmId};
use heard::Heard;
use records::Records;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Makes the map and keeps it current.
#[derive(Debug)]
pub(crate) struct Collector {
    shared: Arc<Shared>,
    map: ArcSwap<ResourceMap>,
    /// Held while a node's entry is built and swapped in, so that no older picture replaces a newer one.
    heard: Mutex<Heard>,
    points: mpsc::Sender<Vec<crate::store::rows::MetricPoint>>,
    points_taken: Mutex<Option<mpsc::Receiver<Vec<crate::store::rows::MetricPoint>>>>,
    came_back: Mutex<CameBack>,
    missed: AtomicBool,
    returns: mpsc::UnboundedSender<Back>,
    returns_taken: Mutex<Option<mpsc::UnboundedReceiver<Back>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Batches of points that may wait for the writer; more are dropped, with a word in the log.
const BATCHES_WAITING: usize = 256;

impl Collector {
    /// Reads what the store has recorded and what was last heard of each node.
    pub(crate) async fn open(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let records = Records::read(shared.store.as_ref()).await?;
        let mut heard = Heard::new(records);
        if let Err(error) = heard.remember(shared.store.as_ref()).await {
            tracing::warn!(%error, "the last samples could not be read");
        }
        let (points, taken) = mpsc::channel(BATCHES_WAITING);
        let (returns, returns_taken) = mpsc::unbounded_channel();
        let collector = Self {
            shared,
            map: ArcSwap::default(),
            heard: Mutex::new(heard),
            points,
            points_taken: Mutex::new(Some(taken)),
            came_back: Mutex::default(),
            missed: AtomicBool::new(false),
            returns,
            returns_taken: Mutex::new(Some(returns_taken)),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        collector.publish_all();
        Ok(collector)
    }

    /// Starts a task a node, and the writer of the history.
    pub(crate) fn start(self: &Arc<Self>) {
        let taken = self.points_taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(taken) = taken else { return };
        self.tasks.spawn(history::write(Arc::clone(self), taken));
        self.tasks.spawn(utility::listen(Arc::clone(self)));
        for hypervisor in self.shared.hypervisors.values() {
            self.tasks.spawn(node::watch(Arc::clone(self), Arc::clone(hypervisor)));
            if self.cares_for(hypervisor.node()) {
                self.tasks.spawn(utility::care(Arc::clone(self), Arc::clone(hypervisor)));
            }
        }
        let nodes = self.heard().nodes();
        for node in nodes.into_iter().filter(|node| !self.shared.hypervisors.contains_key(node)) {
            self.tasks.spawn(node::age(Arc::clone(self), node));
        }
    }

    /// What people call the node.
    fn name_of(&self, node: NodeId) -> String {
        self.map().get(node).map(|entry| entry.node.name.clone()).unwrap_or_default()
    }

    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What came back, as it is seen to; for one listener.
    pub(crate) fn returns(&self) -> Option<mpsc::UnboundedReceiver<Back>> {
        self.returns_taken.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The start of a VM that was to run again has begun, or is not wanted any more; or it could not be begun.
    pub(crate) fn restored(&self, vm: VmId, is_seen_to: bool) {
        self.came_back().has_started(vm, is_seen_to);
    }

    fn returned(&self, what: Back) {
        if let Back::Vm(vm) = what {
            self.came_back().starts(vm);
        }
        // Nobody listens any more when all is being stopped.
        let _ = self.returns.send(what);
    }

    fn came_back(&self) -> MutexGuard<'_, CameBack> {
        self.came_back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn map(&self) -> Arc<ResourceMap> {
        self.map.load_full()
    }

    /// What a VM was last seen to use.
    pub(crate) fn usage(&self, vm: VmId) -> Option<VmUsage> {
        self.heard().usage(vm)
    }

    /// Takes a utility module's report.
    pub(crate) fn utility_reported(&self, node: NodeId, at: UnixMillis, sample: UtilitySample) {
        metrics::counter!("hostgrid_samples_total", "source" => "utility", "outcome" => "taken").increment(1);
        self.heard().utility_reported(node, at, sample);
        self.publish(&[node]);
    }

    /// Reads what is recorded of these VMs anew and counts it: after whatever changed a commitment, or an operation.
    pub(crate) async fn vms_changed(&self, vms: &[VmId]) -> Result<(), StoreError> {
        let read = self.vms_read(vms).await;
        if read.is_err() {
            self.something_was_missed();
        }
        read
    }

    async fn vms_read(&self, vms: &[VmId]) -> Result<(), StoreError> {
        for vm in vms {
            let asked = self.heard().records_asked();
            let record = self.shared.store.vm_record(*vm).await?;
            self.count(|heard| heard.record_came(asked, *vm, record));
        }
        Ok(())
    }

    /// The map may not count all that is recorded.
    fn something_was_missed(&self) {
        self.missed.store(true, Ordering::Relaxed);
    }

    /// Counts all anew where something may have been missed.
    pub(crate) async fn catch_up(&self) -> Result<(), StoreError> {
        if !self.missed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let read = self.records_changed().await;
        if read.is_err() {
            self.something_was_missed();
        }
        read
    }

    /// Reads nodes, VMs and reservations anew, all of them, and counts them: after a change of a node, or of who knows
    /// which VMs.
    pub(crate) async fn records_changed(&self) -> Result<(), StoreError> {
        let asked = self.heard().records_asked();
        let records = Records::read(self.shared.store.as_ref()).await?;
        self.count(|heard| {
            heard.records_came(asked, records);
            heard.nodes()
        });
        Ok(())
    }

    /// A MAC that is nobody's. To be called by whoever decides, in that one's turn.
    pub(crate) fn next_mac(&self) -> String {
        self.heard().next_mac()
    }

    /// The hypervisor kinds that a region has.
    pub(crate) fn kinds_in(&self, region: &str) -> BTreeSet<HypervisorKind> {
        self.heard().records.kinds_in(region)
    }

    /// Whether the node's utility VM is the manager's to start.
    fn cares_for(&self, node: NodeId) -> bool {
        let map = self.map();
        map.get(node).is_some_and(|entry| self.shared.utility.addresses.contains_key(&entry.node.name))
    }

    fn publish_all(&self) {
        let nodes: Vec<NodeId> = self.heard().nodes();
        self.publish(&nodes);
    }

    /// Builds these nodes' entries from what is known now, and swaps a new version of the map in.
    fn publish(&self, nodes: &[NodeId]) {
        self.count(|_| nodes.iter().copied());
    }

    /// Something is known now that counts on the nodes that are answered: their entries are built with it, and a new version
    /// of the map is swapped in, before anybody else knows of it. Where it counts nowhere, the version stays.
    fn count<N: IntoIterator<Item = NodeId>>(&self, change: impl FnOnce(&mut Heard) -> N) {
        {
            let mut heard = self.heard();
            // No earlier than anything that was heard.
            let now = crate::clock::now();
            let nodes = change(&mut heard);
            let entries = nodes.into_iter().filter_map(|node| heard.build(node, now, &self.shared));
            let mut entries = entries.peekable();
            if entries.peek().is_some() {
                let map = self.map().with_nodes(now, entries);
                metrics::gauge!("hostgrid_map_version").set(version_as_f64(map.version));
                self.map.store(Arc::new(map));
            }
        }
        self.shared.tell(Change::Map);
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        // What is heard is replaced whole, so that what a poisoned lock holds is sound.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; versions stay far below 2^53")]
fn version_as_f64(version: u64) -> f64 {
    version as f64
}
