//! The tree of one hypervisor kind's rows: a B+ tree in the order of a space-filling curve, whose branches know the
//! limits of what their children hold. Persistent: a clone shares all blocks, and a change copies only those on its way.
//!
//! Limits are widened at once. Those of what is free are narrowed where what has gone may have held them: a change goes no
//! further up than it matters. Marks are narrowed when a leaf is split or evened out with a neighbour; limits of what is
//! usable, which seldom tell nodes apart, only when an index is made.

use super::branch::{Block, Branch, Child, own};
use super::curve;
use super::lanes::{CHILDREN, ROWS};
use super::leaf::{Key, Leaf};
use super::row::Row;
use super::rows::Slot;
use super::summary::Summary;
use triomphe::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Option<Child>,
}

/// Blocks are made so full at first, in eighths: some rows can come without a split.
const FILL: usize = 7;

/// What a block is like after a change, and the block to its right where it was split.
struct Outcome {
    summary: Summary,
    split: Option<Child>,
}

impl Tree {
    /// A tree of many rows at once.
    pub(super) fn of(mut slots: Vec<(Slot, &Row)>) -> Self {
        slots.sort_by_cached_key(|(slot, row)| (curve::place(row.free), *slot));
        let mut level: Vec<Child> = even_chunks(&slots, ROWS).filter_map(leaf_of).collect();
        while level.len() > 1 {
            level = even_chunks(&level, CHILDREN).filter_map(branch_of).collect();
        }
        Self { root: level.pop() }
    }

    /// Adds a row that isn't there.
    pub(super) fn insert(&mut self, slot: Slot, row: &Row) {
        let root = self.root.get_or_insert_with(|| Child::leaf((0, 0), Summary::EMPTY, Leaf::EMPTY));
        let outcome = insert(&mut root.block, key_of(slot, row), row, &root.summary);
        self.settle(outcome);
    }

    /// Takes out a row as it was.
    pub(super) fn remove(&mut self, slot: Slot, gone: &Row) {
        if let Some(root) = &mut self.root
            && let Some(summary) = remove(&mut root.block, key_of(slot, gone), gone, &root.summary)
        {
            self.settle(Outcome { summary, split: None });
        }
    }

    /// A row has changed.
    pub(super) fn change(&mut self, slot: Slot, before: &Row, after: &Row) {
        if let Some(root) = &mut self.root {
            let (from, to) = (key_of(slot, before), key_of(slot, after));
            let outcome = change(&mut root.block, (from, before), (to, after), &root.summary);
            self.settle(outcome);
        }
    }

    /// Takes down what has become of the root, and puts a branch over it where it was split; one that has only one child
    /// makes way for that.
    fn settle(&mut self, outcome: Outcome) {
        let Some(mut root) = self.root.take() else { return };
        root.summary = outcome.summary;
        if let Some(right) = outcome.split {
            let branch = Branch::of([root, right]);
            root = Child { start: (0, 0), summary: branch.summary(), block: Block::Branch(Arc::new(branch)) };
        }
        while let Block::Branch(branch) = &root.block
            && let [only] = branch.children.as_slice()
        {
            root.block = only.clone();
        }
        self.root = (root.block.entries() > 0).then_some(root);
    }

    /// The slots of all rows, in the order of the curve.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        let mut waiting: Vec<&Block> = self.root.iter().map(|root| &root.block).collect();
        let leaves = std::iter::from_fn(move || {
            loop {
                match waiting.pop()? {
                    Block::Leaf(leaf) => return Some(leaf),
                    Block::Branch(branch) => waiting.extend(branch.children.iter().rev()),
                }
            }
        });
        leaves.flat_map(|leaf| leaf.slots())
    }
}

fn key_of(slot: Slot, row: &Row) -> Key {
    (curve::place(row.free), slot)
}

fn insert(block: &mut Block, key: Key, row: &Row, known: &Summary) -> Outcome {
    match block {
        Block::Leaf(leaf) => insert_into_leaf(Arc::make_mut(leaf), key, row, known),
        Block::Branch(branch) => insert_below(own(branch), key, row, known),
    }
}

fn insert_into_leaf(leaf: &mut Leaf, key: Key, row: &Row, known: &Summary) -> Outcome {
    if leaf.rows < ROWS {
        leaf.push(key.1, row);
        return Outcome { summary: known.with(&Summary::of(row)), split: None };
    }
    let (start, mut right) = leaf.split_off(ROWS / 2);
    let half = if key >= start { &mut right } else { &mut *leaf };
    half.push(key.1, row);
    let (usable_low, usable_high) = (known.usable_low.smaller(row.usable), known.usable_high.larger(row.usable));
    let split = Child::leaf(start, right.summary(usable_low, usable_high), right);
    Outcome { summary: leaf.summary(usable_low, usable_high), split: Some(split) }
}

fn insert_below(branch: &mut Branch, key: Key, row: &Row, known: &Summary) -> Outcome {
    branch.relieve(branch.route(key));
    let position = branch.route(key);
    let before = branch.known(position);
    let Some(child) = branch.children.get_mut(position) else { return Outcome { summary: *known, split: None } };
    let outcome = insert(child, key, row, &before);
    settle(branch, position, &before, outcome, known)
}

/// Nothing where the row isn't there.
fn remove(block: &mut Block, key: Key, gone: &Row, known: &Summary) -> Option<Summary> {
    match block {
        Block::Leaf(leaf) => {
            let position = leaf.position(key.1)?;
            let leaf = Arc::make_mut(leaf);
            leaf.take(position);
            Some(leaf.summary_without(known, gone))
        }
        Block::Branch(branch) => remove_below(own(branch), key, gone, known),
    }
}

fn remove_below(branch: &mut Branch, key: Key, gone: &Row, known: &Summary) -> Option<Summary> {
    let position = branch.route(key);
    let before = branch.known(position);
    let summary = remove(branch.children.get_mut(position)?, key, gone, &before)?;
    Some(settle(branch, position, &before, Outcome { summary, split: None }, known).summary)
}

/// What a row was, or is now, and the key by which it is found.
type Keyed<'a> = (Key, &'a Row);

fn change(block: &mut Block, from: Keyed<'_>, to: Keyed<'_>, known: &Summary) -> Outcome {
    match block {
        Block::Leaf(leaf) => {
            let leaf = Arc::make_mut(leaf);
            if let Some(position) = leaf.position(from.0.1) {
                leaf.set(position, to.0.1, to.1);
            }
            let without = leaf.summary_without(known, from.1);
            Outcome { summary: without.with(&Summary::of(to.1)), split: None }
        }
        Block::Branch(branch) => change_below(own(branch), from, to, known),
    }
}

fn change_below(branch: &mut Branch, from: Keyed<'_>, to: Keyed<'_>, known: &Summary) -> Outcome {
    let position = branch.route(from.0);
    if position != branch.route(to.0) {
        let without = remove_below(branch, from.0, from.1, known);
        return insert_below(branch, to.0, to.1, &without.unwrap_or(*known));
    }
    let before = branch.known(position);
    let Some(child) = branch.children.get_mut(position) else { return Outcome { summary: *known, split: None } };
    let outcome = change(child, from, to, &before);
    settle(branch, position, &before, outcome, known)
}

/// Takes down what has become of a child, of which `before` was known; tells what has become of the branch, of which
/// `known` was.
fn settle(branch: &mut Branch, position: usize, before: &Summary, outcome: Outcome, known: &Summary) -> Outcome {
    let Outcome { summary, split } = outcome;
    if summary != *before {
        branch.know(position, &summary);
    }
    if let Some(child) = split {
        let split = branch.add(child);
        return Outcome { summary: branch.summary(), split };
    }
    if branch.mend(position) || known.may_be_narrower(before, &summary) {
        return Outcome { summary: branch.summary(), split: None };
    }
    Outcome { summary: known.with(&summary), split: None }
}

/// Chunks of as near as can be to [`FILL`] of this width each.
fn even_chunks<T>(all: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    let chunks = all.len().div_ceil(width * FILL / 8).max(1);
    (0..chunks).filter_map(move |chunk| {
        let end = |chunk: usize| all.len() * chunk / chunks;
        all.get(end(chunk)..end(chunk + 1)).filter(|rows| !rows.is_empty())
    })
}

fn leaf_of(chunk: &[(Slot, &Row)]) -> Option<Child> {
    let (slot, first) = chunk.first()?;
    let mut leaf = Leaf::EMPTY;
    let (mut usable_low, mut usable_high) = (first.usable, first.usable);
    for (slot, row) in chunk {
        leaf.push(*slot, row);
        (usable_low, usable_high) = (usable_low.smaller(row.usable), usable_high.larger(row.usable));
    }
    Some(Child::leaf(key_of(*slot, first), leaf.summary(usable_low, usable_high), leaf))
}

fn branch_of(chunk: &[Child]) -> Option<Child> {
    let start = chunk.first()?.start;
    let branch = Branch::of(chunk.iter().cloned());
    Some(Child { start, summary: branch.summary(), block: Block::Branch(Arc::new(branch)) })
}
