//! VM traces for the benches: Azure's, from the folder in `HOSTGRID_TRACES` (by default `../shared/traces` beside the
//! repository), or, where there are none, a seeded generator with the same flavours.
//!
//! - `azure-packing`: a 1% sample of the trace of Hadary et al., OSDI'20, with sizes by Iqbal et al., `SoCC`'22, in
//!   arbitrary units; servers of 2,400 cores and 768 ram. VMs larger than a server are left out.
//! - `azure-arrivals`: the first 150,000 VMs of the test part of Azure's V1 trace (Cortez et al., SOSP'17); servers of
//!   64 vCPUs and 256 GiB. A lifetime is its bin's number and one, times five minutes; a censored one never ends.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A VM of a trace: what it takes (vCPUs and memory, in the trace's units) and when it lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceVm {
    pub(crate) takes: [u64; 2],
    starts: i64,
    ends: Option<i64>,
}

/// What happens, in order: a VM comes, or goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Comes(usize),
    Goes(usize),
}

pub(crate) struct Trace {
    pub(crate) name: &'static str,
    pub(crate) generated: bool,
    /// One server.
    pub(crate) server: [u64; 2],
    pub(crate) vms: Vec<TraceVm>,
    pub(crate) events: Vec<Event>,
    /// Bytes of memory in one unit of it, and bytes of disk that go with one unit of vCPU.
    pub(crate) memory_unit: u64,
    pub(crate) disk_unit: u64,
}

impl Trace {
    fn new(name: &'static str, server: [u64; 2], vms: Vec<TraceVm>, units: [u64; 2]) -> Self {
        let mut timed: Vec<(i64, bool, usize)> = Vec::new();
        for (at, vm) in vms.iter().enumerate() {
            timed.push((vm.starts, true, at));
            // Whoever goes makes room for those who come at the same time, but not before it came itself.
            timed.extend(vm.ends.map(|ends| (ends.max(vm.starts + 1), false, at)));
        }
        timed.sort_unstable();
        let event = |(_, comes, at)| if comes { Event::Comes(at) } else { Event::Goes(at) };
        let events = timed.into_iter().map(event).collect();
        let [memory_unit, disk_unit] = units;
        Self { name, generated: false, server, vms, events, memory_unit, disk_unit }
    }

    /// No fewer servers can do: the larger resource at its peak, divided by a server.
    pub(crate) fn bound(&self) -> u64 {
        let (mut now, mut bound) = ([0_u64; 2], 0);
        for event in &self.events {
            let (Event::Comes(vm) | Event::Goes(vm)) = *event;
            for ((sum, takes), server) in now.iter_mut().zip(self.vms[vm].takes).zip(self.server) {
                *sum = if matches!(event, Event::Comes(_)) { *sum + takes } else { *sum - takes };
                bound = bound.max(sum.div_ceil(server));
            }
        }
        bound
    }
}

fn folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces");
    std::env::var_os("HOSTGRID_TRACES").map_or(beside, PathBuf::from)
}

/// The servers of the two traces.
const PACKING: [u64; 2] = [2400, 768];
const ARRIVALS: [u64; 2] = [64, 256 << 10];

pub(crate) fn packing() -> Trace {
    packing_on("azure-packing", PACKING)
}

pub(crate) fn arrivals() -> Trace {
    arrivals_from("azure-arrivals", 0, ARRIVALS)
}

/// What no policy was fitted on: the VMs that come after those of `azure-arrivals`, other servers, and other chance.
pub(crate) fn held_out() -> [Trace; 6] {
    let drawn = |name, server, seed| generated(name, server, [1 << 20, 20 << 30], 60_000, 1, seed);
    [
        arrivals_from("arrivals, next 150,000", 150_000, ARRIVALS),
        arrivals_from("arrivals on 96 / 384", 0, [96, 384 << 10]),
        arrivals_from("arrivals on 48 / 256", 0, [48, 256 << 10]),
        packing_on("packing on 3200 / 1024", [3200, 1024]),
        drawn("drawn, seed 11", ARRIVALS, 11),
        drawn("drawn on 48 / 192", [48, 192 << 10], 12),
    ]
}

fn packing_on(name: &'static str, server: [u64; 2]) -> Trace {
    let file = folder().join("azure-packing2020-cospot/workloads_bernoulli_relevant-vm-1pcnt_0.csv");
    let units = [1 << 30, (20 << 30) / 100];
    let Ok(text) = std::fs::read_to_string(&file) else {
        return generated(name, server, units, 52_509, 100, 7);
    };
    let microseconds = |days: &str| Some((days.parse::<f64>().ok()? * 86_400e6) as i64);
    let vm = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let amount = |at: usize| Some(fields.get(at)?.parse::<f64>().ok()? as u64);
        let takes = [amount(2)?, amount(3)?];
        let ends = fields.get(6).filter(|&&ends| ends != "inf").and_then(|ends| microseconds(ends));
        let fits = takes[0] <= server[0] && takes[1] <= server[1];
        fits.then_some(TraceVm { takes, starts: microseconds(fields.get(5)?)?, ends })
    };
    Trace::new(name, server, text.lines().skip(1).filter_map(vm).collect(), units)
}

fn arrivals_from(name: &'static str, first: usize, server: [u64; 2]) -> Trace {
    let read = |name: &str| std::fs::read_to_string(folder().join("azure-v1-rnn").join(name));
    let units = [1 << 20, 20 << 30];
    let (Ok(sizes), Ok(came), Ok(lived)) = (read("flav_map.txt"), read("v1.test.txt"), read("v1.test.c2591400.txt"))
    else {
        return generated(name, server, units, 150_000, 1, 7);
    };
    let flavour = |line: &str| {
        let (size, name) = line.trim().split_once(' ')?;
        let (vcpus, gib) = size.split_once(',')?;
        Some((name.to_owned(), [vcpus.parse().ok()?, (gib.parse::<f64>().ok()? * 1024.0) as u64]))
    };
    let flavours: HashMap<String, [u64; 2]> = sizes.lines().filter_map(flavour).collect();
    let mut vms = Vec::new();
    for (came, lived) in came.lines().zip(lived.lines()) {
        let (Some((time, names)), Some((_, bins))) = (came.split_once(' '), lived.split_once(' ')) else { continue };
        let starts: i64 = time.parse().unwrap_or_default();
        for (name, bin) in names.split(',').zip(bins.split(',')) {
            let Some(&takes) = flavours.get(name) else { continue };
            let bin_number = bin.get(1..).and_then(|number| number.parse::<i64>().ok());
            let ends = bin_number.filter(|_| bin.starts_with('U')).map(|bin| starts + (bin + 1) * 300);
            vms.push(TraceVm { takes, starts, ends });
        }
    }
    let vms = vms.into_iter().skip(first).take(150_000).collect();
    Trace::new(name, server, vms, units)
}

/// Flavours with how many of a hundred VMs have them, by vCPUs and MiB.
const FLAVOURS: [(u64, u64, u64); 8] = [
    (1, 1792, 40),
    (2, 3584, 27),
    (4, 7168, 16),
    (8, 14_336, 8),
    (2, 14_336, 3),
    (4, 28_672, 3),
    (8, 57_344, 2),
    (16, 114_688, 1),
];

/// A trace of so many VMs; one vCPU of a flavour is `scale` units.
fn generated(name: &'static str, server: [u64; 2], units: [u64; 2], count: usize, scale: u64, seed: u64) -> Trace {
    let mut chance = Chance::new(seed);
    let vms = (0..count).map(|at| {
        let mut pick = chance.below(100);
        let found = FLAVOURS.iter().find(|&&(_, _, share)| {
            let here = pick < share;
            pick = pick.saturating_sub(share);
            here
        });
        let (vcpus, mib, _) = found.copied().unwrap_or((1, 1792, 0));
        let memory = if scale == 1 { mib } else { mib.div_ceil(1024) };
        let starts = i64::try_from(at).unwrap_or(i64::MAX);
        let longest = 1_u64 << (4 + chance.below(12));
        let ends = starts + 1 + i64::try_from(chance.below(longest)).unwrap_or_default();
        TraceVm { takes: [vcpus * scale, memory], starts, ends: (chance.below(20) > 0).then_some(ends) }
    });
    let vms = vms.collect();
    Trace { generated: true, ..Trace::new(name, server, vms, units) }
}

/// Seeded chance (xorshift64*): the same each time.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end.max(1)
    }
}
