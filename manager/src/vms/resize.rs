//! Changing a VM's size: the plan first, and the work only with the plan agreed to.

use crate::accounts::Principal;
use crate::{Manager, ManagerError};
use grid::plan::{Plan, PlanAnswer};
use grid::{OperationId, Size, VmId};
use serde::{Deserialize, Serialize};

/// The plan that the customer saw and agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub plan: Plan,
    /// Whether a guest that ignores the request to shut down may be forced off.
    pub force_off: bool,
    /// The caller's own: the same key is the same resize.
    pub idempotency_key: String,
}

impl Manager {
    /// How a change of size would be carried out now, or why it can't be.
    pub async fn vm_resize_preview(
        &self,
        principal: &Principal,
        vm: VmId,
        to: Size,
    ) -> Result<PlanAnswer, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        let _ = to;
        if vm.size == to {
            Ok(PlanAnswer::Nothing)
        } else {
            Err(ManagerError::Unavailable { reason: "no plans yet".into() })
        }
    }

    /// Starts the change that was agreed to, or one that disturbs no more; otherwise consent is asked again.
    pub async fn vm_resize(
        &self,
        principal: &Principal,
        vm: VmId,
        agreement: Agreement,
    ) -> Result<OperationId, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        let _ = (vm, agreement);
        Err(ManagerError::Unavailable { reason: "no plans yet".into() })
    }
}
