//! The nodes, the VMs and the requests of the storm, and how each means answers them.

use crate::traces::{Chance, Trace};
use grid::moves::{Ask, Budget, Goal, Guest, Layout, RoomAnswer, RoomFor, Site, make_room, rebalance};
use grid::{HypervisorKind, NodeId, Resources, VmId};
use std::time::{Duration, Instant};
use uuid::Uuid;

const NODES: u32 = 200;
const REQUESTS: usize = 2000;
/// So little that a search which finds no end takes less than 50 ms.
const WORK: u64 = 50_000;
/// Of what is gathered, no move is worth it that gains less.
const GOAL: Goal = Goal::Gather { room_for: RoomFor::Growth, least_gain_millionths: 300 };

#[derive(Clone, Copy)]
pub(crate) enum Means {
    /// At home, or after at most so many moves (the VM's own included).
    Room(u8),
    /// At home, or the VM itself moves.
    Single,
    /// All nodes of a kind are one.
    Bound,
}

#[derive(Default)]
pub(crate) struct Found {
    pub(crate) asked: u64,
    pub(crate) accepted: u64,
    pub(crate) asked_mib: u64,
    pub(crate) granted_mib: u64,
    pub(crate) moves: u64,
    pub(crate) bytes: u64,
    pub(crate) times: Vec<Duration>,
}

impl Found {
    /// The share of the requests that was accepted.
    pub(crate) fn share(&self) -> f64 {
        self.accepted as f64 / self.asked.max(1) as f64
    }

    /// So many thousandths of the decisions took no longer than this, in milliseconds.
    pub(crate) fn permille_ms(&self, permille: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get(times.len() * permille / 1000).copied().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

pub(crate) struct Storm {
    pub(crate) start: Layout,
    /// A VM, and whether its memory doubles (else its vCPUs).
    requests: Vec<(u32, bool)>,
}

impl Storm {
    /// Half of the nodes are of each kind. VMs come in the trace's order, in turns to each kind, to the fullest node
    /// that has room, until 90% of all memory is committed; vCPUs are sold twice over.
    pub(crate) fn new(trace: &Trace, seed: u64) -> Self {
        let usable = Resources::new(128, 256 << 10, 8 << 20);
        let site = |number: u32| Site {
            id: NodeId(Uuid::from_u128(u128::from(number))),
            kind: if number < NODES / 2 { HypervisorKind::Kvm } else { HypervisorKind::Xen },
            region: 0,
            domain: number,
            compatibility: 0,
            ready: true,
            answers: true,
            usable,
            taken: Resources::ZERO,
        };
        let mut start = Layout { sites: (0..NODES).map(site).collect(), guests: Vec::new(), ..Layout::default() };
        let full = usable.memory_mib() * u64::from(NODES) * 9 / 10;
        let mut committed = 0;
        for (at, vm) in trace.vms.iter().enumerate() {
            let takes = Resources::new(vm.takes[0], vm.takes[1], vm.takes[0] * 20 * 1024);
            let half = if at % 2 == 0 { 0..NODES / 2 } else { NODES / 2..NODES };
            let room = half.filter(|&site| start.sites[site as usize].free().covers(&takes));
            let Some(home) = room.min_by_key(|&site| (start.sites[site as usize].free().memory_mib(), site)) else {
                continue;
            };
            if committed + takes.memory_mib() > full {
                break;
            }
            committed += takes.memory_mib();
            let there = &mut start.sites[home as usize];
            there.taken = there.taken.plus(takes);
            start.guests.push(Guest {
                id: VmId(Uuid::from_u128(at as u128)),
                home,
                takes,
                memory_bytes: takes.memory_mib() << 20,
                disk_bytes: takes.disk_mib() << 20,
                running: true,
                movable: true,
                domain: None,
                groups: Vec::new(),
            });
        }
        let mut chance = Chance::new(seed);
        let count = start.guests.len() as u64;
        let requests = (0..REQUESTS).map(|_| (u32::try_from(chance.below(count)).unwrap_or(0), chance.below(2) == 0));
        let requests = requests.collect();
        Self { start, requests }
    }

    pub(crate) fn run(&self, means: Means) -> Found {
        self.run_gathering(means, 0)
    }

    /// After each request that is granted, what is free is gathered by at most so many moves. The time that they take to
    /// be found is none of the decision's.
    pub(crate) fn run_gathering(&self, means: Means, most: usize) -> Found {
        let (mut now, mut found) = (self.start.clone(), Found::default());
        for &(guest, memory) in &self.requests {
            let before = now.guests[guest as usize].takes;
            let (vcpus, memory_mib) = if memory { (0, before.memory_mib()) } else { (before.vcpus(), 0) };
            let more = Resources::new(vcpus, memory_mib, 0);
            found.asked += 1;
            found.asked_mib += memory_mib;
            let started = Instant::now();
            let granted = answer(&mut now, guest, before.plus(more), means, &mut found);
            found.times.push(started.elapsed());
            if granted {
                found.accepted += 1;
                found.granted_mib += memory_mib;
                if most > 0 {
                    gather(&mut now, most, &mut found);
                }
            }
        }
        found
    }
}

/// Grants it, and carries out what that takes; false where it is refused.
fn answer(now: &mut Layout, guest: u32, to: Resources, means: Means, found: &mut Found) -> bool {
    let (home, takes) = (now.guests[guest as usize].home, now.guests[guest as usize].takes);
    if let Means::Bound = means {
        let kind = now.sites[home as usize].kind;
        let all = now.sites.iter().filter(|site| site.kind == kind);
        // Taken may pass usable on a single node here: only the sums count.
        let (whole, used) = all.fold((Resources::ZERO, Resources::ZERO), |(whole, used), site| {
            (whole.plus(site.usable), used.plus(site.taken))
        });
        let fits = whole.minus(used).covers(&to.minus(takes));
        if fits {
            grow(now, guest, home, to);
        }
        return fits;
    }
    // In the order of plans: where it is, then by a move of its own, and only then by moves of others.
    if matches!(means, Means::Room(1..)) && answer(now, guest, to, Means::Single, found) {
        return true;
    }
    let asked = now;
    let moves = match means {
        Means::Room(moves) => moves,
        Means::Single | Means::Bound => 1,
    };
    // With a single move, nobody else moves.
    let fixed: Option<Layout> = matches!(means, Means::Single).then(|| {
        let mut fixed = asked.clone();
        for (at, each) in (0_u32..).zip(&mut fixed.guests) {
            each.movable = at == guest;
        }
        fixed
    });
    let layout = fixed.as_ref().unwrap_or(asked);
    let arrives = layout.guests[guest as usize].takes;
    let ask = Ask::Grow { guest, arrives, to };
    let RoomAnswer::Room { plan } = make_room(layout, &ask, Budget { moves, work: WORK }) else {
        return false;
    };
    found.moves += plan.moves.len() as u64;
    found.bytes = found.bytes.saturating_add(plan.cost.bytes);
    for each in &plan.moves {
        let Some((vm, there)) = asked.find_guest(each.vm).zip(asked.find_site(each.to)) else { return false };
        let size = if vm == guest { to } else { asked.guests[vm as usize].takes };
        grow(asked, vm, there, size);
    }
    if asked.guests[guest as usize].takes != to {
        grow(asked, guest, home, to);
    }
    true
}

fn gather(now: &mut Layout, most: usize, found: &mut Found) {
    let plan = rebalance(now, GOAL, most, Budget { moves: 0, work: 0 });
    found.moves += plan.moves.len() as u64;
    found.bytes = found.bytes.saturating_add(plan.cost.bytes);
    for each in &plan.moves {
        let Some((vm, to)) = now.find_guest(each.vm).zip(now.find_site(each.to)) else { return };
        let takes = now.guests[vm as usize].takes;
        grow(now, vm, to, takes);
    }
}

/// Puts a VM on a node at a size.
fn grow(now: &mut Layout, vm: u32, site: u32, to: Resources) {
    let guest = &mut now.guests[vm as usize];
    let (home, takes) = (guest.home, guest.takes);
    (guest.home, guest.takes) = (site, to);
    let from = &mut now.sites[home as usize];
    from.taken = from.taken.minus(takes);
    let there = &mut now.sites[site as usize];
    there.taken = there.taken.plus(to);
}
