//! Attempts: whatever somebody tries to change leaves one row in the audit, also where it is refused. What the store accepts or
//! refuses has its row from the same transaction; all that is refused before it comes there gets it here, in one place: a use
//! case that changes something hands what came of it to [`Manager::attempted`].

use crate::accounts::Principal;
use crate::refusal_log::escaped;
use crate::store::StoreError;
use crate::store::rows::AuditRow;
use crate::{Manager, ManagerError, clock};

/// Characters of what an attempt was about: it may be what somebody typed.
const LONGEST_TARGET: usize = 100;

/// Why an attempt came to nothing, and whether the audit knows of it.
#[derive(Debug)]
pub(crate) enum Refused {
    Untold(ManagerError),
    /// The store has told it, in the transaction in which it decided; or that failed, and nobody knows what became of it.
    Told(ManagerError),
}

impl Refused {
    /// Of a write that decides: what the store refuses is not written, the audit's row neither.
    pub(crate) fn by_store(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(reason) => Self::Untold(ManagerError::Unavailable { reason: reason.to_owned() }),
            StoreError::NotFound => Self::Untold(ManagerError::NotFound),
            other => Self::Told(other.into()),
        }
    }
}

impl From<ManagerError> for Refused {
    fn from(error: ManagerError) -> Self {
        Self::Untold(error)
    }
}

impl From<StoreError> for Refused {
    /// Of what is read before anything is decided.
    fn from(error: StoreError) -> Self {
        Self::Untold(error.into())
    }
}

impl From<Refused> for ManagerError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Untold(error) | Refused::Told(error) => error,
        }
    }
}

impl Manager {
    /// What came of an attempt, for whoever made it; the audit is told where it was refused and nobody has told it.
    pub(crate) async fn attempted<T>(
        &self,
        principal: &Principal,
        action: &str,
        target: &str,
        done: Result<T, Refused>,
    ) -> Result<T, ManagerError> {
        if let Err(Refused::Untold(error)) = &done {
            let row = told(principal, action, target, format!("refused: {error}"));
            if let Err(error) = self.shared.store.audit_add(&row).await {
                tracing::error!(%error, action, "an attempt is missing in the audit");
            }
        }
        Ok(done?)
    }
}

/// The row of what is accepted, for the store to write with it.
pub(crate) fn accepted(principal: &Principal, action: &str, target: &str) -> AuditRow {
    told(principal, action, target, "accepted".to_owned())
}

fn told(principal: &Principal, action: &str, target: &str, outcome: String) -> AuditRow {
    AuditRow {
        at: clock::now(),
        actor: Some(principal.user),
        tenant: Some(principal.tenant),
        action: action.to_owned(),
        target: escaped(target, LONGEST_TARGET),
        outcome,
    }
}
