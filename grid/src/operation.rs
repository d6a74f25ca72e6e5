//! Operations: durable pieces of work, and the states of them and of their steps.
//!
//! ```text
//!   pending ──> running ──> succeeded
//!                │ ^ │
//!                │ │ └────> undoing ──> undone      (nothing is left of it)
//!                │ │         │ ^ │
//!                │ │         │ │ └────> failed      (past the point of no return: the reason says what there is now)
//!                v │         v │          ^
//!               waiting for the operator ─┘         (nobody knows where the VM executes, or an undo failed: an admin
//!                                                    has it tried again, or gives it up)
//! ```
//!
//! What waits for the operator is not over: it holds what it holds, and nothing else works on its VM.

use crate::plan::{Plan, PlanKind};
use crate::{NodeId, OperationId, Size, TenantId, UnixMillis, UserId, VmId};
use serde::{Deserialize, Serialize};

/// What an operation does, with all that it needs; frozen when it is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum OperationKind {
    Deploy {
        vm: VmId,
        node: NodeId,
        size: Size,
    },
    Start {
        vm: VmId,
    },
    Stop {
        vm: VmId,
        force: bool,
    },
    Delete {
        vm: VmId,
    },
    /// Its home, `from`, is fenced: it begins anew on another node, from its image and with an empty disk, as who it was.
    Rebuild {
        vm: VmId,
        from: NodeId,
        node: NodeId,
        size: Size,
    },
    /// The plan that the customer agreed to; `force_off` if they ticked that the guest may be forced off.
    Resize {
        plan: Plan,
        force_off: bool,
        /// Where it was agreed to for a window: when that is over. What has not begun by then does not begin.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<UnixMillis>,
    },
    /// Another version of this program wrote it, in words that this one does not know. Nothing is done for it.
    Unreadable {
        vm: VmId,
        /// From where and to where it may have brought the VM, which its row says apart.
        from: Option<NodeId>,
        to: Option<NodeId>,
    },
}

impl OperationKind {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Deploy { .. } => "deploy",
            Self::Start { .. } => "start",
            Self::Stop { .. } => "stop",
            Self::Delete { .. } => "delete",
            Self::Rebuild { .. } => "rebuild",
            Self::Resize { .. } => "resize",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Whether other VMs move away before it has a plan that can be carried out.
    pub const fn waits_for_room(&self) -> bool {
        matches!(self, Self::Resize { plan: Plan { kind: PlanKind::MakeRoom, .. }, .. })
    }

    /// Whether it may not begin any more at this time.
    pub fn is_too_late(&self, now: UnixMillis) -> bool {
        matches!(self, Self::Resize { not_after: Some(end), .. } if now >= *end)
    }

    pub const fn vm(&self) -> VmId {
        match self {
            Self::Deploy { vm, .. }
            | Self::Start { vm }
            | Self::Stop { vm, .. }
            | Self::Delete { vm }
            | Self::Rebuild { vm, .. }
            | Self::Unreadable { vm, .. } => *vm,
            Self::Resize { plan, .. } => plan.vm,
        }
    }
}

/// See the module's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    Pending,
    Running,
    Undoing,
    /// For the operator, with a reason.
    Waiting,
    Succeeded,
    Undone,
    Failed,
}

impl OperationState {
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Running, Self::Undoing, Self::Waiting, Self::Succeeded, Self::Undone, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Undoing => "undoing",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Undone => "undone",
            Self::Failed => "failed",
        }
    }

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Undone | Self::Failed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Waiting,
    Started,
    Done,
    Failed,
    UndoStarted,
    Undone,
}

impl StepState {
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Started, Self::Done, Self::Failed, Self::UndoStarted, Self::Undone];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::UndoStarted => "undo_started",
            Self::Undone => "undone",
        }
    }
}

/// An operation as the store has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub tenant: TenantId,
    pub actor: UserId,
    pub state: OperationState,
    /// Why it failed, was undone or waits, for the customer: no node names.
    pub reason: Option<String>,
    /// The same for the admin, with all that is known.
    pub detail: Option<String>,
    /// Who cancelled it: it turns back as soon as it can.
    pub cancelled_by: Option<UserId>,
    pub created_at: UnixMillis,
    pub ended_at: Option<UnixMillis>,
    /// Measured: how long the VM's address gave no answer, or how long it did not run.
    pub downtime_ms: Option<u64>,
    /// Measured: the part of the operation spent inside libvirt's and the utility module's calls.
    pub called_ms: u64,
    pub steps: Vec<OperationStep>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationStep {
    /// Place in the operation, from 0.
    pub position: u32,
    /// `copy-disk`, `migrate-live`…: the driver knows it by this word.
    pub name: String,
    pub state: StepState,
    pub started_at: Option<UnixMillis>,
    pub ended_at: Option<UnixMillis>,
    /// What there is to say: bytes copied and left, or why it failed.
    pub note: Option<String>,
}
