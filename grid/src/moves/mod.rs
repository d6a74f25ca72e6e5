//! Moves of VMs that are planned ahead: making room for a VM that fits nowhere, emptying a node, evening out,
//! consolidating and gathering what is free. All of them work on a [`Layout`], a compact copy of the map that a plan can be tried on.
//!
//! A plan is a sequence: each move is finished before the next begins, and while it runs the VM counts on both nodes.
//! So a move is legal when its destination has room for the VM at that moment and its groups let it go there from where
//! the others of them are at that moment; every state on the way is legal. A VM that opted out is never moved. Plans depend on their input alone: no clock, no chance. How long a search may
//! take is bounded by counted work.

mod drain;
mod gather;
mod ground;
mod groups;
mod join;
mod layout;
mod order;
mod rebalance;
mod room;
mod search;

pub use drain::{DrainPlan, Stuck, drain, not_drainable};
pub use groups::LayoutGroup;
pub use layout::{Guest, Layout, Site};
pub use rebalance::{Goal, RebalancePlan, RoomFor, rebalance};
pub use room::{Ask, Budget, RoomAnswer, RoomPlan, make_room};

use crate::{NodeId, VmId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One VM carried from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub vm: VmId,
    pub from: NodeId,
    pub to: NodeId,
    pub manner: Manner,
    /// What is carried: a live move carries memory and disk, the others the disk alone.
    pub bytes: u64,
}

/// How a VM is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// It runs on.
    Live,
    /// It was stopped before and stays so.
    Stopped,
    /// It is shut down, carried and started again.
    Cold,
}

impl fmt::Display for Manner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Live => "live",
            Self::Stopped => "stopped",
            Self::Cold => "cold",
        })
    }
}

/// What a sequence of moves costs, the first that differs deciding: VMs interrupted, bytes carried, number of moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cost {
    pub interrupted: u32,
    pub bytes: u64,
    pub moves: u32,
}

impl Cost {
    /// More than any plan costs.
    pub const MAX: Self = Self { interrupted: u32::MAX, bytes: u64::MAX, moves: u32::MAX };

    /// What one move costs.
    pub fn of(manner: Manner, bytes: u64) -> Self {
        Self { interrupted: u32::from(manner == Manner::Cold), bytes, moves: 1 }
    }

    /// What both cost together; saturates.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            interrupted: self.interrupted.saturating_add(other.interrupted),
            bytes: self.bytes.saturating_add(other.bytes),
            moves: self.moves.saturating_add(other.moves),
        }
    }

    /// What these moves cost.
    pub fn sum(moves: &[Move]) -> Self {
        moves.iter().map(|each| Self::of(each.manner, each.bytes)).fold(Self::default(), Self::plus)
    }
}
