//! Emptying a node: for admins the plan, its start, how it goes, and its end. The moves are ordinary operations with
//! all their promises; [`runner`] begins one after the other.

mod next;
mod runner;
#[cfg(test)]
mod tests;

pub(crate) use runner::Relocator;

use crate::accounts::Principal;
use crate::operations::{OperationView, audit_refused};
use crate::store::StoreError;
use crate::store::rows::AuditRow;
use crate::{Change, Manager, ManagerError, clock};
use grid::RelocationId;
use grid::moves::Manner;
use grid::relocation::{Relocation, RelocationState};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A move as the plan lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainMove {
    pub vm: String,
    pub from: String,
    pub to: String,
    pub manner: Manner,
}

/// How a node would be emptied now, and how it is being or was emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainView {
    pub moves: Vec<DrainMove>,
    /// VMs that stay, by name, and why.
    pub stay: Vec<(String, String)>,
    /// The newest, running or over, with its moves.
    pub newest: Option<(Relocation, Vec<OperationView>)>,
}

impl Manager {
    /// What the admin agrees to before a node is emptied, and what became of it.
    pub async fn node_drain_get(&self, principal: &Principal, name: &str) -> Result<DrainView, ManagerError> {
        let node = self.node_get(principal, name).await?.node.id;
        let newest = match self.shared.store.relocation_newest(node).await? {
            None => None,
            Some(found) => {
                let mut views = Vec::new();
                for operation in self.shared.store.relocation_operations(found.id).await? {
                    views.push(self.operation_view(principal, operation).await?);
                }
                Some((found, views))
            }
        };
        let vms = self.shared.store.vm_list(None).await?;
        let drawn = next::draw(self.map(), vms, node, Vec::new()).await?;
        Ok(DrainView { moves: drawn.moves(), stay: drawn.stay(), newest })
    }

    /// Sets the node draining, and moves its VMs away one after the other. `id` is the form's own: the same id is the
    /// same drain.
    pub async fn node_drain(&self, principal: &Principal, name: &str, id: Uuid) -> Result<RelocationId, ManagerError> {
        let begun = self.node_drain_begin(principal, name, RelocationId(id)).await;
        if let Err(error) = &begun {
            audit_refused(&self.shared, principal, "node_drain", name, &error.to_string()).await;
        }
        let id = begun?;
        self.collector.records_changed().await?;
        self.shared.tell(Change::Map);
        self.relocator.spawn(id);
        Ok(id)
    }

    async fn node_drain_begin(
        &self,
        principal: &Principal,
        name: &str,
        id: RelocationId,
    ) -> Result<RelocationId, ManagerError> {
        let node = self.node_get(principal, name).await?.node.id;
        let new = Relocation {
            id,
            node,
            actor: principal.user,
            state: RelocationState::Running,
            reason: None,
            cancelled_by: None,
            created_at: clock::now(),
            ended_at: None,
        };
        let row = accepted(principal, "node_drain", name);
        self.shared.store.relocation_begin(&new, &row).await.map_err(conflict)?;
        match self.shared.store.relocation_get(id).await? {
            Some(known) if known.node == node && known.actor == principal.user => Ok(id),
            _ => Err(ManagerError::Unavailable { reason: "this form was used before; load the page again".into() }),
        }
    }

    /// No move is begun any more; the one at hand goes on. The node stays draining.
    pub async fn node_drain_cancel(&self, principal: &Principal, name: &str) -> Result<(), ManagerError> {
        let cancelled = self.node_drain_stop(principal, name).await;
        if let Err(error) = &cancelled {
            audit_refused(&self.shared, principal, "node_drain_cancel", name, &error.to_string()).await;
        }
        self.shared.tell(Change::Relocation(cancelled?));
        Ok(())
    }

    async fn node_drain_stop(&self, principal: &Principal, name: &str) -> Result<RelocationId, ManagerError> {
        let node = self.node_get(principal, name).await?.node.id;
        let newest = self.shared.store.relocation_newest(node).await?.ok_or(ManagerError::NotFound)?;
        let row = accepted(principal, "node_drain_cancel", name);
        self.shared.store.relocation_cancel(newest.id, principal.user, &row).await.map_err(conflict)?;
        Ok(newest.id)
    }
}

fn accepted(principal: &Principal, action: &str, name: &str) -> AuditRow {
    AuditRow {
        at: clock::now(),
        actor: Some(principal.user),
        tenant: Some(principal.tenant),
        action: action.to_owned(),
        target: name.to_owned(),
        outcome: "accepted".to_owned(),
    }
}

fn conflict(error: StoreError) -> ManagerError {
    match error {
        StoreError::Conflict(reason) => ManagerError::Unavailable { reason: reason.to_owned() },
        other => other.into(),
    }
}
