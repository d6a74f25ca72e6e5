//! Work that is made of moves as its pages show it: a node is emptied, nodes are evened out.

use super::operation::OperationLine;
use super::schedule::Moment;
use grid::relocation::RelocationState;
use serde::{Deserialize, Serialize};

/// A move that would be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveLine {
    pub vm: String,
    /// From where to where, by node.
    pub way: String,
    /// `live` or `stopped`.
    pub manner: String,
}

/// The newest of its sort, running or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelocationRun {
    pub id: String,
    pub state: RelocationState,
    pub reason: Option<String>,
    pub is_cancelled: bool,
    /// Its moves, oldest first.
    pub moves: Vec<OperationLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainPageView {
    pub node: String,
    pub plan: Vec<MoveLine>,
    /// VMs that stay, and why.
    pub stay: Vec<(String, String)>,
    pub newest: Option<RelocationRun>,
    /// Owners whose VMs it could only move by shutting them down.
    pub consents: Vec<ConsentView>,
    /// The form's own: the same id is the same drain.
    pub form_id: String,
    pub as_of: String,
}

/// An owner who was asked for a move with a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentView {
    pub vm: String,
    pub asked_at: Moment,
    pub given: Option<GivenView>,
}

/// Who agreed, when, and to which window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenView {
    pub by: String,
    pub at: Moment,
    pub opens: Moment,
    pub closes: Moment,
    pub force_off: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalancePageView {
    pub plan: Vec<MoveLine>,
    /// The plan itself, which the agreement carries.
    pub json: String,
    pub newest: Option<RelocationRun>,
    /// The form's own: the same id is the same rebalance.
    pub form_id: String,
    pub as_of: String,
}
