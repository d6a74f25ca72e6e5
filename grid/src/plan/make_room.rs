//! The last plan of all: other VMs move away first, in the cheapest safe order; then the VM gets its size by one of the
//! other plans.

use super::estimate::{estimate, moves_ms};
use super::planner::Question;
use super::{Estimate, Pace, Plan, PlanKind, RoomFirst};
use crate::map::ResourceMap;
use crate::moves::{Ask, Budget, Layout, Manner, Move, RoomAnswer, make_room};
use crate::vm::{Vm, VmState, commitment};
use crate::{Size, VmId};
use std::collections::BTreeSet;

/// How often it is looked again without those that a plan would interrupt, each time within the budget.
const ROUNDS: usize = 4;

/// How `vm` gets the size `to` where [`super::plan`] finds no node for it: which of `vms` (all that are recorded) move
/// away first. Of the others only those are moved that aren't interrupted by it, and none for which `stays`. None where
/// no such moves are found within `budget`, or none are needed.
pub fn plan_with_room(
    map: &ResourceMap,
    vms: &[Vm],
    (vm, to): (&Vm, Size),
    budget: Budget,
    stays: &dyn Fn(VmId) -> bool,
    pace: &Pace,
) -> Option<Plan> {
    let home = map.get(vm.node).filter(|home| home.condition.hypervisor_answers())?;
    let to = vm.keeping(to);
    let question = Question { map, vm, pace, live: true };
    let never_live = |each: &&Vm| !each.kind.moves_live() && each.state != VmState::Stopped;
    let mut interrupted: BTreeSet<VmId> = vms.iter().filter(never_live).map(|each| each.id).collect();
    for _ in 0..ROUNDS {
        let opted_out = |each: VmId| each != vm.id && (stays(each) || interrupted.contains(&each));
        let layout = Layout::of(map, vms, &opted_out);
        let arrives = question.kind_live(to).arrives_with(vm.size, to);
        let [arrives, takes] = [arrives, to].map(|size| commitment(vm.kind, size));
        let ask = Ask::Grow { guest: layout.find_guest(vm.id)?, arrives, to: takes };
        let RoomAnswer::Room { plan } = make_room(&layout, &ask, budget) else { return None };
        let (own, others): (Vec<Move>, Vec<Move>) = plan.moves.into_iter().partition(|each| each.vm == vm.id);
        let cold = others.iter().filter(|each| each.manner == Manner::Cold).map(|each| each.vm);
        let known = interrupted.len();
        interrupted.extend(cold);
        if interrupted.len() > known {
            continue;
        }
        if others.is_empty() {
            return None;
        }
        let then = match own.first().map(|each| each.manner) {
            None if home.condition.can_grow_in_place() => question.kind_in_place(to),
            None => return None,
            Some(Manner::Live) => question.kind_live(to),
            Some(Manner::Stopped | Manner::Cold) => PlanKind::MoveCold,
        };
        let own = estimate(then, vm, question.running(), to, home, pace);
        let duration_ms = own.duration_ms.saturating_add(moves_ms(&others, pace));
        let plan = question.make(PlanKind::MakeRoom, home, to, None);
        let room = Some(RoomFirst { then, moves: others });
        return Some(Plan { estimate: Estimate { duration_ms, ..own }, room, ..plan });
    }
    None
}
