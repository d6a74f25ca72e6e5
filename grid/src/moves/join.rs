//! One move instead of two: where a plan moves a VM and later moves it on, it goes straight there if it can.

use super::groups::Members;
use super::{Cost, Layout, Manner, Move};

/// The same plan, with the same end, in which no VM moves twice where it could go straight, in place of its first or of
/// its second move, with all moves legal and at a lower cost.
pub(super) fn join(start: &Layout, mut moves: Vec<Move>) -> Vec<Move> {
    let members = Members::of(start);
    while let Some(better) = joined_once(start, &members, &moves) {
        moves = better;
    }
    moves
}

fn joined_once(start: &Layout, members: &Members, moves: &[Move]) -> Option<Vec<Move>> {
    moves.iter().enumerate().find_map(|(at, first)| {
        let (later, second) =
            moves.iter().enumerate().skip(at.saturating_add(1)).find(|(_, each)| each.vm == first.vm)?;
        let straight = Move { to: second.to, ..*first };
        [at, later].into_iter().find_map(|place| {
            let kept = moves.iter().enumerate().filter(|&(other, _)| other == place || (other != at && other != later));
            let plan = kept.map(|(other, each)| if other == place { straight } else { *each });
            let plan = carried(start, members, plan.filter(|each| each.from != each.to))?;
            (Cost::sum(&plan) < Cost::sum(moves)).then_some(plan)
        })
    })
}

/// The plan with each move as it is when its turn comes; none where one is not legal, or interrupts.
fn carried(start: &Layout, members: &Members, moves: impl Iterator<Item = Move>) -> Option<Vec<Move>> {
    let mut now = start.clone();
    let mut plan = Vec::new();
    for each in moves {
        let (vm, to) = now.find_guest(each.vm).zip(now.find_site(each.to))?;
        let guest = now.guest(vm)?;
        let fits = now.site(to)?.free().covers(&guest.takes);
        let legal = fits && now.kept_away_now(members, &guest.groups, Some(vm), to).is_none();
        plan.push(now.describe(guest, to).filter(|each| legal && each.manner != Manner::Cold)?);
        now.carry(vm, to);
    }
    Some(plan)
}
