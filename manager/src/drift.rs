//! Drift, for admins: what is not as it is recorded, and recording what is.

use crate::accounts::Principal;
use crate::attempt::{Refused, accepted};
use crate::hypervisor::Observation;
use crate::promises::{self, PoolLists, Report};
use crate::reconciler::observe_everywhere;
use crate::{Change, Manager, ManagerError, admin_only};
use grid::sample::DomainState;
use grid::vm::VmState;
use grid::{Size, VmId};

pub use crate::reconciler::{Drift, DriftKind};

impl Manager {
    /// What two looks at least have found, node by node.
    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn drift_list(&self, principal: &Principal) -> Result<Vec<Drift>, ManagerError> {
        admin_only(principal)?;
        let mut drift = self.reconciler.drift();
        drift.sort_by(|a, b| (&a.node_name, a.kind, a.vm).cmp(&(&b.node_name, b.kind, b.vm)));
        Ok(drift)
    }

    /// Looks whether every promise is kept.
    pub async fn promises_check(&self, principal: &Principal) -> Result<Report, ManagerError> {
        admin_only(principal)?;
        let hypervisors: Vec<_> = self.shared.hypervisors.values().cloned().collect();
        let reports = hypervisors.iter().filter_map(|it| self.shared.hub.latest(it.node()));
        let pools: PoolLists = reports.map(|report| (report.node, (report.at, report.sample.disks.clone()))).collect();
        Ok(promises::check(self.shared.store.as_ref(), &hypervisors, &pools).await?)
    }

    /// Records the VM's home and size as its hypervisors say them, where every node answers and one alone has it: where
    /// it runs, or its only definition.
    pub async fn drift_record(&self, principal: &Principal, vm: VmId) -> Result<(), ManagerError> {
        let (action, target) = ("drift_record", vm.to_string());
        let done = match admin_only(principal) {
            Ok(()) => self.record_what_is(vm).await,
            refused => refused,
        };
        self.attempted(principal, action, &target, done.map_err(Refused::from)).await?;
        self.shared.store.audit_add(&accepted(principal, action, &target)).await?;
        self.reconciler.forget(vm);
        self.collector.vms_changed(&[vm]).await?;
        self.shared.tell(Change::Vm(vm));
        Ok(())
    }

    async fn record_what_is(&self, id: VmId) -> Result<(), ManagerError> {
        let unavailable = |reason: &str| ManagerError::Unavailable { reason: reason.to_owned() };
        let Some(_turn) = self.shared.mending.enter(id) else { return Err(unavailable("it is being mended")) };
        let vm = self.shared.store.vm_get(id).await?.ok_or(ManagerError::NotFound)?;
        let unfinished = self.shared.store.operation_unfinished().await?;
        if let Some(operation) = unfinished.iter().find(|operation| operation.kind.vm() == id) {
            return Err(ManagerError::Busy { operation: operation.id });
        }
        let seen = observe_everywhere(&self.shared, id).await.map_err(|_| unavailable("not every node answers"))?;
        let mut running = seen.iter().filter(|(_, seen)| seen.state != DomainState::ShutOff);
        let (node, seen) = match (running.next(), running.next(), seen.as_slice()) {
            (Some(one), None, _) | (None, None, [one]) => one,
            (Some(_), Some(_), _) => return Err(unavailable("it runs on more than one node")),
            _ => return Err(unavailable("no node has it, or several have it and it runs on none")),
        };
        if self.is_fenced(*node) {
            return Err(unavailable("the node that has it is fenced"));
        }
        let size = size_of(seen).ok_or_else(|| unavailable("it has no size"))?;
        self.shared.store.vm_settle(id, *node, size, seen.maxima, None).await?;
        let state = if seen.state == DomainState::ShutOff { VmState::Stopped } else { VmState::Running };
        if vm.state != VmState::Failed {
            self.shared.store.vm_state_set(id, state, None).await?;
        }
        Ok(())
    }
}

/// The size that counts: what runs, and the memory that it is configured with where that is not plugged yet.
fn size_of(seen: &Observation) -> Option<Size> {
    let (Some(live), Some(kept)) = (seen.live, seen.persistent) else { return seen.live.or(seen.persistent) };
    Some(Size { memory: live.memory.max(kept.memory), ..live })
}
