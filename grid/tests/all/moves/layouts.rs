//! Layouts that the tests of moves are made of: by hand, and any.

use crate::fixture::{amounts, node_id, vm_id};
use grid::moves::{Guest, Layout, LayoutGroup, Site};
use grid::placement::Rule;
use grid::{HypervisorKind, Resource, Resources};
use proptest::prelude::*;

/// A node by itself, in no failure domain of others.
pub(super) fn site(number: u128, kind: HypervisorKind, usable: Resources) -> Site {
    Site {
        id: node_id(number),
        kind,
        region: 0,
        domain: u32::try_from(number + 1000).unwrap(),
        compatibility: 0,
        ready: true,
        answers: true,
        usable,
        taken: Resources::ZERO,
    }
}

pub(super) fn guest(number: u128, home: u32, takes: Resources) -> Guest {
    Guest {
        id: vm_id(number),
        home,
        takes,
        memory_bytes: takes.memory_mib() << 20,
        disk_bytes: takes.disk_mib() << 20,
        running: true,
        movable: true,
        domain: None,
        groups: Vec::new(),
    }
}

/// A layout in which what is taken is what the guests take.
pub(super) fn layout(mut sites: Vec<Site>, guests: Vec<Guest>) -> Layout {
    for guest in &guests {
        let home = &mut sites[guest.home as usize];
        home.taken = home.taken.plus(guest.takes);
    }
    Layout { sites, guests, ..Layout::default() }
}

#[derive(Clone, Debug)]
struct SiteDraw {
    kind: HypervisorKind,
    usable: Resources,
    south: bool,
    old: bool,
    state: State,
    domain: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Ready,
    Closed,
    Silent,
}

#[derive(Clone, Debug)]
struct GuestDraw {
    at: prop::sample::Index,
    takes: Resources,
    stopped: bool,
    fixed: bool,
    pinned: bool,
    groups: Vec<u32>,
}

fn rarely() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.1)
}

fn site_draw() -> impl Strategy<Value = SiteDraw> {
    let kind = prop_oneof![4 => Just(HypervisorKind::Kvm), 1 => Just(HypervisorKind::Lxc)];
    let network = prop_oneof![1 => Just(0_u64), 4 => 4_u64..24];
    let size = (4_u64..16, 4_u64..16, network)
        .prop_map(|(vcpus, memory, network)| amounts(vcpus, memory, 1000).with(Resource::Network, network));
    let domain = prop::option::weighted(0.7, 0_u32..3);
    let state = prop_oneof![17 => Just(State::Ready), 2 => Just(State::Closed), 1 => Just(State::Silent)];
    (kind, size, rarely(), rarely(), state, domain).prop_map(|(kind, usable, south, old, state, domain)| SiteDraw {
        kind,
        usable,
        south,
        old,
        state,
        domain,
    })
}

fn guest_draw() -> impl Strategy<Value = GuestDraw> {
    let network = prop_oneof![2 => Just(0_u64), 3 => 1_u64..7];
    let takes = (1_u64..7, 1_u64..7, network)
        .prop_map(|(vcpus, memory, network)| amounts(vcpus, memory, vcpus).with(Resource::Network, network));
    let groups = prop_oneof![3 => Just(vec![]), 2 => (0_u32..3).prop_map(|one| vec![one]), 1 => Just(vec![0, 1])];
    (any::<prop::sample::Index>(), takes, rarely(), rarely(), rarely(), groups)
        .prop_map(|(at, takes, stopped, fixed, pinned, groups)| GuestDraw { at, takes, stopped, fixed, pinned, groups })
}

fn group_draw() -> impl Strategy<Value = LayoutGroup> {
    let rule = prop_oneof![
        3 => Just(Rule::ApartByNode),
        2 => Just(Rule::ApartByFailureDomain),
        1 => Just(Rule::TogetherOnNode),
        2 => Just(Rule::TogetherInFailureDomain),
    ];
    let held = prop_oneof![5 => Just(vec![]), 1 => (0_u32..3).prop_map(|place| vec![place])];
    (rule, held).prop_map(|(rule, held)| LayoutGroup { name: format!("{rule:?}"), rule, held })
}

/// Nodes of two kinds in two regions and some failure domains, with VMs of which some are in groups. What a group asks
/// for may be broken already: then it asks it of every move from there on.
pub(super) fn any_layout(most_sites: usize, most_guests: usize) -> impl Strategy<Value = Layout> {
    let sites = prop::collection::vec(site_draw(), 1..=most_sites);
    let guests = prop::collection::vec(guest_draw(), 0..=most_guests);
    let groups = prop::collection::vec(group_draw(), 3);
    (sites, guests, groups, any::<bool>()).prop_map(|(sites, guests, groups, passes)| {
        let mut all = Layout { groups, ..Layout::default() };
        // Running VMs of old nodes can go to new ones, not back.
        all.passes.extend(passes.then_some((1, 0)));
        for (number, draw) in (1_u128..).zip(sites) {
            let mut each = site(number, draw.kind, draw.usable);
            (each.region, each.compatibility) = (u32::from(draw.south), u32::from(draw.old));
            (each.ready, each.answers) = (draw.state == State::Ready, draw.state != State::Silent);
            each.domain = draw.domain.unwrap_or(each.domain);
            all.sites.push(each);
        }
        for (number, draw) in (1_u128..).zip(guests) {
            let home = draw.at.index(all.sites.len());
            let there = &mut all.sites[home];
            if there.usable.minus(there.taken).covers(&draw.takes) {
                there.taken = there.taken.plus(draw.takes);
                let mut each = guest(number, u32::try_from(home).unwrap(), draw.takes);
                (each.running, each.movable, each.groups) = (!draw.stopped, !draw.fixed, draw.groups);
                each.domain = draw.pinned.then_some(there.domain);
                all.guests.push(each);
            }
        }
        all
    })
}
