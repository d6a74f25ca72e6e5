//! Plans: how a change of size will be carried out, least disturbing first, and what it will cost; or why not.

use crate::map::Condition;
use crate::placement::RejectedNode;
use crate::{NodeId, Resource, Size, VmId};
use serde::{Deserialize, Serialize};

/// See DESIGN: the planner takes the first of these that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanKind {
    InPlaceLive,
    InPlaceRestart,
    MoveLive,
    MoveLiveRestart,
    MoveCold,
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

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: RefusalReason,
    pub asked: Size,
    /// The largest size of each resource that would fit with the others as they are now asked or held; customers
    /// see it, and it says where the VM could reach it.
    pub largest: Option<Size>,
    /// Per node, for admins only: reasons with what is free and what is reserved. Emptied before a customer sees it.
    pub nodes: Vec<RejectedNode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum RefusalReason {
    DiskShrinks {
        has_gib: u64,
        asked_gib: u64,
    },
    /// No node of the kind has room; `largest` is the most of this resource on any one of them.
    NoRoom {
        resource: Resource,
        asked: u64,
        largest: u64,
    },
    /// Room is there, but on nodes that take nothing now.
    NotReady {
        condition: Condition,
    },
    QuotaExceeded {
        resource: Resource,
        asked: u64,
        left: u64,
    },
}
