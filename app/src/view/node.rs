//! Nodes as an admin sees them.

use super::capacity::Figures;
use super::chart::ChartView;
use super::operation::OperationLine;
use super::vm::VmCard;
use grid::node::Administration;
use grid::sample::Source;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a condition is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    Good,
    Neutral,
    Warning,
    Bad,
}

impl Tone {
    /// Its class in the style sheets.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Neutral => "neutral",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// A node in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLine {
    pub name: String,
    pub kind: String,
    pub region: String,
    /// What fails together with it.
    pub failure_domain: Option<String>,
    pub condition: String,
    pub tone: Tone,
    pub figures: Figures,
    pub vms: u32,
    pub disagreements: u32,
    /// Age of the last word from each source at `as_of`; none where nothing was heard.
    pub hypervisor_age: Option<String>,
    pub utility_age: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeListView {
    pub nodes: Vec<NodeLine>,
    pub as_of: String,
}

/// One fact, as each source tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactView {
    pub fact: String,
    pub hypervisor: Option<String>,
    pub utility: Option<String>,
    /// Where they disagree: the word of the source that counts.
    pub counted: Option<String>,
    /// What a source said that can't be true, and what counts instead.
    pub flags: Vec<String>,
}

/// A VM on the node: its recorded size, and what each source says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeVmView {
    /// None for a stranger and for the utility VM.
    pub id: Option<String>,
    pub name: String,
    pub state: String,
    pub recorded: Option<String>,
    pub hypervisor: Option<String>,
    pub utility: Option<String>,
    pub differs: bool,
}

/// The settings' form: the text of each field, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SettingsView(BTreeMap<String, String>);

impl SettingsView {
    /// What stands in a field; nothing where nobody told.
    pub fn get(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }
}

impl<Field: Into<String>> FromIterator<(Field, String)> for SettingsView {
    fn from_iter<T: IntoIterator<Item = (Field, String)>>(fields: T) -> Self {
        Self(fields.into_iter().map(|(field, text)| (field.into(), text)).collect())
    }
}

impl NodeLine {
    /// Its kind and where it is: `kvm · north · rack-1`.
    pub fn place(&self) -> String {
        let domain = self.failure_domain.as_ref().map(|domain| format!(" · {domain}")).unwrap_or_default();
        format!("{} · {}{domain}", self.kind, self.region)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePageView {
    pub line: NodeLine,
    pub uri: String,
    pub administration: Administration,
    /// Whether its hypervisor gives no answer, and nobody has fenced it yet.
    pub can_fence: bool,
    pub facts: Vec<FactView>,
    /// How many more of each offer fit there, were nothing else deployed.
    pub more: Vec<(String, u64)>,
    /// The sources that were never heard, or not for too long.
    pub stale: Vec<Source>,
    pub vms: Vec<NodeVmView>,
    pub charts: Vec<ChartView>,
    pub operations: Vec<OperationLine>,
    pub as_of: String,
}

/// A node that may be fenced, or is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FencePageView {
    pub node: String,
    pub condition: String,
    pub is_fenced: bool,
    pub can_fence: bool,
    /// Those whose home it is.
    pub vms: Vec<VmCard>,
    pub as_of: String,
}
