//! Operations as pages show them.

use grid::operation::{OperationState, StepState};
use serde::{Deserialize, Serialize};

/// An operation in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationLine {
    pub id: String,
    /// `Resize to 2 vCPUs · …`, `Start`.
    pub title: String,
    pub vm_id: String,
    pub vm_name: String,
    pub state: OperationState,
    pub started_at: String,
    /// Of a finished one.
    pub took: Option<String>,
    pub downtime: Option<String>,
    /// Admins see from where to where.
    pub way: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// The step's own word.
    pub name: String,
    /// The same for people.
    pub title: String,
    pub state: StepState,
    pub took: Option<String>,
    pub note: Option<String>,
}

/// What was measured, for programs that read the page. Milliseconds; none where it isn't known or not over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationFigures {
    pub duration_ms: Option<u64>,
    pub called_ms: u64,
    pub downtime_ms: Option<u64>,
    /// Node names; admins only.
    pub source: Option<String>,
    pub destination: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationPageView {
    pub line: OperationLine,
    /// The plan's word, of a resize.
    pub plan: Option<String>,
    /// What was expected, of a resize: duration and downtime.
    pub expected: Option<(String, String)>,
    pub reason: Option<String>,
    /// All that is known; admins only.
    pub detail: Option<String>,
    pub steps: Vec<StepView>,
    /// The time spent inside the hypervisor's and the utility module's own calls, of a finished one.
    pub called: Option<String>,
    pub figures: OperationFigures,
    pub started_at: String,
    pub ended_at: Option<String>,
    /// Whether it waits for the operator, and the reader is one.
    pub can_decide: bool,
    /// Why it can't be cancelled; none where it can.
    pub cannot_cancel: Option<String>,
    pub as_of: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationListView {
    pub operations: Vec<OperationLine>,
    pub as_of: String,
}

/// The state in a word that a person reads; the outcomes as the issue names them.
pub const fn state_word(state: OperationState) -> &'static str {
    match state {
        OperationState::Pending => "Waiting",
        OperationState::Running => "Running",
        OperationState::Undoing => "Undoing",
        OperationState::Waiting => "Waiting for the operator",
        OperationState::Succeeded => "Succeeded",
        OperationState::Undone => "Undone",
        OperationState::Failed => "Failed",
    }
}

/// A step's state in a word that a person reads.
pub const fn step_word(state: StepState) -> &'static str {
    match state {
        StepState::Waiting => "Waiting",
        StepState::Started => "Running",
        StepState::Done => "Done",
        StepState::Failed => "Failed",
        StepState::UndoStarted => "Undoing",
        StepState::Undone => "Undone",
    }
}
