//! Starting again the VMs that ran when their node, or all of the grid, went down: ordinary start operations in their
//! owners' names.

use super::choose::{Wanted, begin};
use super::driver::Driver;
use crate::accounts::{Principal, Role};
use crate::collector::Collector;
use crate::shared::Shared;
use grid::VmId;
use grid::operation::OperationKind;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Begins a start for each VM that the collector names, until the collector ends.
pub(crate) async fn restore(
    shared: Arc<Shared>,
    collector: Arc<Collector>,
    driver: Driver,
    mut came_back: mpsc::UnboundedReceiver<VmId>,
) {
    while let Some(id) = came_back.recv().await {
        if let Err(error) = start(&shared, &collector, &driver, id).await {
            tracing::warn!(vm = %id, %error, "a VM that ran was not started again");
        }
        collector.restored(id);
    }
}

async fn start(shared: &Shared, collector: &Collector, driver: &Driver, id: VmId) -> Result<(), crate::ManagerError> {
    let Some(vm) = shared.store.vm_get(id).await? else { return Ok(()) };
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
