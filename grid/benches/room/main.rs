//! A resize storm: 200 nodes of two kinds filled from the trace to 90% committed memory, then 2,000 seeded resizes
//! that double vCPUs or memory. How many are granted in place, with a move of the VM itself, and with room made for it;
//! and how many would be granted if the nodes of a kind were one. Prints a table, then the most moves against the bound
//! for other seeds, and writes `room.json`.
//!
//! `room5+gather` shows what more bytes would buy: after each grant one more VM is moved, so that what is free is free of
//! all resources at once. (It can pass the bound, which grants in the order of the requests: many small ones are granted
//! for a few large ones that are not.)

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people, and traces whose amounts and times are written as floats"
)]

#[path = "../shared/measures.rs"]
mod measures;
mod storm;
#[path = "../shared/traces.rs"]
#[expect(dead_code, reason = "the other bench replays the events")]
mod traces;

use measures::{Better, Measure};
use storm::{Means, Storm};

const SEED: u64 = 2026;
/// Other draws of the requests, so that no choice is made for one of them.
const OTHER_SEEDS: std::ops::Range<u64> = 0..6;

fn main() -> std::io::Result<()> {
    let trace = traces::arrivals();
    let origin = if trace.generated { "generated, seed 7" } else { "flavours of the azure-arrivals trace" };
    let storm = Storm::new(&trace, SEED);
    println!("200 nodes of two kinds, {} VMs ({origin}), 2,000 resizes", storm.start.guests.len());
    println!(
        "{:<14}{:>10}{:>10}{:>14}{:>18}{:>10}{:>10}",
        "means", "accepted", "of MiB", "moves", "GiB/accepted", "p50 ms", "p99 ms"
    );
    let means = [
        ("in-place", Means::Room(0), 0),
        ("single", Means::Single, 0),
        ("room1", Means::Room(1), 0),
        ("room2", Means::Room(2), 0),
        ("room3", Means::Room(3), 0),
        ("room5", Means::Room(5), 0),
        ("room5+gather", Means::Room(5), 1),
        ("bound", Means::Bound, 0),
    ];
    let mut measures = Vec::new();
    let mut measure = |name: String, value: f64, unit, aim, better| {
        measures.push(Measure { name, value, unit, aim, better });
    };
    let (mut room5, mut gathered, mut p99) = (0.0, 0.0, 0.0);
    for (name, means, most) in means {
        let found = storm.run_gathering(means, most);
        let share = found.share();
        let of_mib = found.granted_mib as f64 / found.asked_mib.max(1) as f64;
        let carried = found.bytes as f64 / (1_u64 << 30) as f64 / found.accepted.max(1) as f64;
        println!(
            "{name:<14}{share:>10.4}{of_mib:>10.4}{:>14}{carried:>18.2}{:>10.3}{:>10.3}",
            found.moves,
            found.permille_ms(500),
            found.permille_ms(990)
        );
        measure(format!("accepted_share/{name}"), share, "share", None, Better::Higher);
        match name {
            "room5" => (room5, p99) = (share, found.permille_ms(990)),
            "room5+gather" => {
                gathered = share;
                measure(format!("carried/{name}"), carried, "GiB/accepted", None, Better::Lower);
            }
            "bound" => {
                measure("room5_of_bound".to_owned(), room5 / share, "ratio", Some(0.9), Better::Higher);
                measure("room5_gather_of_bound".to_owned(), gathered / share, "ratio", None, Better::Higher);
            }
            _ => {}
        }
    }
    measure("decision_p99_ms".to_owned(), p99, "ms", Some(50.0), Better::Lower);
    let mut worst = f64::MAX;
    println!("\n{:<10}{:>10}{:>10}{:>10}{:>10}", "seed", "room5", "bound", "of bound", "p99 ms");
    for seed in OTHER_SEEDS {
        let storm = Storm::new(&trace, seed);
        let [found, bound] = [Means::Room(5), Means::Bound].map(|means| storm.run(means));
        let (ratio, p99) = (found.share() / bound.share(), found.permille_ms(990));
        println!("{seed:<10}{:>10.4}{:>10.4}{ratio:>10.3}{p99:>10.3}", found.share(), bound.share());
        worst = worst.min(ratio);
    }
    measure("room5_of_bound_worst_seed".to_owned(), worst, "ratio", Some(0.9), Better::Higher);
    measures::write("room", &measures)
}
