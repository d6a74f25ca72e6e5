//! Operations that wait until other VMs have moved away: when nobody has anything to do about them, and how they end
//! where no room was made.

use super::run::Run;
use super::work::Outcome;
use crate::store::{Store, StoreError};
use grid::operation::OperationState;
use grid::{OperationId, RelocationId};

/// Whether the operation waits for room that is being made.
pub(super) async fn is_being_made(store: &dyn Store, id: OperationId) -> Result<bool, StoreError> {
    let operation = store.operation_get(id).await?;
    if !operation.is_some_and(|it| it.kind.waits_for_room() && it.cancelled_by.is_none()) {
        return Ok(false);
    }
    Ok(store.relocation_get(RelocationId(id.0)).await?.is_some_and(|it| !it.state.is_over()))
}

/// The end of one that never had room; nothing of it was begun.
pub(super) async fn none_was_made(run: &Run) -> Result<Outcome, StoreError> {
    let why = run.shared.store.relocation_get(RelocationId(run.operation.id.0)).await?.and_then(|it| it.reason);
    // Why names other VMs: for admins.
    let (reason, detail) = if run.operation.cancelled_by.is_some() {
        ("cancelled".to_owned(), "cancelled while room was being made".to_owned())
    } else {
        let reason = "no room could be made for it: nothing of it was begun".to_owned();
        let detail = why.map_or_else(|| reason.clone(), |why| format!("{reason}; {why}"));
        (reason, detail)
    };
    Ok(Outcome { state: OperationState::Undone, reason: Some(reason), detail: Some(detail) })
}
