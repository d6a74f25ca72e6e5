//! One replay of a trace on a number of servers; ends at the first VM that is rejected.

use crate::policies::Cost;
use crate::traces::{Chance, Event, Trace};
use grid::moves::{Ask, Budget, Goal, Guest, Layout, Move, RoomAnswer, RoomFor, Site, make_room, rebalance};
use grid::{HypervisorKind, NodeId, Resources, VmId};
use uuid::Uuid;

/// How far each search for room goes.
const BUDGET: Budget = Budget { moves: 4, work: 1_000_000 };

/// What is free is gathered when a VM has no room, and while little is free after every so many arrivals, so that it is
/// not too late then.
const GOAL: Goal = Goal::Gather { room_for: RoomFor::NewVms, least_gain_millionths: 300 };
const ARRIVALS: u64 = 500;
/// Little: less than so many thousandths of all vCPUs, or of all memory.
const LITTLE_PERMILLE: u64 = 100;
/// Moves at a time; of those that are allowed for [`ARRIVALS`] some are left for making room.
const MOST: u64 = 20;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) used: u64,
    pub(crate) moves: u64,
    pub(crate) bytes: u64,
}

pub(crate) struct Replay<'a> {
    trace: &'a Trace,
    cost: Option<Cost>,
    free: Vec<[u64; 2]>,
    /// By VM.
    homes: Vec<Option<usize>>,
    used: usize,
    /// Whether a server that was never used is opened only when no other has room.
    opens: bool,
    arrived: u64,
    /// Moves for each arrival so far, in hundredths.
    moves_percent: u64,
    outcome: Outcome,
    chance: Chance,
}

impl<'a> Replay<'a> {
    /// Every server can be chosen at once.
    pub(crate) fn new(trace: &'a Trace, cost: Option<Cost>, servers: u64, moves_percent: u64) -> Self {
        let free = vec![trace.server; usize::try_from(servers).unwrap_or(0)];
        let (homes, chance) = (vec![None; trace.vms.len()], Chance::new(1));
        let (arrived, outcome) = (0, Outcome::default());
        Self { trace, cost, free, homes, used: 0, opens: false, arrived, moves_percent, outcome, chance }
    }

    /// More than enough servers, each opened only when no other has room.
    pub(crate) fn opening(trace: &'a Trace, cost: Option<Cost>) -> Self {
        Self { opens: true, ..Self::new(trace, cost, trace.bound() * 3, 0) }
    }

    /// None where a VM was rejected.
    pub(crate) fn run(mut self) -> Option<Outcome> {
        for event in &self.trace.events {
            match *event {
                Event::Goes(vm) => {
                    let home = self.homes[vm].take()?;
                    self.give_back(vm, home);
                }
                Event::Comes(vm) => {
                    self.arrived += 1;
                    if self.arrived.is_multiple_of(ARRIVALS) && self.has_little() {
                        self.gather()?;
                    }
                    let home = match self.choose(vm) {
                        Some(home) => home,
                        None => self.make_room(vm)?,
                    };
                    self.put(vm, home);
                }
            }
        }
        self.outcome.used = self.used as u64;
        Some(self.outcome)
    }

    fn put(&mut self, vm: usize, home: usize) {
        for at in 0..2 {
            self.free[home][at] -= self.trace.vms[vm].takes[at];
        }
        self.homes[vm] = Some(home);
        self.used = self.used.max(home + 1);
    }

    fn give_back(&mut self, vm: usize, home: usize) {
        for at in 0..2 {
            self.free[home][at] += self.trace.vms[vm].takes[at];
        }
    }

    fn choose(&mut self, vm: usize) -> Option<usize> {
        let takes = self.trace.vms[vm].takes;
        let fits = |free: &[u64; 2]| free[0] >= takes[0] && free[1] >= takes[1];
        // Beyond the used servers all are empty: the first stands for them.
        let seen = if self.opens { self.used } else { self.free.len().min(self.used + 1) };
        let room = self.free[..seen].iter().enumerate().filter(|(_, free)| fits(free));
        let chosen = if let Some(cost) = self.cost {
            let server = self.trace.server;
            room.min_by_key(|(_, free)| cost([free[0] - takes[0], free[1] - takes[1]], server)).map(|(at, _)| at)
        } else {
            let all: Vec<usize> = room.map(|(at, _)| at).collect();
            let pick = self.chance.below(all.len() as u64);
            usize::try_from(pick).ok().and_then(|pick| all.get(pick)).copied()
        };
        chosen.or((self.opens && self.used < self.free.len()).then_some(self.used))
    }

    fn moves_left(&self) -> u64 {
        (self.arrived * self.moves_percent / 100).saturating_sub(self.outcome.moves)
    }

    /// Whether little is free of something, on all servers together.
    fn has_little(&self) -> bool {
        let whole = |at: usize| self.trace.server[at] * self.free.len() as u64;
        let free = |at: usize| self.free.iter().map(|free| free[at]).sum::<u64>();
        (0..2).any(|at| free(at) * 1000 < whole(at) * LITTLE_PERMILLE)
    }

    /// Brings together what is free, as far as moves are left. Where vCPUs are free on some servers and memory on others,
    /// soon no VM can move any more.
    fn gather(&mut self) -> Option<()> {
        let most = usize::try_from(self.moves_left().min(MOST)).unwrap_or(0);
        if most == 0 {
            return Some(());
        }
        self.carry_out(&rebalance(&self.layout(), GOAL, most, BUDGET).moves)
    }

    /// Moves others until it fits somewhere; without hindsight, within the moves allowed so far.
    fn make_room(&mut self, vm: usize) -> Option<usize> {
        self.gather()?;
        if let Some(home) = self.choose(vm) {
            return Some(home);
        }
        let moves = u8::try_from(self.moves_left()).unwrap_or(u8::MAX).min(BUDGET.moves);
        if moves == 0 {
            return None;
        }
        let ask = Ask::new_vm(HypervisorKind::Kvm, resources(self.trace.vms[vm].takes));
        let RoomAnswer::Room { plan } = make_room(&self.layout(), &ask, Budget { moves, ..BUDGET }) else {
            return None;
        };
        self.carry_out(&plan.moves)?;
        usize::try_from(plan.node.0.as_u128()).ok()
    }

    fn carry_out(&mut self, moves: &[Move]) -> Option<()> {
        for each in moves {
            let guest = usize::try_from(each.vm.0.as_u128()).ok()?;
            let to = usize::try_from(each.to.0.as_u128()).ok()?;
            self.give_back(guest, self.homes[guest]?);
            self.put(guest, to);
            self.outcome.moves += 1;
            self.outcome.bytes = self.outcome.bytes.saturating_add(each.bytes);
        }
        Some(())
    }

    fn layout(&self) -> Layout {
        let usable = resources(self.trace.server);
        let site = |(number, free): (u128, &[u64; 2])| Site {
            id: NodeId(Uuid::from_u128(number)),
            kind: HypervisorKind::Kvm,
            region: 0,
            domain: 0,
            compatibility: 0,
            ready: true,
            answers: true,
            usable,
            taken: usable.minus(resources(*free)),
        };
        let guest = |(at, home): (usize, &Option<usize>)| {
            let takes = self.trace.vms[at].takes;
            Some(Guest {
                id: VmId(Uuid::from_u128(at as u128)),
                home: u32::try_from((*home)?).ok()?,
                takes: resources(takes),
                memory_bytes: takes[1] * self.trace.memory_unit,
                disk_bytes: takes[0] * self.trace.disk_unit,
                running: true,
                movable: true,
                domain: None,
                groups: Vec::new(),
            })
        };
        Layout {
            sites: (0_u128..).zip(&self.free).map(site).collect(),
            guests: self.homes.iter().enumerate().filter_map(guest).collect(),
            ..Layout::default()
        }
    }
}

/// Disk goes with vCPUs, so it is never what a server lacks.
fn resources([vcpus, memory_mib]: [u64; 2]) -> Resources {
    Resources::new(vcpus, memory_mib, vcpus)
}
