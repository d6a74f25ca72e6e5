//! Hypervisors: one trait for all kinds, and the connections to them.
//!
//! `libvirt` is the only user of `virt`; `simulated` is for tests and scale. A call has a deadline of its own and
//! never blocks an async thread. Calls are idempotent: asked for what is so already, they succeed.

pub mod directory;
pub mod libvirt;
pub mod simulated;

use async_trait::async_trait;
use grid::sample::{DomainState, HypervisorSample};
use grid::vm::Maxima;
use grid::{Gib, HypervisorKind, Mib, NodeId, Size, Vcpus, VmId};
use std::net::Ipv4Addr;
use std::time::Duration;

/// One node's hypervisor.
#[async_trait]
pub trait Hypervisor: Send + Sync + std::fmt::Debug {
    fn node(&self) -> NodeId;
    fn kind(&self) -> HypervisorKind;

    /// The first set of statistics: the node and every domain, by one bulk call where the driver has it.
    async fn sample(&self) -> Result<HypervisorSample, HypervisorError>;

    /// Waits until the hypervisor tells by itself that a domain was started, stopped, changed: a reason to look, and no
    /// more than that. Never ends where it tells nothing by itself.
    async fn changed(&self) {
        std::future::pending::<()>().await;
    }

    /// What the hypervisor says of one VM; `None` where it does not know it.
    async fn observe(&self, vm: VmId) -> Result<Option<Observation>, HypervisorError>;

    /// Installs a VM's persistent configuration (its disk and seed are in the pool already). Replaces an earlier one
    /// of the same VM.
    async fn define(&self, definition: &Definition) -> Result<(), HypervisorError>;
    /// Writes size and maxima into the persistent configuration; the running domain keeps its own. Edits what the
    /// hypervisor reports and keeps what it doesn't know.
    async fn redefine(&self, vm: VmId, size: Size, maxima: Maxima) -> Result<(), HypervisorError>;
    async fn undefine(&self, vm: VmId) -> Result<(), HypervisorError>;

    async fn start(&self, vm: VmId) -> Result<(), HypervisorError>;
    /// Asks the guest to shut down and waits until it is off; [`HypervisorError::Deadline`] where it doesn't obey.
    async fn shut_down(&self, vm: VmId, deadline: Duration) -> Result<(), HypervisorError>;
    /// Lets a VM go on that stands still because its disk could not be written; fine where it runs. Where it still can't
    /// be, [`HypervisorError::PoolFull`]; where somebody paused it, or it is off, [`HypervisorError::Refused`].
    async fn resume(&self, vm: VmId) -> Result<(), HypervisorError>;
    /// Pulls the plug.
    async fn force_off(&self, vm: VmId) -> Result<(), HypervisorError>;

    /// Changes the running domain and its persistent configuration, within the maxima.
    async fn set_vcpus(&self, vm: VmId, vcpus: Vcpus) -> Result<(), HypervisorError>;
    async fn set_memory(&self, vm: VmId, memory: Mib) -> Result<(), HypervisorError>;
    /// Grows a running domain's disk by the hypervisor's block resize.
    async fn grow_disk(&self, vm: VmId, disk: Gib) -> Result<(), HypervisorError>;

    /// Live-migrates peer to peer, with the disk (of the same length at the destination already), persistent there;
    /// the source's autostart off; the source is left shut off and defined. `progress` is told bytes done and left.
    /// Answers how long the VM was paused.
    async fn migrate(
        &self,
        vm: VmId,
        destination: &Destination,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Migrated, HypervisorError>;
    /// Watches over a live migration that is on its way from here until it ends, whoever began it; whether there was one.
    /// What came of it both ends say. [`HypervisorError::NotConverging`] where it was given up.
    async fn migrate_watch(
        &self,
        vm: VmId,
        destination: &Destination,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<bool, HypervisorError>;
    /// Aborts a running migration; fine where there is none.
    async fn migrate_abort(&self, vm: VmId) -> Result<(), HypervisorError>;

    /// Whether the utility VM runs.
    async fn utility_state(&self) -> Result<Option<DomainState>, HypervisorError>;
    /// Makes the utility VM run afresh with this configuration: uploads its images into the pool where they aren't,
    /// removes an old one, defines and starts.
    async fn utility_start(&self, configuration: &UtilityConfiguration) -> Result<(), HypervisorError>;
}

/// What is needed to install a VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub vm: VmId,
    /// Its customer's name for it, as the domain's title. The domain's own name is `vm-UUID`.
    pub title: String,
    pub size: Size,
    pub maxima: Maxima,
    pub mac: String,
    /// For the anti-spoofing filter.
    pub address: Ipv4Addr,
}

/// What a hypervisor says of one VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub state: DomainState,
    /// It is off, and its hypervisor knows no reason: it was never started, or its node went down under it.
    pub off_unexplained: bool,
    /// Of the running domain, by `<current>` and the disk's capacity; `None` where it is off. After a start the memory
    /// that is plugged is there only when the guest has booted so far.
    pub live: Option<Size>,
    /// Of the persistent configuration; `None` where it is transient.
    pub persistent: Option<Size>,
    /// Of the running domain where it runs, else of the persistent configuration.
    pub maxima: Maxima,
    pub mac: String,
}

/// Where a live migration goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// libvirt's URI, as the source node reaches it.
    pub uri: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub bytes_done: u64,
    pub bytes_left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// As the hypervisor measured it.
    pub downtime_ms: u64,
    pub bytes: u64,
}

/// How a utility VM is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UtilityConfiguration {
    /// The manager's address for utility modules, `http://IP:PORT`.
    pub manager: String,
    /// One-time.
    pub token: String,
    /// Its own address with prefix length on the management network, `172.31.250.111/24`.
    pub address: String,
    pub memory: Mib,
    /// Files on the manager's machine: kernel and initrd for a VM, a raw root file system for a container.
    pub images: UtilityImages,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UtilityImages {
    pub kernel: std::path::PathBuf,
    pub initrd: std::path::PathBuf,
    pub root: std::path::PathBuf,
}

/// Why a call to a hypervisor failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HypervisorError {
    #[error("the hypervisor can't be reached: {0}")]
    Unreachable(String),
    #[error("the hypervisor gave no answer in time")]
    Deadline,
    #[error("the hypervisor does not know the VM")]
    NoSuchVm,
    #[error("the pool is full")]
    PoolFull,
    /// The guest did not do its part: memory not given back, shutdown ignored.
    #[error("the guest did not follow: {0}")]
    Guest(String),
    /// A live move was given up: it would have gone on for ever, or the guest have stood still for too long.
    #[error("the guest changes its memory faster than that is carried")]
    NotConverging,
    #[error("not possible with this hypervisor kind: {0}")]
    Unsupported(&'static str),
    #[error("the hypervisor refused: {0}")]
    Refused(String),
}
