//! Scheduled resizes: agreed to now, and to be carried out in a window that the customer chose.
//!
//! ```text
//!   waiting ──> started     (as an operation, within the window)
//!      │ ├────> ended       (it could not be started while the window was open: the reason says why)
//!      │ ├────> missed      (nobody looked while the window was open: Hostgrid was not running)
//!      │ └────> cancelled
//!      └─ the window is open: plan anew; start it if it takes no more than was agreed to; and again
//! ```
//!
//! One that waits holds no room and no VM. Nothing starts before its window or after it.

use crate::plan::Consent;
use crate::window::Window;
use crate::{OperationId, ScheduleId, Size, TenantId, UnixMillis, UserId, VmId};
use serde::{Deserialize, Serialize};

/// See the module's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleState {
    Waiting,
    Started,
    Ended,
    Missed,
    Cancelled,
}

impl ScheduleState {
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Started, Self::Ended, Self::Missed, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Ended => "ended",
            Self::Missed => "missed",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Waiting)
    }
}

/// What was agreed to; frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizeAgreed {
    /// The size that it had then: another change makes this another resize than was agreed to.
    pub from: Size,
    pub to: Size,
    pub consent: Consent,
    /// Whether a guest that ignores the request to shut down may be forced off.
    pub force_off: bool,
}

/// A resize that was agreed to for later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledResize {
    pub id: ScheduleId,
    pub vm: VmId,
    pub tenant: TenantId,
    /// Who agreed to it, and as whom it is started.
    pub actor: UserId,
    pub window: Window,
    pub agreed: ResizeAgreed,
    pub state: ScheduleState,
    /// Why it did not start when that was last tried, or why it ended; for the customer.
    pub reason: Option<String>,
    pub operation: Option<OperationId>,
    pub created_at: UnixMillis,
    pub ended_at: Option<UnixMillis>,
}
