//! The search behind make-room: backwards, from the node that shall take the VM.
//!
//! The VM is put there at once. While a node holds more than it can, one of its VMs has to leave, to any node that may
//! take it; that node may then hold too much itself. In the same way a VM has to leave where one arrives that its group
//! keeps apart from it. Every cheapest plan that moves no VM twice is reached in this way: all moves could be left out
//! that neither leave a node that takes something in, nor leave a place where another of their group arrives, nor
//! arrive where another of their group may only follow. So where no order of the chosen moves is legal, one of these
//! is added. Of VMs that are alike on one node only the first is tried.

mod children;
mod state;

pub(super) use state::used_permille;

use super::ground::{Ground, Residents, bytes_a_unit};
use super::order::{Arrival, order};
use super::{Cost, Layout};
use crate::{Resource, Resources};
use children::Leaving;
use std::collections::BTreeSet;
use std::rc::Rc;

/// One node asked to take in `need`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) site: u32,
    pub(super) need: Resources,
    /// Whether the VM that asks arrives there; else it is there already.
    pub(super) arrives: bool,
    /// What the asking VM's own move costs, where it moves.
    pub(super) own: Cost,
}

/// A search for the cheapest plan, target by target.
pub(super) struct Search<'a> {
    layout: &'a Layout,
    ground: &'a Ground,
    /// Never moved: the VM that asks.
    asking: Option<u32>,
    /// The groups of the VM that asks.
    groups: &'a [u32],
    target: Target,
    most: usize,
    /// Pairs of a VM and a node that may still be looked at.
    pub(super) work: u64,
    /// Whether the search of this target was cut off.
    pub(super) cut: bool,
    /// The cheapest so far, and what it costs with the asking VM's own move.
    pub(super) best: Option<(Target, Vec<(u32, u32)>)>,
    pub(super) limit: Cost,
    chosen: Vec<(u32, u32)>,
    /// What is taken at each site once all is done, and what of it comes in.
    net: Vec<Resources>,
    comes: Vec<Resources>,
    seen: BTreeSet<Vec<(u32, u32)>>,
    /// By site, once asked for.
    residents: Vec<Option<Rc<Residents>>>,
    /// Once there is a limit to undercut.
    bytes_a_unit: Option<Resources>,
}

impl<'a> Search<'a> {
    pub(super) fn new(layout: &'a Layout, ground: &'a Ground, asking: Option<u32>, groups: &'a [u32]) -> Self {
        let own = Cost::default();
        Self {
            layout,
            ground,
            asking,
            groups,
            target: Target { site: 0, need: Resources::ZERO, arrives: false, own },
            most: 0,
            work: 0,
            cut: false,
            best: None,
            limit: Cost::MAX,
            chosen: Vec::new(),
            net: layout.sites.iter().map(|site| site.taken).collect(),
            comes: vec![Resources::ZERO; layout.sites.len()],
            seen: BTreeSet::new(),
            residents: vec![None; layout.sites.len()],
            bytes_a_unit: None,
        }
    }

    /// Looks for at most so many moves of others, that cost less than the limit, for one target; tells the work done.
    pub(super) fn look(&mut self, target: Target, most: usize, work: u64) -> u64 {
        (self.target, self.most, self.work, self.cut) = (target, most, work, false);
        self.seen.clear();
        let kept = self.change(target.site, |net| net.plus(target.need), |comes| comes.plus(target.need));
        self.step(target.own);
        self.restore(kept);
        work.saturating_sub(self.work)
    }

    fn step(&mut self, cost: Cost) {
        let overfull = self.overfull();
        let left = u64::try_from(self.most.saturating_sub(self.chosen.len())).unwrap_or(u64::MAX);
        let leave: Vec<u64> = overfull.iter().map(|&(site, lack)| self.residents(site).must_leave(lack)).collect();
        let all = leave.iter().copied().fold(0, u64::saturating_add);
        if all > left || self.at_least(cost, &overfull) >= self.limit {
            return;
        }
        let Some(opposed) = self.opposed() else { return };
        if u64::try_from(opposed.len()).unwrap_or(u64::MAX) > left {
            return;
        }
        if let Some(&first) = opposed.first() {
            let follow = left.saturating_sub(1);
            self.branch(cost, Leaving { vms: &[first], lack: Resources::ZERO, follow });
        } else if let Some(&(site, lack)) = overfull.first() {
            let others = all.saturating_sub(leave.first().copied().unwrap_or(0));
            let follow = left.saturating_sub(1).saturating_sub(others);
            let residents = self.residents(site);
            self.branch(cost, Leaving { vms: &residents.vms, lack, follow });
        } else {
            self.finish(cost);
        }
    }

    /// The guests of a site, sorted when they are first asked for.
    fn residents(&mut self, site: u32) -> Rc<Residents> {
        let (ground, layout) = (self.ground, self.layout);
        let sorted = || Rc::new(ground.sorted(layout, site));
        match usize::try_from(site).ok().and_then(|at| self.residents.get_mut(at)) {
            Some(known) => Rc::clone(known.get_or_insert_with(sorted)),
            None => sorted(),
        }
    }

    /// No plan with these moves and more costs less.
    fn at_least(&mut self, cost: Cost, overfull: &[(u32, Resources)]) -> Cost {
        if self.limit == Cost::MAX {
            return cost;
        }
        let (layout, target) = (self.layout, self.target.site);
        let of_kind = || layout.site(target).map_or(Resources::ZERO, |site| bytes_a_unit(layout, site.kind));
        let a_unit = *self.bytes_a_unit.get_or_insert_with(of_kind);
        let lack = overfull.iter().fold(Resources::ZERO, |sum, (_, lack)| sum.plus(*lack));
        let bytes = lack.zip(a_unit, u64::saturating_mul);
        let bytes = Resource::ALL.map(|resource| bytes.get(resource)).into_iter().max().unwrap_or(0);
        let moves = u32::try_from(overfull.len()).unwrap_or(u32::MAX);
        cost.plus(Cost { interrupted: 0, bytes, moves })
    }

    /// Nothing holds too much any more: a plan, if the moves can be put in order.
    fn finish(&mut self, cost: Cost) {
        if cost >= self.limit {
            return;
        }
        let arrival =
            self.target.arrives.then_some(Arrival { vm: self.asking, groups: self.groups, to: self.target.site });
        if let Some(ordered) = order(self.layout, &self.ground.members, &self.chosen, arrival) {
            self.best = Some((self.target, ordered));
            self.limit = cost;
        } else if self.chosen.len() < self.most {
            let more = self.could_help();
            let left = u64::try_from(self.most.saturating_sub(self.chosen.len())).unwrap_or(u64::MAX);
            self.branch(cost, Leaving { vms: &more, lack: Resources::ZERO, follow: left.saturating_sub(1) });
        }
    }

    /// The VMs of which one has to move in any legal plan that has the chosen moves among its own.
    fn could_help(&self) -> Vec<u32> {
        let arrivals = || self.chosen.iter().map(|&(vm, to)| (self.groups_of(vm), to));
        let asks = self.target.arrives.then_some((self.groups, self.target.site));
        let sites = arrivals().map(|(_, to)| to).chain([self.target.site]);
        let mut more: BTreeSet<u32> = sites.flat_map(|site| self.ground.residents(site)).copied().collect();
        let groups = arrivals().chain(asks).flat_map(|(groups, _)| groups);
        more.extend(groups.flat_map(|&group| self.ground.members.of_group(group)));
        more.into_iter().collect()
    }

    /// Lets one of these VMs leave, to each node that may take it.
    fn branch(&mut self, cost: Cost, leaving: Leaving<'_>) {
        let Some(children) = self.children(cost, leaving) else {
            self.cut = true;
            return;
        };
        for child in children {
            let total = cost.plus(child.cost);
            if total >= self.limit {
                continue;
            }
            let kept = self.choose(child.pair);
            if self.chosen.len() == self.most || self.is_new() {
                self.step(total);
            }
            self.take_back(kept);
            if self.cut {
                return;
            }
        }
    }

    /// Whether these moves are seen for the first time, in whatever order.
    fn is_new(&mut self) -> bool {
        if self.chosen.len() < 2 {
            return true;
        }
        let mut key = self.chosen.clone();
        key.sort_unstable();
        self.seen.insert(key)
    }
}
