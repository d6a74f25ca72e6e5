//! Rows: what the index keeps of a node.

use super::names::{ClassNumber, DomainNumber, RegionNumber};
use super::vector::Vector;
use crate::map::Condition;
use crate::policy::Whole;
use crate::sample::Source;
use crate::{HypervisorKind, NodeId};

/// A node as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub id: NodeId,
    pub kind: HypervisorKind,
    pub region: RegionNumber,
    pub domain: DomainNumber,
    /// What a live move compares.
    pub class: ClassNumber,
    pub readiness: Readiness,
    /// What policies ask of what is usable there.
    pub usable: Whole,
    /// What is available: usable, less what is committed and reserved.
    pub free: Vector,
    /// How busy it was measured to be, in its busiest resource; ten thousand is full.
    pub measured_bp: u16,
}

impl Row {
    pub(super) fn is_ready(&self) -> bool {
        self.readiness == Readiness::Ready
    }
}

/// A node's condition without its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Readiness {
    Ready,
    HypervisorSilent,
    UtilitySilent,
    HypervisorStale,
    UtilityStale,
    UtilityOff,
    Contradicting,
    Cordoned,
    Draining,
    Fenced,
}

impl From<Condition> for Readiness {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Ready => Self::Ready,
            Condition::Silent { source: Source::Hypervisor } => Self::HypervisorSilent,
            Condition::Silent { source: Source::Utility } => Self::UtilitySilent,
            Condition::Stale { source: Source::Hypervisor, .. } => Self::HypervisorStale,
            Condition::Stale { source: Source::Utility, .. } => Self::UtilityStale,
            Condition::UtilityOff => Self::UtilityOff,
            Condition::Contradicting => Self::Contradicting,
            Condition::Cordoned => Self::Cordoned,
            Condition::Draining => Self::Draining,
            Condition::Fenced => Self::Fenced,
        }
    }
}

/// What was chosen; compares by what makes it the better choice: the cost, then how busy it is, then the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Choice {
    pub cost: u64,
    pub measured_bp: u16,
    pub node: NodeId,
}
