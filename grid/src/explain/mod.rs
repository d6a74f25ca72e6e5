//! Plans, refusals and rejections in sentences: one wording for all pages, logs and operations.
//!
//! What is for customers names no node.

mod tally;

pub use tally::{explain_loss, explain_obstacle, explain_tally};

use crate::map::ResourceMap;
use crate::placement::RejectedNode;
use crate::plan::{Plan, PlanKind, Refusal};
use crate::wording::Seconds;
use serde::{Deserialize, Serialize};

/// What will happen and how long it takes, for the customer.
pub fn explain_plan(plan: &Plan) -> String {
    let happens = match (plan.kind, plan.running) {
        (PlanKind::InPlaceLive, _) => "The size changes where the VM is, while it runs.",
        (PlanKind::InPlaceRestart, true) => "The size changes where the VM is: it is shut down and started again.",
        (PlanKind::InPlaceRestart, false) => "The size changes where the VM is. It stays stopped.",
        (PlanKind::MoveLive, _) => "The VM moves to another node while it runs, and its size changes there.",
        (PlanKind::MoveLiveRestart, _) => {
            "The VM moves to another node while it runs; there it is shut down and started again at its new size."
        }
        (PlanKind::MoveCold, true) => {
            "The VM is shut down, carried with its disk to another node, and started there at its new size."
        }
        (PlanKind::MoveCold, false) => {
            "The VM is carried with its disk to another node, and has its new size there. It stays stopped."
        }
        (PlanKind::MakeRoom, _) => "Other VMs move away first; then the VM has room for its new size.",
    };
    let takes = Seconds(plan.estimate.duration_ms);
    let down = Seconds(plan.estimate.downtime_ms);
    match plan.estimate.downtime_ms {
        0 => format!("{happens} It takes about {takes}, with no downtime."),
        _ if plan.interrupts() => format!("{happens} It takes about {takes}; the VM is down for about {down} of it."),
        _ => format!("{happens} It takes about {takes}, with a pause of about {down}."),
    }
}

/// Why not, and what would fit, for the customer.
pub fn explain_refusal(refusal: &Refusal) -> String {
    match refusal.largest {
        Some(largest) => format!("{} What would fit now: {largest}.", refusal.reason),
        None => refusal.reason.to_string(),
    }
}

/// A node that couldn't take a VM, for admins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeExplanation {
    /// The node's name; its id where the map doesn't have it any more.
    pub node: String,
    pub reasons: Vec<String>,
}

/// Each rejected node by its name, with all its reasons in words.
pub fn explain_nodes(map: &ResourceMap, rejected: &[RejectedNode]) -> Vec<NodeExplanation> {
    let name =
        |node: &RejectedNode| map.get(node.node).map_or_else(|| node.node.to_string(), |found| found.node.name.clone());
    rejected
        .iter()
        .map(|node| NodeExplanation {
            node: name(node),
            reasons: node.reasons.iter().map(ToString::to_string).collect(),
        })
        .collect()
}
