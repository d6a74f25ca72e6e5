//! What is tried: every kind of operation, exhaustively; and random schedules from a seed.

use crate::people::Word;
use crate::script::{Fault, Site};
use crate::template::{Full, Template};
use crate::trial::{Ask, BEYOND, CONTAINER, LIVE, MORE, TIGHT, size};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A kind of operation: its name, on which template, and what is asked for there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) full: Full,
    ask: fn(&Template) -> Ask,
}

impl Kind {
    pub(crate) fn ask(&self, template: &Template) -> Ask {
        (self.ask)(template)
    }
}

pub(crate) const KINDS: [Kind; 17] = [
    Kind { name: "deploy", full: Full::Nobody, ask: |_| Ask::Deploy },
    Kind { name: "start", full: Full::Nobody, ask: |it| Ask::Start(it.stopped) },
    Kind { name: "stop", full: Full::Nobody, ask: |it| Ask::Stop(it.machine, false) },
    Kind { name: "stop, forced", full: Full::Nobody, ask: |it| Ask::Stop(it.container, true) },
    Kind { name: "delete", full: Full::Nobody, ask: |it| Ask::Delete(it.machine) },
    Kind { name: "in-place-live", full: Full::Nobody, ask: |it| Ask::Resize(it.machine, LIVE) },
    Kind { name: "in-place-restart", full: Full::Nobody, ask: |it| Ask::Resize(it.machine, BEYOND) },
    Kind { name: "in place, stopped", full: Full::Nobody, ask: |it| Ask::Resize(it.stopped, LIVE) },
    Kind { name: "move-live", full: Full::Qemu, ask: |it| Ask::Resize(it.machine, MORE) },
    Kind { name: "move-live, shrinking", full: Full::Vcpus, ask: |it| Ask::Resize(it.machine, LIVE) },
    Kind { name: "move-live-restart", full: Full::Qemu, ask: |it| Ask::Resize(it.machine, BEYOND) },
    Kind { name: "move-cold", full: Full::Lxc, ask: |it| Ask::Resize(it.container, CONTAINER) },
    Kind { name: "moved, stopped", full: Full::Qemu, ask: |it| Ask::Resize(it.stopped, BEYOND) },
    Kind { name: "make-room", full: Full::Tight, ask: |it| Ask::Resize(it.machine, TIGHT) },
    Kind { name: "drain", full: Full::Nobody, ask: |_| Ask::Drain("qemu-a") },
    Kind { name: "rebalance", full: Full::Nobody, ask: |_| Ask::Rebalance },
    Kind { name: "rebuild", full: Full::Fenced, ask: |it| Ask::Rebuild(it.machine) },
];

/// Whether a boundary can fail in this way: a refusal of a hypervisor says something about the VM, one of the database
/// only that it did not work.
const fn refusal(site: Site) -> Fault {
    Fault::Refuse { passing: matches!(site, Site::Commit) }
}

/// Each `stride`th of them; which one is the first, `first` decides.
fn each<T>(stride: usize, first: usize, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    all.skip(first % stride.max(1)).step_by(stride)
}

/// Killed at every boundary of an operation that goes well, before it and after it; each `stride`th of them.
pub(crate) fn kills(sites: &[(Site, &'static str)], stride: usize, first: usize) -> Vec<Vec<(u64, Fault)>> {
    let boundaries = each(stride, first, (0_u64..).take(sites.len()));
    boundaries.flat_map(|at| [vec![(at, Fault::DieBefore)], vec![(at, Fault::DieAfter)]]).collect()
}

/// Killed while a live move goes on, which arrives sooner or later.
pub(crate) fn kills_inside(sites: &[(Site, &'static str)]) -> Vec<Vec<(u64, Fault)>> {
    let moves = (0_u64..).zip(sites).filter(|(_, (_, name))| *name == "migrate");
    moves.flat_map(|(at, _)| (0..20).map(move |after| vec![(at, Fault::DieInside { after })])).collect()
}

/// Cancelled at every boundary, by the customer or by an admin; each `stride`th of them.
pub(crate) fn cancels(sites: &[(Site, &'static str)], stride: usize, first: usize) -> Vec<Vec<(u64, Fault)>> {
    let boundaries = each(stride, first, (0_u64..).take(sites.len()));
    let cancel = |at: u64| Word::Cancel { which: 0, by_admin: at.is_multiple_of(2) };
    boundaries.map(|at| vec![(at, Fault::Said(cancel(at)))]).collect()
}

/// Failures at each `stride`th boundary: each makes the operation turn back, try again, or find out.
pub(crate) fn failures(sites: &[(Site, &'static str)], stride: usize, first: usize) -> Vec<Vec<(u64, Fault)>> {
    let boundaries = each(stride, first, (0_u64..).zip(sites));
    boundaries.flat_map(|(at, (site, _))| [vec![(at, refusal(*site))], vec![(at, Fault::LoseAnswer)]]).collect()
}

/// Killed at every boundary behind a failure: of the undo, where there is one.
pub(crate) fn kills_behind(failure: (u64, Fault), sites: usize, stride: usize, first: usize) -> Vec<Vec<(u64, Fault)>> {
    let behind = (failure.0 + 1)..u64::try_from(sites).unwrap_or(0);
    each(stride, first, behind)
        .flat_map(|at| [vec![failure, (at, Fault::DieBefore)], vec![failure, (at, Fault::DieAfter)]])
        .collect()
}

/// A random schedule: one to four operations at once, up to five things that go wrong, and up to three that people say
/// meanwhile. The same seed is the same.
pub(crate) fn random(seed: u64, template: &Template) -> (Vec<Ask>, Vec<(u64, Fault)>) {
    let mut chance = StdRng::seed_from_u64(seed);
    let vms = [template.machine, template.container, template.stopped];
    let sizes = [LIVE, MORE, BEYOND, CONTAINER, TIGHT, size(1, 256, 1), size(3, 128, 3)];
    let asks = (0..chance.random_range(1..=4)).map(|_| {
        let vm = vms[chance.random_range(0..vms.len())];
        match chance.random_range(0..20) {
            0 | 1 => Ask::Deploy,
            2 | 3 => Ask::Start(vm),
            4 => Ask::Stop(vm, false),
            5 => Ask::Stop(vm, true),
            6 => Ask::Delete(vm),
            7 => Ask::Drain(["qemu-a", "qemu-b", "lxc-a"][chance.random_range(0..3)]),
            8 => Ask::Rebalance,
            _ => Ask::Resize(vm, sizes[chance.random_range(0..sizes.len())]),
        }
    });
    let asks = asks.collect();
    let mut faults: Vec<(u64, Fault)> = (0..chance.random_range(1..=5))
        .map(|_| {
            let (node, lasting) = (chance.random_range(0..4), chance.random_range(1..60));
            let fault = match chance.random_range(0..14) {
                0 => Fault::DieInside { after: lasting },
                1..3 => Fault::DieBefore,
                3..6 => Fault::DieAfter,
                6 => Fault::Refuse { passing: false },
                7 => Fault::Refuse { passing: true },
                8 | 9 => Fault::LoseAnswer,
                10 | 11 => Fault::Silent { node, lasting },
                12 => Fault::ModuleSilent { node, lasting },
                _ => Fault::PowerFail { node },
            };
            (chance.random_range(0..150), fault)
        })
        .collect();
    faults.extend((0..chance.random_range(0..=3)).map(|_| {
        let word = match chance.random_range(0..8) {
            0..4 => Word::Cancel { which: chance.random_range(0..4), by_admin: chance.random() },
            4 => Word::CancelMoves,
            5 => Word::GiveUp,
            _ => Word::Retry,
        };
        (chance.random_range(0..150), Fault::Said(word))
    }));
    (asks, faults)
}
