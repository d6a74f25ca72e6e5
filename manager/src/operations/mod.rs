//! Operations: durable pieces of work, carried out step by step, each step recorded and each with its undo.

mod cancel;
mod choose;
mod delete;
mod deploy;
mod driver;
mod ending;
mod kinds;
pub(crate) mod maxima;
mod operator;
mod power;
mod rebuild;
mod resize_in_place;
mod resize_move;
mod restore;
mod room;
mod run;
mod step;
mod steps;
#[cfg(test)]
pub(crate) use tests::rig;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "trial"))]
pub(crate) mod trial;
mod turns;
mod work;

pub(crate) use choose::{Chooser, Decided, Wanted, begin, commit, decide, go_on_with, quota_left, recorded};
pub(crate) use driver::Driver;
pub(crate) use kinds::steps_of;
pub(crate) use rebuild::{perhaps_rebuilds, was_rebuilt_from};
pub(crate) use step::NOT_CONVERGING;
pub(crate) use steps::cut_off::perhaps_at;
pub(crate) use work::TOO_LATE;

use crate::accounts::{Principal, Role};
use crate::store::rows::OperationFilter;
use crate::vms::redacted;
use crate::{Manager, ManagerError};
use grid::operation::{Operation, OperationKind, OperationState};
use grid::{NodeId, OperationId};
use serde::{Deserialize, Serialize};

/// An operation as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationView {
    pub operation: Operation,
    /// None once the VM is gone.
    pub vm_name: Option<String>,
    /// Nodes, for admins only. A deployment has a destination and no source.
    pub source_name: Option<String>,
    pub destination_name: Option<String>,
    /// Whether it waits for the operator, and the reader is one.
    pub can_decide: bool,
    /// Why it can't be cancelled; none where it can.
    pub cannot_cancel: Option<String>,
}

impl Manager {
    pub async fn operation_get(
        &self,
        principal: &Principal,
        operation: OperationId,
    ) -> Result<OperationView, ManagerError> {
        let found = self.shared.store.operation_get(operation).await?.ok_or(ManagerError::NotFound)?;
        if principal.role == Role::Customer && found.tenant != principal.tenant {
            return Err(ManagerError::NotFound);
        }
        self.operation_view(principal, found).await
    }

    /// Newest first. A customer's filter is the own tenant, whatever it says; only admins filter by node.
    pub async fn operation_list(
        &self,
        principal: &Principal,
        mut filter: OperationFilter,
    ) -> Result<Vec<OperationView>, ManagerError> {
        if principal.role == Role::Customer {
            filter.tenant = Some(principal.tenant);
            filter.node = None;
        }
        let mut views = Vec::new();
        for operation in self.shared.store.operation_list(&filter).await? {
            views.push(self.operation_view(principal, operation).await?);
        }
        Ok(views)
    }

    pub(crate) async fn operation_view(
        &self,
        principal: &Principal,
        operation: Operation,
    ) -> Result<OperationView, ManagerError> {
        let vm_name = self.shared.store.vm_get(operation.kind.vm()).await?.map(|vm| vm.name);
        let (source, destination) = match principal.role {
            Role::Admin => ends(&operation.kind),
            Role::Customer => (None, None),
        };
        let map = self.map();
        let name = |node: NodeId| map.get(node).map(|node| node.node.name.clone());
        Ok(OperationView {
            can_decide: principal.role == Role::Admin && operation.state == OperationState::Waiting,
            cannot_cancel: cancel::can_cancel(&operation).err().map(str::to_owned),
            operation: redacted(principal, operation),
            vm_name,
            source_name: source.and_then(name),
            destination_name: destination.and_then(name),
        })
    }
}

/// Where an operation begins and where it leads.
fn ends(kind: &OperationKind) -> (Option<NodeId>, Option<NodeId>) {
    match kind {
        OperationKind::Deploy { node, .. } => (None, Some(*node)),
        OperationKind::Rebuild { from, node, .. } => (Some(*from), Some(*node)),
        OperationKind::Resize { plan, .. } => (Some(plan.source), plan.destination),
        OperationKind::Start { .. }
        | OperationKind::Stop { .. }
        | OperationKind::Delete { .. }
        | OperationKind::Unreadable { .. } => (None, None),
    }
}
