//! The moves that could be chosen next, the most promising first.

use super::Search;
use super::state::used_permille;
use crate::Resources;
use crate::moves::ground::likeness;
use crate::moves::{Cost, Guest};

/// A VM that could leave, and where to.
pub(super) struct Child {
    pub(super) pair: (u32, u32),
    pub(super) cost: Cost,
    overfills: bool,
    /// How much of its scarcest resource the destination has used up: rests stay usable where it is little.
    used: u64,
}

/// Who may leave.
#[derive(Clone, Copy)]
pub(super) struct Leaving<'a> {
    pub(super) vms: &'a [u32],
    /// How much too much their node holds, where all of them are of one node and one of them has to leave for that.
    pub(super) lack: Resources,
    /// How many moves may follow that don't serve other nodes.
    pub(super) follow: u64,
}

impl Search<'_> {
    /// None when the work is used up.
    pub(super) fn children(&mut self, cost: Cost, leaving: Leaving<'_>) -> Option<Vec<Child>> {
        let layout = self.layout;
        let mut children = Vec::new();
        let mut before: Option<&Guest> = None;
        for &vm in leaving.vms {
            let Some(guest) = layout.guest(vm) else { continue };
            if !guest.movable || Some(vm) == self.asking || self.is_chosen(vm) {
                continue;
            }
            let alike = before.is_some_and(|before| {
                before.home == guest.home && guest.groups.is_empty() && likeness(before) == likeness(guest)
            });
            before = Some(guest);
            // What the node still holds too much of once it has left, further VMs have to take away.
            let rest = leaving.lack.minus(guest.takes);
            let still = if rest == Resources::ZERO { 0 } else { self.residents(guest.home).must_leave(rest) };
            if let Some(spare) = leaving.follow.checked_sub(still).filter(|_| !alike) {
                self.ways_out(vm, guest, cost, spare, &mut children)?;
            }
        }
        children.sort_by_key(|each| (each.overfills, each.cost, each.used, each.pair));
        Some(children)
    }

    /// All nodes that a VM could go to, where at most `spare` others have to leave for it.
    fn ways_out(&mut self, vm: u32, guest: &Guest, cost: Cost, spare: u64, children: &mut Vec<Child>) -> Option<()> {
        let Some(pool) = self.ground.pool(guest.home) else { return Some(()) };
        // The first move of all between these nodes needs one that has room now.
        if pool.open.is_empty() {
            return Some(());
        }
        if spare > 0 {
            return pool.takers.iter().try_for_each(|&to| self.way_out(vm, to, cost, spare, children));
        }
        // Where nobody follows it fits now, or where a chosen move leaves.
        let layout = self.layout;
        let holds =
            |&&to: &&u32| layout.site(to).is_some_and(|site| site.free().memory_mib() >= guest.takes.memory_mib());
        pool.open.iter().take_while(holds).try_for_each(|&to| self.way_out(vm, to, cost, spare, children))?;
        let mut left: Vec<u32> = self.chosen.iter().filter_map(|&(vm, _)| Some(layout.guest(vm)?.home)).collect();
        left.sort_unstable();
        left.dedup();
        left.retain(|to| pool.takers.contains(to) && !pool.open.iter().take_while(holds).any(|open| open == to));
        left.into_iter().try_for_each(|to| self.way_out(vm, to, cost, spare, children))
    }

    fn way_out(&mut self, vm: u32, to: u32, cost: Cost, spare: u64, children: &mut Vec<Child>) -> Option<()> {
        self.work = self.work.checked_sub(1)?;
        children.extend(self.child(vm, to, cost, spare));
        Some(())
    }

    fn child(&mut self, vm: u32, to: u32, cost: Cost, spare: u64) -> Option<Child> {
        let (guest, site) = self.layout.guest(vm).zip(self.layout.site(to))?;
        let lack = self.lack_with(to, guest.takes);
        let overfills = lack != Resources::ZERO;
        // No amount of moving makes room on a node that is too small.
        if overfills && (spare == 0 || !site.usable.covers(&guest.takes) || !self.can_leave(to, lack, spare)) {
            return None;
        }
        let (manner, bytes) = self.layout.way(guest, to)?;
        let more = Cost::of(manner, bytes);
        if cost.plus(more) >= self.limit || !site.usable.covers(&guest.takes) || self.never_admits(vm, to) {
            return None;
        }
        let free = site.usable.minus(self.net_of(to).plus(guest.takes));
        Some(Child { pair: (vm, to), cost: more, overfills, used: used_permille(free, site.usable) })
    }

    /// Whether no more than so many VMs, besides those that have to leave the node anyway, have to leave it for this
    /// lack.
    fn can_leave(&mut self, site: u32, lack: Resources, spare: u64) -> bool {
        let anyway = self.lack_with(site, Resources::ZERO);
        let residents = self.residents(site);
        residents.must_leave(lack).saturating_sub(residents.must_leave(anyway)) <= spare
    }
}
