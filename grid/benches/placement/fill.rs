//! A grid to place in: three kinds, 24 shapes of nodes, eight regions, failure domains of forty nodes, 85% committed with
//! VMs of the trace's sizes.

use crate::chance::Chance;
use crate::flavours::Flavours;
use grid::index::{ClassNumber, DomainNumber, Readiness, RegionNumber, Row, Vector};
use grid::vm::commitment;
use grid::{HypervisorKind, NodeId, Resource, Resources};
use std::collections::HashSet;
use uuid::Uuid;

pub(crate) const KINDS: [HypervisorKind; 3] = [HypervisorKind::Kvm, HypervisorKind::Lxc, HypervisorKind::Xen];
pub(crate) const REGIONS: u16 = 8;
const NODES_A_DOMAIN: usize = 40;
const VCPUS: [u64; 8] = [16, 24, 32, 48, 64, 80, 96, 128];
const MEMORY_A_VCPU_MIB: [u64; 3] = [2_048, 4_096, 8_192];
const NETWORK_A_VCPU_MBIT: [u64; 3] = [20, 40, 160];

/// A node of the bench: its row, and how much of it is committed to each VM.
pub(crate) struct Filled {
    pub(crate) rows: Vec<Row>,
    pub(crate) usable: Vec<Vector>,
    pub(crate) vms: Vec<Vec<Resources>>,
}

/// What a filled grid is like, in thousandths.
pub(crate) struct Likeness {
    pub(crate) committed: [u64; Vector::LEN],
    pub(crate) distinct: u64,
}

impl Filled {
    pub(crate) fn new(nodes: usize, flavours: &Flavours, chance: &mut Chance) -> Self {
        let mut filled =
            Self { rows: Vec::with_capacity(nodes), usable: Vec::with_capacity(nodes), vms: Vec::with_capacity(nodes) };
        for number in 0..nodes {
            let (row, usable, vms) = node(number, flavours, chance);
            filled.rows.push(row);
            filled.usable.push(usable);
            filled.vms.push(vms);
        }
        filled
    }

    pub(crate) fn domains(&self) -> u32 {
        u32::try_from(self.rows.len().div_ceil(NODES_A_DOMAIN)).unwrap_or(u32::MAX)
    }

    pub(crate) fn likeness(&self) -> Likeness {
        let (mut usable, mut free) = ([0_u64; Vector::LEN], [0_u64; Vector::LEN]);
        for (row, has) in self.rows.iter().zip(&self.usable) {
            for (sum, amount) in usable.iter_mut().zip(has.amounts()) {
                *sum += amount;
            }
            for (sum, amount) in free.iter_mut().zip(row.free.amounts()) {
                *sum += amount;
            }
        }
        let mut committed = [0; Vector::LEN];
        for ((share, usable), free) in committed.iter_mut().zip(usable).zip(free) {
            *share = (usable - free) * 1000 / usable.max(1);
        }
        let distinct: HashSet<Vector> = self.rows.iter().map(|row| row.free).collect();
        Likeness { committed, distinct: distinct.len() as u64 * 1000 / self.rows.len().max(1) as u64 }
    }
}

fn node(number: usize, flavours: &Flavours, chance: &mut Chance) -> (Row, Vector, Vec<Resources>) {
    let kind = KINDS[chance.below(KINDS.len())];
    let vcpus = VCPUS[chance.below(VCPUS.len())];
    let memory = vcpus * MEMORY_A_VCPU_MIB[chance.below(MEMORY_A_VCPU_MIB.len())];
    // Disk is what the pool has, less images and other files in it.
    let disk = vcpus * 25 * 1024 - chance.within(0..64) * 512;
    // From shapes that have much more bandwidth than is asked for to such as have hardly enough.
    let network = vcpus * NETWORK_A_VCPU_MBIT[(vcpus / 8) as usize % NETWORK_A_VCPU_MBIT.len()];
    let usable = Resources::new(vcpus, memory - 2_048, disk).with(Resource::Network, network);
    let level = chance.within(780..1_000);
    let (free, vms) = filled_to(kind, usable, level, flavours, chance);
    let domain = u32::try_from(number / NODES_A_DOMAIN).unwrap_or(u32::MAX);
    let row = Row {
        id: NodeId(Uuid::from_u64_pair(chance.next(), chance.next())),
        kind,
        region: RegionNumber(u16::try_from(domain % u32::from(REGIONS)).unwrap_or(0)),
        domain: DomainNumber(domain),
        class: ClassNumber(u16::try_from(chance.below(6)).unwrap_or(0)),
        readiness: if chance.one_in(100) { Readiness::Draining } else { Readiness::Ready },
        usable: Vector::of_node(usable).into(),
        free: Vector::of_node(free),
        measured_bp: u16::try_from(chance.within(0..10_000)).unwrap_or(0),
    };
    (row, Vector::of_node(usable), vms)
}

/// Commits VMs until the node's scarcest resource is at this level (in thousandths) or several in turn went beyond it.
fn filled_to(
    kind: HypervisorKind,
    usable: Resources,
    level: u64,
    flavours: &Flavours,
    chance: &mut Chance,
) -> (Resources, Vec<Resources>) {
    let limit = usable.zip(Resources::ZERO, |amount, _| amount * level / 1000);
    let (mut taken, mut vms, mut refused) = (Resources::ZERO, Vec::new(), 0);
    while refused < 6 {
        let asked = commitment(kind, flavours.draw(chance));
        if limit.covers(&taken.plus(asked)) {
            taken = taken.plus(asked);
            vms.push(asked);
        } else {
            refused += 1;
        }
    }
    (usable.minus(taken), vms)
}
