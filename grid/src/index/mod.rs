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
mod shelf;
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
use search::Search;
use shelf::Shelf;
use tree::Tree;

/// How many hypervisor kinds there are.
const KINDS: usize = HypervisorKind::ALL.len();

/// All nodes as rows; see the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Index {
    directory: Shelf<u128, Place>,
    /// The nodes of each failure domain.
    domains: Shelf<Member, ()>,
    names: Names,
    ready: [Tree; KINDS],
    parked: [Tree; KINDS],
}

/// Where a row is: its kind, whether it is ready, its place on the curve.
/// Packed: the least bit says whether it is ready, the next three tell the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(u64);

impl Place {
    fn of(row: &Row) -> Self {
        let ready = u64::from(row.readiness == Readiness::Ready);
        Self(curve::place(row.free) << 4 | (row.kind as u64 & 7) << 1 | ready)
    }

    const fn on_curve(self) -> u64 {
        self.0 >> 4
    }

    fn kind(self) -> HypervisorKind {
        let kind = usize::try_from(self.0 >> 1 & 7).unwrap_or(0);
        HypervisorKind::ALL[kind % KINDS]
    }

    const fn ready(self) -> bool {
        self.0 & 1 == 1
    }
}

const _: () = assert!(KINDS <= 8, "three bits tell the kind");

/// A failure domain, a kind, and a node of that kind in it, as one number of 160 bits.
type Member = [u32; 5];

/// The first part of a member: domains that share it (there are none below 2^29 domains) share their lists, which are
/// looked through anyway.
const fn shelved(domain: DomainNumber, kind: HypervisorKind) -> u32 {
    domain.0 << 3 | kind as u32
}

#[expect(clippy::cast_possible_truncation, reason = "it takes an id apart")]
const fn member(domain: DomainNumber, kind: HypervisorKind, id: u128) -> Member {
    [shelved(domain, kind), (id >> 96) as u32, (id >> 64) as u32, (id >> 32) as u32, id as u32]
}

fn member_id(member: Member) -> u128 {
    member.into_iter().skip(1).fold(0, |id, part| id << 32 | u128::from(part))
}

impl Index {
    /// An index of many nodes at once. Of rows with one id the last counts.
    pub fn of(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut rows: Vec<Row> = rows.into_iter().collect();
        rows.sort_by_key(|row| row.id);
        rows.reverse();
        rows.dedup_by_key(|row| row.id);
        rows.reverse();
        let directory: Vec<(u128, Place)> = rows.iter().map(|row| (row.id.0.as_u128(), Place::of(row))).collect();
        let told = rows.iter().filter(|row| row.domain != DomainNumber::UNKNOWN);
        let mut domains: Vec<(Member, ())> =
            told.map(|row| (member(row.domain, row.kind, row.id.0.as_u128()), ())).collect();
        domains.sort_unstable();
        let (directory, domains) = (Shelf::of(&directory), Shelf::of(&domains));
        let mut index = Self { directory, domains, ..Self::default() };
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
        self.directory.len() == 0
    }

    pub fn get(&self, id: NodeId) -> Option<Row> {
        let id = id.0.as_u128();
        let place = self.directory.get(id)?;
        self.tree(place.kind(), place.ready()).get(place.on_curve(), id, place.kind())
    }

    /// Puts a node in, or writes it anew.
    pub fn put(&mut self, row: &Row) {
        let (id, place) = (row.id.0.as_u128(), Place::of(row));
        let Some(before) = self.directory.get(id) else {
            self.directory.insert(id, place);
            self.enter(row.domain, row.kind, id);
            return self.tree_mut(place.kind(), place.ready()).insert(place.on_curve(), row);
        };
        let tree = self.tree_mut(before.kind(), before.ready());
        let was_in = if before == place {
            tree.replace(place.on_curve(), row)
        } else {
            let was_in = tree.remove(before.on_curve(), id);
            self.directory.insert(id, place);
            self.tree_mut(place.kind(), place.ready()).insert(place.on_curve(), row);
            was_in
        };
        if let Some(was_in) = was_in
            && (was_in, before.kind()) != (row.domain, row.kind)
        {
            self.domains.remove(member(was_in, before.kind(), id));
            self.enter(row.domain, row.kind, id);
        }
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
            usable: Vector::of_node(node.usable),
            free: Vector::of_node(node.available()),
            measured_ppm: node.measured_ppm(),
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

    fn enter(&mut self, domain: DomainNumber, kind: HypervisorKind, id: u128) {
        if domain != DomainNumber::UNKNOWN {
            self.domains.insert(member(domain, kind, id), ());
        }
    }

    /// Takes a node out.
    pub fn remove(&mut self, id: NodeId) {
        let id = id.0.as_u128();
        if let Some(place) = self.directory.remove(id)
            && let Some(was_in) = self.tree_mut(place.kind(), place.ready()).remove(place.on_curve(), id)
        {
            self.domains.remove(member(was_in, place.kind(), id));
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
            return (self.best_of(query, named.iter().copied()), search.effort);
        }
        if let Some(few) = self.few_in_domains(query) {
            return (self.best_of(query, few.into_iter()), search.effort);
        }
        let choice = search.run(self.tree(query.kind, true));
        (choice, search.effort)
    }

    fn best_of(&self, query: &Query, nodes: impl Iterator<Item = NodeId>) -> Option<Choice> {
        let ready = nodes.filter(|id| {
            let place = self.directory.get(id.0.as_u128());
            place.is_some_and(|place| place.kind() == query.kind && place.ready())
        });
        ready.filter_map(|id| choice(query, &self.get(id)?)).min()
    }

    /// All nodes of the failure domains that are asked for, where they are so few that looking at each is quicker than
    /// the search.
    fn few_in_domains(&self, query: &Query) -> Option<Vec<NodeId>> {
        let domains = query.domains()?;
        // A search past domains looks into most leaves that have room; looking a node up takes about four blocks.
        let few = self.len() / (4 * lanes::ROWS);
        let nodes = self.nodes_at_most(domains, &[query.kind], few);
        (nodes.len() <= few).then_some(nodes)
    }

    /// All nodes of these failure domains.
    pub fn nodes_of(&self, domains: &[DomainNumber]) -> Vec<NodeId> {
        self.nodes_at_most(domains, &HypervisorKind::ALL, usize::MAX)
    }

    /// The nodes of these failure domains and kinds; no more are collected once there are more than `enough`.
    fn nodes_at_most(&self, domains: &[DomainNumber], kinds: &[HypervisorKind], enough: usize) -> Vec<NodeId> {
        let mut nodes = Vec::new();
        for (domain, kind) in domains.iter().flat_map(|domain| kinds.iter().map(move |kind| (*domain, *kind))) {
            let list = shelved(domain, kind);
            self.domains.from(member(domain, kind, 0), |each| {
                let here = each.first() == Some(&list);
                if here {
                    nodes.push(NodeId(uuid::Uuid::from_u128(member_id(each))));
                }
                here && nodes.len() <= enough
            });
        }
        nodes
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
