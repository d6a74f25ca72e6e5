//! Cancelling an operation, where it is true: as long as all of it can still be taken back. What was begun is then
//! undone, as after a failure.

use super::step::Step;
use super::steps_of;
use crate::accounts::{Principal, Role};
use crate::attempt::{Refused, accepted};
use crate::{Manager, ManagerError};
use grid::operation::{Operation, OperationKind, OperationState, StepState};
use grid::{OperationId, UserId};

const ACTION: &str = "operation_cancel";

impl Manager {
    /// Has an operation turn back. [`ManagerError::Unavailable`] with the reason where it can't any more; once more by the same
    /// person, nothing.
    pub async fn operation_cancel(&self, principal: &Principal, id: OperationId) -> Result<(), ManagerError> {
        let cancelled = self.cancel(principal, id).await;
        self.attempted(principal, ACTION, &id.to_string(), cancelled).await
    }

    async fn cancel(&self, principal: &Principal, id: OperationId) -> Result<(), Refused> {
        let store = &self.shared.store;
        let found = store.operation_get(id).await?;
        let is_allowed = |it: &Operation| principal.role == Role::Admin || it.tenant == principal.tenant;
        let operation = found.filter(is_allowed).ok_or(ManagerError::NotFound)?;
        if !is_cancelled_by(&operation, principal.user) {
            can_cancel(&operation).map_err(unavailable)?;
            let row = accepted(principal, ACTION, &id.to_string());
            if let Err(error) = store.operation_cancel(id, principal.user, &row).await {
                // The same person's other click may have been faster.
                let now = store.operation_get(id).await?;
                if !now.is_some_and(|it| is_cancelled_by(&it, principal.user)) {
                    return Err(Refused::by_store(error));
                }
            }
        }
        self.driver.cancel(id);
        Ok(())
    }
}

/// Whether it turns or has turned back because this person said so.
fn is_cancelled_by(operation: &Operation, user: UserId) -> bool {
    let turns_back = matches!(
        operation.state,
        OperationState::Pending | OperationState::Running | OperationState::Undoing | OperationState::Undone
    );
    turns_back && operation.cancelled_by == Some(user)
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
