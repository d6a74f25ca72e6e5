//! Leaves: up to [`ROWS`] rows in no order. Of each a leaf has what is free, and its slot, where all the rest stands.

use super::curve;
use super::lanes::{Columns, Lane, NOTHING, ROWS};
use super::row::Row;
use super::rows::{Rows, Slot};
use super::stairs::Stairs;
use super::summary::{Summary, tie};
use super::vector::Vector;
use crate::policy::WORTH;

/// What orders rows: the place on the curve, then the slot.
pub(super) type Key = (u64, Slot);

#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) rows: usize,
    pub(super) free: Columns<ROWS>,
    pub(super) slot: Lane<Slot, ROWS>,
    tie: Lane<u32, ROWS>,
}

impl Leaf {
    pub(super) const EMPTY: Self =
        Self { rows: 0, free: Columns::empty(), slot: Lane::of(Slot::MAX), tie: Lane::of(u32::MAX) };

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slot.0.iter().copied().take(self.rows)
    }

    pub(super) fn position(&self, slot: Slot) -> Option<usize> {
        self.slots().position(|each| each == slot)
    }

    /// Writes a row over the one at a position.
    pub(super) fn set(&mut self, position: usize, slot: Slot, row: &Row) {
        self.write(position, slot, row.free, tie(row));
    }

    fn write(&mut self, position: usize, slot: Slot, free: Vector, tie: u32) {
        self.free.set(position, free);
        self.slot.set(position, slot);
        self.tie.set(position, tie);
    }

    /// Adds a row; there must be room.
    pub(super) fn push(&mut self, slot: Slot, row: &Row) {
        self.set(self.rows, slot, row);
        self.rows += 1;
    }

    /// Adds a row as another leaf has it; there must be room.
    fn copy(&mut self, other: &Self, position: usize) {
        self.write(self.rows, other.slot.get(position), other.free.get(position), other.tie.get(position));
        self.rows += 1;
    }

    /// Takes a row out: the last one takes its position.
    pub(super) fn take(&mut self, position: usize) {
        let last = self.rows.saturating_sub(1);
        self.write(position, self.slot.get(last), self.free.get(last), self.tie.get(last));
        self.write(last, Slot::MAX, NOTHING, u32::MAX);
        self.rows = last;
    }

    /// What its rows are like, all looked at.
    pub(super) fn summary(&self, rows: &Rows) -> Summary {
        let each = rows.all::<ROWS>(self.slots());
        each.into_iter().fold(Summary::EMPTY, |all, row| all.with(&Summary::of(row)))
    }

    /// What its rows are like after one has gone, where before that `known` was true of them. Only what stands in the
    /// leaf itself is looked at anew, and only where the one that has gone may have held a limit; all else may stay wider
    /// than it need be until the leaf is split, and is never too narrow.
    pub(super) fn summary_without(&self, known: &Summary, gone: &Row) -> Summary {
        if tie(gone) > known.tie_low && !known.has_at_its_edge(gone.free) {
            return *known;
        }
        let worths = self.worths();
        let used = worths.get(..self.rows).unwrap_or_default();
        let worth_low = Stairs::of(used.iter().enumerate().map(|(position, &worth)| (self.free.get(position), worth)));
        let worth_high = used.iter().copied().fold(0, u64::max);
        let tie_low = self.tie.0.iter().copied().fold(u32::MAX, u32::min);
        let (free_low, free_high) = (self.free.lowest(), self.free.highest());
        Summary { free_low, free_high, worth_low, worth_high, tie_low, ..*known }
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

    /// Moves the upper half into a new leaf; tells where it begins.
    pub(super) fn split(&mut self) -> (Key, Self) {
        let places = curve::places(&self.free);
        let mut order: [(Key, usize); ROWS] = [((u64::MAX, Slot::MAX), 0); ROWS];
        for (position, (entry, place)) in order.iter_mut().zip(places).enumerate() {
            *entry = ((place, self.slot.get(position)), position);
        }
        let rows = self.rows.min(ROWS);
        let used = order.get_mut(..rows).unwrap_or_default();
        let (lower, middle, upper) = used.select_nth_unstable(rows / 2);
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
