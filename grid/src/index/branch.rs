//! Branches: up to [`CHILDREN`] children in the order of the curve, and what is known of each without looking into it.

use super::lanes::{CHILDREN, Lane, ROWS};
use super::leaf::{Key, Leaf};
use super::rows::Slot;
use super::summary::{Summaries, Summary};
use arrayvec::ArrayVec;
use triomphe::Arc;

/// A block of the tree. Blocks are shared between versions and copied when they are written to.
#[derive(Clone, Debug)]
pub(super) enum Block {
    Leaf(Arc<Leaf>),
    Branch(Arc<Branch>),
}

/// A block, where it begins, and what is known of it.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) start: Key,
    pub(super) summary: Summary,
    pub(super) block: Block,
}

impl Child {
    pub(super) fn leaf(start: Key, summary: Summary, leaf: Leaf) -> Self {
        Self { start, summary, block: Block::Leaf(Arc::new(leaf)) }
    }
}

impl Block {
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

    /// Whether it has so few that a neighbour should take them.
    pub(super) fn is_sparse(&self) -> bool {
        self.entries() <= self.most() / 2
    }

    /// Moves all but the first so many of its entries into a new block; tells where that begins.
    fn split_off(&mut self, at: usize) -> (Key, Self) {
        match self {
            Self::Leaf(leaf) => {
                let (start, upper) = Arc::make_mut(leaf).split_off(at);
                (start, Self::Leaf(Arc::new(upper)))
            }
            Self::Branch(branch) => {
                let (start, upper) = own(branch).split_off(at);
                (start, Self::Branch(Arc::new(upper)))
            }
        }
    }

    /// What it holds is like, which before was part of what was `known`.
    fn summary(&self, known: &Summary) -> Summary {
        match self {
            Self::Leaf(leaf) => leaf.summary(known.usable_low, known.usable_high),
            Self::Branch(branch) => branch.summary(),
        }
    }

    /// Takes over all that a block to the right of it has, which begins there; both are of one sort and together fit
    /// into one.
    fn absorb(&mut self, right: &Self, start: Key) {
        match (self, right) {
            (Self::Leaf(left), Self::Leaf(right)) => Arc::make_mut(left).absorb(right),
            (Self::Branch(left), Self::Branch(right)) => own(left).absorb(right, start),
            (Self::Leaf(_), Self::Branch(_)) | (Self::Branch(_), Self::Leaf(_)) => {}
        }
    }

    fn holders(&self) -> usize {
        match self {
            Self::Leaf(leaf) => Arc::count(leaf),
            Self::Branch(branch) => Arc::count(branch),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// Where each child begins; what lies before the first belongs to the first.
    start_place: Lane<u64, CHILDREN>,
    start_slot: Lane<Slot, CHILDREN>,
    pub(super) children: ArrayVec<Block, CHILDREN>,
    /// Apart, for most changes below leave them what they are.
    pub(super) summaries: Arc<Summaries>,
}

/// The branch, copied if another version has it too.
pub(super) fn own(branch: &mut Arc<Branch>) -> &mut Branch {
    if Arc::count(branch) > 1 {
        // A copy counts up each child, wherever in memory it is: looked at all at once they come in one after another
        // without waiting.
        let shared: usize = branch.children.iter().map(Block::holders).sum();
        std::hint::black_box(shared);
    }
    Arc::make_mut(branch)
}

impl Branch {
    pub(super) fn of(children: impl IntoIterator<Item = Child>) -> Self {
        let mut branch = Self {
            start_place: Lane::of(u64::MAX),
            start_slot: Lane::of(Slot::MAX),
            children: ArrayVec::new_const(),
            summaries: Arc::new(Summaries::EMPTY),
        };
        for (position, child) in children.into_iter().enumerate() {
            branch.insert(position, child);
        }
        branch
    }

    /// The child in which a key is, or would be. Where the first one begins doesn't matter: all that comes before the
    /// second is in it.
    pub(super) fn route(&self, (place, slot): Key) -> usize {
        let others = self.start_place.0.get(1..self.children.len()).unwrap_or_default();
        let mut position = others.iter().filter(|start| **start <= place).count();
        while position > 0 && self.start_place.get(position) == place && self.start_slot.get(position) > slot {
            position -= 1;
        }
        position
    }

    fn start(&self, position: usize) -> Key {
        (self.start_place.get(position), self.start_slot.get(position))
    }

    pub(super) fn known(&self, position: usize) -> Summary {
        self.summaries.get(position)
    }

    /// What is known of all children together.
    pub(super) fn summary(&self) -> Summary {
        self.summaries.together(self.children.len())
    }

    /// Puts a child in at a position; there must be room.
    pub(super) fn insert(&mut self, position: usize, child: Child) {
        if self.children.try_insert(position, child.block).is_err() {
            return;
        }
        self.start_place.open(position);
        self.start_slot.open(position);
        self.start_place.set(position, child.start.0);
        self.start_slot.set(position, child.start.1);
        let summaries = Arc::make_mut(&mut self.summaries);
        summaries.open(position);
        summaries.set(position, &child.summary);
    }

    fn remove(&mut self, position: usize) -> Option<Child> {
        let block = self.children.pop_at(position)?;
        let child = Child { start: self.start(position), summary: self.known(position), block };
        self.start_place.close(position, u64::MAX);
        self.start_slot.close(position, Slot::MAX);
        Arc::make_mut(&mut self.summaries).close(position);
        Some(child)
    }

    /// Puts a child in where it belongs; where there is no room the upper half goes into a new branch.
    pub(super) fn add(&mut self, child: Child) -> Option<Child> {
        if self.children.len() < CHILDREN {
            self.insert(self.route(child.start) + 1, child);
            return None;
        }
        let (start, mut right) = self.split_off(CHILDREN / 2);
        let half = if child.start >= start { &mut right } else { &mut *self };
        half.insert(half.route(child.start) + 1, child);
        Some(Child { start, summary: right.summary(), block: Block::Branch(Arc::new(right)) })
    }

    /// Moves all but the first so many children into a new branch; tells where it begins.
    fn split_off(&mut self, at: usize) -> (Key, Self) {
        let (start, all) = (self.start(at), self.children.len());
        let mut upper = Self {
            start_place: self.start_place.clone(),
            start_slot: self.start_slot.clone(),
            children: self.children.drain(at..).collect(),
            summaries: self.summaries.clone(),
        };
        upper.keep(at, all - at);
        self.keep(0, at);
        (start, upper)
    }

    /// Keeps what is known of so many children from a position on.
    fn keep(&mut self, from: usize, count: usize) {
        self.start_place.keep(from, count, u64::MAX);
        self.start_slot.keep(from, count, Slot::MAX);
        Arc::make_mut(&mut self.summaries).keep(from, count);
    }

    fn absorb(&mut self, right: &Self, start: Key) {
        for (position, block) in right.children.iter().enumerate() {
            let start = if position == 0 { start } else { right.start(position) };
            let child = Child { start, summary: right.known(position), block: block.clone() };
            self.insert(self.children.len(), child);
        }
    }

    /// Where few entries are left in a child, a neighbour takes them. Tells whether the children are others now.
    pub(super) fn mend(&mut self, position: usize) -> bool {
        let Some(child) = self.children.get(position).filter(|child| child.is_sparse()) else { return false };
        let (mine, full) = (child.entries(), child.most() * 15 / 16);
        if mine == 0 && self.children.len() > 1 {
            self.remove(position);
            return true;
        }
        let fits = |other: usize| self.children.get(other).is_some_and(|other| mine + other.entries() <= full);
        if fits(position + 1) {
            self.merge(position);
            return true;
        }
        if position > 0 && fits(position - 1) {
            self.merge(position - 1);
            return true;
        }
        false
    }

    /// A child that is full gives of what it has to a neighbour that can take several.
    pub(super) fn relieve(&mut self, position: usize) {
        let Some(child) = self.children.get(position).filter(|child| child.entries() == child.most()) else { return };
        let (mine, roomy) = (child.entries(), child.most() * 13 / 16);
        let others = |other: usize| self.children.get(other).map(Block::entries).filter(|others| *others <= roomy);
        if let Some(others) = others(position + 1) {
            self.even_out(position, (mine + others).div_ceil(2));
        } else if position > 0
            && let Some(others) = others(position - 1)
        {
            self.even_out(position - 1, usize::midpoint(mine, others));
        }
    }

    /// Moves entries between a child and the next, so that the first of the two has so many.
    fn even_out(&mut self, position: usize, first: usize) {
        let (after, known) = (position + 1, self.known(position).with(&self.known(position + 1)));
        let begins = self.start(after);
        let Some([left, right]) = self.children.get_mut(position..=after) else { return };
        let start = if left.entries() > first {
            let (start, mut upper) = left.split_off(first);
            upper.absorb(right, begins);
            *right = upper;
            start
        } else {
            let (start, upper) = right.split_off(first - left.entries());
            left.absorb(&std::mem::replace(right, upper), begins);
            start
        };
        let (left, right) = (left.summary(&known), right.summary(&known));
        self.start_place.set(after, start.0);
        self.start_slot.set(after, start.1);
        self.know(position, &left);
        self.know(after, &right);
    }

    /// Writes down what a child is like.
    pub(super) fn know(&mut self, position: usize, summary: &Summary) {
        Arc::make_mut(&mut self.summaries).set(position, summary);
    }

    /// Merges the child at a position with the one to its right.
    fn merge(&mut self, position: usize) {
        let together = self.known(position).with(&self.known(position + 1));
        if let Some(right) = self.remove(position + 1)
            && let Some(left) = self.children.get_mut(position)
        {
            left.absorb(&right.block, right.start);
            self.know(position, &together);
        }
    }
}
