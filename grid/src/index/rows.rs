//! The rows themselves. Each has a number of its own, its slot, for as long as its node is there; trees and lists speak
//! of nodes by their slots. A persistent array: versions share blocks, and a change copies the few on its way.

use super::row::Row;
use arrayvec::ArrayVec;
use std::sync::Arc;

/// Where a row is.
pub(super) type Slot = u32;

const WIDTH: usize = 16;
const BITS: u32 = WIDTH.ilog2();

#[derive(Clone, Debug)]
enum Part {
    Rows(Arc<ArrayVec<Row, WIDTH>>),
    Parts(Arc<ArrayVec<Self, WIDTH>>),
}

/// All rows by their slots, which are handed out from zero on.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    root: Part,
    /// Below the root are so many levels of parts.
    height: u32,
    len: Slot,
}

impl Default for Rows {
    fn default() -> Self {
        Self { root: Part::Rows(Arc::new(ArrayVec::new_const())), height: 0, len: 0 }
    }
}

impl Rows {
    pub(super) fn get(&self, slot: Slot) -> Option<&Row> {
        let (mut part, mut level) = (&self.root, self.height);
        loop {
            match part {
                Part::Rows(rows) => return rows.get(step(slot, 0)),
                Part::Parts(parts) => part = parts.get(step(slot, level))?,
            }
            level = level.saturating_sub(1);
        }
    }

    /// The rows at these slots, of which there are at most `MOST`. All go down level by level together, so that what has
    /// to come from memory comes one after another without waiting.
    pub(super) fn all<'a, const MOST: usize>(&'a self, slots: impl Iterator<Item = Slot>) -> ArrayVec<&'a Row, MOST> {
        let mut parts: ArrayVec<(Slot, &'a Part), MOST> = slots.take(MOST).map(|slot| (slot, &self.root)).collect();
        for level in (1..=self.height).rev() {
            for (slot, part) in &mut parts {
                if let Part::Parts(below) = *part
                    && let Some(below) = below.get(step(*slot, level))
                {
                    *part = below;
                }
            }
        }
        let row = |(slot, part): (Slot, &'a Part)| match part {
            Part::Rows(rows) => rows.get(step(slot, 0)),
            Part::Parts(_) => None,
        };
        parts.into_iter().filter_map(row).collect()
    }

    /// Writes a row anew.
    pub(super) fn set(&mut self, slot: Slot, row: &Row) {
        let (mut part, mut level) = (&mut self.root, self.height);
        loop {
            match part {
                Part::Rows(rows) => {
                    if let Some(place) = Arc::make_mut(rows).get_mut(step(slot, 0)) {
                        *place = *row;
                    }
                    return;
                }
                Part::Parts(parts) => match own(parts).get_mut(step(slot, level)) {
                    Some(below) => part = below,
                    None => return,
                },
            }
            level = level.saturating_sub(1);
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
        Part::Rows(rows) => Arc::make_mut(rows).push(*row),
        Part::Parts(parts) => {
            let parts = own(parts);
            if parts.len() <= step(slot, level) {
                parts.push(match level {
                    0 | 1 => Part::Rows(Arc::default()),
                    _ => Part::Parts(Arc::default()),
                });
            }
            if let Some(below) = parts.get_mut(step(slot, level)) {
                push(below, slot, level.saturating_sub(1), row);
            }
        }
    }
}

/// Which way to go to a slot, so many levels above the rows.
const fn step(slot: Slot, level: u32) -> usize {
    (slot >> (BITS * level)) as usize % WIDTH
}

/// The parts, copied if another version has them too.
fn own(parts: &mut Arc<ArrayVec<Part, WIDTH>>) -> &mut ArrayVec<Part, WIDTH> {
    if Arc::strong_count(parts) > 1 {
        // A copy counts up each part, wherever in memory it is: looked at all at once they come in one after another
        // without waiting.
        let shared = parts.iter().map(|part| match part {
            Part::Rows(rows) => Arc::strong_count(rows),
            Part::Parts(parts) => Arc::strong_count(parts),
        });
        std::hint::black_box(shared.sum::<usize>());
    }
    Arc::make_mut(parts)
}
