//! Drift as its page shows it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftLine {
    /// The kind's word.
    pub kind: String,
    pub node: String,
    pub vm_id: String,
    /// None where nobody recorded it.
    pub vm_name: Option<String>,
    pub what: String,
    pub since: String,
    /// Whether an admin can have it recorded as it is.
    pub can_record: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftListView {
    pub drift: Vec<DriftLine>,
    pub as_of: String,
}
