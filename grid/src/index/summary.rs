//! Summaries: what a branch knows of each child without looking into it.

use super::lanes::{CHILDREN, Columns, Lane, NO_ID, NOTHING, ROWS};
use super::row::Row;
use super::vector::Vector;
use crate::policy::worth_of;

/// The limits of a number of rows, and a bit for each region, failure domain and class among them (modulo 64).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) free_low: Vector,
    pub(super) free_high: Vector,
    pub(super) usable_low: Vector,
    pub(super) usable_high: Vector,
    pub(super) worth_low: u64,
    pub(super) worth_high: u64,
    pub(super) measured_low: u32,
    pub(super) id_low: u128,
    pub(super) regions: u64,
    pub(super) domains: u64,
    pub(super) classes: u64,
}

/// The bit of a region, failure domain or class.
pub(super) const fn bit(number: u32) -> u64 {
    1 << (number % u64::BITS)
}

impl Summary {
    pub(super) const EMPTY: Self = Self {
        free_low: NOTHING,
        free_high: NOTHING,
        usable_low: NOTHING,
        usable_high: NOTHING,
        worth_low: u64::MAX,
        worth_high: 0,
        measured_low: u32::MAX,
        id_low: NO_ID,
        regions: 0,
        domains: 0,
        classes: 0,
    };

    pub(super) fn add(&mut self, row: &Row) {
        if self.id_low == NO_ID {
            (self.free_low, self.free_high) = (row.free, row.free);
            (self.usable_low, self.usable_high) = (row.usable, row.usable);
        }
        self.free_low = self.free_low.smaller(row.free);
        self.free_high = self.free_high.larger(row.free);
        self.usable_low = self.usable_low.smaller(row.usable);
        self.usable_high = self.usable_high.larger(row.usable);
        let worth = worth_of(row.free);
        self.worth_low = self.worth_low.min(worth);
        self.worth_high = self.worth_high.max(worth);
        self.measured_low = self.measured_low.min(row.measured_ppm);
        self.id_low = self.id_low.min(row.id.0.as_u128());
        self.regions |= bit(row.region.0);
        self.domains |= bit(row.domain.0);
        self.classes |= bit(row.class.0);
    }
}

/// The summaries of a branch's children, a column for each fact.
#[derive(Clone, Debug)]
pub(super) struct Summaries {
    pub(super) free_low: Columns<CHILDREN>,
    pub(super) free_high: Columns<CHILDREN>,
    pub(super) usable_low: Columns<CHILDREN>,
    pub(super) usable_high: Columns<CHILDREN>,
    pub(super) worth_low: Lane<u64, CHILDREN>,
    pub(super) worth_high: Lane<u64, CHILDREN>,
    pub(super) measured_low: Lane<u32, CHILDREN>,
    pub(super) id_low: Lane<u128, CHILDREN>,
    pub(super) regions: Lane<u64, CHILDREN>,
    pub(super) domains: Lane<u64, CHILDREN>,
    pub(super) classes: Lane<u64, CHILDREN>,
}

impl Summaries {
    pub(super) const EMPTY: Self = Self {
        free_low: Columns::empty(),
        free_high: Columns::empty(),
        usable_low: Columns::empty(),
        usable_high: Columns::empty(),
        worth_low: Lane::of(u64::MAX),
        worth_high: Lane::of(0),
        measured_low: Lane::of(u32::MAX),
        id_low: Lane::of(NO_ID),
        regions: Lane::of(0),
        domains: Lane::of(0),
        classes: Lane::of(0),
    };

    pub(super) fn set(&mut self, position: usize, summary: &Summary) {
        self.free_low.set(position, summary.free_low);
        self.free_high.set(position, summary.free_high);
        self.usable_low.set(position, summary.usable_low);
        self.usable_high.set(position, summary.usable_high);
        self.worth_low.set(position, summary.worth_low);
        self.worth_high.set(position, summary.worth_high);
        self.measured_low.set(position, summary.measured_low);
        self.id_low.set(position, summary.id_low);
        self.regions.set(position, summary.regions);
        self.domains.set(position, summary.domains);
        self.classes.set(position, summary.classes);
    }

    pub(super) fn get(&self, position: usize) -> Summary {
        Summary {
            free_low: self.free_low.get(position),
            free_high: self.free_high.get(position),
            usable_low: self.usable_low.get(position),
            usable_high: self.usable_high.get(position),
            worth_low: self.worth_low.get(position),
            worth_high: self.worth_high.get(position),
            measured_low: self.measured_low.get(position),
            id_low: self.id_low.get(position),
            regions: self.regions.get(position),
            domains: self.domains.get(position),
            classes: self.classes.get(position),
        }
    }

    /// Makes room for a child at a position.
    pub(super) fn open(&mut self, position: usize) {
        self.free_low.open(position);
        self.free_high.open(position);
        self.usable_low.open(position);
        self.usable_high.open(position);
        self.worth_low.open(position);
        self.worth_high.open(position);
        self.measured_low.open(position);
        self.id_low.open(position);
        self.regions.open(position);
        self.domains.open(position);
        self.classes.open(position);
    }

    /// Takes a child out.
    pub(super) fn close(&mut self, position: usize) {
        let empty = Summary::EMPTY;
        self.free_low.close(position);
        self.free_high.close(position);
        self.usable_low.close(position);
        self.usable_high.close(position);
        self.worth_low.close(position, empty.worth_low);
        self.worth_high.close(position, empty.worth_high);
        self.measured_low.close(position, empty.measured_low);
        self.id_low.close(position, empty.id_low);
        self.regions.close(position, empty.regions);
        self.domains.close(position, empty.domains);
        self.classes.close(position, empty.classes);
    }

    /// The summary of all children together.
    pub(super) fn together(&self) -> Summary {
        Summary {
            free_low: self.free_low.lowest(),
            free_high: self.free_high.highest(),
            usable_low: self.usable_low.lowest(),
            usable_high: self.usable_high.highest(),
            worth_low: self.worth_low.0.iter().copied().fold(u64::MAX, u64::min),
            worth_high: self.worth_high.0.iter().copied().fold(0, u64::max),
            measured_low: self.measured_low.0.iter().copied().fold(u32::MAX, u32::min),
            id_low: least_id(&self.id_low),
            regions: self.regions.0.iter().fold(0, |all, each| all | each),
            domains: self.domains.0.iter().fold(0, |all, each| all | each),
            classes: self.classes.0.iter().fold(0, |all, each| all | each),
        }
    }
}

/// The lowest id in a column; empty positions hold the highest there is.
pub(super) fn least_id<const WIDTH: usize>(ids: &Lane<u128, WIDTH>) -> u128 {
    ids.0.iter().copied().fold(NO_ID, u128::min)
}

const _: () = assert!(ROWS <= u32::BITS as usize, "a leaf's positions are the bits of a u32");
const _: () = assert!(CHILDREN <= u32::BITS as usize, "a branch's positions are the bits of a u32");
