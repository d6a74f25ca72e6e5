//! Leaves: up to [`ROWS`] rows in no order, a column for each fact.

use super::lanes::{Columns, Lane, NO_ID, NOTHING, ROWS};
use super::names::{ClassNumber, DomainNumber, RegionNumber};
use super::row::{Readiness, Row};
use super::summary::{Summary, bit, least_id};
use crate::policy::WORTH;
use crate::{HypervisorKind, NodeId};
use uuid::Uuid;

/// What orders rows: the place on the curve, then the id.
pub(super) type Key = (u64, u128);

#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) rows: usize,
    pub(super) free: Columns<ROWS>,
    pub(super) usable: Columns<ROWS>,
    pub(super) region: Lane<u32, ROWS>,
    pub(super) domain: Lane<u32, ROWS>,
    pub(super) class: Lane<u32, ROWS>,
    pub(super) measured: Lane<u32, ROWS>,
    pub(super) id: Lane<u128, ROWS>,
    pub(super) readiness: Lane<Readiness, ROWS>,
    place: Lane<u64, ROWS>,
}

impl Leaf {
    pub(super) const EMPTY: Self = Self {
        rows: 0,
        free: Columns::empty(),
        usable: Columns::empty(),
        region: Lane::of(0),
        domain: Lane::of(0),
        class: Lane::of(0),
        measured: Lane::of(u32::MAX),
        id: Lane::of(NO_ID),
        readiness: Lane::of(Readiness::Ready),
        place: Lane::of(0),
    };

    pub(super) fn row(&self, position: usize, kind: HypervisorKind) -> Row {
        Row {
            id: NodeId(Uuid::from_u128(self.id.get(position))),
            kind,
            region: RegionNumber(self.region.get(position)),
            domain: DomainNumber(self.domain.get(position)),
            class: ClassNumber(self.class.get(position)),
            readiness: self.readiness.get(position),
            usable: self.usable.get(position),
            free: self.free.get(position),
            measured_ppm: self.measured.get(position),
        }
    }

    pub(super) fn position(&self, id: u128) -> Option<usize> {
        self.id.0.iter().take(self.rows).position(|each| *each == id)
    }

    /// Writes a row over the one at a position.
    pub(super) fn set(&mut self, position: usize, place: u64, row: &Row) {
        self.free.set(position, row.free);
        self.usable.set(position, row.usable);
        self.region.set(position, row.region.0);
        self.domain.set(position, row.domain.0);
        self.class.set(position, row.class.0);
        self.measured.set(position, row.measured_ppm);
        self.id.set(position, row.id.0.as_u128());
        self.readiness.set(position, row.readiness);
        self.place.set(position, place);
    }

    /// Adds a row; there must be room.
    pub(super) fn push(&mut self, place: u64, row: &Row) {
        self.set(self.rows, place, row);
        self.rows += 1;
    }

    /// Takes a row out: the last one takes its position.
    pub(super) fn take(&mut self, position: usize) {
        let last = self.rows.saturating_sub(1);
        let (place, row) = (self.place.get(last), self.row(last, HypervisorKind::Test));
        self.set(position, place, &row);
        self.rows = last;
        self.free.set(last, NOTHING);
        self.usable.set(last, NOTHING);
        self.measured.set(last, u32::MAX);
        self.id.set(last, NO_ID);
    }

    pub(super) fn summary(&self) -> Summary {
        let bits =
            |numbers: &Lane<u32, ROWS>| numbers.0.iter().take(self.rows).fold(0, |all, number| all | bit(*number));
        let worths = self.worths();
        let used = worths.get(..self.rows).unwrap_or_default();
        let (worth_low, worth_high) =
            used.iter().fold((u64::MAX, 0), |(low, high), &worth| (worth.min(low), worth.max(high)));
        Summary {
            free_low: self.free.lowest(),
            free_high: self.free.highest(),
            usable_low: self.usable.lowest(),
            usable_high: self.usable.highest(),
            worth_low,
            worth_high,
            measured_low: self.measured.0.iter().copied().fold(u32::MAX, u32::min),
            id_low: least_id(&self.id),
            regions: bits(&self.region),
            domains: bits(&self.domain),
            classes: bits(&self.class),
        }
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
        let mut order: [(Key, usize); ROWS] = [((0, NO_ID), 0); ROWS];
        for (position, slot) in order.iter_mut().enumerate() {
            *slot = ((self.place.get(position), self.id.get(position)), position);
        }
        let rows = self.rows.min(ROWS);
        let used = order.get_mut(..rows).unwrap_or_default();
        used.sort_unstable();
        let (lower, upper) = used.split_at(rows / 2);
        let (mut left, mut right) = (Self::EMPTY, Self::EMPTY);
        for (half, leaf) in [(lower, &mut left), (upper, &mut right)] {
            for (key, position) in half {
                leaf.push(key.0, &self.row(*position, HypervisorKind::Test));
            }
        }
        let start = upper.first().map_or((u64::MAX, NO_ID), |(key, _)| *key);
        *self = left;
        (start, right)
    }

    /// Takes over all rows of another leaf; there must be room.
    pub(super) fn absorb(&mut self, other: &Self) {
        for position in 0..other.rows {
            self.push(other.place.get(position), &other.row(position, HypervisorKind::Test));
        }
    }
}
