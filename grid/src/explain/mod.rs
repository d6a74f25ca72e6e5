//! Plans, refusals and rejections in sentences: one wording for all pages, logs and operations.
//!
//! What is for customers names no node.

mod tally;

pub use tally::{explain_loss, explain_obstacle, explain_obstacle_naming, explain_tally, explain_why};

use crate::Resources;
use crate::map::ResourceMap;
use crate::placement::RejectedNode;
use crate::plan::{Plan, PlanKind, Refusal};
use serde::{Deserialize, Serialize};

/// A plan in words, for the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanWords {
    pub title: String,
    /// What will happen, in order.
    pub sentences: Vec<String>,
}

/// What will happen; how long it takes stands in the plan's estimate.
pub fn explain_plan(plan: &Plan) -> PlanWords {
    let mut sentences = happens(plan);
    if plan.room.as_ref().map_or(plan.kind, |room| room.then).moves() {
        sentences.push("Its data, its address and its MAC stay the same.");
    }
    PlanWords { title: title(plan).to_owned(), sentences: sentences.into_iter().map(ToOwned::to_owned).collect() }
}

const fn title(plan: &Plan) -> &'static str {
    match (plan.kind, plan.running) {
        (PlanKind::InPlaceLive, _) => "Changes while it runs",
        (PlanKind::InPlaceRestart, true) => "Changes with a restart",
        (PlanKind::InPlaceRestart, false) => "Changes where it is",
        (PlanKind::MoveLive, _) => "Moves to another node while it runs",
        (PlanKind::MoveLiveRestart, _) => "Moves while it runs, then restarts",
        (PlanKind::MoveCold, true) => "Moves to another node, with a restart",
        (PlanKind::MoveCold, false) => "Moves to another node",
        (PlanKind::MakeRoom, _) => "Makes room first",
    }
}

fn happens(plan: &Plan) -> Vec<&'static str> {
    const NO_ROOM: &str = "Its node has no room for this size, so it moves to another node of the same kind.";
    let grows = !Resources::from(plan.from).covers(&Resources::from(plan.to));
    match (plan.kind, plan.running) {
        (PlanKind::InPlaceLive, _) if grows => {
            vec!["Its node has the room.", "It grows where it is and keeps running."]
        }
        (PlanKind::InPlaceLive, _) => vec!["It gives back what it no longer has, and keeps running."],
        (PlanKind::InPlaceRestart, true) => vec![
            if grows { "Its node has the room, but this size needs a fresh start." } else { "It needs a fresh start." },
            "The guest is asked to shut down, is given its new size, and is started again.",
        ],
        (PlanKind::InPlaceRestart, false) if grows => vec!["Its node has the room.", "It is off and stays off."],
        (PlanKind::InPlaceRestart, false) => vec!["It is off and stays off."],
        (PlanKind::MoveLive, _) if plan.arrives_with() != plan.from => {
            vec![NO_ROOM, "It gives back what it no longer has, moves while it keeps running, and grows there."]
        }
        (PlanKind::MoveLive, _) => vec![NO_ROOM, "It keeps running while it moves, and grows there."],
        (PlanKind::MoveLiveRestart, _) => vec![
            NO_ROOM,
            "It keeps running while it moves.",
            "Then the guest is asked to shut down and starts at its new size.",
        ],
        (PlanKind::MoveCold, true) => {
            vec![
                NO_ROOM,
                "The guest is asked to shut down, its disk is carried over, and it starts there at its new size.",
            ]
        }
        (PlanKind::MoveCold, false) => vec![NO_ROOM, "Its disk is carried over.", "It is off and stays off."],
        (PlanKind::MakeRoom, running) => {
            let first =
                "No node has room for this size yet: other VMs move away first, and none of them is interrupted.";
            vec![first, plan.room.as_ref().map_or("Then this one gets its new size.", |room| then(room.then, running))]
        }
    }
}

/// What happens to the VM itself once there is room for it.
const fn then(kind: PlanKind, running: bool) -> &'static str {
    match (kind, running) {
        (PlanKind::InPlaceLive, _) => "Then it grows where it is and keeps running.",
        (PlanKind::InPlaceRestart, true) => {
            "Then the guest is asked to shut down, is given its new size where it is, and is started again."
        }
        (PlanKind::MoveLive, _) => "Then it moves to another node while it runs, and grows there.",
        (PlanKind::MoveLiveRestart, _) => {
            "Then it moves to another node while it runs; there the guest is asked to shut down and starts at its new size."
        }
        (PlanKind::MoveCold, true) => {
            "Then the guest is asked to shut down, its disk is carried to another node, and it starts there at its new size."
        }
        (PlanKind::MoveCold, false) => "Then its disk is carried to another node. It is off and stays off.",
        (PlanKind::InPlaceRestart, false) => "Then it gets its new size. It is off and stays off.",
        (PlanKind::MakeRoom, _) => "Then this one gets its new size.",
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
