//! Fencing: an admin states that a node which gives no answer is powered off or cut off. Nobody but a person can know that,
//! so nothing here happens by itself.
//!
//! ```text
//!   silent or stale ──(an admin's word)──> fenced ──(an admin's word)──> cordoned
//!                                            │
//!                                            └─> its VMs may be rebuilt on other nodes, one by one
//! ```
//!
//! A fenced node takes no VM, nothing it says is believed, and nothing is done there, whether or not it answers again.
//! What it still holds then of VMs that were rebuilt is drift, and never started or removed by Hostgrid.

use super::{accepted, conflict};
use crate::accounts::Principal;
use crate::operations::audit_refused;
use crate::{Manager, ManagerError, admin_only};
use grid::NodeId;
use grid::map::Condition;
use grid::operation::OperationKind;

impl Manager {
    /// The admin's word that the node executes nothing any more; `confirmed` is its name, as the admin typed it.
    /// [`ManagerError::Unavailable`] while its hypervisor answers.
    pub async fn node_fence(&self, principal: &Principal, name: &str, confirmed: &str) -> Result<(), ManagerError> {
        let done = self.fence(principal, name, confirmed).await;
        self.told_of_fencing(principal, "node_fence", name, done).await
    }

    /// The admin's word that the node may be believed again: it is cordoned from now on. [`ManagerError::Busy`] while a VM
    /// of it is being rebuilt.
    pub async fn node_unfence(&self, principal: &Principal, name: &str) -> Result<(), ManagerError> {
        let done = self.unfence(principal, name).await;
        self.told_of_fencing(principal, "node_unfence", name, done).await
    }

    async fn fence(&self, principal: &Principal, name: &str, confirmed: &str) -> Result<(), ManagerError> {
        admin_only(principal)?;
        let _turn = self.chooser.turn().await;
        let node = self.node_named(name)?;
        if confirmed.trim() != name {
            let message = format!("Type {name}, to confirm that it is cut off.");
            return Err(ManagerError::Invalid { field: "confirmed", message });
        }
        if node.condition.hypervisor_answers() {
            let reason = "its hypervisor answers: drain it instead".to_owned();
            return Err(ManagerError::Unavailable { reason });
        }
        let row = accepted(principal, "node_fence", name);
        self.shared.store.node_fenced_set(node.node.id, true, &row).await.map_err(conflict)?;
        self.node_counts().await
    }

    async fn unfence(&self, principal: &Principal, name: &str) -> Result<(), ManagerError> {
        admin_only(principal)?;
        // No rebuild begins meanwhile.
        let _turn = self.chooser.turn().await;
        let node = self.node_named(name)?.node.id;
        let unfinished = self.shared.store.operation_unfinished().await?;
        let leaves = |kind: &OperationKind| matches!(kind, OperationKind::Rebuild { from, .. } if *from == node);
        if let Some(operation) = unfinished.iter().find(|operation| leaves(&operation.kind)) {
            return Err(ManagerError::Busy { operation: operation.id });
        }
        let row = accepted(principal, "node_unfence", name);
        self.shared.store.node_fenced_set(node, false, &row).await.map_err(conflict)?;
        self.node_counts().await
    }

    /// What was refused is in the audit.
    async fn told_of_fencing(
        &self,
        principal: &Principal,
        action: &str,
        name: &str,
        done: Result<(), ManagerError>,
    ) -> Result<(), ManagerError> {
        if let Err(error) = &done {
            audit_refused(&self.shared, principal, action, name, &error.to_string()).await;
        }
        done
    }

    pub(crate) fn is_fenced(&self, node: NodeId) -> bool {
        self.map().get(node).is_some_and(|entry| entry.condition == Condition::Fenced)
    }
}
