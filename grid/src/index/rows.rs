//! The rows themselves. Each has a number of its own, its slot, for as long as its node is there; trees and lists speak
//! of nodes by their slots. A persistent array: versions share blocks, and a change copies the few on its way.

use super::row::Row;
use arrayvec::ArrayVec;
use triomphe::Arc;

/// Where a row is.
pub(super) type Slot = u32;

const WIDTH: usize = 16;
const BITS: u32 = WIDTH.ilog2();

/// Rows that stand side by side in memory.
type Block = ArrayVec<Row, WIDTH>;

#[derive(Clone, Debug)]
enum Part {
    Blocks(Arc<ArrayVec<Arc<Block>, WIDTH>>),
    Parts(Arc<ArrayVec<Self, WIDTH>>),
}

/// All rows by their slots, which are handed out from zero on.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    root: Part,
    /// So many levels of parts are above the blocks.
    height: u32,
    len: Slot,
}

impl Default for Rows {
    fn default() -> Self {
        Self { root: Part::Blocks(Arc::new(ArrayVec::new_const())), height: 1, len: 0 }
    }
}

impl Rows {
    pub(super) fn get(&self, slot: Slot) -> Option<&Row> {
        let (mut part, mut level) = (&self.root, self.height);
        loop {
            match part {
                Part::Blocks(blocks) => return blocks.get(step(slot, 1))?.get(step(slot, 0)),
                Part::Parts(parts) => part = parts.get(step(slot, level))?,
            }
            level = level.saturating_sub(1);
        }
    }

    /// Writes a row anew.
    pub(super) fn set(&mut self, slot: Slot, row: &Row) {
        let (mut part, mut level) = (&mut self.root, self.height);
        loop {
            let below = match part {
                Part::Blocks(blocks) => {
                    let block = own(blocks, Arc::count).get_mut(step(slot, 1)).map(Arc::make_mut);
                    if let Some(place) = block.and_then(|block| block.get_mut(step(slot, 0))) {
                        *place = *row;
                    }
                    return;
                }
                Part::Parts(parts) => own(parts, Part::holders).get_mut(step(slot, level)),
            };
            let Some(below) = below else { return };
            (part, level) = (below, level.saturating_sub(1));
        }
    }

    /// Adds a row; tells its slot.
    pub(super) fn push(&mut self, row: &Row) -> Slot {
        let slot = self.len;
        if u64::from(slot) >> (BITS * (self.height + 1)) > 0 {
            let mut above = ArrayVec::new_const();
            above.push(self.root.clone());
            self.root = Part::Parts(Arc::new(above));
            self.height += 1;
        }
        push(&mut self.root, slot, self.height, row);
        self.len += 1;
        slot
    }
}

fn push(part: &mut Part, slot: Slot, level: u32, row: &Row) {
    match part {
        Part::Blocks(blocks) => {
            let blocks = Arc::make_mut(blocks);
            if blocks.len() <= step(slot, 1) {
                blocks.push(Arc::new(ArrayVec::new_const()));
            }
            if let Some(block) = blocks.get_mut(step(slot, 1)) {
                Arc::make_mut(block).push(*row);
            }
        }
        Part::Parts(parts) => {
            let parts = Arc::make_mut(parts);
            if parts.len() <= step(slot, level) {
                parts.push(if level > 2 {
                    Part::Parts(Arc::new(ArrayVec::new_const()))
                } else {
                    Part::Blocks(Arc::new(ArrayVec::new_const()))
                });
            }
            if let Some(below) = parts.get_mut(step(slot, level)) {
                push(below, slot, level.saturating_sub(1), row);
            }
        }
    }
}

impl Part {
    fn holders(part: &Self) -> usize {
        match part {
            Self::Blocks(blocks) => Arc::count(blocks),
            Self::Parts(parts) => Arc::count(parts),
        }
    }
}

/// Which way to go to a slot, so many levels above the rows.
const fn step(slot: Slot, level: u32) -> usize {
    (slot >> (BITS * level)) as usize % WIDTH
}

/// What a part has, copied if another version has it too.
fn own<T: Clone>(all: &mut Arc<ArrayVec<T, WIDTH>>, holders: impl Fn(&T) -> usize) -> &mut ArrayVec<T, WIDTH> {
    if Arc::count(all) > 1 {
        // A copy counts up each of them, wherever in memory it is: looked at all at once they come in one after another
        // without waiting.
        std::hint::black_box(all.iter().map(holders).sum::<usize>());
    }
    Arc::make_mut(all)
}
