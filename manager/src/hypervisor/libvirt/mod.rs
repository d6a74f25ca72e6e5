//! libvirt nodes: the only user of `virt`, for every kind that has a row in [`kind`].
//!
//! libvirt's calls block, so none is made on an async thread: a node has four [`lane`]s (statistics, jobs, moves, control)
//! of [`worker`] threads with a [`connection`] each, started when they are needed. Every call has a deadline of ours.
//! What a file does: `create` and `resize` write XML, `facts` reads it, `xml` is the tree between; `sample` is the
//! first set of statistics, and `events` tells when it is worth a look; `power`, `change`, `migrate` and `utility` are the trait's calls.

mod change;
mod connection;
mod convergence;
mod create;
mod errors;
mod events;
mod facts;
mod kind;
mod lane;
mod limit;
mod lookup;
mod migrate;
mod power;
mod raw;
mod resize;
mod sample;
mod sample_domains;
mod upload;
mod utility;
mod worker;
mod xml;

use super::directory::Directory;
use super::{
    Definition, Destination, Hypervisor, HypervisorError, Migrated, Observation, Progress, UtilityConfiguration,
};
use async_trait::async_trait;
use grid::node::Node;
use grid::sample::{DomainState, HypervisorSample};
use grid::vm::Maxima;
use grid::{Gib, HypervisorKind, Mib, NodeId, Size, Vcpus, VmId};
use kind::Traits;
use lane::Lane;
use sample::Known;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// Longest waits: for statistics, for a look at one VM, for a change, for a start.
const SAMPLE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_secs(5);
const CHANGE: Duration = Duration::from_secs(20);
const START: Duration = Duration::from_mins(1);
/// Jobs that one node does at the same time, and moves away from it.
const JOBS: usize = 4;
const MOVES: usize = 4;

/// One libvirt node.
#[derive(Debug)]
pub struct LibvirtHypervisor {
    node: NodeId,
    name: String,
    kind: HypervisorKind,
    traits: Traits,
    statistics: Lane,
    jobs: Lane,
    moves: Lane,
    control: Lane,
    known: Arc<Mutex<Known>>,
    changed: Arc<Notify>,
    directory: Directory,
}

/// Whether libvirt's driver of this name runs the kind.
pub(super) fn runs(driver: &str, kind: HypervisorKind) -> bool {
    Traits::of(kind).is_ok_and(|traits| traits.drivers.contains(&driver))
}

impl LibvirtHypervisor {
    /// Connects to nothing yet: the first call does.
    pub(super) fn new(node: &Node, directory: Directory) -> Result<Self, HypervisorError> {
        let traits = Traits::of(node.kind)?;
        let changed = Arc::new(Notify::new());
        let lane = |purpose: &str, most| Lane::new(format!("{}-{purpose}", node.name), node.uri.clone(), most);
        Ok(Self {
            node: node.id,
            name: node.name.clone(),
            kind: node.kind,
            traits,
            statistics: lane("statistics", 1).listening(&changed),
            jobs: lane("job", JOBS),
            moves: lane("move", MOVES),
            control: lane("control", 1),
            known: Arc::default(),
            changed,
            directory,
        })
    }
}

#[async_trait]
impl Hypervisor for LibvirtHypervisor {
    fn node(&self) -> NodeId {
        self.node
    }

    fn kind(&self) -> HypervisorKind {
        self.kind
    }

    async fn sample(&self) -> Result<HypervisorSample, HypervisorError> {
        let (traits, known) = (self.traits, self.known.clone());
        self.statistics.call(SAMPLE, move |connection| sample::take(connection, &traits, &known)).await
    }

    async fn changed(&self) {
        self.changed.notified().await;
    }

    async fn observe(&self, vm: VmId) -> Result<Option<Observation>, HypervisorError> {
        let traits = self.traits;
        self.jobs.call(LOOK, move |connection| lookup::observe(connection, &traits, vm)).await
    }

    async fn define(&self, definition: &Definition) -> Result<(), HypervisorError> {
        let xml = create::domain(&self.traits, definition).write()?;
        self.jobs.call(CHANGE, move |connection| power::define(connection, &xml)).await
    }

    async fn redefine(&self, vm: VmId, size: Size, maxima: Maxima) -> Result<(), HypervisorError> {
        let traits = self.traits;
        self.jobs.call(CHANGE, move |connection| power::redefine(connection, &traits, vm, size, maxima)).await
    }

    async fn undefine(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.jobs.call(CHANGE, move |connection| power::undefine(connection, vm)).await
    }

    async fn start(&self, vm: VmId) -> Result<(), HypervisorError> {
        let traits = self.traits;
        self.jobs.call(START, move |connection| power::start(connection, &traits, vm)).await
    }

    async fn shut_down(&self, vm: VmId, deadline: Duration) -> Result<(), HypervisorError> {
        power::shut_down(&self.jobs, self.traits, vm, deadline).await
    }

    async fn resume(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.jobs.call(CHANGE, move |connection| power::resume(connection, vm)).await
    }

    async fn force_off(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.jobs.call(CHANGE, move |connection| power::force_off(connection, vm)).await
    }

    async fn set_vcpus(&self, vm: VmId, vcpus: Vcpus) -> Result<(), HypervisorError> {
        let traits = self.traits;
        self.jobs.call(CHANGE, move |connection| change::set_vcpus(connection, &traits, vm, vcpus)).await
    }

    async fn set_memory(&self, vm: VmId, memory: Mib) -> Result<(), HypervisorError> {
        change::set_memory(&self.jobs, self.traits, vm, memory).await
    }

    async fn grow_disk(&self, vm: VmId, disk: Gib) -> Result<(), HypervisorError> {
        let traits = self.traits;
        self.jobs.call(CHANGE, move |connection| change::grow_disk(connection, &traits, vm, disk)).await
    }

    async fn migrate(
        &self,
        vm: VmId,
        destination: &Destination,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Migrated, HypervisorError> {
        if !self.kind.moves_live() {
            return Err(HypervisorError::Unsupported("containers don't move while they run"));
        }
        let lanes = migrate::Lanes { moves: &self.moves, jobs: &self.jobs, control: &self.control };
        let migrated = migrate::migrate(lanes, self.traits, vm, &destination.uri, progress).await?;
        self.take_over(vm, &destination.uri).await;
        Ok(migrated)
    }

    async fn migrate_watch(
        &self,
        vm: VmId,
        destination: &Destination,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<bool, HypervisorError> {
        let was_on_its_way = migrate::watch(&self.control, vm, progress).await?;
        if was_on_its_way {
            self.take_over(vm, &destination.uri).await;
        }
        Ok(was_on_its_way)
    }

    async fn migrate_abort(&self, vm: VmId) -> Result<(), HypervisorError> {
        self.control.call(LOOK, move |connection| migrate::abort(connection, vm)).await
    }

    async fn utility_state(&self) -> Result<Option<DomainState>, HypervisorError> {
        self.jobs.call(LOOK, utility::state).await
    }

    async fn utility_start(&self, configuration: &UtilityConfiguration) -> Result<(), HypervisorError> {
        utility::start(&self.jobs, self.traits, configuration).await
    }
}

impl LibvirtHypervisor {
    /// Sets at the destination what does not travel: the memory limit of the VM's process. A destination that is not
    /// in the directory sets it when it is sampled.
    async fn take_over(&self, vm: VmId, uri: &str) {
        let Some(destination) = self.directory.by_uri(uri) else { return };
        let traits = destination.traits;
        let set = destination.jobs.call(CHANGE, move |connection| limit::enforce(connection, &traits, vm)).await;
        if let Err(error) = set {
            tracing::warn!(%error, %vm, node = destination.name, "no memory limit for the VM that arrived");
        }
    }
}
