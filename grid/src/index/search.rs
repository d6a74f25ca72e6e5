//! The search: down the tree, the most promising child first, and past all that can't be better than what was found.

use super::branch::{Block, Branch};
use super::lanes::{CHILDREN, ROWS, first};
use super::leaf::Leaf;
use super::marks::Marks;
use super::query::Query;
use super::row::{Choice, Row};
use super::rows::{Rows, Slot};
use super::stairs::{STEPS, step_of};
use super::summary::least_of_tie;
use super::tree::Tree;
use super::vector::Vector;
use crate::policy::{Extent, Policy, Whole, worth_of};

/// How many blocks a search looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    pub branches: u32,
    pub leaves: u32,
}

/// What a choice is worth: the cost, how busy the node is, its id. Smaller is better.
type Rank = (u64, u16, u128);

const NONE: Rank = (u64::MAX, u16::MAX, u128::MAX);

pub(super) struct Search<'a> {
    rows: &'a Rows,
    query: &'a Query,
    marks: Marks,
    plain: bool,
    /// The cost of the best so far, and its slot.
    cost: u64,
    best: Option<Slot>,
    pub(super) effort: Effort,
}

impl<'a> Search<'a> {
    pub(super) fn new(rows: &'a Rows, query: &'a Query) -> Self {
        let (marks, plain) = (query.marks(), query.is_plain());
        Self { rows, query, marks, plain, cost: u64::MAX, best: None, effort: Effort::default() }
    }

    pub(super) fn run(&mut self, tree: &Tree) -> Option<Choice> {
        if let Some(root) = &tree.root {
            self.look(&root.block);
        }
        let row = self.rows.get(self.best?)?;
        Some(Choice { cost: self.cost, measured_bp: row.measured_bp, node: row.id })
    }

    fn look(&mut self, block: &Block) {
        match block {
            Block::Leaf(leaf) => self.look_at_rows(leaf),
            Block::Branch(branch) => self.look_at_children(branch),
        }
    }

    fn look_at_rows(&mut self, leaf: &Leaf) {
        self.effort.leaves += 1;
        let mut costs = [u64::MAX; ROWS];
        let (mut left, mut open) = (leaf.free.covering(self.query.asked), 0_u32);
        while left != 0 {
            let position = first(left);
            left &= left - 1;
            if !self.plain && !Marks::of(leaf.mark.get(position)).meet(self.marks) {
                continue;
            }
            let free_after = leaf.free.get(position).minus(self.query.asked);
            let cost = self.query.policy.cost(self.usable(leaf.slot.get(position)), free_after);
            costs[position % ROWS] = cost;
            open |= u32::from(cost <= self.cost) << position;
        }
        // The cheapest first: where the rest of a row stands is looked at only where it decides.
        while open != 0 {
            let position = cheapest(&costs, open);
            open &= !(1 << position);
            let (slot, cost) = (leaf.slot.get(position), costs[position % ROWS]);
            if cost > self.cost {
                return;
            }
            if !self.plain && !self.admits(slot) {
                continue;
            }
            if cost < self.cost || self.rank(slot) < self.best.map_or(NONE, |best| self.rank(best)) {
                (self.cost, self.best) = (cost, Some(slot));
            }
        }
    }

    /// What the node has, where the policy asks for it.
    fn usable(&self, slot: Slot) -> Whole {
        match self.query.policy {
            Policy::Pack | Policy::Spread | Policy::Balanced => Whole::default(),
            Policy::Tight => self.rows.get(slot).map_or(Whole::default(), |row| row.usable),
        }
    }

    fn admits(&self, slot: Slot) -> bool {
        let admits = |row: &Row| self.query.admits(row.id, row.region, row.domain, row.class);
        self.rows.get(slot).is_some_and(admits)
    }

    /// Where a row stands among those of the lowest cost so far.
    fn rank(&self, slot: Slot) -> Rank {
        self.rows.get(slot).map_or(NONE, |row| (self.cost, row.measured_bp, row.id.0.as_u128()))
    }

    fn look_at_children(&mut self, branch: &Branch) {
        self.effort.branches += 1;
        let mut open = self.open(branch);
        let bounds = bounds(self.query, branch, open);
        while open != 0 {
            let (position, bound) = least(branch, &bounds, open);
            if bound.0 > self.cost || bound.0 == self.cost && bound >= self.best.map_or(NONE, |best| self.rank(best)) {
                return;
            }
            open &= !(1 << position);
            if let Some(child) = branch.children.get(position) {
                self.look(child);
            }
        }
    }

    /// The children (a bit each) that may hold a node that can take it.
    fn open(&self, branch: &Branch) -> u32 {
        let open = branch.summaries.free_high.covering(self.query.asked);
        if self.plain { open } else { open & branch.summaries.meeting(self.marks) }
    }
}

/// The open position of the lowest cost.
fn cheapest(costs: &[u64; ROWS], mut open: u32) -> usize {
    let mut cheapest = first(open);
    while open != 0 {
        let position = first(open);
        open &= open - 1;
        if costs[position % ROWS] < costs[cheapest % ROWS] {
            cheapest = position;
        }
    }
    cheapest
}

/// Of these children, the one that may hold the best choice, and how good that may be at most.
fn least(branch: &Branch, bounds: &[u64; CHILDREN], mut open: u32) -> (usize, Rank) {
    let mut least = (0, NONE);
    while open != 0 {
        let position = first(open);
        open &= open - 1;
        let cost = bounds[position % CHILDREN];
        if cost > least.1.0 {
            continue;
        }
        let (measured_low, id_low) = least_of_tie(branch.summaries.tie_low.get(position));
        let bound = (cost, measured_low, id_low);
        if bound < least.1 {
            least = (position, bound);
        }
    }
    least
}

/// What a choice in each of these children costs at least.
fn bounds(query: &Query, branch: &Branch, open: u32) -> [u64; CHILDREN] {
    // A loop of its own for each policy.
    match query.policy {
        Policy::Pack => bounds_by(query.asked, branch, open, |extent| Policy::Pack.bound(extent)),
        Policy::Spread => bounds_by(query.asked, branch, open, |extent| Policy::Spread.bound(extent)),
        Policy::Tight => bounds_by(query.asked, branch, open, |extent| Policy::Tight.bound(extent)),
        Policy::Balanced => bounds_by(query.asked, branch, open, |extent| Policy::Balanced.bound(extent)),
    }
}

#[inline]
fn bounds_by(asked: Vector, branch: &Branch, mut open: u32, bound: impl Fn(&Extent) -> u64) -> [u64; CHILDREN] {
    let mut bounds = [u64::MAX; CHILDREN];
    let summaries = &branch.summaries;
    let worth_asked = worth_of(asked);
    let worth_low = step_of(asked).map(|step| &summaries.worth_low[step % STEPS]);
    while open != 0 {
        let position = first(open);
        open &= open - 1;
        let rest = &summaries.rest.0[position % CHILDREN];
        bounds[position % CHILDREN] = bound(&Extent {
            usable_low: rest.usable_low,
            usable_high: rest.usable_high,
            free_low: rest.free_low.minus(asked),
            free_high: summaries.free_high.get(position).minus(asked),
            worth_low: worth_low.map_or(0, |lane| u64::from(lane.get(position)).saturating_sub(worth_asked)),
            worth_high: rest.worth_high.saturating_sub(worth_asked),
        });
    }
    bounds
}
