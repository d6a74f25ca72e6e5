//! The search behind make-room: backwards, from the node that shall take the VM.
//!
//! The VM is put there at once. While a node holds more than it can, one of its VMs has to leave, to any node that may
//! take it; that node may then hold too much itself. Every cheapest plan that moves no VM twice is reached in this
//! way: a move from a node that takes nothing in could be left out. Where no order of the chosen moves is legal, further
//! VMs leave one of the nodes that take something in.

use super::order::order;
use super::{Cost, Layout};
use crate::{Resource, Resources};
use std::collections::BTreeSet;

/// One node asked to take in `need`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) site: u32,
    pub(super) need: Resources,
    /// The group of the VM that asks.
    pub(super) apart: Option<u32>,
    /// What the asking VM's own move costs, where it moves.
    pub(super) own: Cost,
}

/// A search for one target with at most so many moves.
pub(super) struct Search<'a> {
    layout: &'a Layout,
    residents: &'a [Vec<u32>],
    /// Never moved: the VM that asks.
    asking: Option<u32>,
    target: Target,
    most: usize,
    /// Pairs of a VM and a node that may still be looked at.
    pub(super) work: u64,
    /// Whether the search was cut off.
    pub(super) cut: bool,
    /// The cheapest so far, and what it costs with the asking VM's own move.
    pub(super) best: Option<Vec<(u32, u32)>>,
    pub(super) limit: Cost,
    chosen: Vec<(u32, u32)>,
    seen: BTreeSet<Vec<(u32, u32)>>,
}

/// A VM that could leave, and where to.
struct Child {
    pair: (u32, u32),
    cost: Cost,
    overfills: bool,
    /// How much of its scarcest resource the destination has used up, in thousandths: rests stay usable where it is little.
    used: u64,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        layout: &'a Layout,
        residents: &'a [Vec<u32>],
        asking: Option<u32>,
        target: Target,
        most: usize,
        work: u64,
        limit: Cost,
    ) -> Self {
        let (chosen, seen) = (Vec::new(), BTreeSet::new());
        Self { layout, residents, asking, target, most, work, cut: false, best: None, limit, chosen, seen }
    }

    /// Looks for moves that cost less than the limit.
    pub(super) fn run(&mut self) {
        self.step(self.target.own);
    }

    fn step(&mut self, cost: Cost) {
        let overfull = self.overfull();
        let Some(&first) = overfull.first() else {
            return self.finish(cost);
        };
        if self.chosen.len().saturating_add(overfull.len()) > self.most {
            return;
        }
        let lacks = self.lack(first);
        let ends = self.chosen.len().saturating_add(1) == self.most;
        self.branch(cost, &[first], if ends { lacks } else { Resources::ZERO }, ends);
    }

    /// Nothing holds too much any more: a plan, if the moves can be put in order.
    fn finish(&mut self, cost: Cost) {
        if cost >= self.limit {
            return;
        }
        if let Some(ordered) = order(self.layout, &self.chosen) {
            self.best = Some(ordered);
            self.limit = cost;
        } else if self.chosen.len() < self.most {
            let sites: BTreeSet<u32> = self.chosen.iter().map(|&(_, to)| to).chain([self.target.site]).collect();
            let sites: Vec<u32> = sites.into_iter().collect();
            self.branch(cost, &sites, Resources::ZERO, false);
        }
    }

    /// Lets each VM of these nodes leave that takes at least `least`, to each node that may take it.
    fn branch(&mut self, cost: Cost, sites: &[u32], least: Resources, ends: bool) {
        let mut children = Vec::new();
        for &site in sites {
            for &guest in self.residents_of(site) {
                if !self.children_of(guest, cost, least, ends, &mut children) {
                    return;
                }
            }
        }
        children.sort_by_key(|each| (each.overfills, each.cost, each.used, each.pair));
        for child in children {
            let total = cost.plus(child.cost);
            if total >= self.limit {
                continue;
            }
            self.chosen.push(child.pair);
            let mut key = self.chosen.clone();
            key.sort_unstable();
            if self.seen.insert(key) {
                self.step(total);
            }
            self.chosen.pop();
            if self.cut {
                return;
            }
        }
    }

    /// False when the work is used up.
    fn children_of(
        &mut self,
        position: u32,
        cost: Cost,
        least: Resources,
        ends: bool,
        children: &mut Vec<Child>,
    ) -> bool {
        let Some(guest) = self.layout.guest(position) else { return true };
        let gone = Some(position) == self.asking || self.chosen.iter().any(|&(other, _)| other == position);
        if !guest.movable || gone || !guest.takes.covers(&least) {
            return true;
        }
        for to in (0_u32..).take(self.layout.sites.len()) {
            let Some(left) = self.work.checked_sub(1) else {
                self.cut = true;
                return false;
            };
            self.work = left;
            let Some((manner, bytes)) = self.layout.way(guest, to) else { continue };
            let more = Cost::of(manner, bytes);
            let Some(site) = self.layout.site(to) else { continue };
            // No amount of moving makes room on a node that is too small.
            if cost.plus(more) >= self.limit || !site.usable.covers(&guest.takes) || self.meets(position, to) {
                continue;
            }
            let overfills = self.lack_with(to, guest.takes) != Resources::ZERO;
            if ends && overfills {
                continue;
            }
            let free = site.usable.minus(self.net(to).plus(guest.takes));
            children.push(Child {
                pair: (position, to),
                cost: more,
                overfills,
                used: used_permille(free, site.usable),
            });
        }
        true
    }

    fn residents_of(&self, site: u32) -> &'a [u32] {
        let at = usize::try_from(site).unwrap_or(usize::MAX);
        self.residents.get(at).map_or(&[], Vec::as_slice)
    }

    /// Groups are kept apart from all who are there before or after, the VM that asks among them.
    fn meets(&self, position: u32, to: u32) -> bool {
        let Some(guest) = self.layout.guest(position) else { return true };
        let asks = to == self.target.site && self.target.apart == guest.apart;
        let arrives = |&(other, there): &(u32, u32)| {
            there == to && self.layout.guest(other).is_some_and(|each| each.apart == guest.apart)
        };
        guest.apart.is_some()
            && (asks || self.layout.meets(guest.apart, to, guest.id) || self.chosen.iter().any(arrives))
    }

    /// What comes in to a node by the chosen moves and the request.
    fn inbound(&self, site: u32) -> Resources {
        let arrive = self.chosen.iter().filter(|&&(_, to)| to == site);
        let own = if site == self.target.site { self.target.need } else { Resources::ZERO };
        arrive.filter_map(|&(guest, _)| self.layout.guest(guest)).fold(own, |sum, each| sum.plus(each.takes))
    }

    /// What is taken at a node once all is done.
    fn net(&self, site: u32) -> Resources {
        let taken = self.layout.site(site).map_or(Resources::ZERO, |each| each.taken);
        let leave = self.chosen.iter().filter_map(|&(guest, _)| self.layout.guest(guest));
        let out = leave.filter(|each| each.home == site).fold(Resources::ZERO, |sum, each| sum.plus(each.takes));
        taken.plus(self.inbound(site)).minus(out)
    }

    fn lack(&self, site: u32) -> Resources {
        self.lack_with(site, Resources::ZERO)
    }

    /// How much too much a node holds with this in addition; only of resources of which something comes in.
    fn lack_with(&self, site: u32, more: Resources) -> Resources {
        let usable = self.layout.site(site).map_or(Resources::ZERO, |each| each.usable);
        let over = self.net(site).plus(more).minus(usable);
        self.inbound(site).plus(more).zip(over, |comes, over| if comes > 0 { over } else { 0 })
    }

    /// The nodes that hold too much; the one that overflowed first comes first.
    fn overfull(&self) -> Vec<u32> {
        let mut sites = vec![self.target.site];
        for &(_, to) in &self.chosen {
            if !sites.contains(&to) {
                sites.push(to);
            }
        }
        sites.retain(|&site| self.lack(site) != Resources::ZERO);
        sites
    }
}

fn used_permille(free: Resources, usable: Resources) -> u64 {
    let shares = Resource::ALL.map(|resource| {
        let share = u128::from(free.get(resource)) * 1000 / u128::from(usable.get(resource).max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    });
    1000_u64.saturating_sub(shares.into_iter().min().unwrap_or(0))
}
