//! For admins: how a second node was looked for. What it would have to give, which node was chosen by what score, and
//! why all others weren't.

use super::planner::Question;
use super::{Pace, PlanAnswer, PlanKind, RefusalReason};
use crate::map::ResourceMap;
use crate::placement::{Rejection, Request, Tally, summarise};
use crate::vm::{Vm, commitment};
use crate::{Resources, Size};
use serde::{Deserialize, Serialize};

/// What is behind a plan with a move, or behind a refusal for want of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What was looked for. A second node gives all of it: the VM's size and its overhead.
    pub request: Request,
    /// The nodes, counted; the VM's own among them as excluded.
    pub tally: Tally,
    /// The VM's own node gives only this: what it doesn't have yet.
    pub growth: Resources,
    /// Why it isn't done in place.
    pub at_home: Vec<Rejection>,
}

/// What is behind the answer that [`super::plan`] gave for this size; None where no second node was looked for.
/// Looks at every node. `runners_up` bounds how many of the next best are named.
pub fn choice(
    map: &ResourceMap,
    vm: &Vm,
    to: Size,
    answer: &PlanAnswer,
    pace: &Pace,
    runners_up: usize,
) -> Option<Choice> {
    let to = vm.keeping(to);
    let question = Question { map, vm, pace, live: true };
    let home = map.get(vm.node)?;
    let is_live = match answer {
        PlanAnswer::Nothing => return None,
        PlanAnswer::Planned { plan } => match plan.kind {
            PlanKind::MoveLive | PlanKind::MoveLiveRestart => true,
            PlanKind::MoveCold => false,
            PlanKind::InPlaceLive | PlanKind::InPlaceRestart | PlanKind::MakeRoom => return None,
        },
        PlanAnswer::Refused { refusal } => match refusal.reason {
            RefusalReason::NoRoom { .. } | RefusalReason::NotReady { .. } => !home.condition.utility_answers(),
            _ => return None,
        },
    };
    let live = question.live_request(to).filter(|_| is_live);
    let request = live.unwrap_or_else(|| question.cold_request(to));
    Some(Choice {
        tally: summarise(map, &request, runners_up),
        growth: commitment(vm.kind, to).minus(home.committed_to(vm.id)),
        at_home: question.reasons_against_in_place(home, to),
        request,
    })
}
