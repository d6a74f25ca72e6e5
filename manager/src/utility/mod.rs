//! Utility modules, the manager's side: the door that they call at, their keys, their reports, the work that they are
//! given and the images that they fetch.
//!
//! [`UtilityHub`] holds it all for every node. The rest of the manager knows a node's module as a
//! [`UtilityModule`], and hears its reports by [`UtilityHub::reports`].

mod carry;
mod hub;
mod images;
mod keys;
mod orders;
mod remote;
mod routes;
pub mod simulated;
mod transfers;

pub use carry::CarriedDisk;
pub use hub::{Report, ReportError, UtilityHub, UtilityPace};
pub use images::{ImageLibrary, UtilityFiles};
pub use keys::{KeyStore, KeyStoreError, MemoryKeys};
pub use routes::router;
pub use transfers::TransferError;

use async_trait::async_trait;
use grid::NodeId;
use grid::work::{Work, WorkDone, WorkFailure};
use std::time::Duration;

/// One node's utility module.
#[async_trait]
pub trait UtilityModule: Send + Sync + std::fmt::Debug {
    fn node(&self) -> NodeId;

    /// Has a piece of work done and waits for its answer, at most for `deadline`. Given up (by the deadline, or when
    /// the future is dropped) it may still be done: work is idempotent, look or order it again.
    async fn carry_out(&self, work: Work, deadline: Duration) -> Result<WorkDone, UtilityError>;
}

/// Why a piece of work has no good end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UtilityError {
    /// Nothing was heard of it for too long; the work may have been done or not.
    #[error("the node's utility module is silent")]
    Silent,
    /// It is there, but gave no answer in time; the work may be done yet.
    #[error("the node's utility module did not finish in time")]
    Deadline,
    /// More orders wait than it could ever carry out.
    #[error("the node's utility module has too much to do")]
    Busy,
    /// It said that it couldn't.
    #[error("the node's utility module failed: {0}")]
    Failed(#[from] WorkFailure),
}
