//! The resize form and what it answers: a plan, or why there is none.

use super::relocation::MoveLine;
use super::schedule::{ScheduleView, TypedWindow};
use super::vm::VmCard;
use crate::form::Problem;
use grid::Size;
use grid::plan::PlanKind;
use serde::{Deserialize, Serialize};

/// What the form needs before anything was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizeFormView {
    pub vm: VmCard,
    pub maximum_vcpus: u32,
    pub maximum_memory_mib: u64,
    /// What is scheduled for it.
    pub schedule: Option<ScheduleView>,
    pub as_of: String,
}

/// What was asked for, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    pub vcpus: String,
    pub memory_mib: String,
    pub disk_gib: String,
}

impl From<Size> for Typed {
    fn from(size: Size) -> Self {
        Self {
            vcpus: size.vcpus.0.to_string(),
            memory_mib: size.memory.0.to_string(),
            disk_gib: size.disk.0.to_string(),
        }
    }
}

impl Typed {
    /// The query that asks the same again.
    pub fn query(size: Size) -> String {
        format!("?vcpus={}&memory_mib={}&disk_gib={}", size.vcpus.0, size.memory.0, size.disk.0)
    }
}

/// The answer to what was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreviewView {
    /// What was typed is no size.
    Unreadable {
        problems: Vec<Problem>,
    },
    /// It is the VM's size already.
    Nothing,
    Planned(Box<PlanView>),
    Refused(Box<RefusalView>),
    /// Not to be planned now: another operation works on it, or its state forbids it.
    NotNow {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    pub kind: PlanKind,
    pub from: Size,
    pub to: Size,
    /// `Moves to another node while it runs`.
    pub title: String,
    /// What happens, sentence by sentence.
    pub sentences: Vec<String>,
    pub duration: String,
    pub downtime: String,
    /// Whether the guest is asked to shut down on the way.
    pub restarts: bool,
    /// The moves of other VMs that make room first, for admins.
    pub first: Vec<MoveLine>,
    /// From and to, for admins.
    pub way: Option<(String, String)>,
    /// Why there, for admins.
    pub choice: Option<ChoiceView>,
    /// The plan itself, which the agreement carries.
    pub json: String,
    pub idempotency_key: String,
    /// A window in which it could be carried out later.
    pub proposed: TypedWindow,
    pub as_of: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalView {
    /// The reason in one sentence, with the resource and what was asked.
    pub reason: String,
    pub asked: Size,
    pub largest: Option<Size>,
    /// Why no node can take it, for admins.
    pub choice: Option<ChoiceView>,
    pub as_of: String,
}

/// For admins: how a second node was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceView {
    /// What a node would have to give, in sentences.
    pub needs: Vec<String>,
    /// The best of the nodes that can take it, the chosen one first.
    pub best: Vec<CandidateView>,
    /// How many can take it in all.
    pub candidates: u64,
    /// How many nodes, and why not; the most frequent first.
    pub reasons: Vec<(u64, String)>,
    /// Its own node, and why it doesn't stay there.
    pub home: RejectionView,
    /// What speaks against each node of its kind; none where nothing speaks against any.
    pub nodes: Option<RejectionsView>,
}

/// The nodes of a kind that can't take it, a page at a time. What it links to works without scripts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionsView {
    /// How many there are.
    pub all: u64,
    /// The page that was asked for; none where the list is still to be asked for.
    pub page: Option<RejectionPage>,
    /// Where the list begins.
    pub first: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionPage {
    pub nodes: Vec<RejectionView>,
    /// The number of the first of them in the whole list, from 1.
    pub from: u64,
    /// Where the pages before and after it, and the last one, are.
    pub before: Option<String>,
    pub after: Option<String>,
    pub last: Option<String>,
    /// Whether somebody leafs through the list, and so has it open.
    pub is_open: bool,
}

/// A node that can take it, with its score in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateView {
    pub node: String,
    /// The policy's word and its cost: the lowest is chosen.
    pub cost: String,
    /// What stays free there.
    pub free_after: String,
    /// How full it will be in its fullest resource, and how busy it was measured to be.
    pub full: String,
    pub busy: String,
}

/// A node's name and what speaks against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionView {
    pub node: String,
    pub reasons: Vec<String>,
}
