//! What an operator can do with an operation that waits: have it tried again, or give it up. Admins only; the audit
//! says who it was.

use super::ending;
use super::run::Run;
use super::work::Outcome;
use crate::accounts::Principal;
use crate::attempt::{Refused, accepted};
use crate::store::StoreError;
use crate::{Manager, ManagerError, admin_only};
use grid::OperationId;
use grid::operation::{Operation, OperationState};
use std::sync::Arc;

const RETRY: &str = "operation_retry";

impl Manager {
    /// Has an operation that waits for the operator go on where it stood: what is unknown is looked at again first.
    pub async fn operation_retry(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        let retried = self.retry(principal, id).await;
        self.attempted(principal, RETRY, &id.to_string(), retried).await
    }

    async fn retry(&self, principal: &Principal, id: OperationId) -> Result<(), Refused> {
        self.operation_waiting(principal, id).await?;
        let row = accepted(principal, RETRY, &id.to_string());
        self.shared.store.operation_resume(id, &row).await.map_err(no_longer)?;
        self.driver.spawn(id);
        Ok(())
    }

    /// Ends an operation that waits for the operator as failed. What is seen of the VM is recorded; nothing is started,
    /// stopped or removed, and what it held is free.
    pub async fn operation_give_up(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        let given_up = self.give_up(principal, id).await;
        self.attempted(principal, "operation_give_up", &id.to_string(), given_up).await
    }

    async fn give_up(&self, principal: &Principal, id: OperationId) -> Result<(), Refused> {
        let operation = self.operation_waiting(principal, id).await?;
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

    /// The operation, where it waits and the principal may decide about it.
    async fn operation_waiting(&self, principal: &Principal, id: OperationId) -> Result<Operation, ManagerError> {
        admin_only(principal)?;
        match self.shared.store.operation_get(id).await? {
            None => Err(ManagerError::NotFound),
            Some(operation) if operation.state == OperationState::Waiting => Ok(operation),
            Some(_) => Err(waits_no_longer()),
        }
    }
}

/// Another operator was faster.
fn no_longer(error: StoreError) -> Refused {
    match error {
        StoreError::Conflict(_) | StoreError::Fenced => waits_no_longer().into(),
        other => Refused::by_store(other),
    }
}

fn waits_no_longer() -> ManagerError {
    ManagerError::Unavailable { reason: "the operation does not wait for the operator".into() }
}
