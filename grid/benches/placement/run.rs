//! One run: a grid of so many nodes, and everything that is measured in it.

use crate::chance::Chance;
use crate::fill::Filled;
use crate::memory::allocated;
use crate::requests::Requests;
use crate::scan::Scan;
use grid::index::{Index, Query, Row, Vector};
use std::hint::black_box;
use std::time::Instant;

/// Nanoseconds, in no order.
pub(crate) type Times = Vec<u64>;

/// After so many changes a reader takes a snapshot and holds it until the next.
pub(crate) const SNAPSHOT_EVERY: usize = 1_000;

/// In what circumstances the index is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changes {
    /// Between decisions, while readers take snapshots.
    BetweenDecisions,
    /// The same, while nobody holds a snapshot: nothing is copied.
    Unshared,
    /// After an exhaustive search, which leaves nothing of the index in the processor's caches.
    AfterScan,
}

#[derive(Default)]
pub(crate) struct Times4Kinds {
    pub(crate) region: Times,
    pub(crate) domain: Times,
    pub(crate) apart: Times,
    pub(crate) scarce: Times,
}

#[derive(Default)]
pub(crate) struct Found {
    pub(crate) decision: Times,
    /// That all of these looked into.
    pub(crate) blocks: usize,
    pub(crate) constrained: Times4Kinds,
    pub(crate) refusal: Times,
    pub(crate) scan: Times,
    pub(crate) update: Times,
    pub(crate) update_unshared: Times,
    pub(crate) update_after_scan: Times,
    pub(crate) lookup: Times,
    pub(crate) snapshot: Times,
    pub(crate) bytes: usize,
    pub(crate) asked: usize,
    pub(crate) equal: usize,
}

/// The index, the columns of the exhaustive search, and the VMs, all of the same grid.
pub(crate) struct Run<'a> {
    filled: Filled,
    index: Index,
    scan: Scan,
    requests: Requests<'a>,
    chance: Chance,
    snapshot: Index,
    changes: usize,
    now: Changes,
    found: Found,
}

impl<'a> Run<'a> {
    pub(crate) fn new(filled: Filled, requests: Requests<'a>, chance: Chance) -> Self {
        let index = Index::of(filled.rows.iter().copied());
        let scan = Scan::new(&filled.rows);
        let snapshot = index.clone();
        let (now, found) = (Changes::BetweenDecisions, Found::default());
        Self { filled, index, scan, requests, chance, snapshot, changes: 0, now, found }
    }

    pub(crate) fn all(mut self) -> Found {
        self.decisions(20_000);
        self.unshared(5_000);
        self.lookups(5_000);
        self.limited(2_000);
        self.scarce_and_unmet();
        self.scans();
        self.compare(10_000);
        self.found.bytes = bytes_of(self.index, self.snapshot);
        self.found
    }

    /// Ordinary decisions; each takes its room, and another VM leaves.
    fn decisions(&mut self, count: usize) {
        // The first thousand only warm up.
        for number in 0..count + 1_000 {
            let query = self.requests.ordinary(&mut self.chance);
            let start = Instant::now();
            let (choice, effort) = black_box(self.index.choose_counting(black_box(&query)));
            let took = nanoseconds(start);
            if let Some(choice) = choice
                && number >= 1_000
            {
                self.found.decision.push(took);
                self.found.blocks += usize::try_from(effort.branches + effort.leaves).unwrap_or(usize::MAX);
                self.commit(self.scan.position(choice.node), &query);
            }
            self.one_leaves();
        }
    }

    /// Changes while nobody holds a snapshot.
    fn unshared(&mut self, count: usize) {
        self.now = Changes::Unshared;
        self.snapshot = Index::default();
        for _ in 0..count {
            let query = self.requests.ordinary(&mut self.chance);
            if let Some(choice) = self.index.choose(&query) {
                self.commit(self.scan.position(choice.node), &query);
            }
            self.one_leaves();
        }
        self.now = Changes::BetweenDecisions;
    }

    /// Looking a node up, which is where a change begins, as long after it was looked at last as a change's node is.
    fn lookups(&mut self, count: usize) {
        for _ in 0..count {
            black_box(self.index.choose(&self.requests.ordinary(&mut self.chance)));
            let node = self.filled.rows[self.chance.below(self.filled.rows.len())].id;
            let start = Instant::now();
            black_box(self.index.get(black_box(node)));
            self.found.lookup.push(nanoseconds(start));
        }
    }

    /// Requests that can be met, limited by region, domain, or what they keep away from.
    fn limited(&mut self, count: usize) {
        for _ in 0..count {
            let query = self.requests.in_region(&mut self.chance);
            let took = self.met(&query);
            self.found.constrained.region.extend(took);
            let query = self.requests.in_domain(&mut self.chance);
            let took = self.met(&query);
            self.found.constrained.domain.extend(took);
        }
        self.now = Changes::AfterScan;
        for _ in 0..count / 4 {
            let query = self.requests.apart(&self.scan, &mut self.chance);
            let took = self.met(&query);
            self.found.constrained.apart.extend(took);
        }
    }

    fn scarce_and_unmet(&mut self) {
        for _ in 0..if self.filled.rows.len() > 100_000 { 300 } else { 1_000 } {
            let query = self.requests.scarce(&self.scan, &mut self.chance);
            let took = self.met(&query);
            self.found.constrained.scarce.extend(took);
            let query = self.requests.unmet(&self.scan, &mut self.chance);
            self.come_and_go();
            let (choice, took) = self.timed(&query);
            assert!(choice.is_none(), "the scan found nothing and the index {choice:?}");
            self.found.refusal.push(took);
        }
    }

    /// The time of a decision, where there is a node; other nodes change before.
    fn met(&mut self, query: &Query) -> Option<u64> {
        self.come_and_go();
        let (choice, took) = self.timed(query);
        choice.map(|_| took)
    }

    fn timed(&self, query: &Query) -> (Option<grid::index::Choice>, u64) {
        let start = Instant::now();
        let choice = black_box(self.index.choose(black_box(query)));
        (choice, nanoseconds(start))
    }

    fn scans(&mut self) {
        for _ in 0..300 {
            let query = self.requests.ordinary(&mut self.chance);
            let start = Instant::now();
            black_box(self.scan.choose(black_box(&query)));
            self.found.scan.push(nanoseconds(start));
        }
    }

    /// Random decisions of all sorts, interleaved with updates, beside the exhaustive answer.
    fn compare(&mut self, count: usize) {
        for number in 0..count {
            let query = match number % 8 {
                0 => self.requests.in_region(&mut self.chance),
                1 => self.requests.in_domain(&mut self.chance),
                2 if number % 64 == 2 => self.requests.apart(&self.scan, &mut self.chance),
                3 if number % 64 == 3 => self.requests.unmet(&self.scan, &mut self.chance),
                _ => self.requests.ordinary(&mut self.chance),
            };
            let choice = self.index.choose(&query);
            self.found.asked += 1;
            self.found.equal += usize::from(choice == self.scan.choose(&query));
            if let Some(choice) = choice {
                self.commit(self.scan.position(choice.node), &query);
            }
            self.one_leaves();
        }
    }

    fn commit(&mut self, position: usize, query: &Query) {
        let row = &mut self.filled.rows[position];
        row.free = row.free.minus(query.asked);
        self.filled.vms[position].push(query.asked.resources());
        let row = *row;
        self.put(&row);
        self.scan.put(&row);
    }

    /// A VM leaves a node.
    fn one_leaves(&mut self) {
        let position = self.chance.below(self.filled.rows.len());
        let vms = &mut self.filled.vms[position];
        if vms.is_empty() {
            return;
        }
        let gone = vms.swap_remove(self.chance.below(vms.len()));
        let row = &mut self.filled.rows[position];
        row.free = Vector::of_node(row.free.resources().plus(gone)).smaller(self.filled.usable[position]);
        let row = *row;
        self.put(&row);
        self.scan.put(&row);
    }

    /// A node fills up and is as before: two changes that leave the answers what they were.
    fn come_and_go(&mut self) {
        let row = self.filled.rows[self.chance.below(self.filled.rows.len())];
        self.put(&Row { free: Vector::ZERO, ..row });
        self.put(&row);
    }

    fn put(&mut self, row: &Row) {
        if self.now != Changes::Unshared && self.changes.is_multiple_of(SNAPSHOT_EVERY) {
            let start = Instant::now();
            let snapshot = self.index.clone();
            self.found.snapshot.push(nanoseconds(start));
            self.snapshot = snapshot;
        }
        self.changes += 1;
        let start = Instant::now();
        self.index.put(row);
        let took = nanoseconds(start);
        let times = match self.now {
            Changes::BetweenDecisions => &mut self.found.update,
            Changes::Unshared => &mut self.found.update_unshared,
            Changes::AfterScan => &mut self.found.update_after_scan,
        };
        times.push(took);
    }
}

/// What the index alone takes, as it is after all the changes.
fn bytes_of(index: Index, snapshot: Index) -> usize {
    drop(snapshot);
    let before = allocated();
    drop(index);
    before - allocated()
}

fn nanoseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
