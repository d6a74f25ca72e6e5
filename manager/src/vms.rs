//! VMs: what their owners and the admins see of them, and what they can do with them.
//!
//! A customer sees the VMs of the own tenant, and no other: another's is [`ManagerError::NotFound`]. An admin sees all.

mod change;
mod deploy;
mod keys;
mod move_consent;
mod rebuild;
mod resize;
mod revert;
mod schedule;

pub(crate) use change::RELOCATION_KEY;
pub use deploy::DeployRequest;
pub use move_consent::MoveWhen;
pub use resize::{Agreement, Explained};
pub use revert::Revert;
pub use schedule::ScheduleRequest;
pub(crate) use schedule::Tried;

use crate::accounts::{Principal, Role};
use crate::history::HistoryRange;
use crate::store::rows::{MetricSeries, OperationFilter};
use crate::{Manager, ManagerError, history};
use grid::operation::Operation;
use grid::sample::DomainState;
use grid::vm::{Vm, VmState};
use grid::{NodeId, UnixMillis, VmId};
use serde::{Deserialize, Serialize};

/// A VM as its page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmView {
    pub vm: Vm,
    pub owner_email: String,
    /// Its home, for admins only.
    pub node_name: Option<String>,
    /// Whether its home is fenced: nothing is done to it but that it can be rebuilt elsewhere.
    pub out_of_service: bool,
    /// Whether its hypervisor was last seen to have it paused, and no operation works on it.
    pub stands_still: bool,
    /// The operation that works on it now.
    pub operation: Option<Operation>,
    /// What it was last seen to use; none where it doesn't run or its node is silent.
    pub usage: Option<VmUsage>,
}

/// What a VM uses, between the last two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmUsage {
    /// Of its vCPUs: 1000 is all of them, all the time.
    pub cpu_permille: u32,
    pub memory_resident_mib: Option<u64>,
    /// None where its hypervisor doesn't tell it.
    pub block_read_bytes_per_s: Option<u64>,
    pub block_write_bytes_per_s: Option<u64>,
    pub network_receive_bytes_per_s: u64,
    pub network_transmit_bytes_per_s: u64,
}

/// The metrics of a VM that [`Manager::vm_history`] knows.
pub const VM_METRICS: [&str; 8] = [
    "cpu_permille",
    "memory_resident_mib",
    "block_read_bytes_per_s",
    "block_write_bytes_per_s",
    "network_receive_bytes_per_s",
    "network_transmit_bytes_per_s",
    "vcpus",
    "memory_mib",
];

impl Manager {
    /// The principal's VMs by name; an admin's are all.
    pub async fn vm_list(&self, principal: &Principal) -> Result<Vec<VmView>, ManagerError> {
        let tenant = (principal.role == Role::Customer).then_some(principal.tenant);
        let vms = self.shared.store.vm_list(tenant).await?;
        let unfinished = self.shared.store.operation_unfinished().await?;
        let mut views = Vec::with_capacity(vms.len());
        for vm in vms {
            let operation = unfinished.iter().find(|operation| operation.kind.vm() == vm.id).cloned();
            views.push(self.vm_view(principal, vm, operation).await?);
        }
        Ok(views)
    }

    pub async fn vm_get(&self, principal: &Principal, vm: VmId) -> Result<VmView, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        let filter = OperationFilter { vm: Some(vm.id), limit: 1, ..OperationFilter::default() };
        let newest = self.shared.store.operation_list(&filter).await?.into_iter().next();
        let operation = newest.filter(|operation| !operation.state.is_over());
        self.vm_view(principal, vm, operation).await
    }

    /// Points of one of [`VM_METRICS`], oldest first.
    pub async fn vm_history(
        &self,
        principal: &Principal,
        vm: VmId,
        metric: &str,
        range: HistoryRange,
    ) -> Result<Vec<(UnixMillis, f64)>, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        if !VM_METRICS.contains(&metric) {
            return Err(ManagerError::NotFound);
        }
        let series = MetricSeries { subject: vm.id.to_string(), metric: metric.to_owned() };
        history::read(self.shared.store.as_ref(), &series, range).await
    }

    /// The VM's operations, newest first; past and running.
    pub async fn vm_operations(
        &self,
        principal: &Principal,
        vm: VmId,
        limit: u32,
    ) -> Result<Vec<Operation>, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        let filter = OperationFilter { vm: Some(vm.id), limit, ..OperationFilter::default() };
        let operations = self.shared.store.operation_list(&filter).await?;
        Ok(operations.into_iter().map(|operation| redacted(principal, operation)).collect())
    }

    /// The VM, where the principal may know of it.
    pub(crate) async fn vm_allowed(&self, principal: &Principal, vm: VmId) -> Result<Vm, ManagerError> {
        let vm = self.shared.store.vm_get(vm).await?.ok_or(ManagerError::NotFound)?;
        match principal.role {
            Role::Admin => Ok(vm),
            Role::Customer if vm.tenant == principal.tenant => Ok(vm),
            Role::Customer => Err(ManagerError::NotFound),
        }
    }

    /// What a node's hypervisor last said of a VM; none where it does not know it.
    fn seen(&self, node: NodeId, vm: VmId) -> Option<DomainState> {
        let map = self.map();
        let domains = &map.get(node)?.hypervisor.as_ref()?.sample.domains;
        domains.iter().find(|domain| domain.id == vm).map(|domain| domain.state)
    }

    async fn vm_view(
        &self,
        principal: &Principal,
        vm: Vm,
        operation: Option<Operation>,
    ) -> Result<VmView, ManagerError> {
        let owner = self.shared.store.user_get(vm.owner).await?;
        let node_name = match principal.role {
            Role::Admin => self.map().get(vm.node).map(|node| node.node.name.clone()),
            Role::Customer => None,
        };
        Ok(VmView {
            out_of_service: self.is_fenced(vm.node),
            stands_still: vm.state == VmState::Running
                && operation.is_none()
                && self.seen(vm.node, vm.id) == Some(DomainState::Paused),
            owner_email: owner.map(|owner| owner.email).unwrap_or_default(),
            node_name,
            operation: operation.map(|operation| redacted(principal, operation)),
            usage: self.collector.usage(vm.id),
            vm,
        })
    }
}

/// What a customer sees of an operation: not what only admins may know.
pub(crate) fn redacted(principal: &Principal, mut operation: Operation) -> Operation {
    if principal.role == Role::Customer {
        operation.detail = None;
    }
    operation
}
