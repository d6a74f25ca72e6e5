//! The index: whatever happened to it, it answers what looking at every node answers.

use crate::fixture::node_id;
use grid::index::{Choice, ClassNumber, DomainNumber, Index, Query, Readiness, RegionNumber, Row, Vector, choice};
use grid::policy::Policy;
use grid::{HypervisorKind, NodeId, Resource, Resources};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What happens to an index.
#[derive(Clone, Debug)]
enum Event {
    Put(Box<Row>),
    /// The node with this number takes so much, or gives it back.
    Take(u128, Vector),
    Remove(u128),
    Snapshot,
    Ask(Box<Query>),
}

type Rows = BTreeMap<NodeId, Row>;

fn exhaustive(rows: &Rows, query: &Query) -> Option<Choice> {
    rows.values().filter_map(|row| choice(query, row)).min()
}

/// Few different amounts, so that there are ties, and some absurd ones.
fn amounts() -> impl Strategy<Value = Vector> {
    let absurd = [0, 1, 1 << 31, 1 << 32, u64::MAX];
    let one = move |most: u64, step: u64| prop_oneof![30 => (0..most).prop_map(move |count| count * step), 1 => prop::sample::select(absurd.to_vec())];
    let each = Resource::ALL.map(|resource| match resource {
        Resource::Vcpus => one(20, 1),
        Resource::Memory => one(24, 512),
        Resource::Disk => one(9, 10_240),
        Resource::Network => one(5, 250),
    });
    each.prop_map(|amounts| Vector::of_node(amounts.into()))
}

fn kind() -> impl Strategy<Value = HypervisorKind> {
    prop_oneof![5 => Just(HypervisorKind::Kvm), 1 => Just(HypervisorKind::Lxc)]
}

fn number() -> impl Strategy<Value = u128> {
    // Spread over the ids, in an order that isn't the numbers'.
    (0_u128..400).prop_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// Numbers of regions and classes; some have the same mark as others.
fn few() -> impl Strategy<Value = u16> {
    prop_oneof![9 => 0_u16..4, 1 => 32_u16..35, 1 => Just(u16::MAX)]
}

fn row() -> impl Strategy<Value = Row> {
    let readiness = prop_oneof![9 => Just(Readiness::Ready), 1 => Just(Readiness::Draining)];
    let names = (few(), prop_oneof![9 => 0_u32..90, 1 => Just(DomainNumber::UNKNOWN.0)], few());
    (number(), kind(), names, readiness, amounts(), amounts(), 0_u16..3).prop_map(
        |(number, kind, (region, domain, class), readiness, usable, free, measured_bp)| Row {
            id: node_id(number),
            kind,
            region: RegionNumber(region),
            domain: DomainNumber(domain),
            class: ClassNumber(class),
            readiness,
            usable: usable.into(),
            free,
            measured_bp,
        },
    )
}

fn query() -> impl Strategy<Value = Query> {
    let limits = (
        prop::option::of(few()),
        prop::option::of(prop::collection::vec(0_u32..90, 0..4)),
        prop::option::of(prop::collection::vec(few(), 0..3)),
        prop::option::weighted(0.1, prop::collection::vec(number(), 0..40)),
        prop::collection::vec(number(), 0..20),
        prop::collection::vec(0_u32..90, 0..40),
    );
    let plain = Just((None, None, None, None, Vec::new(), Vec::new()));
    let limits = prop_oneof![plain, limits];
    (kind(), prop::sample::select(Policy::ALL.to_vec()), amounts(), limits).prop_map(|(kind, policy, asked, limits)| {
        let (region, domains, classes, nodes, without_nodes, without_domains) = limits;
        let mut query = Query::new(kind, policy, Vector::of_request(asked.resources()))
            .without_nodes(without_nodes.into_iter().map(node_id))
            .without_domains(without_domains.into_iter().map(DomainNumber));
        if let Some(region) = region {
            query = query.in_region(RegionNumber(region));
        }
        if let Some(domains) = domains {
            query = query.in_domains(domains.into_iter().map(DomainNumber));
        }
        if let Some(classes) = classes {
            query = query.in_classes(classes.into_iter().map(ClassNumber));
        }
        if let Some(nodes) = nodes {
            query = query.on_nodes(nodes.into_iter().map(node_id));
        }
        query
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => row().prop_map(|row| Event::Put(Box::new(row))),
        4 => (number(), amounts()).prop_map(|(number, free)| Event::Take(number, free)),
        2 => number().prop_map(Event::Remove),
        1 => Just(Event::Snapshot),
        3 => query().prop_map(|query| Event::Ask(Box::new(query))),
    ]
}

fn apply(event: &Event, index: &mut Index, rows: &mut Rows) {
    match event {
        Event::Put(row) => {
            index.put(row);
            rows.insert(row.id, **row);
        }
        Event::Take(number, free) => {
            if let Some(row) = rows.get_mut(&node_id(*number)) {
                row.free = *free;
                index.put(row);
            }
        }
        Event::Remove(number) => {
            index.remove(node_id(*number));
            rows.remove(&node_id(*number));
        }
        Event::Snapshot | Event::Ask(_) => {}
    }
}

fn same_rows(index: &Index, rows: &Rows) -> bool {
    let held = HypervisorKind::ALL.into_iter().flat_map(|kind| index.rows(kind));
    let held: Rows = held.map(|row| (row.id, row)).collect();
    held == *rows && index.len() == rows.len() && rows.keys().all(|id| index.get(*id).as_ref() == rows.get(id))
}

proptest! {
    #![proptest_config(crate::any::cases(48))]

    #[test]
    fn it_answers_what_looking_at_every_node_answers(
        first in prop::collection::vec(row(), 0..300),
        events in prop::collection::vec(event(), 0..500),
        asked in prop::collection::vec(query(), 30),
    ) {
        let mut index = Index::of(first.iter().copied());
        let mut rows: Rows = first.into_iter().map(|row| (row.id, row)).collect();
        let mut snapshots = Vec::new();
        for event in &events {
            apply(event, &mut index, &mut rows);
            match event {
                Event::Snapshot => snapshots.push((index.clone(), rows.clone())),
                Event::Ask(query) => prop_assert_eq!(index.choose(query), exhaustive(&rows, query), "{:?}", query),
                Event::Put(_) | Event::Take(..) | Event::Remove(_) => {}
            }
        }
        snapshots.push((index, rows));
        for (index, rows) in &snapshots {
            prop_assert!(same_rows(index, rows));
            for query in &asked {
                prop_assert_eq!(index.choose(query), exhaustive(rows, query), "{:?}", query);
            }
        }
    }
}

#[test]
fn thousands_of_equal_nodes_come_and_go() {
    let row = |number: u128| Row {
        id: node_id(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        kind: HypervisorKind::Kvm,
        region: RegionNumber(0),
        domain: DomainNumber(0),
        class: ClassNumber(0),
        readiness: Readiness::Ready,
        usable: Vector::of_node(Resources::new(64, 262_144, 1 << 21)).into(),
        free: Vector::of_node(Resources::new(64, 262_144, 1 << 21)),
        measured_bp: 0,
    };
    let query = |policy| Query::new(HypervisorKind::Kvm, policy, Vector::ZERO);
    let (mut index, mut rows) = (Index::default(), Rows::new());
    for number in 0..5_000 {
        index.put(&row(number));
        rows.insert(row(number).id, row(number));
    }
    for policy in Policy::ALL {
        let (found, effort) = index.choose_counting(&query(policy));
        assert_eq!(found, exhaustive(&rows, &query(policy)));
        assert!(effort.leaves + effort.branches < 10, "{effort:?}");
    }
    for number in 0..5_000 {
        index.remove(row(number).id);
        rows.remove(&row(number).id);
        if number % 500 == 0 {
            assert_eq!(index.choose(&query(Policy::Pack)), exhaustive(&rows, &query(Policy::Pack)));
        }
    }
    assert!(index.is_empty());
}

/// The same numbers in every run.
fn chance(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn a_snapshot_held_through_thousands_of_changes_answers_as_its_own_nodes_do() {
    let mut state = 7;
    let amounts = |state: &mut u64| {
        Vector::of_node(Resources::each(|resource| match resource {
            Resource::Vcpus => chance(state) % 33,
            Resource::Memory => chance(state) % 64 * 2_048,
            Resource::Disk => chance(state) % 99 * 10_240,
            Resource::Network => chance(state) % 9 * 250,
        }))
    };
    let mut rows: Vec<Row> = Vec::new();
    for number in 0..3_000_u16 {
        rows.push(Row {
            id: node_id(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
            kind: if number % 3 == 0 { HypervisorKind::Lxc } else { HypervisorKind::Kvm },
            region: RegionNumber(number % 4),
            domain: DomainNumber(u32::from(number / 40)),
            class: ClassNumber(number % 3),
            readiness: if number % 50 == 0 { Readiness::Draining } else { Readiness::Ready },
            usable: Vector::of_node(Resources::new(32, 131_072, 1 << 20)).into(),
            free: amounts(&mut state),
            measured_bp: number % 5,
        });
    }
    let mut index = Index::of(rows.iter().copied());
    let mut held = Vec::new();
    for change in 0..9_000 {
        if change % 1_500 == 0 {
            held.push((index.clone(), rows.clone()));
        }
        let position = usize::try_from(chance(&mut state)).unwrap() % rows.len();
        rows[position].free = amounts(&mut state);
        index.put(&rows[position]);
    }
    held.push((index, rows));
    for (index, rows) in &held {
        for number in 0..200_u16 {
            let kind = if number % 2 == 0 { HypervisorKind::Kvm } else { HypervisorKind::Lxc };
            let policy = Policy::ALL[usize::from(number) % Policy::ALL.len()];
            let plain = Query::new(kind, policy, amounts(&mut state));
            let query = match number % 5 {
                0 => plain.in_region(RegionNumber(number % 4)),
                1 => plain.in_domains([DomainNumber(u32::from(number % 75))]),
                2 => plain.in_classes([ClassNumber(number % 3)]),
                _ => plain,
            };
            let exhaustive = rows.iter().filter_map(|row| choice(&query, row)).min();
            assert_eq!(index.choose(&query), exhaustive, "{query:?}");
        }
        assert!(rows.iter().all(|row| index.get(row.id) == Some(*row)));
    }
}

#[test]
fn nodes_that_fill_up_one_after_another_and_empty_again_are_all_found() {
    let of = |number: u128, vcpus: u64| Row {
        id: node_id(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)),
        kind: HypervisorKind::Kvm,
        region: RegionNumber(0),
        domain: DomainNumber::UNKNOWN,
        class: ClassNumber(0),
        readiness: Readiness::Ready,
        usable: Vector::of_node(Resources::new(64, 262_144, 1 << 21)).into(),
        free: Vector::of_node(Resources::new(vcpus, vcpus * 4_096, vcpus * 20_480)),
        measured_bp: 0,
    };
    let mut rows: Rows = (0..2_000)
        .map(|number| of(number, 32 + u64::try_from(number).unwrap() % 32))
        .map(|row| (row.id, row))
        .collect();
    let mut index = Index::of(rows.values().copied());
    for round in 0..3_u64 {
        for (numbers, vcpus) in [(0..1_500, 0), (500..2_000, 1 + round), (0..2_000, 40)] {
            for number in numbers {
                let row = of(number, vcpus + u64::try_from(number).unwrap() % 7);
                index.put(&row);
                rows.insert(row.id, row);
            }
            assert!(same_rows(&index, &rows));
            for asked in 0..60 {
                let query = Query::new(HypervisorKind::Kvm, Policy::Pack, of(0, asked).free);
                assert_eq!(index.choose(&query), exhaustive(&rows, &query));
            }
        }
    }
}
