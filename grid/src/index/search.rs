//! The search: down the tree, the most promising child first, and past all that can't be better than what was found.

use super::branch::{Block, Branch};
use super::lanes::{CHILDREN, NO_ID, first, sharing};
use super::leaf::Leaf;
use super::names::{ClassNumber, DomainNumber, RegionNumber};
use super::query::{Masks, Query};
use super::row::Choice;
use super::tree::Tree;
use super::vector::Vector;
use crate::NodeId;
use crate::policy::{Extent, Policy, worth_of};
use uuid::Uuid;

/// How many blocks a search looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    pub branches: u32,
    pub leaves: u32,
}

/// What a choice is worth: the cost, how busy the node is, its id. Smaller is better.
type Rank = (u64, u32, u128);

const NONE: Rank = (u64::MAX, u32::MAX, NO_ID);

pub(super) struct Search<'a> {
    query: &'a Query,
    masks: Masks,
    plain: bool,
    best: Rank,
    pub(super) effort: Effort,
}

impl<'a> Search<'a> {
    pub(super) fn new(query: &'a Query) -> Self {
        Self { query, masks: query.masks(), plain: query.is_plain(), best: NONE, effort: Effort::default() }
    }

    pub(super) fn run(&mut self, tree: &Tree) -> Option<Choice> {
        if let Some(root) = &tree.root {
            self.look(root);
        }
        let (cost, measured_ppm, id) = self.best;
        (self.best != NONE).then_some(Choice { cost, measured_ppm, node: NodeId(Uuid::from_u128(id)) })
    }

    fn look(&mut self, block: &Block) {
        match block {
            Block::Leaf(leaf) => self.look_at_rows(leaf),
            Block::Branch(branch) => self.look_at_children(branch),
        }
    }

    fn look_at_rows(&mut self, leaf: &Leaf) {
        self.effort.leaves += 1;
        let mut open = leaf.free.covering(self.query.asked);
        while open != 0 {
            let position = first(open);
            open &= open - 1;
            let free_after = leaf.free.get(position).minus(self.query.asked);
            let cost = self.query.policy.cost(leaf.usable.get(position), free_after);
            if cost > self.best.0 {
                continue;
            }
            let rank = (cost, leaf.measured.get(position), leaf.id.get(position));
            if rank < self.best && (self.plain || self.admits(leaf, position)) {
                self.best = rank;
            }
        }
    }

    fn admits(&self, leaf: &Leaf, position: usize) -> bool {
        let region = RegionNumber(leaf.region.get(position));
        let domain = DomainNumber(leaf.domain.get(position));
        let node = NodeId(Uuid::from_u128(leaf.id.get(position)));
        self.query.admits(node, region, domain, ClassNumber(leaf.class.get(position)))
    }

    fn look_at_children(&mut self, branch: &Branch) {
        self.effort.branches += 1;
        let mut open = self.open(branch);
        let bounds = bounds(self.query, branch, open);
        while open != 0 {
            let (position, bound) = least(branch, &bounds, open);
            if bound >= self.best {
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
        let mut open = branch.summaries.free_high.covering(self.query.asked);
        if self.plain {
            return open;
        }
        if let Some(regions) = self.masks.regions {
            open &= sharing(&branch.summaries.regions, regions);
        }
        if let Some(domains) = self.masks.domains {
            open &= sharing(&branch.summaries.domains, domains);
        }
        if let Some(classes) = self.masks.classes {
            open &= sharing(&branch.summaries.classes, classes);
        }
        open
    }
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
        let bound = (cost, branch.summaries.measured_low.get(position), branch.summaries.id_low.get(position));
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
    while open != 0 {
        let position = first(open);
        open &= open - 1;
        bounds[position % CHILDREN] = bound(&Extent {
            usable_low: summaries.usable_low.get(position),
            usable_high: summaries.usable_high.get(position),
            free_low: summaries.free_low.get(position).minus(asked),
            free_high: summaries.free_high.get(position).minus(asked),
            worth_low: summaries.worth_low.get(position).saturating_sub(worth_asked),
            worth_high: summaries.worth_high.get(position).saturating_sub(worth_asked),
        });
    }
    bounds
}
