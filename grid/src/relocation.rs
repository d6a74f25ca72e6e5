//! Relocations: work that is made of moves of VMs, each of which is an operation by itself.
//!
//! ```text
//!   running ──> succeeded    (nothing is left to move)
//!      │ ├────> failed       (what is left can't be moved: the reason says what and why)
//!      │ └────> cancelled    (after the move at hand)
//!      └─ plan anew, begin the next move, wait for its end; and again
//! ```
//!
//! Moves that are done stay, however it ends.

use crate::{NodeId, RelocationId, UnixMillis, UserId};
use serde::{Deserialize, Serialize};

/// See the module's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelocationState {
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl RelocationState {
    pub const ALL: [Self; 4] = [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Running)
    }
}

/// A node that is emptied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relocation {
    pub id: RelocationId,
    pub node: NodeId,
    pub actor: UserId,
    pub state: RelocationState,
    /// Why it failed or was cancelled, for admins.
    pub reason: Option<String>,
    /// Who cancelled it: no move is begun any more.
    pub cancelled_by: Option<UserId>,
    pub created_at: UnixMillis,
    pub ended_at: Option<UnixMillis>,
}
