//! Plans: how a change of size will be carried out, least disturbing first, and what it will cost; or why not.

mod choice;
mod consent;
mod deploy;
mod estimate;
mod make_room;
mod planner;
mod refusal;
mod relocate;
mod room;

pub use choice::{Choice, choice};
pub use consent::Consent;
pub use deploy::{place_new, refuse_new};
pub use estimate::Pace;
pub use make_room::plan_with_room;
pub use planner::{plan, plan_without_live_move};
pub use refusal::{Refusal, RefusalReason};
pub use relocate::relocate;

use crate::moves::Move;
use crate::{NodeId, Size, VmId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// See DESIGN: the planner takes the first of these that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanKind {
    InPlaceLive,
    /// Also what happens to a stopped VM in place: then nothing restarts and nothing is down.
    InPlaceRestart,
    MoveLive,
    MoveLiveRestart,
    /// Also how a stopped VM moves; it stays stopped.
    MoveCold,
    /// Other VMs move away first; [`Plan::room`] says which, and how it goes on.
    MakeRoom,
}

impl PlanKind {
    /// The word that pages carry as `data-plan`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InPlaceLive => "in-place-live",
            Self::InPlaceRestart => "in-place-restart",
            Self::MoveLive => "move-live",
            Self::MoveLiveRestart => "move-live-restart",
            Self::MoveCold => "move-cold",
            Self::MakeRoom => "make-room",
        }
    }

    pub const fn moves(self) -> bool {
        !matches!(self, Self::InPlaceLive | Self::InPlaceRestart)
    }

    /// The size at which a VM reaches its second node on its way from one size to another. Where all can be done while it
    /// runs, it shrinks before it moves and grows after, so that it is never more than it will be there.
    #[must_use]
    pub fn arrives_with(self, from: Size, to: Size) -> Size {
        match self {
            Self::MoveLive => from.smaller(to),
            Self::MoveCold => to,
            Self::InPlaceLive | Self::InPlaceRestart | Self::MoveLiveRestart | Self::MakeRoom => from,
        }
    }

    /// Whether a running VM is shut down and started again on the way.
    pub const fn restarts(self) -> bool {
        matches!(self, Self::InPlaceRestart | Self::MoveLiveRestart | Self::MoveCold)
    }
}

/// A way to carry out a change of size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub vm: VmId,
    pub kind: PlanKind,
    pub from: Size,
    pub to: Size,
    pub source: NodeId,
    /// The second node, where it moves.
    pub destination: Option<NodeId>,
    /// Whether the VM runs (a stopped one is never started by a resize).
    pub running: bool,
    pub estimate: Estimate,
    /// The VM's generation that the plan was made for.
    pub generation: u64,
    /// Of a plan that makes room: what comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomFirst>,
}

/// How room is made for a VM, and how it gets its size when there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomFirst {
    /// One of the other kinds. What is found when the room is there disturbs no more than this.
    pub then: PlanKind,
    /// The moves of other VMs, in their order, for admins; drawn anew whenever one of them has ended.
    pub moves: Vec<Move>,
}

impl Plan {
    /// The same without what a customer must not see: the nodes. That it moves is still seen.
    #[must_use]
    pub fn for_customer(self) -> Self {
        let nowhere = NodeId(Uuid::nil());
        let room = self.room.map(|room| RoomFirst { moves: Vec::new(), ..room });
        Self { source: nowhere, destination: self.destination.map(|_| nowhere), room, ..self }
    }

    /// See [`PlanKind::arrives_with`].
    pub fn arrives_with(&self) -> Size {
        self.kind.arrives_with(self.from, self.to)
    }

    /// Whether the guest's work is cut off on the way.
    pub const fn interrupts(&self) -> bool {
        let then = match &self.room {
            Some(room) => room.then,
            None => self.kind,
        };
        self.running && then.restarts()
    }

    /// Whether who agreed to `agreed` has agreed to this too: the same change of the same VM, by a plan that stands no
    /// later in the order of disturbance, and that restarts nothing if that one didn't. Where the VM goes doesn't
    /// matter, nor do estimates.
    pub fn is_no_more_disturbing_than(&self, agreed: &Self) -> bool {
        self.vm == agreed.vm
            && self.from == agreed.from
            && self.to == agreed.to
            && self.kind <= agreed.kind
            && (agreed.interrupts() || !self.interrupts())
    }
}

/// What it is expected to take. Milliseconds, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    pub duration_ms: u64,
    pub downtime_ms: u64,
}

/// What the planner answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum PlanAnswer {
    Planned {
        plan: Plan,
    },
    /// The asked size is the VM's size.
    Nothing,
    Refused {
        refusal: Box<Refusal>,
    },
}
