//! Deploying a VM: what may be asked, and where it goes.

use crate::accounts::Principal;
use crate::{Manager, ManagerError};
use grid::{OperationId, VmId};
use serde::{Deserialize, Serialize};

/// What a customer asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// A host name.
    pub name: String,
    /// One of [`Manager::image_list`].
    pub image: String,
    /// One of [`Manager::offer_list`], by name.
    pub offer: String,
    /// One of [`Manager::region_list`].
    pub region: String,
    /// Public keys in OpenSSH's format, one a line; may be empty.
    pub keys: String,
    /// The caller's own: the same key is the same deployment.
    pub idempotency_key: String,
}

impl Manager {
    /// Chooses a node, reserves the room, and starts the deployment.
    pub async fn vm_deploy(
        &self,
        principal: &Principal,
        request: DeployRequest,
    ) -> Result<(VmId, OperationId), ManagerError> {
        let _ = (principal, request);
        Err(ManagerError::Unavailable { reason: "no node takes a VM yet".into() })
    }
}
