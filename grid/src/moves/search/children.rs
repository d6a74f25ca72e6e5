//! The moves that could be chosen next, the most promising first.

use super::Search;
use super::state::used_permille;
use crate::Resources;
use crate::moves::ground::likeness;
use crate::moves::{Cost, Site};

/// A VM that could leave, and where to.
pub(super) struct Child {
    pub(super) pair: (u32, u32),
    pub(super) cost: Cost,
    overfills: bool,
    /// How much of its scarcest resource the destination has used up: rests stay usable where it is little.
    used: u64,
}

/// What is asked of the VMs that leave.
#[derive(Clone, Copy)]
struct Asked {
    cost: Cost,
    ends: bool,
}

impl Search<'_> {
    /// None when the work is used up.
    pub(super) fn children(&mut self, cost: Cost, vms: &[u32], least: Resources, ends: bool) -> Option<Vec<Child>> {
        let mut children = Vec::new();
        let mut before: Option<u32> = None;
        for &vm in vms {
            let Some(guest) = self.layout.guest(vm) else { continue };
            let stays = Some(vm) == self.asking || self.is_chosen(vm);
            if !guest.movable || stays || !guest.takes.covers(&least) {
                continue;
            }
            let alike = before.and_then(|before| self.layout.guest(before)).is_some_and(|before| {
                before.home == guest.home && guest.groups.is_empty() && likeness(before) == likeness(guest)
            });
            before = Some(vm);
            if !alike {
                self.ways_out(vm, Asked { cost, ends }, &mut children)?;
            }
        }
        children.sort_by_key(|each| (each.overfills, each.cost, each.used, each.pair));
        Some(children)
    }

    /// All nodes that a VM could go to.
    fn ways_out(&mut self, vm: u32, asked: Asked, children: &mut Vec<Child>) -> Option<()> {
        let Some(guest) = self.layout.guest(vm) else { return Some(()) };
        let Some(pool) = self.ground.pool(guest.home) else { return Some(()) };
        for (rank, &to) in pool.takers.iter().enumerate() {
            // Those that follow have less free memory, but for the nodes that chosen moves have touched.
            let base = self.layout.site(to).map_or(Resources::ZERO, Site::free);
            if asked.ends && base.memory_mib < guest.takes.memory_mib {
                let rest = pool.takers.get(rank..).unwrap_or_default();
                let touched: Vec<u32> = rest.iter().copied().filter(|&site| self.is_left(site)).collect();
                for to in touched {
                    self.work = self.work.checked_sub(1)?;
                    children.extend(self.child(vm, to, asked));
                }
                return Some(());
            }
            self.work = self.work.checked_sub(1)?;
            children.extend(self.child(vm, to, asked));
        }
        Some(())
    }

    /// Whether a chosen move leaves the node.
    fn is_left(&self, site: u32) -> bool {
        self.chosen.iter().any(|&(vm, _)| self.layout.guest(vm).is_some_and(|each| each.home == site))
    }

    fn child(&self, vm: u32, to: u32, asked: Asked) -> Option<Child> {
        let (guest, site) = self.layout.guest(vm).zip(self.layout.site(to))?;
        let overfills = self.lack_with(to, guest.takes) != Resources::ZERO;
        if asked.ends && overfills {
            return None;
        }
        let (manner, bytes) = self.layout.way(guest, to)?;
        let cost = Cost::of(manner, bytes);
        // No amount of moving makes room on a node that is too small.
        if asked.cost.plus(cost) >= self.limit || !site.usable.covers(&guest.takes) || self.never_admits(vm, to) {
            return None;
        }
        let free = site.usable.minus(self.net_of(to).plus(guest.takes));
        Some(Child { pair: (vm, to), cost, overfills, used: used_permille(free, site.usable) })
    }
}
