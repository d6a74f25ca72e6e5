//! A resize storm: 200 nodes of two kinds filled from the trace to 90% committed memory, then 2,000 seeded resizes
//! that double vCPUs or memory. How many are granted in place, with a move of the VM itself, and with room made for it;
//! and how many would be granted if the nodes of a kind were one. Prints a table and writes `room.json`.

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

use measures::Measure;
use storm::{Means, Storm};

fn main() {
    let trace = traces::arrivals();
    let origin = if trace.generated { "generated, seed 7" } else { "flavours of the azure-arrivals trace" };
    let storm = Storm::new(&trace);
    println!("200 nodes of two kinds, {} VMs ({origin}), 2,000 resizes", storm.start.guests.len());
    println!(
        "{:<10}{:>10}{:>10}{:>14}{:>18}{:>10}{:>10}",
        "means", "accepted", "of MiB", "moves", "GiB/accepted", "p50 ms", "p99 ms"
    );
    let means = [
        ("in-place", Means::Room(0)),
        ("single", Means::Single),
        ("room1", Means::Room(1)),
        ("room2", Means::Room(2)),
        ("room3", Means::Room(3)),
        ("room5", Means::Room(5)),
        ("bound", Means::Bound),
    ];
    let mut measures = Vec::new();
    let mut measure = |name: String, value: f64, unit, aim, better| {
        measures.push(Measure { name, value, unit, aim, better });
    };
    let (mut room5, mut p99) = (0.0, 0.0);
    for (name, means) in means {
        let mut found = storm.run(means);
        let share = found.accepted as f64 / found.asked.max(1) as f64;
        let of_mib = found.granted_mib as f64 / found.asked_mib.max(1) as f64;
        let carried = found.bytes as f64 / (1_u64 << 30) as f64 / found.accepted.max(1) as f64;
        found.times.sort_unstable();
        let at = |permille: usize| {
            let time = found.times.get(found.times.len() * permille / 1000).copied().unwrap_or_default();
            time.as_secs_f64() * 1000.0
        };
        println!(
            "{name:<10}{share:>10.4}{of_mib:>10.4}{:>14}{carried:>18.2}{:>10.3}{:>10.3}",
            found.moves,
            at(500),
            at(990)
        );
        measure(format!("accepted_share/{name}"), share, "share", None, "higher");
        match name {
            "room5" => (room5, p99) = (share, at(990)),
            "bound" => measure("room5_of_bound".to_owned(), room5 / share, "ratio", Some(0.9), "higher"),
            _ => {}
        }
    }
    measure("decision_p99_ms".to_owned(), p99, "ms", Some(50.0), "lower");
    measures::write("room", &measures);
}
