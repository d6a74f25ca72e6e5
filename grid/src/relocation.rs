//! Relocations: work that is made of moves of VMs, each of which is an operation by itself.
//!
//! ```text
//!   running ──> succeeded    (nothing is left to move)
//!      │ ├────> failed       (what is left can't be moved: the reason says what and why)
//!      │ └────> cancelled    (after the move at hand)
//!      └─ plan anew, begin the next move, wait for its end; and again
//! ```
//!
//! Moves that are done stay, however it ends. One that makes room ends as succeeded when the operation that waits for
//! it has its room.

use crate::moves::Move;
use crate::plan::Estimate;
use crate::window::Window;
use crate::{NodeId, OperationId, RelocationId, UnixMillis, UserId, VmId};
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

/// What VMs are moved for; frozen when it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RelocationKind {
    /// A node is emptied.
    Drain { node: NodeId },
    /// There shall be room for this VM, for which [`Relocation::makes_room_for`] waits.
    MakeRoom { vm: VmId },
    /// These moves, as an admin has reviewed them, in their order. What can't be carried out when its turn comes is
    /// left out.
    Rebalance { moves: Vec<Move> },
}

impl RelocationKind {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Drain { .. } => "drain",
            Self::MakeRoom { .. } => "make-room",
            Self::Rebalance { .. } => "rebalance",
        }
    }

    /// The node that is emptied.
    pub const fn node(&self) -> Option<NodeId> {
        match self {
            Self::Drain { node } => Some(*node),
            Self::MakeRoom { .. } | Self::Rebalance { .. } => None,
        }
    }
}

/// Work that is made of moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relocation {
    pub id: RelocationId,
    pub kind: RelocationKind,
    pub actor: UserId,
    pub state: RelocationState,
    /// Why it failed or was cancelled, for admins.
    pub reason: Option<String>,
    /// Who cancelled it: no move is begun any more.
    pub cancelled_by: Option<UserId>,
    pub created_at: UnixMillis,
    pub ended_at: Option<UnixMillis>,
}

/// A VM that could be moved away only by shutting it down: its owner was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveConsent {
    pub relocation: RelocationId,
    pub vm: VmId,
    pub asked_at: UnixMillis,
    /// What the move is expected to take.
    pub estimate: Estimate,
    pub given: Option<MoveGiven>,
}

/// What was agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveGiven {
    pub by: UserId,
    pub at: UnixMillis,
    pub window: Window,
    /// Whether a guest that ignores the request to shut down may be forced off.
    pub force_off: bool,
}

impl MoveConsent {
    /// What allows it now.
    pub fn agreed(&self, now: UnixMillis) -> Option<MoveGiven> {
        self.given.filter(|given| given.window.is_open(now))
    }
}

impl Relocation {
    /// The operation that waits for the room, if room is made: the two have the same id.
    pub const fn makes_room_for(&self) -> Option<OperationId> {
        match self.kind {
            RelocationKind::MakeRoom { .. } => Some(OperationId(self.id.0)),
            RelocationKind::Drain { .. } | RelocationKind::Rebalance { .. } => None,
        }
    }
}
