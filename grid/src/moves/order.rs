//! In which order chosen moves can be carried out, each finished before the next begins.

use super::Layout;
use super::groups::Members;
use crate::Resources;
use std::collections::BTreeMap;

/// The VM that asks, arriving when all others have moved. A new one has no position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) vm: Option<u32>,
    pub(super) groups: &'a [u32],
    pub(super) to: u32,
}

/// An order in which every destination has room when its VM arrives and no group keeps it away, live moves as early as
/// can be. None where there is none. All orders are tried, so the caller keeps the number of moves small.
pub(super) fn order(
    layout: &Layout,
    members: &Members,
    chosen: &[(u32, u32)],
    arrival: Option<Arrival<'_>>,
) -> Option<Vec<(u32, u32)>> {
    let mut left: Vec<(u32, u32)> = chosen.to_vec();
    left.sort_by_key(|&(vm, to)| {
        (layout.guest(vm).and_then(|each| layout.way(each, to)).map(|(manner, _)| manner), vm, to)
    });
    let mut trial = Trial { layout, members, taken: BTreeMap::new(), done: Vec::with_capacity(left.len()) };
    // Where all are gone does not depend on the order: it is asked once.
    let homes = |vm: u32| chosen.iter().find(|&&(other, _)| other == vm).map(|&(_, to)| to);
    let home = |vm: u32| homes(vm).or_else(|| layout.guest(vm).map(|each| each.home));
    let welcome = arrival.is_none_or(|own| layout.kept_away(members, own.groups, own.vm, own.to, home).is_none());
    (welcome && trial.extend(&left)).then_some(trial.done)
}

struct Trial<'a> {
    layout: &'a Layout,
    members: &'a Members,
    /// What is taken at the sites that moves have touched.
    taken: BTreeMap<u32, Resources>,
    done: Vec<(u32, u32)>,
}

impl Trial<'_> {
    fn extend(&mut self, left: &[(u32, u32)]) -> bool {
        if left.is_empty() {
            return true;
        }
        for (at, &(vm, to)) in left.iter().enumerate() {
            let Some((guest, site)) = self.layout.guest(vm).zip(self.layout.site(to)) else { return false };
            let (there, here) = (self.taken_at(to), self.taken_at(guest.home));
            if !site.usable.minus(there).covers(&guest.takes) || self.is_kept_away(vm, to) {
                continue;
            }
            self.taken.insert(to, there.plus(guest.takes));
            self.taken.insert(guest.home, here.minus(guest.takes));
            self.done.push((vm, to));
            let rest = left.iter().enumerate().filter(|&(other, _)| other != at);
            let rest: Vec<(u32, u32)> = rest.map(|(_, &each)| each).collect();
            if self.extend(&rest) {
                return true;
            }
            self.done.pop();
            self.taken.extend([(to, there), (guest.home, here)]);
        }
        false
    }

    fn taken_at(&self, site: u32) -> Resources {
        self.taken.get(&site).copied().or_else(|| self.layout.site(site).map(|each| each.taken)).unwrap_or_default()
    }

    fn is_kept_away(&self, vm: u32, to: u32) -> bool {
        let Some(guest) = self.layout.guest(vm).filter(|each| !each.groups.is_empty()) else { return false };
        let moved = |other: u32| self.done.iter().find(|&&(each, _)| each == other).map(|&(_, to)| to);
        let home = |other: u32| moved(other).or_else(|| self.layout.guest(other).map(|each| each.home));
        self.layout.kept_away(self.members, &guest.groups, Some(vm), to, home).is_some()
    }
}
