//! Summaries: what a branch knows of each child without looking into it.

use super::lanes::{CHILDREN, Columns, Lane, NOTHING, ROWS};
use super::marks::{Mark, Marks};
use super::row::Row;
use super::stairs::{STEPS, Stairs};
use super::vector::Vector;
use crate::policy::{Whole, worth_of};

/// The limits of a number of rows, and their marks. All are
/// at least as wide as what is true; they may be wider where a row has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) free_low: Vector,
    pub(super) free_high: Vector,
    pub(super) usable_low: Whole,
    pub(super) usable_high: Whole,
    pub(super) worth_low: Stairs,
    pub(super) worth_high: u64,
    pub(super) tie_low: u32,
    pub(super) marks: Marks,
}

/// What decides between rows of one cost, in short: how busy the node was measured to be, then the first bits of its id.
pub(super) fn tie(row: &Row) -> u32 {
    let (high, _) = row.id.0.as_u64_pair();
    u32::from(row.measured_bp) << 16 | u32::try_from(high >> 48).unwrap_or(0)
}

/// No row with this tie, or a higher one, is measured less busy, nor has a lower id where it is measured so.
pub(super) const fn least_of_tie(tie: u32) -> (u16, u128) {
    ((tie >> 16) as u16, (tie as u128 & 0xffff) << 112)
}

/// More than any amount.
const BEYOND: Vector = Vector([i32::MAX; Vector::LEN]);

impl Summary {
    /// Of no rows.
    pub(super) const EMPTY: Self = Self {
        free_low: BEYOND,
        free_high: NOTHING,
        usable_low: Whole { vcpus: i32::MAX, memory: i32::MAX },
        usable_high: Whole { vcpus: -1, memory: -1 },
        worth_low: Stairs::EMPTY,
        worth_high: 0,
        tie_low: u32::MAX,
        marks: Marks::NONE,
    };

    /// Of one row.
    pub(super) fn of(row: &Row) -> Self {
        let worth = worth_of(row.free);
        Self {
            free_low: row.free,
            free_high: row.free,
            usable_low: row.usable,
            usable_high: row.usable,
            worth_low: Stairs::of([(row.free, worth)]),
            worth_high: worth,
            tie_low: tie(row),
            marks: Marks::of(Mark::of(row)),
        }
    }

    /// Of these rows and the others.
    pub(super) fn with(&self, other: &Self) -> Self {
        Self {
            free_low: self.free_low.smaller(other.free_low),
            free_high: self.free_high.larger(other.free_high),
            usable_low: self.usable_low.smaller(other.usable_low),
            usable_high: self.usable_high.larger(other.usable_high),
            worth_low: self.worth_low.with(&other.worth_low),
            worth_high: self.worth_high.max(other.worth_high),
            tie_low: self.tie_low.min(other.tie_low),
            marks: self.marks.with(other.marks),
        }
    }

    /// Whether a row with this much free may be what holds one of the limits of what is free.
    pub(super) fn has_at_its_edge(&self, free: Vector) -> bool {
        let worth = worth_of(free);
        let amounts = free.0.iter().zip(self.free_low.0.iter().zip(&self.free_high.0));
        self.worth_low.may_rest_on(free)
            || worth >= self.worth_high
            || amounts.into_iter().any(|(amount, (low, high))| amount <= low || amount >= high)
    }

    /// Whether rows that were like `before` and are like `after` may have been what held one of these limits.
    pub(super) fn may_be_narrower(&self, before: &Self, after: &Self) -> bool {
        let held = |known: Vector, before: Vector, after: Vector| {
            let all = known.0.iter().zip(before.0.iter().zip(&after.0));
            all.into_iter().any(|(known, (before, after))| known == before && before != after)
        };
        let whole_held = |known: Whole, before: Whole, after: Whole| {
            known.vcpus == before.vcpus && before.vcpus != after.vcpus
                || known.memory == before.memory && before.memory != after.memory
        };
        self.worth_low.may_rise(&before.worth_low, &after.worth_low)
            || self.worth_high == before.worth_high && before.worth_high != after.worth_high
            || self.tie_low == before.tie_low && before.tie_low != after.tie_low
            || held(self.free_low, before.free_low, after.free_low)
            || held(self.free_high, before.free_high, after.free_high)
            || whole_held(self.usable_low, before.usable_low, after.usable_low)
            || whole_held(self.usable_high, before.usable_high, after.usable_high)
    }
}

/// The summaries of a branch's children. What every search looks at stands in columns; all else stands child by child,
/// so that a change touches little memory.
#[derive(Clone, Debug)]
pub(super) struct Summaries {
    pub(super) free_high: Columns<CHILDREN>,
    pub(super) worth_low: [Lane<u32, CHILDREN>; STEPS],
    pub(super) tie_low: Lane<u32, CHILDREN>,
    pub(super) rest: Lane<Rest, CHILDREN>,
}

/// What isn't in columns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) free_low: Vector,
    pub(super) usable_low: Whole,
    pub(super) usable_high: Whole,
    pub(super) worth_high: u64,
    pub(super) marks: Marks,
}

impl Rest {
    const fn of(summary: &Summary) -> Self {
        let &Summary { free_low, usable_low, usable_high, worth_high, marks, .. } = summary;
        Self { free_low, usable_low, usable_high, worth_high, marks }
    }
}

impl Summaries {
    pub(super) const EMPTY: Self = Self {
        free_high: Columns::empty(),
        worth_low: [const { Lane::of(u32::MAX) }; STEPS],
        tie_low: Lane::of(u32::MAX),
        rest: Lane::of(Rest::of(&Summary::EMPTY)),
    };

    pub(super) fn set(&mut self, position: usize, summary: &Summary) {
        self.free_high.set(position, summary.free_high);
        for (lane, worth) in self.worth_low.iter_mut().zip(summary.worth_low.0) {
            lane.set(position, worth);
        }
        self.tie_low.set(position, summary.tie_low);
        self.rest.set(position, Rest::of(summary));
    }

    pub(super) fn get(&self, position: usize) -> Summary {
        let Rest { free_low, usable_low, usable_high, worth_high, marks } = self.rest.get(position);
        Summary {
            free_low,
            free_high: self.free_high.get(position),
            usable_low,
            usable_high,
            worth_low: Stairs(self.worth_low.each_ref().map(|lane| lane.get(position))),
            worth_high,
            tie_low: self.tie_low.get(position),
            marks,
        }
    }

    /// Makes room for a child at a position.
    pub(super) fn open(&mut self, position: usize) {
        self.free_high.open(position);
        self.worth_low.iter_mut().for_each(|lane| lane.open(position));
        self.tie_low.open(position);
        self.rest.open(position);
    }

    /// Takes a child out.
    pub(super) fn close(&mut self, position: usize) {
        self.free_high.close(position);
        self.worth_low.iter_mut().for_each(|lane| lane.close(position, u32::MAX));
        self.tie_low.close(position, u32::MAX);
        self.rest.close(position, Rest::of(&Summary::EMPTY));
    }

    /// Keeps so many children from a position on.
    pub(super) fn keep(&mut self, from: usize, count: usize) {
        self.free_high.keep(from, count);
        self.worth_low.iter_mut().for_each(|lane| lane.keep(from, count, u32::MAX));
        self.tie_low.keep(from, count, u32::MAX);
        self.rest.keep(from, count, Rest::of(&Summary::EMPTY));
    }

    /// The summary of the first so many children together.
    pub(super) fn together(&self, children: usize) -> Summary {
        (0..children).fold(Summary::EMPTY, |all, position| all.with(&self.get(position)))
    }

    /// The children (a bit each) that may hold rows with these marks.
    pub(super) fn meeting(&self, marks: Marks) -> u32 {
        let each = self.rest.0.iter().enumerate();
        each.fold(0, |all, (position, rest)| all | u32::from(rest.marks.meet(marks)) << position)
    }
}

const _: () = assert!(ROWS <= u32::BITS as usize, "a leaf's positions are the bits of a u32");
const _: () = assert!(CHILDREN <= u32::BITS as usize, "a branch's positions are the bits of a u32");
