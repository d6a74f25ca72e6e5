//! How long it takes to choose one of very many nodes, beside an exhaustive search over the same ones, which has to give
//! the same answer every time. Prints a table, and writes `placement.json` into `HOSTGRID_BENCH_DIR` (by default
//! `target/bench`). Fails where one answer was another.
//!
//! `HOSTGRID_TRACES` is the folder of the traces of VMs; `HOSTGRID_POLICY` another policy than the default;
//! `HOSTGRID_NODES` other numbers of nodes (for instance `1000,10000`).

mod chance;
mod fill;
mod flavours;
#[path = "../shared/measures.rs"]
mod measures;
mod memory;
mod report;
mod requests;
mod run;
mod scan;

use chance::Chance;
use fill::Filled;
use flavours::Flavours;
use grid::Resource;
use grid::policy::Policy;
use measures::Better;
use report::Measure;
use requests::Requests;
use run::{Found, Run, Times};
use std::process::ExitCode;
use std::{env, thread};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// The bytes of a node's id, which are not counted.
const ID_BYTES: usize = 16;

fn main() -> ExitCode {
    let sizes: Vec<usize> = env::var("HOSTGRID_NODES").map_or_else(
        |_| vec![1_000, 10_000, 100_000, 1_000_000],
        |sizes| sizes.split(',').filter_map(|size| size.parse().ok()).collect(),
    );
    let asked = env::var("HOSTGRID_POLICY").unwrap_or_default();
    let policy = Policy::ALL.into_iter().find(|policy| policy.as_str() == asked).unwrap_or_default();
    let flavours = Flavours::read();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("placement, policy {}, on {cores} cores; {}", policy.as_str(), flavours.source);
    let mut measures = Vec::new();
    for nodes in &sizes {
        measures.extend(run(*nodes, policy, &flavours));
    }
    report::print(&measures, &sizes);
    println!(
        "A reader takes a snapshot after every {} changes and holds it until the next; update_unshared: nobody holds one.
A change is a VM that comes to a node or leaves it; update_after_scan: right after an exhaustive search, out of whose
columns and rows nothing of the index is left in the caches. lookup: a node's row is only read, by its id, as every change
begins: what no change can be quicker than.",
        run::SNAPSHOT_EVERY
    );
    let rows: Vec<measures::Measure> = measures.iter().map(Measure::row).collect();
    if let Err(error) = measures::write("placement", &rows) {
        eprintln!("the measures could not be written: {error}");
        return ExitCode::FAILURE;
    }
    let exact = measures.iter().filter(|measure| measure.name == "exact_share").all(|measure| measure.value >= 1.0);
    if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(nodes: usize, policy: Policy, flavours: &Flavours) -> Vec<Measure> {
    let mut chance = Chance(nodes as u64);
    let filled = Filled::new(nodes, flavours, &mut chance);
    let like = filled.likeness();
    let committed = Resource::ALL.into_iter().zip(like.committed);
    let committed: Vec<String> =
        committed.map(|(resource, share)| format!("{share}‰ of {}", resource.as_str())).collect();
    println!("{nodes} nodes: committed {}; {}‰ of the free vectors distinct", committed.join(", "), like.distinct);
    let requests = Requests { flavours, policy, domains: filled.domains() };
    let found = Run::new(filled, requests, chance).all();
    measures(nodes, found)
}

/// The aims for 10,000, 100,000 and 1,000,000 nodes.
struct Aims([f64; 3]);

impl Aims {
    fn at(&self, nodes: usize) -> Option<f64> {
        let sizes = [10_000, 100_000, 1_000_000];
        sizes.into_iter().zip(self.0).find(|(size, _)| *size == nodes).map(|(_, aim)| aim)
    }
}

fn measures(nodes: usize, mut found: Found) -> Vec<Measure> {
    let lower = |name, value, unit, aim| Measure { name, nodes, value, unit, aim, better: Better::Lower };
    let kinds = &mut found.constrained;
    let [region, domain, apart, scarce] =
        [&mut kinds.region, &mut kinds.domain, &mut kinds.apart, &mut kinds.scarce].map(|times| percentile(times, 990));
    let mut constrained: Times =
        [&kinds.region, &kinds.domain, &kinds.apart, &kinds.scarce].into_iter().flatten().copied().collect();
    let blocks = float(found.blocks) / float(found.decision.len().max(1));
    let decision = percentile(&mut found.decision, 500);
    let scan = percentile(&mut found.scan, 500);
    let aims = |aims: [f64; 3]| Aims(aims).at(nodes);
    vec![
        lower("decision_p50_ns", decision, "ns", aims([1e3, 2e3, 5e3])),
        lower("decision_p99_ns", percentile(&mut found.decision, 990), "ns", aims([5e3, 1e4, 25e3])),
        lower("blocks_mean", blocks, "blocks", None),
        lower("constrained_p50_ns", percentile(&mut constrained, 500), "ns", None),
        lower("constrained_p99_ns", percentile(&mut constrained, 990), "ns", aims([2e4, 5e4, 2e5])),
        lower("region_p99_ns", region, "ns", None),
        lower("domain_p99_ns", domain, "ns", None),
        lower("apart_p99_ns", apart, "ns", None),
        lower("scarce_p99_ns", scarce, "ns", aims([2e4, 5e4, 2e5])),
        lower("refusal_p99_ns", percentile(&mut found.refusal, 990), "ns", aims([2e4, 1e5, 5e5])),
        lower("scan_p50_ns", scan, "ns", (nodes == 1_000_000).then_some(3e6)),
        Measure {
            name: "scan_ratio",
            nodes,
            value: scan / decision,
            unit: "ratio",
            aim: aims([15.0, 100.0, 400.0]),
            better: Better::Higher,
        },
        lower("update_p50_ns", percentile(&mut found.update, 500), "ns", None),
        lower("update_p99_ns", percentile(&mut found.update, 990), "ns", aims([2e3, 3e3, 5e3])),
        lower("update_mean_ns", mean(&found.update), "ns", None),
        lower("update_unshared_p50_ns", percentile(&mut found.update_unshared, 500), "ns", None),
        lower("update_unshared_p99_ns", percentile(&mut found.update_unshared, 990), "ns", None),
        lower("update_after_scan_p50_ns", percentile(&mut found.update_after_scan, 500), "ns", None),
        lower("update_after_scan_p99_ns", percentile(&mut found.update_after_scan, 990), "ns", None),
        lower("lookup_p50_ns", percentile(&mut found.lookup, 500), "ns", None),
        lower("lookup_p99_ns", percentile(&mut found.lookup, 990), "ns", None),
        lower("snapshot_p50_ns", percentile(&mut found.snapshot, 500), "ns", None),
        lower("bytes_per_node", float(found.bytes) / float(nodes) - float(ID_BYTES), "bytes", Some(100.0)),
        Measure {
            name: "exact_share",
            nodes,
            value: float(found.equal) / float(found.asked.max(1)),
            unit: "share",
            aim: Some(1.0),
            better: Better::Higher,
        },
    ]
}

fn percentile(times: &mut Times, permille: usize) -> f64 {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get(last * permille / 1000).map_or(f64::NAN, |time| float(usize::try_from(*time).unwrap_or(usize::MAX)))
}

fn mean(times: &Times) -> f64 {
    times.iter().map(|time| float(usize::try_from(*time).unwrap_or(usize::MAX))).sum::<f64>()
        / float(times.len().max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench stay far below 2^53")]
const fn float(count: usize) -> f64 {
    count as f64
}
