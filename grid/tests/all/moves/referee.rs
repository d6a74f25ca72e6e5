//! Carries moves out one by one and fails the test where one isn't allowed. It knows nothing of how they were found.

use grid::moves::{Layout, Manner, Move};
use grid::placement::Rule;
use grid::{Resources, VmId};
use std::collections::BTreeSet;

/// All VMs stay at their sizes.
pub(crate) fn carry_out(start: &Layout, moves: &[Move]) -> Layout {
    carry_out_with(start, moves, None)
}

/// One VM arrives at another size.
pub(super) fn carry_out_with(start: &Layout, moves: &[Move], resized: Option<(VmId, Resources)>) -> Layout {
    let mut now = start.clone();
    for each in moves {
        let vm = now.guests.iter().position(|guest| guest.id == each.vm).unwrap();
        let to = now.sites.iter().position(|site| site.id == each.to).unwrap();
        check(&now, each, vm, to);
        let old = now.guests[vm].takes;
        let new = resized.filter(|(id, _)| *id == each.vm).map_or(old, |(_, size)| size);
        let from = now.guests[vm].home as usize;
        let there = &mut now.sites[to];
        assert!(there.usable.minus(there.taken).covers(&new.larger(old)), "no room while both ends count");
        there.taken = there.taken.plus(new);
        now.sites[from].taken = now.sites[from].taken.minus(old);
        now.guests[vm].home = u32::try_from(to).unwrap();
        now.guests[vm].takes = new;
    }
    now
}

fn check(now: &Layout, each: &Move, vm: usize, to: usize) {
    let guest = &now.guests[vm];
    let (here, there) = (&now.sites[guest.home as usize], &now.sites[to]);
    assert_eq!(here.id, each.from);
    assert_ne!(here.id, there.id);
    assert!(guest.movable, "an opted-out VM was moved");
    assert!(here.answers && there.ready);
    assert_eq!((here.kind, here.region), (there.kind, there.region));
    assert!(guest.domain.is_none_or(|domain| domain == there.domain), "it left the failure domain that it asked for");
    let passes =
        here.compatibility == there.compatibility || now.passes.contains(&(here.compatibility, there.compatibility));
    if each.manner == Manner::Live {
        assert!(guest.running && here.kind.moves_live() && passes);
    }
    assert_eq!(each.manner == Manner::Stopped, !guest.running);
    // While it moves it is at both ends.
    let (before, during) = (broken(now, None), broken(now, Some((vm, to))));
    assert!(during.is_subset(&before), "two of a group meet: {during:?}, before {before:?}");
    assert!(goes_with_groups(now, vm, to), "a group keeps it away");
}

/// The pairs of VMs that are in one place though their group keeps them apart; `visitor` is at a second node, too. With
/// held places, a VM and none.
fn broken(now: &Layout, visitor: Option<(usize, usize)>) -> BTreeSet<(usize, usize, Option<usize>)> {
    let mut at: Vec<(usize, usize)> = now.guests.iter().map(|guest| guest.home as usize).enumerate().collect();
    at.extend(visitor);
    let mut broken = BTreeSet::new();
    for (number, group) in now.groups.iter().enumerate() {
        let place = |site: usize| match group.rule {
            Rule::ApartByNode => Some(u32::try_from(site).unwrap()),
            Rule::ApartByFailureDomain => Some(now.sites[site].domain),
            Rule::TogetherOnNode | Rule::TogetherInFailureDomain => None,
        };
        let belongs = |vm: usize| now.guests[vm].groups.iter().any(|each| *each as usize == number);
        for &(vm, site) in at.iter().filter(|(vm, _)| belongs(*vm)) {
            let Some(here) = place(site) else { continue };
            broken.extend(group.held.contains(&here).then_some((number, vm, None)));
            let meets = at.iter().filter(|&&(other, there)| other > vm && belongs(other) && place(there) == Some(here));
            broken.extend(meets.map(|&(other, _)| (number, vm, Some(other))));
        }
    }
    broken
}

/// Whether its groups let the VM go there: none of a group that is kept apart is in that place, all that there are of
/// one that stays together are not elsewhere.
fn goes_with_groups(now: &Layout, vm: usize, to: usize) -> bool {
    now.guests[vm].groups.iter().map(|&number| (number, &now.groups[number as usize])).all(|(number, group)| {
        let by_node = matches!(group.rule, Rule::ApartByNode | Rule::TogetherOnNode);
        let there = if by_node { u32::try_from(to).unwrap() } else { now.sites[to].domain };
        let others = now.guests.iter().enumerate().filter(|(at, other)| *at != vm && other.groups.contains(&number));
        let homes = others.map(|(_, other)| if by_node { other.home } else { now.sites[other.home as usize].domain });
        let occupied: BTreeSet<u32> = homes.chain(group.held.iter().copied()).collect();
        match group.rule {
            Rule::ApartByNode | Rule::ApartByFailureDomain => !occupied.contains(&there),
            Rule::TogetherOnNode | Rule::TogetherInFailureDomain => occupied.is_empty() || occupied.contains(&there),
        }
    })
}

/// Whether a VM of these groups that is nowhere yet could be put there.
pub(super) fn admits_new(now: &Layout, groups: &[u32], to: usize) -> bool {
    let mut with = now.clone();
    let mut new = super::layouts::guest(0xffff, 0, Resources::ZERO);
    new.groups = groups.to_vec();
    // It comes from a node by itself.
    with.sites.push(super::layouts::site(0xffff, now.sites[to].kind, Resources::ZERO));
    new.home = u32::try_from(with.sites.len() - 1).unwrap();
    with.guests.push(new);
    admits(&with, with.guests.len() - 1, to)
}

/// Whether a VM's groups let it go there now.
pub(super) fn admits(now: &Layout, vm: usize, to: usize) -> bool {
    broken(now, Some((vm, to))).is_subset(&broken(now, None)) && goes_with_groups(now, vm, to)
}
