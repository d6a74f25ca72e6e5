//! A bounded fuzz test of the placement engine: random grids, changes, snapshots, groups and absurd amounts, until the
//! time is up. The engine must never panic, and the index must answer what the exhaustive search answers.
//!
//! `HOSTGRID_FUZZ_SECONDS` (10), `HOSTGRID_FUZZ_SEED` (printed, so that a failure can be run again).

#[path = "placement/chance.rs"]
mod chance;

use chance::Chance;
use grid::index::{Choice, ClassNumber, DomainNumber, Index, Query, Readiness, RegionNumber, Row, Vector, choice};
use grid::policy::Policy;
use grid::{HypervisorKind, NodeId, Resource, Resources};
use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};
use uuid::Uuid;

type Rows = BTreeMap<NodeId, Row>;

fn main() {
    let setting = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    let seconds = setting("HOSTGRID_FUZZ_SECONDS").unwrap_or(10);
    let mut seed = setting("HOSTGRID_FUZZ_SEED").unwrap_or(1);
    let start = Instant::now();
    let (mut grids, mut asked) = (0_u64, 0_u64);
    while start.elapsed() < Duration::from_secs(seconds) {
        asked += one_grid(seed);
        grids += 1;
        seed += 1;
    }
    println!("fuzz: {grids} grids, {asked} questions, no panic, no wrong answer");
}

/// Tells how many questions were asked.
fn one_grid(seed: u64) -> u64 {
    let mut chance = Chance(seed);
    let numbers = 1 + chance.below(2_000) as u64;
    let first: Vec<Row> = (0..chance.below(1_500)).map(|_| row(numbers, &mut chance)).collect();
    let mut index = Index::of(first.iter().copied());
    let mut rows: Rows = first.into_iter().map(|row| (row.id, row)).collect();
    let (mut held, mut asked) = (None, 0);
    for _ in 0..chance.below(3_000) {
        match chance.below(12) {
            0..5 => {
                let row = row(numbers, &mut chance);
                index.put(&row);
                rows.insert(row.id, row);
            }
            5..7 => {
                let id = id(numbers, &mut chance);
                index.remove(id);
                rows.remove(&id);
            }
            7 => held = Some((index.clone(), rows.clone())),
            _ => {
                let query = query(numbers, &mut chance);
                check(seed, &index, &rows, &query);
                if let Some((index, rows)) = &held {
                    check(seed, index, rows, &query);
                }
                asked += 1;
            }
        }
    }
    asked
}

fn check(seed: u64, index: &Index, rows: &Rows, query: &Query) {
    let exhaustive: Option<Choice> = rows.values().filter_map(|row| choice(query, row)).min();
    assert_eq!(index.choose(query), exhaustive, "HOSTGRID_FUZZ_SEED={seed} {query:?}");
}

fn id(numbers: u64, chance: &mut Chance) -> NodeId {
    let number = chance.within(0..numbers);
    NodeId(Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number))
}

fn amounts(chance: &mut Chance) -> Resources {
    let mut amount = |usual: u64| match chance.below(40) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << 32,
        3 => (1 << 31) - 2,
        _ => chance.next() % usual,
    };
    Resources::new(amount(32), amount(65_536), amount(1 << 20)).with(Resource::Network, amount(10_000))
}

fn kind(chance: &mut Chance) -> HypervisorKind {
    HypervisorKind::ALL[chance.below(3)]
}

fn number(end: usize, chance: &mut Chance) -> u32 {
    u32::try_from(chance.below(end)).unwrap_or(0)
}

fn small(end: u8, chance: &mut Chance) -> u16 {
    u16::try_from(chance.below(usize::from(end))).unwrap_or(0)
}

fn row(numbers: u64, chance: &mut Chance) -> Row {
    Row {
        id: id(numbers, chance),
        kind: kind(chance),
        region: RegionNumber(small(3, chance)),
        domain: if chance.one_in(4) { DomainNumber::UNKNOWN } else { DomainNumber(number(100, chance)) },
        class: if chance.one_in(9) { ClassNumber::UNKNOWN } else { ClassNumber(small(4, chance)) },
        readiness: if chance.one_in(9) { Readiness::Cordoned } else { Readiness::Ready },
        usable: Vector::of_node(amounts(chance)).into(),
        free: Vector::of_node(amounts(chance)),
        measured_bp: small(3, chance),
    }
}

fn query(numbers: u64, chance: &mut Chance) -> Query {
    let policy = Policy::ALL[chance.below(Policy::ALL.len())];
    let mut query = Query::new(kind(chance), policy, Vector::of_request(amounts(chance)));
    if chance.one_in(3) {
        query = query.in_region(RegionNumber(small(4, chance)));
    }
    if chance.one_in(4) {
        let domains: Vec<_> = (0..chance.below(4)).map(|_| DomainNumber(number(110, chance))).collect();
        query = query.in_domains(domains);
    }
    if chance.one_in(4) {
        query = query.in_classes([ClassNumber(small(5, chance))]);
    }
    if chance.one_in(3) {
        let nodes: Vec<_> = (0..chance.below(60)).map(|_| id(numbers, chance)).collect();
        query = if chance.one_in(3) { query.on_nodes(nodes) } else { query.without_nodes(nodes) };
    }
    if chance.one_in(3) {
        let domains: Vec<_> = (0..chance.below(60)).map(|_| DomainNumber(number(110, chance))).collect();
        query = query.without_domains(domains);
    }
    query
}
