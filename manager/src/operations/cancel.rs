//! Cancelling an operation, where it is true: as long as all of it can still be taken back. What was begun is then
//! undone, as after a failure.

use super::step::Step;
use super::steps_of;
use crate::accounts::{Principal, Role};
use crate::attempt::{Refused, accepted};
use crate::{Manager, ManagerError};
use grid::OperationId;
use grid::operation::{Operation, OperationKind, OperationState, StepState};

const ACTION: &str = "operation_cancel";

impl Manager {
    /// Has an operation turn back. [`ManagerError::Unavailable`] with the reason where it can't any more.
    pub async fn operation_cancel(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        let cancelled = self.cancel(principal, id).await;
        self.attempted(principal, ACTION, &id.to_string(), cancelled).await
    }

    async fn cancel(&self, principal: &Principal, id: OperationId) -> Result<(), Refused> {
        match self.shared.store.operation_get(id).await? {
            Some(operation) if principal.role == Role::Admin || operation.tenant == principal.tenant => {
                can_cancel(&operation).map_err(unavailable)?;
            }
            _ => return Err(ManagerError::NotFound.into()),
        }
        let row = accepted(principal, ACTION, &id.to_string());
        self.shared.store.operation_cancel(id, principal.user, &row).await.map_err(Refused::by_store)?;
        self.driver.cancel(id);
        Ok(())
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
