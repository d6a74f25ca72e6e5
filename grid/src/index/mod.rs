//! The index: every node as a row, kept so that the best node for a request is found without looking at every node. It
//! answers exactly what the exhaustive search answers. (Regions and classes have 65,535 numbers each, which are never given
//! back: a node of a region that comes after that is not found, one of a new class counts as one that told nothing.)
//!
//! ```text
//!   Index ── rows: each at a slot of its own for as long as its node is there
//!         ├─ ids: from a node's id to its slot
//!         ├─ domains: the slots of each failure domain
//!         ├─ a tree for each kind: the nodes that take new VMs
//!         └─ a tree for each kind: the nodes that don't (for explanations)
//!
//!   Tree ── Branch (16 children; of each: least and most free, usable; what rows with so many vCPUs are worth at least;
//!             │       marks of regions, domains, classes as bits)
//!             └─ Branch … └─ Leaf (32 rows: what is free in columns, marks, what decides ties, slots)
//! ```
//!
//! A clone is a snapshot: it shares all blocks, costs next to nothing, and never changes. A change copies the few blocks
//! on its way, or writes in place where no snapshot holds them.

mod branch;
mod curve;
mod lanes;
mod leaf;
#[cfg(test)]
mod limits;
mod marks;
mod names;
mod query;
mod row;
mod rows;
mod search;
mod shelf;
mod stairs;
mod summary;
mod tree;
mod vector;

pub use names::{ClassNumber, DomainNumber, Names, RegionNumber};
pub use query::Query;
pub use row::{Choice, Readiness, Row};
pub use search::Effort;
pub use vector::Vector;

use crate::map::MapNode;
use crate::{HypervisorKind, NodeId};
use rows::{Rows, Slot};
use search::Search;
use shelf::Shelf;
use tree::Tree;

/// How many hypervisor kinds there are.
const KINDS: usize = HypervisorKind::ALL.len();

/// All nodes as rows; see the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Index {
    rows: Rows,
    /// What an id is scattered to, and the slot, as one number.
    ids: Shelf,
    /// The failure domain and the kind, and the slot, as one number.
    domains: Shelf,
    /// Slots whose nodes are gone.
    vacant: Shelf,
    names: Names,
    ready: [Tree; KINDS],
    parked: [Tree; KINDS],
}

const _: () = assert!(KINDS <= 8, "three bits tell the kind");

/// An id as 32 bits that are as good as any others of it. Ids that share them stand side by side.
#[expect(clippy::cast_possible_truncation, reason = "it folds the id")]
const fn scattered(id: NodeId) -> u32 {
    let id = id.0.as_u128();
    let folded = (id as u64 ^ (id >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (folded >> 32) as u32
}

/// Domains that share this (there are none below 2^29 domains) share their lists, which are looked through anyway.
const fn shelved(domain: DomainNumber, kind: HypervisorKind) -> u32 {
    domain.0 << 3 | kind as u32
}

/// A list's number and a slot in it, as a shelf has them.
fn listed(list: u32, slot: Slot) -> u64 {
    u64::from(list) << 32 | u64::from(slot)
}

/// The slots of a list, in their order, for as long as `more` says.
#[expect(clippy::cast_possible_truncation, reason = "it takes the number apart")]
fn slots_of(shelf: &Shelf, list: u32, mut more: impl FnMut(Slot) -> bool) {
    shelf.from(listed(list, 0), |number| {
        let (of, slot) = ((number >> 32) as u32, number as u32);
        of == list && more(slot)
    });
}

impl Index {
    /// An index of many nodes at once. Of rows with one id the last counts.
    pub fn of(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut all: Vec<Row> = rows.into_iter().collect();
        all.sort_by_key(|row| row.id);
        all.reverse();
        all.dedup_by_key(|row| row.id);
        all.reverse();
        let mut index = Self::default();
        let slots: Vec<(Slot, &Row)> = all.iter().map(|row| (index.rows.push(row), row)).collect();
        let sorted = |mut numbers: Vec<u64>| {
            numbers.sort_unstable();
            Shelf::of(&numbers)
        };
        let told = slots.iter().filter(|(_, row)| row.domain != DomainNumber::UNKNOWN);
        index.ids = sorted(slots.iter().map(|(slot, row)| listed(scattered(row.id), *slot)).collect());
        index.domains = sorted(told.map(|(slot, row)| listed(shelved(row.domain, row.kind), *slot)).collect());
        for kind in HypervisorKind::ALL {
            for ready in [true, false] {
                let these = |(_, row): &&(Slot, &Row)| row.kind == kind && row.is_ready() == ready;
                let tree = Tree::of(slots.iter().filter(these).copied().collect());
                *index.tree_mut(kind, ready) = tree;
            }
        }
        index
    }

    pub const fn len(&self) -> usize {
        self.ids.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, id: NodeId) -> Option<Row> {
        Some(self.find(id)?.1)
    }

    fn find(&self, id: NodeId) -> Option<(Slot, Row)> {
        let mut found = None;
        slots_of(&self.ids, scattered(id), |slot| {
            found = self.rows.get(slot).filter(|row| row.id == id).map(|row| (slot, *row));
            found.is_none()
        });
        found
    }

    /// Puts a node in, or writes it anew.
    pub fn put(&mut self, row: &Row) {
        let Some((slot, before)) = self.find(row.id) else { return self.enter(row) };
        if before == *row {
            return;
        }
        self.rows.set(slot, row);
        if (before.kind, before.is_ready()) == (row.kind, row.is_ready()) {
            self.tree_mut(row.kind, row.is_ready()).change(slot, &before, row);
        } else {
            self.tree_mut(before.kind, before.is_ready()).remove(slot, &before);
            self.tree_mut(row.kind, row.is_ready()).insert(slot, row);
        }
        if (before.domain, before.kind) != (row.domain, row.kind) {
            self.leave_domain(slot, &before);
            self.enter_domain(slot, row);
        }
    }

    /// Puts a node in that isn't there.
    fn enter(&mut self, row: &Row) {
        let mut vacant = None;
        slots_of(&self.vacant, 0, |slot| {
            vacant = Some(slot);
            false
        });
        let slot = if let Some(slot) = vacant {
            self.vacant.remove(listed(0, slot));
            self.rows.set(slot, row);
            slot
        } else {
            self.rows.push(row)
        };
        self.ids.insert(listed(scattered(row.id), slot));
        self.enter_domain(slot, row);
        self.tree_mut(row.kind, row.is_ready()).insert(slot, row);
    }

    /// Puts a node of the map in, or writes it anew.
    pub fn put_node(&mut self, node: &MapNode) {
        let row = self.row_of(node);
        self.put(&row);
    }

    /// A node of the map as a row; what names it has that are new get numbers.
    fn row_of(&mut self, node: &MapNode) -> Row {
        Row {
            id: node.node.id,
            kind: node.kind(),
            region: self.names.number_region(&node.node.region),
            domain: self.names.number_domain(node.failure_domain.as_deref()),
            class: self.names.number_class(node.told()),
            readiness: node.condition.into(),
            usable: Vector::of_node(node.usable).into(),
            free: Vector::of_node(node.available()),
            measured_bp: node.measured_bp(),
        }
    }

    /// An index of all nodes of a map.
    pub fn of_nodes<'a>(nodes: impl IntoIterator<Item = &'a MapNode>) -> Self {
        let mut names = Self::default();
        let rows: Vec<Row> = nodes.into_iter().map(|node| names.row_of(node)).collect();
        Self { names: names.names, ..Self::of(rows) }
    }

    pub const fn names(&self) -> &Names {
        &self.names
    }

    fn enter_domain(&mut self, slot: Slot, row: &Row) {
        if row.domain != DomainNumber::UNKNOWN {
            self.domains.insert(listed(shelved(row.domain, row.kind), slot));
        }
    }

    fn leave_domain(&mut self, slot: Slot, row: &Row) {
        self.domains.remove(listed(shelved(row.domain, row.kind), slot));
    }

    /// Takes a node out.
    pub fn remove(&mut self, id: NodeId) {
        let Some((slot, row)) = self.find(id) else { return };
        self.tree_mut(row.kind, row.is_ready()).remove(slot, &row);
        self.leave_domain(slot, &row);
        self.ids.remove(listed(scattered(id), slot));
        self.vacant.insert(listed(0, slot));
    }

    /// The best node that can take it.
    pub fn choose(&self, query: &Query) -> Option<Choice> {
        self.choose_counting(query).0
    }

    /// The best node, and how many blocks were looked into.
    pub fn choose_counting(&self, query: &Query) -> (Option<Choice>, Effort) {
        let mut search = Search::new(&self.rows, query);
        if let Some(named) = query.named() {
            let slots = named.iter().filter_map(|id| Some(self.find(*id)?.0));
            return (self.best_of(query, slots), search.effort);
        }
        if let Some(few) = self.few_in_domains(query) {
            return (self.best_of(query, few.into_iter()), search.effort);
        }
        let choice = search.run(self.tree(query.kind, true));
        (choice, search.effort)
    }

    fn best_of(&self, query: &Query, slots: impl Iterator<Item = Slot>) -> Option<Choice> {
        slots.filter_map(|slot| choice(query, self.rows.get(slot)?)).min()
    }

    /// All nodes of the failure domains that are asked for, where they are so few that looking at each is quicker than
    /// the search.
    fn few_in_domains(&self, query: &Query) -> Option<Vec<Slot>> {
        let domains = query.domains()?;
        // A search past domains looks into most leaves that have room.
        let few = self.len() / lanes::ROWS;
        let slots = self.slots_at_most(domains, &[query.kind], few);
        (slots.len() <= few).then_some(slots)
    }

    /// All nodes of these failure domains.
    pub fn nodes_of(&self, domains: &[DomainNumber]) -> Vec<NodeId> {
        let slots = self.slots_at_most(domains, &HypervisorKind::ALL, usize::MAX);
        slots.into_iter().filter_map(|slot| Some(self.rows.get(slot)?.id)).collect()
    }

    /// The slots of these failure domains and kinds; no more are collected once there are more than `enough`.
    fn slots_at_most(&self, domains: &[DomainNumber], kinds: &[HypervisorKind], enough: usize) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (domain, kind) in domains.iter().flat_map(|domain| kinds.iter().map(move |kind| (*domain, *kind))) {
            slots_of(&self.domains, shelved(domain, kind), |slot| {
                slots.push(slot);
                slots.len() <= enough
            });
        }
        slots
    }

    /// All rows of a kind, ready or not, in no order that means anything.
    pub fn rows(&self, kind: HypervisorKind) -> impl Iterator<Item = Row> {
        let slots = self.tree(kind, true).slots().chain(self.tree(kind, false).slots());
        slots.filter_map(|slot| self.rows.get(slot).copied())
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
        && row.is_ready()
        && row.free.covers(query.asked)
        && query.admits(row.id, row.region, row.domain, row.class);
    can.then(|| Choice {
        cost: query.policy.cost(row.usable, row.free.minus(query.asked)),
        measured_bp: row.measured_bp,
        node: row.id,
    })
}
