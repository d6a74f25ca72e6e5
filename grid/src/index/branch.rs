//! Branches: up to [`CHILDREN`] children in the order of the curve, and what is known of each without looking into it.

use super::lanes::{CHILDREN, Lane, NO_ID, ROWS};
use super::leaf::{Key, Leaf};
use super::summary::{Summaries, Summary};
use arrayvec::ArrayVec;
use std::sync::Arc;

/// A block of the tree. Blocks are shared between versions and copied when they are written to.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Leaf(Arc<Leaf>),
    Branch(Arc<Branch>),
}

impl Block {
    pub(super) fn summary(&self) -> Summary {
        match self {
            Self::Leaf(leaf) => leaf.summary(),
            Self::Branch(branch) => branch.summaries.together(),
        }
    }

    /// How many rows, or children, it has itself.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.rows,
            Self::Branch(branch) => branch.children.len(),
        }
    }

    /// How many it can have at most.
    const fn most(&self) -> usize {
        match self {
            Self::Leaf(_) => ROWS,
            Self::Branch(_) => CHILDREN,
        }
    }

    /// Takes over all that a block to the right of it has; both are of one sort and together fit into one.
    pub(super) fn absorb(&mut self, right: &Self) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => Arc::make_mut(left).absorb(right),
            (Self::Branch(left), Self::Branch(right)) => own(left).absorb(right),
            (Self::Leaf(_), Self::Branch(_)) | (Self::Branch(_), Self::Leaf(_)) => {}
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// Where each child begins; what lies before the first belongs to the first.
    start_place: Lane<u64, CHILDREN>,
    start_id: Lane<u128, CHILDREN>,
    pub(super) summaries: Summaries,
    pub(super) children: ArrayVec<Block, CHILDREN>,
}

/// The branch, copied if another version has it too.
pub(super) fn own(branch: &mut Arc<Branch>) -> &mut Branch {
    if Arc::strong_count(branch) > 1 {
        // A copy counts up each child, wherever in memory it is: looked at all at once they come in one after another
        // without waiting.
        let shared: usize = branch.children.iter().map(Block::holders).sum();
        std::hint::black_box(shared);
    }
    Arc::make_mut(branch)
}

impl Block {
    fn holders(&self) -> usize {
        match self {
            Self::Leaf(leaf) => Arc::strong_count(leaf),
            Self::Branch(branch) => Arc::strong_count(branch),
        }
    }
}

impl Branch {
    pub(super) const fn empty() -> Self {
        Self {
            start_place: Lane::of(u64::MAX),
            start_id: Lane::of(NO_ID),
            summaries: Summaries::EMPTY,
            children: ArrayVec::new_const(),
        }
    }

    /// The child in which a key is, or would be.
    pub(super) fn route(&self, (place, id): Key) -> usize {
        let used = self.start_place.0.get(..self.children.len()).unwrap_or_default();
        let mut after = used.partition_point(|start| *start <= place);
        while after > 0 && self.start_place.get(after - 1) == place && self.start_id.get(after - 1) > id {
            after -= 1;
        }
        after.saturating_sub(1)
    }

    pub(super) fn start(&self, position: usize) -> Key {
        (self.start_place.get(position), self.start_id.get(position))
    }

    /// Puts a child in at a position; there must be room.
    pub(super) fn insert(&mut self, position: usize, start: Key, block: Block) {
        let summary = block.summary();
        if self.children.try_insert(position, block).is_err() {
            return;
        }
        self.start_place.open(position);
        self.start_id.open(position);
        self.summaries.open(position);
        self.start_place.set(position, start.0);
        self.start_id.set(position, start.1);
        self.summaries.set(position, &summary);
    }

    pub(super) fn remove(&mut self, position: usize) -> Option<Block> {
        let block = self.children.pop_at(position)?;
        self.start_place.close(position, u64::MAX);
        self.start_id.close(position, NO_ID);
        self.summaries.close(position);
        Some(block)
    }

    /// Moves the upper half into a new branch; tells where it begins.
    pub(super) fn split(&mut self) -> (Key, Self) {
        let half = self.children.len() / 2;
        let start = self.start(half);
        let mut right = Self::empty();
        while self.children.len() > half {
            let last = self.children.len() - 1;
            let start = self.start(last);
            if let Some(block) = self.remove(last) {
                right.insert(0, start, block);
            }
        }
        (start, right)
    }

    fn absorb(&mut self, right: &Self) {
        for (position, block) in right.children.iter().enumerate() {
            self.insert(self.children.len(), right.start(position), block.clone());
        }
    }

    /// After a child has lost a row: merges it with a neighbour where few are left, and looks at it anew. Tells whether
    /// anything is now known of the children that wasn't.
    pub(super) fn mend(&mut self, position: usize) -> bool {
        let most = self.children.get(position).map_or(0, Block::most);
        let (few, full) = (most / 4, most * 3 / 4);
        let entries = |position: usize| self.children.get(position).map_or(most, Block::entries);
        let mine = entries(position);
        if mine == 0 && self.children.len() > 1 {
            self.remove(position);
            return true;
        }
        let mut changed = position;
        if mine <= few {
            if mine + entries(position + 1) <= full {
                self.merge(position);
            } else if position > 0 && mine + entries(position - 1) <= full {
                changed = position - 1;
                self.merge(changed);
            }
        }
        let Some(summary) = self.children.get(changed).map(Block::summary) else { return true };
        self.know(changed, &summary) || mine <= few
    }

    /// Writes down what a child is like; tells whether that is new.
    pub(super) fn know(&mut self, position: usize, summary: &Summary) -> bool {
        let new = self.summaries.get(position) != *summary;
        if new {
            self.summaries.set(position, summary);
        }
        new
    }

    /// Merges the child at a position with the one to its right.
    fn merge(&mut self, position: usize) {
        if let Some(right) = self.remove(position + 1)
            && let Some(left) = self.children.get_mut(position)
        {
            left.absorb(&right);
        }
    }
}
