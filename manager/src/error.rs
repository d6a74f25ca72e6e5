//! What a use case answers where it can't do what was asked: one closed enum, whose variants say what the caller
//! sees. No text from below reaches it; the cause is logged once, where it is handled.

use crate::store::StoreError;
use grid::OperationId;
use grid::plan::{PlanAnswer, Refusal};

/// Why a use case was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagerError {
    /// Nobody is signed in, or the email and password don't belong together.
    #[error("not signed in")]
    SignedOut,
    /// It isn't there, or it is another tenant's: the caller can't tell which.
    #[error("not found")]
    NotFound,
    #[error("not allowed")]
    Forbidden,
    /// What was typed into `field` can't be taken; the message is for the person who typed it.
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: String },
    /// Another operation works on the VM.
    #[error("operation {operation} works on it")]
    Busy { operation: OperationId },
    /// The plan that was agreed to no longer holds; this is what would be possible now.
    #[error("the plan no longer holds")]
    PlanChanged { answer: Box<PlanAnswer> },
    #[error("refused")]
    Refused { refusal: Box<Refusal> },
    #[error("the name is taken")]
    NameTaken,
    #[error("too many attempts; again in {retry_after_s} s")]
    TooManyAttempts { retry_after_s: u64 },
    /// Not now, for a reason that a person can read.
    #[error("{reason}")]
    Unavailable { reason: String },
    /// Something failed below. It was logged where it happened.
    #[error("internal error")]
    Internal,
}

impl From<StoreError> for ManagerError {
    /// Logs what the caller must not see. A use case that means something by [`StoreError::NotFound`],
    /// [`StoreError::Conflict`] or [`StoreError::Fenced`] handles it before it comes here.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            other => {
                tracing::error!(error = %other, "the store could not do it");
                Self::Internal
            }
        }
    }
}
