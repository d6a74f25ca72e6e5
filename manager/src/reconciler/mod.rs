//! The reconciler: on a clock, it takes up operations that nobody carries out, compares what hypervisors and utility
//! modules say with the store, mends what is safe to mend, and tells the rest.
//!
//! ```text
//!   map's samples ─┐
//!                  ├─> found ──(again at the next look)──> drift ─┬─> safe: mended, looked at again
//!   store ─────────┘                                              └─> told on /admin/drift, until an admin decides
//! ```
//!
//! A sample is old news: what an operation changed since, or works on, is no drift; and what is mended is looked at
//! anew, at its hypervisors, while operations on that VM wait their turn ([`Mending`]).

mod found;
mod mend;
mod turn;

pub(crate) use mend::observe_everywhere;
pub(crate) use turn::Mending;

use crate::clock;
use crate::collector::Collector;
use crate::operations::Driver;
use crate::shared::{Change, Shared};
use crate::store::StoreError;
use found::find;
use grid::map::Condition;
use grid::{NodeId, UnixMillis, VmId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What is not as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A domain that nobody recorded.
    Stranger,
    /// A VM runs on a node that is not its home.
    Elsewhere,
    /// A definition, off, on a node that is not the VM's home.
    LeftDefinition,
    /// A disk in the pool of a node that is not the VM's home, or of a VM that nobody recorded.
    LeftDisk,
    /// The VM's home does not know it.
    Missing,
    /// The VM has another size than is recorded.
    Size,
    /// The VM is paused, at its home: it could not write to its disk, or somebody paused it.
    StandsStill,
}

/// One thing that is not as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    pub kind: DriftKind,
    pub node: NodeId,
    pub node_name: String,
    pub vm: VmId,
    /// None where nobody recorded it.
    pub vm_name: Option<String>,
    /// In words, for the admin.
    pub what: String,
    pub since: UnixMillis,
}

type Key = (DriftKind, NodeId, VmId);

/// Looks on a clock. Cheap to clone; clones are the same reconciler.
#[derive(Clone, Debug)]
pub(crate) struct Reconciler {
    shared: Arc<Shared>,
    collector: Arc<Collector>,
    driver: Driver,
    /// What the last look found, each with how many looks have found it.
    known: Arc<Mutex<BTreeMap<Key, (Drift, u32)>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Reconciler {
    pub(crate) fn new(shared: Arc<Shared>, collector: Arc<Collector>, driver: Driver) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        Self { shared, collector, driver, known: Arc::default(), stop, tasks }
    }

    pub(crate) fn start(&self) {
        let reconciler = self.clone();
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = reconciler.stop.cancelled() => return,
                    () = tokio::time::sleep(reconciler.shared.pace.reconcile_every) => {}
                }
                tokio::select! {
                    () = reconciler.stop.cancelled() => return,
                    looked = reconciler.look() => {
                        if let Err(error) = looked {
                            tracing::warn!(%error, "hypervisors and store were not compared");
                        }
                    }
                }
            }
        });
    }

    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// What is not as it is recorded, as two looks at least have found it.
    pub(crate) fn drift(&self) -> Vec<Drift> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.values().filter(|(_, looks)| *looks > 1).map(|(drift, _)| drift.clone()).collect()
    }

    /// One look; what is safe is mended.
    pub(crate) async fn look(&self) -> Result<(), StoreError> {
        self.shared.lease.until_held().await;
        self.driver.take_up().await?;
        self.collector.catch_up().await?;
        let freed = self.shared.store.reservation_free_ended().await?;
        if freed > 0 {
            tracing::warn!(freed, "reservations of operations that are over were freed");
            self.collector.records_changed().await?;
        }
        let found = find(&self.shared, &self.collector.map()).await?;
        let lasting = self.remember(found);
        let mut mended = false;
        let map = self.collector.map();
        let is_fenced = |node| map.get(node).is_some_and(|entry| entry.condition == Condition::Fenced);
        // Where one VM can't go on yet the others of its node can't either.
        let mut full = BTreeSet::new();
        for drift in lasting.into_iter().filter(|drift| !is_fenced(drift.node)) {
            let stands_still = drift.kind == DriftKind::StandsStill;
            if stands_still && full.contains(&drift.node) {
                continue;
            }
            self.shared.lease.until_held().await;
            let done = mend::mend(&self.shared, &drift).await;
            if stands_still && !done {
                full.insert(drift.node);
            }
            mended |= done;
        }
        if mended {
            self.shared.tell(Change::Map);
        }
        Ok(())
    }

    /// Keeps what was found, and answers what was found before too.
    fn remember(&self, found: Vec<Drift>) -> Vec<Drift> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = BTreeMap::new();
        for drift in found {
            let key = (drift.kind, drift.node, drift.vm);
            let (since, looks) = known.get(&key).map_or((clock::now(), 0), |(before, looks)| (before.since, *looks));
            if looks == 1 {
                tracing::warn!(node = drift.node_name, vm = %drift.vm, kind = ?drift.kind, what = drift.what, "drift");
            }
            next.insert(key, (Drift { since, ..drift }, looks.saturating_add(1)));
        }
        *known = next;
        metrics::gauge!("hostgrid_drift").set(f64::from(u32::try_from(known.len()).unwrap_or(u32::MAX)));
        known.values().filter(|(_, looks)| *looks > 1).map(|(drift, _)| drift.clone()).collect()
    }

    /// What was decided is not told until it is found again.
    pub(crate) fn forget(&self, vm: VmId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|(.., of), _| *of != vm);
    }
}
