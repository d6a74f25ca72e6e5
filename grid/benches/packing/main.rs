//! How many servers a trace needs: replays VM traces under each policy until no VM is rejected, without and with moves,
//! against the lower bound. Prints a table and writes `packing.json`.
//!
//! Moves are made as an operator would, who doesn't know what comes: what is free is gathered a little at a time once little
//! is left, and room is made for a VM that has none. Every policy has the same moves and the same bounds on them.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people, and traces whose amounts and times are written as floats"
)]

#[path = "../shared/measures.rs"]
#[expect(dead_code, reason = "fewer servers are better, and nothing else is measured")]
mod measures;
mod policies;
mod replay;
#[path = "../shared/traces.rs"]
mod traces;

use measures::{Better, Measure};
use replay::{Outcome, Replay};
use traces::Trace;

/// Moves for each arrival, in hundredths, that a policy with moves may make.
const MOVES_PERCENT: u64 = 5;

fn main() -> std::io::Result<()> {
    let mut measures = Vec::new();
    for (trace, aims) in [(traces::packing(), [1288, 1273]), (traces::arrivals(), [438, 437])] {
        compare(&trace, aims, &mut measures);
    }
    held_out(&mut measures);
    measures::write("packing", &measures)
}

/// Whether a policy that was fitted on the two traces does well on others, too: without moves.
fn held_out(measures: &mut Vec<Measure>) {
    let rivals: Vec<_> = policies::KNOWN.into_iter().filter(|(name, _)| *name == "best-fit").collect();
    let ours = policies::OURS.into_iter().filter(|(name, _)| *name != "spread");
    let policies: Vec<_> = rivals.into_iter().chain(ours).collect();
    print!("\nheld out: tight was fitted on none of these\n{:<26}{:>8}", "trace", "bound");
    for (name, _) in &policies {
        print!("{name:>12}");
    }
    println!();
    for trace in traces::held_out() {
        let bound = trace.bound();
        print!("{:<26}{bound:>8}", trace.name);
        for &(name, cost) in &policies {
            let servers = plain(&trace, cost, name != "best-fit").0;
            print!("{servers:>12}");
            let name = format!("held_out/{}/{name}", trace.name);
            let value = servers as f64 / bound as f64;
            measures.push(Measure { name, value, unit: "ratio", aim: None, better: Better::Lower });
        }
        println!();
    }
}

/// Servers needed without moves. The well-known policies open a server when no other has room. A policy of ours may do so,
/// or choose among all servers from the first VM on, whichever needs fewer.
fn plain(trace: &Trace, cost: Option<policies::Cost>, ours: bool) -> (u64, Outcome) {
    let opened = Replay::opening(trace, cost).run().unwrap_or_default();
    let all_at_once = |servers| Replay::new(trace, cost, servers, 0).run();
    let fewer = if ours { fewest(trace, trace.bound(), opened.used, all_at_once) } else { None };
    fewer.unwrap_or((opened.used, opened))
}

fn compare(trace: &Trace, aims: [u64; 2], measures: &mut Vec<Measure>) {
    let bound = trace.bound();
    let [vcpus, memory] = trace.server;
    let origin = if trace.generated { "no trace there: generated, seed 7" } else { "trace" };
    println!(
        "\n{} ({origin}): {} VMs on servers of {vcpus} / {memory}, lower bound {bound}",
        trace.name,
        trace.vms.len()
    );
    println!(
        "{:<16}{:>9}{:>9}{:>9}{:>16}{:>12}",
        "policy", "servers", "÷ bound", "moves", "moves/arrival", "TiB moved"
    );
    let ratio = |servers: u64| servers as f64 / bound as f64;
    for (at, (name, cost)) in policies::KNOWN.into_iter().chain(policies::OURS).enumerate() {
        let ours = at >= policies::KNOWN.len();
        let plain = plain(trace, cost, ours);
        let with_moves = ours.then(|| {
            let run = |servers| Replay::new(trace, cost, servers, MOVES_PERCENT).run();
            fewest(trace, bound, plain.0, run).unwrap_or(plain)
        });
        let rows = [(String::new(), Some(plain)), ("+moves".to_owned(), with_moves)];
        for ((suffix, found), aim) in rows.into_iter().zip(aims) {
            let Some((servers, outcome)) = found else { continue };
            let share = outcome.moves as f64 / trace.vms.len() as f64;
            let tib = outcome.bytes as f64 / (1_u64 << 40) as f64;
            let label = format!("{name}{suffix}");
            println!("{label:<16}{servers:>9}{:>9.4}{:>9}{share:>16.4}{tib:>12.1}", ratio(servers), outcome.moves);
            measures.push(Measure {
                name: format!("servers_over_bound/{}/{label}", trace.name),
                value: ratio(servers),
                unit: "ratio",
                aim: (name == "tight" && !trace.generated).then(|| ratio(aim)),
                better: Better::Lower,
            });
        }
    }
}

/// The fewest servers below `high` that reject nobody, by halving, and what happened with them; none where it takes as
/// many as `high`. (What a number of servers rejects, a smaller one may by chance not: halving finds one such edge.)
fn fewest(trace: &Trace, low: u64, high: u64, run: impl Fn(u64) -> Option<Outcome>) -> Option<(u64, Outcome)> {
    let (mut low, mut high, mut found) = (low, high, None);
    while low < high {
        let middle = low.midpoint(high);
        match run(middle) {
            Some(outcome) => {
                high = middle.min(outcome.used.max(trace.bound()));
                found = Some((high, outcome));
            }
            None => low = middle + 1,
        }
    }
    found
}
