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

use crate::accounts::Principal;
use crate::attempt::{Refused, accepted};
use crate::operations::perhaps_rebuilds;
use crate::{Manager, ManagerError, admin_only};
use grid::NodeId;
use grid::map::Condition;
use grid::node::Administration;

/// What the audit calls them.
const FENCE: &str = "node_fence";
const UNFENCE: &str = "node_unfence";

impl Manager {
    /// The admin's word that the node executes nothing any more; `confirmed` is its name, as the admin typed it.
    /// [`ManagerError::Unavailable`] while its hypervisor answers; of one that is fenced already, nothing.
    pub async fn node_fence(&self, principal: &Principal, name: &str, confirmed: &str) -> Result<(), ManagerError> {
        let done = self.fence(principal, name, confirmed).await;
        self.attempted(principal, FENCE, name, done).await
    }

    /// The admin's word that the node may be believed again: it is cordoned from now on. [`ManagerError::Busy`] while a VM
    /// of it is being rebuilt; of one that is cordoned already, nothing.
    pub async fn node_unfence(&self, principal: &Principal, name: &str) -> Result<(), ManagerError> {
        let done = self.unfence(principal, name).await;
        self.attempted(principal, UNFENCE, name, done).await
    }

    async fn fence(&self, principal: &Principal, name: &str, confirmed: &str) -> Result<(), Refused> {
        admin_only(principal)?;
        let _turn = self.chooser.turn().await;
        let node = self.node_named(name)?;
        if confirmed.trim() != name {
            let message = format!("Type {name}, to confirm that it is cut off.");
            return Err(ManagerError::Invalid { field: "confirmed", message }.into());
        }
        if node.node.administration == Administration::Fenced {
            return Ok(());
        }
        if node.condition.hypervisor_answers() {
            let reason = "its hypervisor answers: drain it instead".to_owned();
            return Err(ManagerError::Unavailable { reason }.into());
        }
        let row = accepted(principal, FENCE, name);
        self.shared.store.node_fenced_set(node.node.id, true, &row).await.map_err(Refused::by_store)?;
        self.node_counts().await
    }

    async fn unfence(&self, principal: &Principal, name: &str) -> Result<(), Refused> {
        admin_only(principal)?;
        // No rebuild begins meanwhile.
        let _turn = self.chooser.turn().await;
        let node = self.node_named(name)?;
        if node.node.administration == Administration::Cordoned {
            return Ok(());
        }
        let node = node.node.id;
        let unfinished = self.shared.store.operation_unfinished().await?;
        if let Some(operation) = unfinished.iter().find(|it| perhaps_rebuilds(&it.kind) == Some(node)) {
            return Err(ManagerError::Busy { operation: operation.id }.into());
        }
        let row = accepted(principal, UNFENCE, name);
        self.shared.store.node_fenced_set(node, false, &row).await.map_err(Refused::by_store)?;
        self.node_counts().await
    }

    pub(crate) fn is_fenced(&self, node: NodeId) -> bool {
        self.map().get(node).is_some_and(|entry| entry.condition == Condition::Fenced)
    }
}
