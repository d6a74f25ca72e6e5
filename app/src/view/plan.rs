//! The resize form and what it answers: a plan, or why there is none.

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
    /// `Moves to another server while it runs`.
    pub title: String,
    /// What happens, sentence by sentence.
    pub sentences: Vec<String>,
    pub duration: String,
    pub downtime: String,
    /// Whether the guest is asked to shut down on the way.
    pub restarts: bool,
    /// From and to, for admins.
    pub way: Option<(String, String)>,
    /// The plan itself, which the agreement carries.
    pub json: String,
    pub idempotency_key: String,
    pub as_of: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalView {
    /// The reason in one sentence, with the resource and what was asked.
    pub reason: String,
    pub asked: Size,
    pub largest: Option<Size>,
    /// For admins: a node's name and what speaks against it.
    pub nodes: Vec<RejectionView>,
    pub as_of: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionView {
    pub node: String,
    pub reasons: Vec<String>,
}
