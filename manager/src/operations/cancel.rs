//! Cancelling an operation, where it is true: as long as all of it can still be taken back. What was begun is then
//! undone, as after a failure.

use super::audit_refused;
use super::step::Step;
use super::steps_of;
use crate::accounts::{Principal, Role};
use crate::store::StoreError;
use crate::store::rows::AuditRow;
use crate::{Manager, ManagerError, clock};
use grid::OperationId;
use grid::operation::{Operation, OperationKind, OperationState, StepState};

impl Manager {
    /// Has an operation turn back. [`ManagerError::Unavailable`] with the reason where it can't any more.
    pub async fn operation_cancel(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        let checked = match self.shared.store.operation_get(id).await? {
            Some(operation) if principal.role == Role::Admin || operation.tenant == principal.tenant => {
                can_cancel(&operation).map_err(unavailable)
            }
            _ => Err(ManagerError::NotFound),
        };
        let cancelled = match checked {
            Ok(()) => self.record_cancel(principal, id).await,
            refused => refused,
        };
        match cancelled {
            Ok(()) => {
                self.driver.cancel(id);
                Ok(())
            }
            Err(error) => {
                audit_refused(&self.shared, principal, "operation_cancel", &id.to_string(), &error.to_string()).await;
                Err(error)
            }
        }
    }

    async fn record_cancel(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        let row = AuditRow {
            at: clock::now(),
            actor: Some(principal.user),
            tenant: Some(principal.tenant),
            action: "operation_cancel".into(),
            target: id.to_string(),
            outcome: "accepted".into(),
        };
        match self.shared.store.operation_cancel(id, principal.user, &row).await {
            Err(StoreError::Conflict(reason)) => Err(unavailable(reason)),
            done => Ok(done?),
        }
    }
}

fn unavailable(reason: &str) -> ManagerError {
    ManagerError::Unavailable { reason: reason.to_owned() }
}

/// Why it can't be cancelled, for whoever would.
pub(crate) fn can_cancel(operation: &Operation) -> Result<(), &'static str> {
    match operation.state {
        OperationState::Succeeded | OperationState::Undone | OperationState::Failed => return Err("it is over"),
        OperationState::Undoing => return Err("it is being taken back already"),
        OperationState::Waiting => return Err("it waits for the operator"),
        OperationState::Pending | OperationState::Running => {}
    }
    if operation.cancelled_by.is_some() {
        return Err("it was cancelled already");
    }
    match operation.kind {
        OperationKind::Delete { .. } => return Err("a deletion can't be taken back"),
        OperationKind::Start { .. } | OperationKind::Stop { .. } => return Err("it is over in a moment"),
        OperationKind::Unreadable { .. } => return Err("this version of Hostgrid does not know what it is"),
        OperationKind::Deploy { .. } | OperationKind::Rebuild { .. } | OperationKind::Resize { .. } => {}
    }
    let steps = steps_of(&operation.kind);
    let begun = operation.steps.iter().filter(|step| step.state != StepState::Waiting);
    let mut begun = begun.filter_map(|step| steps.get(usize::try_from(step.position).ok()?).map(|it| (it, step.state)));
    if begun.any(|(step, state)| !can_turn_back(step.as_ref(), state)) {
        return Err("it has come so far that it only goes forward");
    }
    Ok(())
}

/// Whether an operation whose step is in this state can still be taken back as a whole, and the step be broken off.
pub(super) fn can_turn_back(step: &dyn Step, state: StepState) -> bool {
    state == StepState::Waiting || (step.can_be_broken_off() && !(step.no_return() && state == StepState::Done))
}
