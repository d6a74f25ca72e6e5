//! A hypervisor and a utility module whose side effects pass the script.

use crate::script::{Fault, Move, Script, Site};
use async_trait::async_trait;
use grid::sample::{DomainState, HypervisorSample};
use grid::vm::Maxima;
use grid::work::{Work, WorkDone, WorkFailure};
use grid::{Gib, HypervisorKind, Mib, NodeId, Size, Vcpus, VmId};
use manager::hypervisor::{
    Definition, Destination, Hypervisor, HypervisorError, Migrated, Observation, Progress, UtilityConfiguration,
};
use manager::utility::{UtilityError, UtilityModule};
use std::sync::Arc;
use std::time::Duration;

type Answer<T> = Result<T, HypervisorError>;

#[derive(Debug)]
pub(crate) struct TorturedHypervisor {
    pub(crate) inner: Arc<dyn Hypervisor>,
    pub(crate) script: Arc<Script>,
}

impl TorturedHypervisor {
    async fn pass<T>(&self, name: &'static str, work: impl Future<Output = Answer<T>>) -> Answer<T> {
        self.script.pass((Site::Call, name), failure, work).await
    }
}

fn failure(fault: Fault) -> HypervisorError {
    match fault {
        Fault::Refuse { passing: false } => HypervisorError::Refused("as the script says".into()),
        Fault::Refuse { passing: true } => HypervisorError::Unreachable("as the script says".into()),
        _ => HypervisorError::Deadline,
    }
}

#[async_trait]
impl Hypervisor for TorturedHypervisor {
    fn node(&self) -> NodeId {
        self.inner.node()
    }

    fn kind(&self) -> HypervisorKind {
        self.inner.kind()
    }

    async fn sample(&self) -> Answer<HypervisorSample> {
        self.inner.sample().await
    }

    async fn observe(&self, vm: VmId) -> Answer<Option<Observation>> {
        self.inner.observe(vm).await
    }

    async fn define(&self, definition: &Definition) -> Answer<()> {
        self.pass("define", self.inner.define(definition)).await
    }

    async fn redefine(&self, vm: VmId, size: Size, maxima: Maxima) -> Answer<()> {
        self.pass("redefine", self.inner.redefine(vm, size, maxima)).await
    }

    async fn undefine(&self, vm: VmId) -> Answer<()> {
        self.pass("undefine", self.inner.undefine(vm)).await
    }

    async fn start(&self, vm: VmId) -> Answer<()> {
        self.pass("start", self.inner.start(vm)).await
    }

    async fn shut_down(&self, vm: VmId, deadline: Duration) -> Answer<()> {
        self.pass("shut_down", self.inner.shut_down(vm, deadline)).await
    }

    async fn resume(&self, vm: VmId) -> Answer<()> {
        self.pass("resume", self.inner.resume(vm)).await
    }

    async fn force_off(&self, vm: VmId) -> Answer<()> {
        self.pass("force_off", self.inner.force_off(vm)).await
    }

    async fn set_vcpus(&self, vm: VmId, vcpus: Vcpus) -> Answer<()> {
        self.pass("set_vcpus", self.inner.set_vcpus(vm, vcpus)).await
    }

    async fn set_memory(&self, vm: VmId, memory: Mib) -> Answer<()> {
        self.pass("set_memory", self.inner.set_memory(vm, memory)).await
    }

    async fn grow_disk(&self, vm: VmId, disk: Gib) -> Answer<()> {
        self.pass("grow_disk", self.inner.grow_disk(vm, disk)).await
    }

    async fn migrate(
        &self,
        vm: VmId,
        destination: &Destination,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Answer<Migrated> {
        if self.script.moves(vm) {
            return Err(HypervisorError::Refused("a migration of it is running".into()));
        }
        let moving = Move { vm, source: self.node(), uri: destination.uri.clone() };
        let work = self.inner.migrate(vm, destination, progress);
        self.script.pass_move((Site::Call, "migrate"), Some(moving), failure, work).await
    }

    async fn migrate_watch(&self, vm: VmId, _: &Destination, _: &(dyn Fn(Progress) + Send + Sync)) -> Answer<bool> {
        let goes_on = self.script.moves(vm);
        self.pass("migrate_watch", async { Ok(()) }).await?;
        // Each look is a boundary, and at one of them it arrives.
        while self.script.moves(vm) {
            self.pass("migrate_watch", async { Ok(()) }).await?;
        }
        Ok(goes_on)
    }

    async fn migrate_abort(&self, vm: VmId) -> Answer<()> {
        self.script.abort(vm);
        self.pass("migrate_abort", self.inner.migrate_abort(vm)).await
    }

    async fn utility_state(&self) -> Answer<Option<DomainState>> {
        self.inner.utility_state().await
    }

    async fn utility_start(&self, configuration: &UtilityConfiguration) -> Answer<()> {
        self.inner.utility_start(configuration).await
    }
}

#[derive(Debug)]
pub(crate) struct TorturedModule {
    pub(crate) inner: Arc<dyn UtilityModule>,
    pub(crate) script: Arc<Script>,
}

#[async_trait]
impl UtilityModule for TorturedModule {
    fn node(&self) -> NodeId {
        self.inner.node()
    }

    async fn carry_out(&self, work: Work, deadline: Duration) -> Result<WorkDone, UtilityError> {
        let error = |fault| match fault {
            Fault::Refuse { passing: false } => UtilityError::Failed(WorkFailure::PoolFull),
            Fault::Refuse { passing: true } => UtilityError::Silent,
            _ => UtilityError::Deadline,
        };
        let name = match &work {
            Work::FetchImage { .. } => "fetch image",
            Work::CreateDisk { .. } => "create disk",
            Work::WriteSeed { .. } => "write seed",
            Work::GrowDisk { .. } => "grow disk",
            Work::RecordSize { .. } => "record size",
            Work::CopyOut { .. } => "copy out",
            Work::CopyIn { .. } => "copy in",
            Work::PrepareDisk { .. } => "prepare disk",
            Work::Delete { .. } => "delete disk",
            Work::WatchStart { .. } | Work::WatchStop { .. } => return self.inner.carry_out(work, deadline).await,
        };
        self.script.pass((Site::Call, name), error, self.inner.carry_out(work, deadline)).await
    }
}
