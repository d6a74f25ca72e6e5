//! What is seen to when a node comes back: the VMs that ran when it, or all of the grid, went down are started again, by
//! ordinary start operations in their owners' names; and operations that wait for the operator and concern it are tried
//! again, since what nobody knew may be known now.

use super::choose::{Wanted, begin};
use super::driver::Driver;
use super::perhaps_at;
use crate::accounts::{Principal, Role};
use crate::clock;
use crate::collector::{Back, Collector};
use crate::shared::Shared;
use crate::store::StoreError;
use crate::store::rows::AuditRow;
use grid::operation::{OperationKind, OperationState};
use grid::vm::VmState;
use grid::{NodeId, VmId};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Sees to each return that the collector tells, until the collector ends.
pub(crate) async fn restore(
    shared: Arc<Shared>,
    collector: Arc<Collector>,
    driver: Driver,
    mut returns: mpsc::UnboundedReceiver<Back>,
) {
    while let Some(back) = returns.recv().await {
        match back {
            Back::Vm(id) => {
                let started = start(&shared, &collector, &driver, id).await;
                if let Err(error) = &started {
                    tracing::warn!(vm = %id, %error, "a VM that ran was not started again; it is tried at the next look");
                }
                collector.restored(id, started.is_ok());
            }
            Back::Node(id) => {
                if let Err(error) = try_again(&shared, &driver, id).await {
                    tracing::warn!(node = %id, %error, "what waited for a node was not tried again");
                }
            }
        }
    }
}

/// Has what waits and concerns the node go on where it stood, as an operator would.
async fn try_again(shared: &Shared, driver: &Driver, node: NodeId) -> Result<(), StoreError> {
    for operation in shared.store.operation_unfinished().await? {
        if operation.state != OperationState::Waiting || !concerns(shared, &operation.kind, node).await? {
            continue;
        }
        let row = AuditRow {
            at: clock::now(),
            actor: None,
            tenant: Some(operation.tenant),
            action: "operation_retry".into(),
            target: operation.id.to_string(),
            outcome: "accepted: a node answers again".into(),
        };
        match shared.store.operation_resume(operation.id, &row).await {
            Ok(()) => driver.spawn(operation.id),
            // An operator was faster.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn concerns(shared: &Shared, kind: &OperationKind, node: NodeId) -> Result<bool, StoreError> {
    Ok(match kind {
        OperationKind::Deploy { node: place, .. } | OperationKind::Rebuild { node: place, .. } => *place == node,
        OperationKind::Resize { plan, .. } => plan.source == node || plan.destination == Some(node),
        OperationKind::Unreadable { .. } => false,
        OperationKind::Start { vm } | OperationKind::Stop { vm, .. } | OperationKind::Delete { vm } => {
            shared.store.vm_get(*vm).await?.is_some_and(|vm| vm.node == node)
        }
    })
}

async fn start(shared: &Shared, collector: &Collector, driver: &Driver, id: VmId) -> Result<(), crate::ManagerError> {
    let Some(vm) = shared.store.vm_get(id).await? else { return Ok(()) };
    // Stopped meanwhile by its owner; or it may run where an operation that was given up had brought it.
    let is_to_run = matches!(vm.state, VmState::Running | VmState::Unknown);
    if !is_to_run || perhaps_at(shared.store.as_ref(), &vm, None).await?.is_some() {
        return Ok(());
    }
    let email = shared.store.user_get(vm.owner).await?.map(|user| user.email).unwrap_or_default();
    let principal = Principal { user: vm.owner, tenant: vm.tenant, email, role: Role::Customer };
    let key = format!("restore-{}", Uuid::new_v4());
    let kind = OperationKind::Start { vm: id };
    let wanted = Wanted { principal: &principal, kind, key: &key, vm, is_new: false, relocation: None };
    let operation = begin(shared, collector, wanted).await?;
    tracing::info!(vm = %id, %operation, "a VM that ran is started again");
    driver.spawn(operation);
    Ok(())
}
