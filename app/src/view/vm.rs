//! VMs as pages show them.

use super::catalogue::QuotaView;
use super::chart::ChartView;
use super::operation::OperationLine;
use super::schedule::{Moment, ScheduleView, TypedWindow};
use crate::view::amounts;
use grid::vm::VmState;
use grid::{Resources, Size};
use serde::{Deserialize, Serialize};

/// A VM in a list, and the head of its page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmCard {
    pub id: String,
    pub name: String,
    pub state: VmState,
    pub size: Size,
    /// The kind's word.
    pub kind: String,
    pub region: String,
    pub address: String,
    pub image: String,
    /// Admins see whose it is and where it is.
    pub owner: Option<String>,
    pub node: Option<String>,
    /// Whether its node was cut off: it can be rebuilt elsewhere, and nothing else.
    pub out_of_service: bool,
    /// Whether it is paused, with nobody working on it: its disk could not be written, or somebody paused it.
    pub stands_still: bool,
    /// What is being done to it now.
    pub operation: Option<OperationLine>,
    /// Of its vCPUs, in thousandths.
    pub cpu_permille: Option<u64>,
    pub memory_resident_mib: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmListView {
    pub vms: Vec<VmCard>,
    pub quota: QuotaView,
    /// Whether the list is of all tenants.
    pub is_admin: bool,
    pub as_of: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmPageView {
    pub vm: VmCard,
    pub mac: String,
    pub created_at: String,
    /// What it can grow to without a restart.
    pub maximum_vcpus: u32,
    pub maximum_memory_mib: u64,
    pub charts: Vec<ChartView>,
    pub operations: Vec<OperationLine>,
    pub revert: Option<RevertView>,
    /// Resizes that were agreed to for later, newest first; one may wait.
    pub schedules: Vec<ScheduleView>,
    /// A move with a restart that its owner is asked for.
    pub move_asked: Option<MoveAskedView>,
    pub idempotency_key: String,
    pub as_of: String,
}

/// Its node is to be emptied, and it can't be moved while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveAskedView {
    /// What asks for it.
    pub drain: String,
    /// What is expected.
    pub downtime: String,
    pub given: Option<MoveGivenView>,
    /// A window that could be agreed to.
    pub proposed: TypedWindow,
}

/// What was agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveGivenView {
    pub opens: Moment,
    pub closes: Moment,
    pub is_over: bool,
    pub force_off: bool,
}

/// The way back to the size before the last change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevertView {
    pub to: Size,
    /// Whether the disk has grown with that change, and stays.
    pub disk_has_grown: bool,
    pub until: String,
}

impl RevertView {
    /// `Revert to 1 vCPU, 256 MiB`.
    pub fn title(&self) -> String {
        let to = Resources::from(self.to);
        format!("Revert to {}, {}", amounts::vcpus(to.vcpus()), amounts::mib(to.memory_mib()))
    }

    pub fn hint(&self) -> String {
        let disk = amounts::mib(Resources::from(self.to).disk_mib());
        let kept = if self.disk_has_grown {
            format!(" The disk has grown since, and stays at {disk}.")
        } else {
            String::new()
        };
        format!("What it had before the last change; offered until {}. You see the plan first.{kept}", self.until)
    }
}

impl VmCard {
    /// Nothing else is being done to it, and it is in a state from which it can be started.
    pub fn can_start(&self) -> bool {
        self.is_free() && self.state == VmState::Stopped
    }

    pub fn can_stop(&self) -> bool {
        self.is_free() && self.state == VmState::Running
    }

    pub fn can_resize(&self) -> bool {
        self.is_free() && matches!(self.state, VmState::Running | VmState::Stopped)
    }

    pub fn can_delete(&self) -> bool {
        let states = [VmState::Running, VmState::Stopped, VmState::Failed, VmState::Unknown];
        self.is_free() && states.contains(&self.state)
    }

    pub fn can_be_rebuilt(&self) -> bool {
        self.operation.is_none() && self.out_of_service
    }

    fn is_free(&self) -> bool {
        self.operation.is_none() && !self.out_of_service
    }
}
