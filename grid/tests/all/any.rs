//! Any grid: what the property tests draw from. Amounts are small where the question is what fits, and of any size where
//! it is whether something breaks.

use crate::fixture::*;
use grid::map::{MapNode, Reading, ResourceMap};
use grid::node::{Administration, Overcommit};
use grid::sample::{DiskSample, PoolSample};
use grid::vm::{Maxima, Vm, VmState};
use grid::{Gib, HypervisorKind, Mbit, Mib, Resource, Resources, Size, UnixMillis, Vcpus};
use proptest::prelude::*;

/// So many cases of a property, where `PROPTEST_CASES` asks for no other number.
pub(crate) fn cases(usual: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { asked } else { ProptestConfig { cases: usual, ..asked } }
}

/// A map and VMs that live in it; at least one.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) nodes: Vec<MapNode>,
    pub(crate) vms: Vec<Vm>,
}

impl Grid {
    pub(crate) fn map(&self) -> ResourceMap {
        map_of(self.nodes.iter().cloned())
    }
}

/// What is drawn of a node.
#[derive(Clone, Debug)]
struct Draw {
    kind: HypervisorKind,
    has: Resources,
    administration: Administration,
    /// Ages of the hypervisor's and the utility module's readings; None for silence.
    ages: [Option<i64>; 2],
    south: bool,
    pool_by_module: u64,
    free_permille: u64,
    reserved: Resources,
    old_cpu: bool,
    overcommit: Overcommit,
    homes: Vec<(Size, Maxima, VmState)>,
}

pub(crate) fn kind() -> impl Strategy<Value = HypervisorKind> {
    prop_oneof![4 => Just(HypervisorKind::Qemu), 3 => Just(HypervisorKind::Lxc), 1 => Just(HypervisorKind::Kvm)]
}

/// A size of which some fit on the nodes and some don't.
pub(crate) fn any_size() -> impl Strategy<Value = Size> {
    let network = prop_oneof![3 => Just(0), 2 => 1_u64..400];
    (1_u32..12, 4_u64..1500, 1_u64..30, network)
        .prop_map(|(vcpus, memory, disk, network)| Size { network: Mbit(network), ..size(vcpus, memory * 4, disk) })
}

fn resources() -> impl Strategy<Value = Resources> {
    let below = Resource::ALL.map(|resource| match resource {
        Resource::Vcpus => 0_u64..16,
        Resource::Memory => 0..8192,
        Resource::Disk => 0..40_000,
        Resource::Network => 0..1000,
    });
    below.prop_map(Resources::from)
}

fn age() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![12 => Just(Some(0)), 1 => Just(Some(20_000)), 1 => Just(None)]
}

fn administration() -> impl Strategy<Value = Administration> {
    prop_oneof![
        8 => Just(Administration::Open),
        1 => Just(Administration::Cordoned),
        1 => Just(Administration::Draining),
        1 => Just(Administration::Fenced),
    ]
}

fn home() -> impl Strategy<Value = (Size, Maxima, VmState)> {
    let state = prop_oneof![
        5 => Just(VmState::Running),
        3 => Just(VmState::Stopped),
        1 => Just(VmState::Deploying),
        1 => Just(VmState::Unknown),
    ];
    (any_size(), 0_u32..8, 0_u64..2048, state).prop_map(|(size, vcpus, memory, state)| {
        let maxima = Maxima { vcpus: Vcpus(size.vcpus.0 + vcpus), memory: Mib(size.memory.0 + memory) };
        (size, maxima, state)
    })
}

fn draw() -> impl Strategy<Value = Draw> {
    let overcommit = Resource::ALL
        .map(|resource| match resource {
            Resource::Vcpus => 500_u32..2500,
            Resource::Memory => 500..2000,
            Resource::Disk => 800..2000,
            Resource::Network => 500..3000,
        })
        .prop_map(|permille| Overcommit(permille.into()));
    let rarely = || prop::bool::weighted(0.1);
    let first = (kind(), resources(), administration(), [age(), age()], rarely());
    let second = (
        prop_oneof![9 => Just(1000_u64), 1 => 0_u64..3000],
        0_u64..=1000,
        prop_oneof![3 => Just(Resources::ZERO), 1 => resources()],
        rarely(),
        overcommit,
        prop::collection::vec(home(), 0..3),
    );
    (first, second).prop_map(|((kind, has, administration, ages, south), second)| {
        let (by_module, free_permille, reserved, old_cpu, overcommit, homes) = second;
        let pool_by_module = has.disk_mib() * by_module / 1000;
        Draw {
            kind,
            has,
            administration,
            ages,
            south,
            pool_by_module,
            free_permille,
            reserved,
            old_cpu,
            overcommit,
            homes,
        }
    })
}

fn build(number: u128, draw: &Draw, vms: &mut Vec<Vm>) -> MapNode {
    let region = if draw.south { "south" } else { "north" };
    let home: Vec<Vm> = (0_u128..)
        .zip(&draw.homes)
        .map(|(place, &(size, maxima, state))| Vm {
            maxima,
            state,
            region: region.to_owned(),
            ..vm(number * 100 + place, number, draw.kind, size)
        })
        .collect();
    let mut node = node(number, draw.kind);
    node.administration = draw.administration;
    node.settings.overcommit = draw.overcommit;
    region.clone_into(&mut node.region);
    let mut inputs = inputs(node, draw.has, &home);
    inputs.reserved = draw.reserved;
    let [first, second] = draw.ages.map(|age| age.map(|age| UnixMillis(NOW.0 - age)));
    inputs.hypervisor = inputs.hypervisor.zip(first).map(|(reading, at)| Reading { at, ..reading });
    inputs.utility = inputs.utility.zip(second).map(|(reading, at)| Reading { at, ..reading });
    if let Some(reading) = &mut inputs.hypervisor
        && draw.old_cpu
    {
        "Haswell".clone_into(&mut reading.sample.compatibility.cpu_model);
    }
    if let Some(reading) = &mut inputs.utility {
        let free_mib = draw.pool_by_module * draw.free_permille / 1000;
        reading.sample.pool = PoolSample { capacity_mib: draw.pool_by_module, free_mib };
        reading.sample.disks = home
            .iter()
            .map(|vm| DiskSample { vm: vm.id, virtual_bytes: vm.size.disk.bytes(), real_bytes: 1 << 20 })
            .collect();
    }
    let built = MapNode::build(inputs);
    vms.extend(home);
    built
}

/// Up to six nodes of three kinds in two regions, in all conditions, with VMs in all states.
pub(crate) fn grid() -> impl Strategy<Value = Grid> {
    prop::collection::vec(draw(), 1..6)
        .prop_map(|draws| {
            let mut vms = Vec::new();
            let nodes = (1_u128..).zip(&draws).map(|(number, draw)| build(number, draw, &mut vms)).collect();
            Grid { nodes, vms }
        })
        .prop_filter("a VM to ask about", |grid| !grid.vms.is_empty())
}

/// A grid, one of its VMs, and a size to ask for.
pub(crate) fn question() -> impl Strategy<Value = (Grid, Vm, Size)> {
    (grid(), any::<prop::sample::Index>(), any_size(), prop::bool::weighted(0.8)).prop_map(
        |(grid, which, asked, keeps_disk)| {
            let vm = which.get(&grid.vms).clone();
            let disk = if keeps_disk { asked.disk.max(vm.size.disk) } else { asked.disk };
            let to = vm.keeping(Size { disk, ..asked });
            (grid, vm, to)
        },
    )
}

/// Amounts from nothing to the largest number.
pub(crate) fn absurd() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), Just(1 << 32), any::<u64>(), 0_u64..100_000]
}

pub(crate) fn absurd_resources() -> impl Strategy<Value = Resources> {
    Resource::ALL.map(|_| absurd()).prop_map(Resources::from)
}

pub(crate) fn absurd_size() -> impl Strategy<Value = Size> {
    (any::<u32>(), absurd(), absurd()).prop_map(|(vcpus, memory, disk)| Size::new(Vcpus(vcpus), Mib(memory), Gib(disk)))
}
