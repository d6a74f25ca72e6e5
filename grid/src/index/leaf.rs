//! Leaves: up to [`ROWS`] rows in no order. Of each a leaf has what is free, its marks, what decides ties, and its
//! slot, where all the rest stands.

use super::curve;
use super::lanes::{Columns, Lane, NOTHING, ROWS};
use super::marks::{Mark, Marks};
use super::row::Row;
use super::rows::Slot;
use super::stairs::Stairs;
use super::summary::{Summary, tie};
use super::vector::Vector;
use crate::policy::{WORTH, Whole};

/// What orders rows: the place on the curve, then the slot.
pub(super) type Key = (u64, Slot);

#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) rows: usize,
    pub(super) free: Columns<ROWS>,
    pub(super) slot: Lane<Slot, ROWS>,
    tie: Lane<u32, ROWS>,
    pub(super) mark: Lane<Mark, ROWS>,
}

/// A row as a leaf has it.
struct Entry {
    slot: Slot,
    free: Vector,
    tie: u32,
    mark: Mark,
}

impl Entry {
    const NONE: Self = Self { slot: Slot::MAX, free: NOTHING, tie: u32::MAX, mark: Mark::PADDING };
}

impl Leaf {
    pub(super) const EMPTY: Self = Self {
        rows: 0,
        free: Columns::empty(),
        slot: Lane::of(Slot::MAX),
        tie: Lane::of(u32::MAX),
        mark: Lane::of(Mark::PADDING),
    };

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slot.0.iter().copied().take(self.rows)
    }

    pub(super) fn position(&self, slot: Slot) -> Option<usize> {
        self.slots().position(|each| each == slot)
    }

    /// Writes a row over the one at a position.
    pub(super) fn set(&mut self, position: usize, slot: Slot, row: &Row) {
        self.write(position, Entry { slot, free: row.free, tie: tie(row), mark: Mark::of(row) });
    }

    fn entry(&self, position: usize) -> Entry {
        Entry {
            slot: self.slot.get(position),
            free: self.free.get(position),
            tie: self.tie.get(position),
            mark: self.mark.get(position),
        }
    }

    fn write(&mut self, position: usize, Entry { slot, free, tie, mark }: Entry) {
        self.free.set(position, free);
        self.slot.set(position, slot);
        self.tie.set(position, tie);
        self.mark.set(position, mark);
    }

    /// Adds a row; there must be room.
    pub(super) fn push(&mut self, slot: Slot, row: &Row) {
        self.set(self.rows, slot, row);
        self.rows += 1;
    }

    /// Adds a row as another leaf has it; there must be room.
    fn copy(&mut self, other: &Self, position: usize) {
        self.write(self.rows, other.entry(position));
        self.rows += 1;
    }

    /// Takes a row out: the last one takes its position.
    pub(super) fn take(&mut self, position: usize) {
        let last = self.rows.saturating_sub(1);
        self.write(position, self.entry(last));
        self.write(last, Entry::NONE);
        self.rows = last;
    }

    /// What its rows are like, where what is usable on each of them lies within these limits.
    pub(super) fn summary(&self, usable_low: Whole, usable_high: Whole) -> Summary {
        let marks = self.mark.0.iter().take(self.rows).fold(Marks::NONE, |all, mark| all.with(Marks::of(*mark)));
        self.summary_with(usable_low, usable_high, marks)
    }

    fn summary_with(&self, usable_low: Whole, usable_high: Whole, marks: Marks) -> Summary {
        let worths = self.worths();
        let used = worths.get(..self.rows).unwrap_or_default();
        Summary {
            free_low: self.free.lowest(),
            free_high: self.free.highest(),
            usable_low,
            usable_high,
            worth_low: Stairs::of(used.iter().enumerate().map(|(position, &worth)| (self.free.get(position), worth))),
            worth_high: used.iter().copied().fold(0, u64::max),
            tie_low: self.tie.0.iter().copied().fold(u32::MAX, u32::min),
            marks,
        }
    }

    /// What its rows are like after one has gone, where before that `known` was true of them. What is free is looked at
    /// anew only where the one that has gone may have held a limit; all else may stay wider than it need be, and is never
    /// too narrow.
    pub(super) fn summary_without(&self, known: &Summary, gone: &Row) -> Summary {
        if tie(gone) > known.tie_low && !known.has_at_its_edge(gone.free) {
            return *known;
        }
        self.summary_with(known.usable_low, known.usable_high, known.marks)
    }

    /// What each row's free resources are worth; nothing that means anything where there is no row.
    fn worths(&self) -> [u64; ROWS] {
        let mut worths = [0_u64; ROWS];
        for (column, weight) in self.free.0.iter().zip(WORTH) {
            for (worth, amount) in worths.iter_mut().zip(column.0) {
                *worth += u64::from(amount.cast_unsigned()) * weight;
            }
        }
        worths
    }

    /// Moves all but the first so many rows into a new leaf; tells where it begins.
    pub(super) fn split_off(&mut self, at: usize) -> (Key, Self) {
        let places = curve::places(&self.free);
        let mut order: [(Key, usize); ROWS] = [((u64::MAX, Slot::MAX), 0); ROWS];
        for (position, (entry, place)) in order.iter_mut().zip(places).enumerate() {
            *entry = ((place, self.slot.get(position)), position);
        }
        let rows = self.rows.min(ROWS);
        let used = order.get_mut(..rows).unwrap_or_default();
        let (lower, middle, upper) = used.select_nth_unstable(at.min(rows.saturating_sub(1)));
        let start = middle.0;
        let (mut left, mut right) = (Self::EMPTY, Self::EMPTY);
        for (_, position) in &*lower {
            left.copy(self, *position);
        }
        for (_, position) in [*middle].iter().chain(&*upper) {
            right.copy(self, *position);
        }
        *self = left;
        (start, right)
    }

    /// Takes over all rows of another leaf; there must be room.
    pub(super) fn absorb(&mut self, other: &Self) {
        for position in 0..other.rows {
            self.copy(other, position);
        }
    }
}
