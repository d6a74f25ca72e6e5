//! I7: work that is made of moves goes on or has ended, in a way that its moves bear out; and none was made twice.

use super::checks::say;
use super::facts::Facts;
use super::{Broken, Promise};
use grid::operation::{Operation, OperationKind, OperationState};
use grid::relocation::{Relocation, RelocationState};
use grid::{NodeId, VmId};
use std::collections::BTreeMap;

pub(super) fn moves_are_made(facts: &Facts, broken: &mut Vec<Broken>) {
    for (relocation, moves) in &facts.relocations {
        if let Some(what) = unsound(relocation, moves) {
            let (kind, id, state) = (relocation.kind.as_str(), relocation.id, relocation.state.as_str());
            say(broken, Promise::MovesAreMade, format!("{kind} {id} is {state}, but {what}"));
        }
    }
}

/// What does not go together in a relocation's row and its moves.
fn unsound(relocation: &Relocation, moves: &[Operation]) -> Option<String> {
    let needs_reason = matches!(relocation.state, RelocationState::Failed | RelocationState::Cancelled);
    if needs_reason && relocation.reason.is_none() {
        return Some("says no reason".into());
    }
    let mut under_way = moves.iter().filter(|each| !each.state.is_over());
    if let Some(each) = under_way.next() {
        if relocation.state.is_over() {
            return Some(format!("its move {} is {}", each.id, each.state.as_str()));
        }
        if let Some(other) = under_way.next() {
            return Some(format!("its moves {} and {} are under way at once", each.id, other.id));
        }
    }
    // Who was moved leaves from where it has arrived.
    let mut arrived: BTreeMap<VmId, NodeId> = BTreeMap::new();
    for each in moves.iter().filter(|each| each.state == OperationState::Succeeded) {
        let OperationKind::Resize { plan, .. } = &each.kind else { return Some(format!("{} is no move", each.id)) };
        if arrived.get(&plan.vm).is_some_and(|node| *node != plan.source) {
            return Some(format!("its move {} of VM {} was made before", each.id, plan.vm));
        }
        arrived.extend(plan.destination.map(|node| (plan.vm, node)));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::plan::{Estimate, Plan, PlanKind};
    use grid::relocation::RelocationKind;
    use grid::{OperationId, RelocationId, Size, TenantId, UnixMillis, UserId};
    use uuid::Uuid;

    fn node(number: u128) -> NodeId {
        NodeId(Uuid::from_u128(number))
    }

    fn a_move(number: u128, from: u128, to: u128, state: OperationState) -> Operation {
        let plan = Plan {
            vm: VmId(Uuid::nil()),
            kind: PlanKind::MoveLive,
            from: Size::SMALLEST,
            to: Size::SMALLEST,
            source: node(from),
            destination: Some(node(to)),
            running: true,
            estimate: Estimate { duration_ms: 1, downtime_ms: 1 },
            generation: 1,
            room: None,
        };
        Operation {
            id: OperationId(Uuid::from_u128(number)),
            kind: OperationKind::Resize { plan, force_off: false, not_after: None },
            tenant: TenantId(Uuid::nil()),
            actor: UserId(Uuid::nil()),
            state,
            reason: None,
            detail: None,
            cancelled_by: None,
            created_at: UnixMillis(1),
            ended_at: None,
            downtime_ms: None,
            called_ms: 0,
            steps: Vec::new(),
        }
    }

    fn drain(state: RelocationState, reason: Option<&str>) -> Relocation {
        Relocation {
            id: RelocationId(Uuid::nil()),
            kind: RelocationKind::Drain { node: node(1) },
            actor: UserId(Uuid::nil()),
            state,
            reason: reason.map(str::to_owned),
            cancelled_by: None,
            created_at: UnixMillis(1),
            ended_at: None,
        }
    }

    #[test]
    fn what_does_not_go_together_is_told_and_what_does_is_not() {
        use OperationState::{Running, Succeeded, Undone};
        let running = drain(RelocationState::Running, None);
        let there_and_back = [a_move(1, 1, 2, Succeeded), a_move(2, 2, 1, Undone), a_move(3, 2, 3, Running)];
        assert_eq!(unsound(&running, &there_and_back), None);
        let twice = [a_move(1, 1, 2, Succeeded), a_move(2, 1, 2, Succeeded)];
        assert!(unsound(&running, &twice).unwrap().contains("was made before"));
        let at_once = [a_move(1, 1, 2, Running), a_move(2, 1, 2, Running)];
        assert!(unsound(&running, &at_once).unwrap().contains("at once"));
        assert!(unsound(&drain(RelocationState::Succeeded, None), &there_and_back).unwrap().contains("is running"));
        assert!(unsound(&drain(RelocationState::Failed, None), &[]).unwrap().contains("no reason"));
        assert_eq!(unsound(&drain(RelocationState::Failed, Some("why")), &twice[..1]), None);
    }
}
