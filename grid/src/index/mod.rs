//! The index: every node as a row, kept so that the best node for a request is found without looking at every node. It
//! answers exactly what the exhaustive search answers.
//!
//! ```text
//!   Index ── directory: node id -> its tree and its place on the curve
//!         ├─ a tree for each kind: the nodes that take new VMs
//!         └─ a tree for each kind: the nodes that don't (for explanations)
//!
//!   Tree ── Branch (32 children; of each: least and most free, usable; regions, domains, classes as bits)
//!             └─ Branch … └─ Leaf (32 rows, a column for each fact)
//! ```
//!
//! A clone is a snapshot: it shares all blocks, costs next to nothing, and never changes. A change copies the few blocks
//! on its way, or writes in place where no snapshot holds them.

mod branch;
mod curve;
mod lanes;
mod leaf;
mod names;
mod query;
mod row;
mod search;
mod summary;
mod tree;
mod vector;

pub use names::{ClassNumber, DomainNumber, RegionNumber};
pub use query::Query;
pub use row::{Choice, Readiness, Row};
pub use search::Effort;
pub use vector::Vector;

use crate::{HypervisorKind, NodeId};
use imbl::OrdMap;
use search::Search;
use tree::Tree;

/// How many hypervisor kinds there are.
const KINDS: usize = HypervisorKind::ALL.len();

/// All nodes as rows; see the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Index {
    directory: OrdMap<NodeId, Place>,
    ready: [Tree; KINDS],
    parked: [Tree; KINDS],
}

/// Where a row is: its kind, whether it is ready, its place on the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    on_curve: u64,
    kind: HypervisorKind,
    ready: bool,
}

impl Place {
    fn of(row: &Row) -> Self {
        Self { on_curve: curve::place(row.free), kind: row.kind, ready: row.readiness == Readiness::Ready }
    }
}

impl Index {
    /// An index of many nodes at once. Of rows with one id the last counts.
    pub fn of(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut rows: Vec<Row> = rows.into_iter().collect();
        rows.sort_by_key(|row| row.id);
        rows.reverse();
        rows.dedup_by_key(|row| row.id);
        rows.reverse();
        let directory = rows.iter().map(|row| (row.id, Place::of(row))).collect();
        let mut index = Self { directory, ..Self::default() };
        for kind in HypervisorKind::ALL {
            for ready in [true, false] {
                let these = |row: &&Row| row.kind == kind && (row.readiness == Readiness::Ready) == ready;
                *index.tree_mut(kind, ready) = Tree::of(rows.iter().filter(these).copied().collect());
            }
        }
        index
    }

    pub fn len(&self) -> usize {
        self.directory.len()
    }

    pub fn is_empty(&self) -> bool {
        self.directory.is_empty()
    }

    pub fn get(&self, id: NodeId) -> Option<Row> {
        let place = self.directory.get(&id)?;
        self.tree(place.kind, place.ready).get(place.on_curve, id.0.as_u128(), place.kind)
    }

    /// Puts a node in, or writes it anew.
    pub fn put(&mut self, row: &Row) {
        let place = Place::of(row);
        let before = self.directory.insert(row.id, place);
        match before {
            Some(before) if before == place => {
                return self.tree_mut(place.kind, place.ready).replace(place.on_curve, row);
            }
            Some(before) => self.tree_mut(before.kind, before.ready).remove(before.on_curve, row.id.0.as_u128()),
            None => {}
        }
        self.tree_mut(place.kind, place.ready).insert(place.on_curve, row);
    }

    /// Takes a node out.
    pub fn remove(&mut self, id: NodeId) {
        if let Some(place) = self.directory.remove(&id) {
            self.tree_mut(place.kind, place.ready).remove(place.on_curve, id.0.as_u128());
        }
    }

    /// The best node that can take it.
    pub fn choose(&self, query: &Query) -> Option<Choice> {
        self.choose_counting(query).0
    }

    /// The best node, and how many blocks were looked into.
    pub fn choose_counting(&self, query: &Query) -> (Option<Choice>, Effort) {
        let mut search = Search::new(query);
        if let Some(named) = query.named() {
            let rows = named.iter().filter_map(|id| self.get(*id));
            return (rows.filter_map(|row| choice(query, &row)).min(), search.effort);
        }
        let choice = search.run(self.tree(query.kind, true));
        (choice, search.effort)
    }

    /// All rows of a kind, ready or not, in no order that means anything.
    pub fn rows(&self, kind: HypervisorKind) -> impl Iterator<Item = Row> {
        let leaves = self.tree(kind, true).leaves().chain(self.tree(kind, false).leaves());
        leaves.flat_map(move |leaf| (0..leaf.rows).map(move |position| leaf.row(position, kind)))
    }

    fn tree(&self, kind: HypervisorKind, ready: bool) -> &Tree {
        let trees = if ready { &self.ready } else { &self.parked };
        &trees[kind as usize % KINDS]
    }

    fn tree_mut(&mut self, kind: HypervisorKind, ready: bool) -> &mut Tree {
        let trees = if ready { &mut self.ready } else { &mut self.parked };
        &mut trees[kind as usize % KINDS]
    }
}

/// What choosing this row would be; nothing where it can't take it. What the search must agree with.
pub fn choice(query: &Query, row: &Row) -> Option<Choice> {
    let can = row.kind == query.kind
        && row.readiness == Readiness::Ready
        && row.free.covers(query.asked)
        && query.admits(row.id, row.region, row.domain, row.class);
    can.then(|| Choice {
        cost: query.policy.cost(row.usable, row.free.minus(query.asked)),
        measured_ppm: row.measured_ppm,
        node: row.id,
    })
}
