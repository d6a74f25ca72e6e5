//! The steps of each kind of operation. Made anew from the frozen operation after every restart: the same operation
//! has the same steps, as long as the program is the same.

use super::step::Step;
use super::{delete, deploy, power, rebuild, resize_in_place, resize_move};
use grid::operation::OperationKind;
use grid::plan::PlanKind;

/// None for one that waits for room, which gets another plan when there is some, and for one that can't be read.
pub(crate) fn steps_of(kind: &OperationKind) -> Vec<Box<dyn Step>> {
    match kind {
        OperationKind::Deploy { .. } => deploy::steps(),
        OperationKind::Start { .. } => power::start_steps(),
        OperationKind::Stop { force, .. } => power::stop_steps(*force),
        OperationKind::Delete { .. } => delete::steps(),
        OperationKind::Rebuild { .. } => rebuild::steps(),
        OperationKind::Resize { plan, .. } => match plan.kind {
            PlanKind::InPlaceLive if plan.running => resize_in_place::live(plan),
            PlanKind::InPlaceLive | PlanKind::InPlaceRestart => resize_in_place::restart(plan),
            PlanKind::MoveLive => resize_move::live(plan),
            PlanKind::MoveLiveRestart => resize_move::live_restart(plan),
            PlanKind::MoveCold => resize_move::cold(plan),
            PlanKind::MakeRoom => Vec::new(),
        },
        OperationKind::Unreadable { .. } => Vec::new(),
    }
}
