//! Work that is made of moves: a node is emptied, room is made for an operation that waits for it, VMs are evened out.
//! The moves are ordinary operations with all their promises; [`runner`] begins one after the other.
//!
//! Here is what admins ask for: the plan, its start, how it goes, and its end.

mod consent;
#[cfg(test)]
mod consent_tests;
mod make_room;
mod next;
mod rebalance;
#[cfg(test)]
mod rebalance_tests;
#[cfg(test)]
mod room_tests;
mod runner;
#[cfg(test)]
mod tests;

pub use consent::ConsentLine;
pub(crate) use make_room::plan_with_room;
pub use rebalance::RebalanceView;
pub(crate) use runner::Relocator;

use crate::accounts::Principal;
use crate::attempt::{Refused, accepted};
use crate::operations::OperationView;
use crate::{Change, Manager, ManagerError, clock};
use grid::moves::Manner;
use grid::relocation::{Relocation, RelocationKind, RelocationState};
use grid::{NodeId, RelocationId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

const DRAIN_CANCEL: &str = "node_drain_cancel";

/// A move as the plan lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedMove {
    pub vm: String,
    pub from: String,
    pub to: String,
    pub manner: Manner,
}

/// How a node would be emptied now, and how it is being or was emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainView {
    pub moves: Vec<PlannedMove>,
    /// VMs that stay, by name, and why.
    pub stay: Vec<(String, String)>,
    /// The newest, running or over, with its moves.
    pub newest: Option<(Relocation, Vec<OperationView>)>,
    /// Owners whose VMs it could only move by shutting them down.
    pub consents: Vec<ConsentLine>,
}

impl Manager {
    /// What the admin agrees to before a node is emptied, and what became of it.
    pub async fn node_drain_get(&self, principal: &Principal, name: &str) -> Result<DrainView, ManagerError> {
        let node = self.node_get(principal, name).await?.node.id;
        let newest = self.relocation_newest(principal, Some(node)).await?;
        let vms = self.shared.store.vm_list(None).await?;
        let consents = match &newest {
            Some((drain, _)) => self.consent_lines(drain.id, &vms).await?,
            None => Vec::new(),
        };
        let drawn = next::draw(self.map(), vms, node, Vec::new(), BTreeSet::new()).await?;
        Ok(DrainView { moves: drawn.moves(), stay: drawn.stay(), newest, consents })
    }

    /// Sets the node draining, and moves its VMs away one after the other. `id` is the form's own: the same id is the
    /// same drain.
    pub async fn node_drain(&self, principal: &Principal, name: &str, id: Uuid) -> Result<RelocationId, ManagerError> {
        let begun = self.drain(principal, name, id).await;
        self.attempted(principal, "node_drain", name, begun).await
    }

    async fn drain(&self, principal: &Principal, name: &str, id: Uuid) -> Result<RelocationId, Refused> {
        let kind = RelocationKind::Drain { node: self.node_get(principal, name).await?.node.id };
        self.relocation_begin(principal, RelocationId(id), kind, name).await
    }

    /// No move is begun any more; the one at hand goes on. The node stays draining. Once more by the same person, nothing.
    pub async fn node_drain_cancel(&self, principal: &Principal, name: &str) -> Result<(), ManagerError> {
        let cancelled = self.drain_cancel(principal, name).await;
        self.attempted(principal, DRAIN_CANCEL, name, cancelled).await
    }

    async fn drain_cancel(&self, principal: &Principal, name: &str) -> Result<(), Refused> {
        let node = self.node_get(principal, name).await?.node.id;
        self.relocation_cancel(principal, Some(node), DRAIN_CANCEL, name).await
    }

    /// The newest of its sort, with its moves.
    async fn relocation_newest(
        &self,
        principal: &Principal,
        node: Option<NodeId>,
    ) -> Result<Option<(Relocation, Vec<OperationView>)>, ManagerError> {
        let Some(found) = self.shared.store.relocation_newest(node).await? else { return Ok(None) };
        let mut views = Vec::new();
        for operation in self.shared.store.relocation_operations(found.id).await? {
            views.push(self.operation_view(principal, operation).await?);
        }
        Ok(Some((found, views)))
    }

    /// Begins it and has it carried out; `target` is its word in the audit.
    async fn relocation_begin(
        &self,
        principal: &Principal,
        id: RelocationId,
        kind: RelocationKind,
        target: &str,
    ) -> Result<RelocationId, Refused> {
        let row = accepted(principal, action(&kind), target);
        let new = Relocation {
            id,
            kind,
            actor: principal.user,
            state: RelocationState::Running,
            reason: None,
            cancelled_by: None,
            created_at: clock::now(),
            ended_at: None,
        };
        self.shared.store.relocation_begin(&new, &row).await.map_err(Refused::by_store)?;
        // What was accepted has its row.
        match self.shared.store.relocation_get(id).await.map_err(|error| Refused::Told(error.into()))? {
            Some(known) if known.kind == new.kind && known.actor == principal.user => {}
            _ => return Err(unavailable("this form was used before; load the page again").into()),
        }
        self.relocator.spawn(id);
        self.collector.records_changed().await.map_err(|error| Refused::Told(error.into()))?;
        self.shared.tell(Change::Map);
        Ok(id)
    }

    async fn relocation_cancel(
        &self,
        principal: &Principal,
        node: Option<NodeId>,
        action: &str,
        target: &str,
    ) -> Result<(), Refused> {
        let newest = self.shared.store.relocation_newest(node).await?.ok_or(ManagerError::NotFound)?;
        if is_cancelled_by(&newest, principal.user) {
            return Ok(());
        }
        let row = accepted(principal, action, target);
        if let Err(error) = self.shared.store.relocation_cancel(newest.id, principal.user, &row).await {
            // The same person's other click may have been faster.
            let now = self.shared.store.relocation_get(newest.id).await?;
            if !now.is_some_and(|it| is_cancelled_by(&it, principal.user)) {
                return Err(Refused::by_store(error));
            }
        }
        self.shared.tell(Change::Relocation(newest.id));
        Ok(())
    }
}

/// Whether it ends or has ended because this person said so.
fn is_cancelled_by(it: &Relocation, user: UserId) -> bool {
    matches!(it.state, RelocationState::Running | RelocationState::Cancelled) && it.cancelled_by == Some(user)
}

/// The audit's word for a kind.
const fn action(kind: &RelocationKind) -> &'static str {
    match kind {
        RelocationKind::Drain { .. } => "node_drain",
        RelocationKind::MakeRoom { .. } => "make_room",
        RelocationKind::Rebalance { .. } => "rebalance",
    }
}

fn unavailable(reason: &str) -> ManagerError {
    ManagerError::Unavailable { reason: reason.to_owned() }
}
