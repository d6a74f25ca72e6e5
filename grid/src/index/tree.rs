//! The tree of one hypervisor kind's rows: a B+ tree in the order of a space-filling curve, whose branches know the
//! limits of what their children hold. Persistent: a clone shares all blocks, and a change copies only those on its way.

use super::branch::{Block, Branch, own};
use super::curve;
use super::lanes::{CHILDREN, ROWS};
use super::leaf::{Key, Leaf};
use super::names::DomainNumber;
use super::row::Row;
use crate::HypervisorKind;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Option<Block>,
}

/// Blocks are made so full at first, in eighths: some rows can come without a split.
const FILL: usize = 7;

impl Tree {
    /// A tree of many rows at once.
    pub(super) fn of(mut rows: Vec<Row>) -> Self {
        rows.sort_by_cached_key(|row| (curve::place(row.free), row.id.0.as_u128()));
        let mut blocks: Vec<(Key, Block)> = even_chunks(&rows, ROWS).filter_map(leaf_of).collect();
        while blocks.len() > 1 {
            blocks = even_chunks(&blocks, CHILDREN).filter_map(branch_of).collect();
        }
        Self { root: blocks.pop().map(|(_, block)| block) }
    }

    /// Adds a row that isn't there.
    pub(super) fn insert(&mut self, place: u64, row: &Row) {
        let root = self.root.get_or_insert_with(|| Block::Leaf(Arc::new(Leaf::EMPTY)));
        if let Some((start, right)) = insert(root, (place, row.id.0.as_u128()), row) {
            let mut above = Branch::empty();
            above.insert(0, (0, 0), root.clone());
            above.insert(1, start, right);
            *root = Block::Branch(Arc::new(above));
        }
    }

    /// Takes out the row with this id at this place on the curve; tells its failure domain.
    pub(super) fn remove(&mut self, place: u64, id: u128) -> Option<DomainNumber> {
        let gone = remove(self.root.as_mut()?, (place, id));
        while let Some(Block::Branch(branch)) = &self.root {
            match branch.children.as_slice() {
                [only] => self.root = Some(only.clone()),
                _ => break,
            }
        }
        if self.root.as_ref().is_some_and(|root| root.entries() == 0) {
            self.root = None;
        }
        gone.map(|gone| gone.domain)
    }

    /// Writes a row over the one with the same id at the same place on the curve; tells the failure domain of that.
    pub(super) fn replace(&mut self, place: u64, row: &Row) -> Option<DomainNumber> {
        Some(replace(self.root.as_mut()?, place, row)?.domain)
    }

    pub(super) fn get(&self, place: u64, id: u128, kind: HypervisorKind) -> Option<Row> {
        let mut block = self.root.as_ref()?;
        loop {
            match block {
                Block::Leaf(leaf) => return Some(leaf.row(leaf.position(id)?, kind)),
                Block::Branch(branch) => block = branch.children.get(branch.route((place, id)))?,
            }
        }
    }

    /// All leaves, in the order of the curve.
    pub(super) fn leaves(&self) -> impl Iterator<Item = &Leaf> {
        let mut waiting: Vec<&Block> = self.root.iter().collect();
        std::iter::from_fn(move || {
            loop {
                match waiting.pop()? {
                    Block::Leaf(leaf) => return Some(leaf.as_ref()),
                    Block::Branch(branch) => waiting.extend(branch.children.iter().rev()),
                }
            }
        })
    }
}

fn insert(block: &mut Block, key: Key, row: &Row) -> Option<(Key, Block)> {
    match block {
        Block::Leaf(leaf) => {
            let leaf = Arc::make_mut(leaf);
            if leaf.rows < ROWS {
                leaf.push(key.0, row);
                return None;
            }
            let (start, mut right) = leaf.split();
            let half = if key >= start { &mut right } else { leaf };
            half.push(key.0, row);
            Some((start, Block::Leaf(Arc::new(right))))
        }
        Block::Branch(branch) => {
            let branch = own(branch);
            let position = branch.route(key);
            let child = branch.children.get_mut(position)?;
            let Some((start, right)) = insert(child, key, row) else {
                let mut summary = branch.summaries.get(position);
                summary.add(row);
                branch.know(position, &summary);
                return None;
            };
            let summary = child.summary();
            branch.summaries.set(position, &summary);
            if branch.children.len() < CHILDREN {
                branch.insert(position + 1, start, right);
                return None;
            }
            let (middle, mut upper) = branch.split();
            let half = if start >= middle { &mut upper } else { branch };
            half.insert(half.route(start) + 1, start, right);
            Some((middle, Block::Branch(Arc::new(upper))))
        }
    }
}

/// What is gone: a row that was in this failure domain; and whether the block's summary may have changed by it.
struct Gone {
    domain: DomainNumber,
    new_summary: bool,
}

fn remove(block: &mut Block, key: Key) -> Option<Gone> {
    match block {
        Block::Leaf(leaf) => {
            let position = leaf.position(key.1)?;
            let domain = DomainNumber(leaf.domain.get(position));
            Arc::make_mut(leaf).take(position);
            Some(Gone { domain, new_summary: true })
        }
        Block::Branch(branch) => {
            let branch = own(branch);
            let position = branch.route(key);
            let gone = remove(branch.children.get_mut(position)?, key)?;
            Some(Gone { new_summary: gone.new_summary && branch.mend(position), ..gone })
        }
    }
}

fn replace(block: &mut Block, place: u64, row: &Row) -> Option<Gone> {
    let id = row.id.0.as_u128();
    match block {
        Block::Leaf(leaf) => {
            let position = leaf.position(id)?;
            let domain = DomainNumber(leaf.domain.get(position));
            Arc::make_mut(leaf).set(position, place, row);
            Some(Gone { domain, new_summary: true })
        }
        Block::Branch(branch) => {
            let branch = own(branch);
            let position = branch.route((place, id));
            let child = branch.children.get_mut(position)?;
            let gone = replace(child, place, row)?;
            let summary = gone.new_summary.then(|| child.summary());
            Some(Gone { new_summary: summary.is_some_and(|summary| branch.know(position, &summary)), ..gone })
        }
    }
}

/// Chunks of as near as can be to [`FILL`] of this width each.
fn even_chunks<T>(all: &[T], width: usize) -> impl Iterator<Item = &[T]> {
    let chunks = all.len().div_ceil(width * FILL / 8).max(1);
    (0..chunks).filter_map(move |chunk| {
        let end = |chunk: usize| all.len() * chunk / chunks;
        all.get(end(chunk)..end(chunk + 1)).filter(|rows| !rows.is_empty())
    })
}

fn leaf_of(rows: &[Row]) -> Option<(Key, Block)> {
    let first = rows.first()?;
    let mut leaf = Leaf::EMPTY;
    for row in rows {
        leaf.push(curve::place(row.free), row);
    }
    Some(((curve::place(first.free), first.id.0.as_u128()), Block::Leaf(Arc::new(leaf))))
}

fn branch_of(blocks: &[(Key, Block)]) -> Option<(Key, Block)> {
    let (start, _) = blocks.first()?;
    let mut branch = Branch::empty();
    for (position, (start, block)) in blocks.iter().enumerate() {
        branch.insert(position, *start, block.clone());
    }
    Some((*start, Block::Branch(Arc::new(branch))))
}
