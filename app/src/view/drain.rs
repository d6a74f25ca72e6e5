//! Emptying a node as its page shows it.

use super::operation::OperationLine;
use grid::relocation::RelocationState;
use serde::{Deserialize, Serialize};

/// A move that would be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainMoveLine {
    pub vm: String,
    /// From where to where, by node.
    pub way: String,
    /// `live` or `stopped`.
    pub manner: String,
}

/// The newest drain of the node, running or over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainRun {
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
    pub plan: Vec<DrainMoveLine>,
    /// VMs that stay, and why.
    pub stay: Vec<(String, String)>,
    pub newest: Option<DrainRun>,
    /// The form's own: the same id is the same drain.
    pub form_id: String,
    pub as_of: String,
}
