//! What an operator can do with an operation that waits: have it tried again, or give it up. Admins only; the audit
//! says who it was.

use super::audit_refused;
use super::ending;
use super::run::Run;
use super::work::Outcome;
use crate::accounts::Principal;
use crate::store::StoreError;
use crate::store::rows::AuditRow;
use crate::{Manager, ManagerError, admin_only, clock};
use grid::OperationId;
use grid::operation::{Operation, OperationState};
use std::sync::Arc;

impl Manager {
    /// Has an operation that waits for the operator go on where it stood: what is unknown is looked at again first.
    pub async fn operation_retry(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        self.operation_waiting(principal, id, "operation_retry").await?;
        let row = AuditRow {
            at: clock::now(),
            actor: Some(principal.user),
            tenant: Some(principal.tenant),
            action: "operation_retry".into(),
            target: id.to_string(),
            outcome: "accepted".into(),
        };
        self.shared.store.operation_resume(id, &row).await.map_err(no_longer)?;
        self.driver.spawn(id);
        Ok(())
    }

    /// Ends an operation that waits for the operator as failed. What is seen of the VM is recorded; nothing is started,
    /// stopped or removed, and what it held is free.
    pub async fn operation_give_up(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        let operation = self.operation_waiting(principal, id, "operation_give_up").await?;
        let reason = |why: Option<&String>| why.map(|why| format!("given up by the operator: {why}"));
        let outcome = Outcome {
            state: OperationState::Failed,
            reason: reason(operation.reason.as_ref()),
            detail: reason(operation.detail.as_ref()),
        };
        let epoch = self.shared.store.operation_claim_waiting(id).await.map_err(no_longer)?;
        let run = Run::new(Arc::clone(&self.shared), Arc::clone(&self.collector), operation, epoch);
        ending::end(&run, outcome, Some(principal.user)).await.map_err(no_longer)
    }

    /// The operation, where it waits and the principal may decide about it; what is refused is in the audit.
    async fn operation_waiting(
        &self,
        principal: &Principal,
        id: OperationId,
        action: &str,
    ) -> Result<Operation, ManagerError> {
        let found = self.shared.store.operation_get(id).await?;
        let checked = admin_only(principal).and_then(|()| match found {
            None => Err(ManagerError::NotFound),
            Some(operation) if operation.state == OperationState::Waiting => Ok(operation),
            Some(_) => Err(waits_no_longer()),
        });
        if let Err(error) = &checked {
            audit_refused(&self.shared, principal, action, &id.to_string(), &error.to_string()).await;
        }
        checked
    }
}

/// Another operator was faster.
fn no_longer(error: StoreError) -> ManagerError {
    match error {
        StoreError::Conflict(_) | StoreError::Fenced => waits_no_longer(),
        other => other.into(),
    }
}

fn waits_no_longer() -> ManagerError {
    ManagerError::Unavailable { reason: "the operation does not wait for the operator".into() }
}
