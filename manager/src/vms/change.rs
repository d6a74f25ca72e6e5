//! Starting, stopping and deleting a VM.

use crate::accounts::Principal;
use crate::{Manager, ManagerError};
use grid::{OperationId, VmId};

impl Manager {
    pub async fn vm_start(&self, principal: &Principal, vm: VmId, key: &str) -> Result<OperationId, ManagerError> {
        let _ = (self.vm_allowed(principal, vm).await?, key);
        Err(ManagerError::Unavailable { reason: "not yet".into() })
    }

    /// Asks the guest to shut down; `force` pulls the plug.
    pub async fn vm_stop(
        &self,
        principal: &Principal,
        vm: VmId,
        force: bool,
        key: &str,
    ) -> Result<OperationId, ManagerError> {
        let _ = (self.vm_allowed(principal, vm).await?, force, key);
        Err(ManagerError::Unavailable { reason: "not yet".into() })
    }

    /// Removes the VM and its disk for good.
    pub async fn vm_delete(&self, principal: &Principal, vm: VmId, key: &str) -> Result<OperationId, ManagerError> {
        let _ = (self.vm_allowed(principal, vm).await?, key);
        Err(ManagerError::Unavailable { reason: "not yet".into() })
    }
}
