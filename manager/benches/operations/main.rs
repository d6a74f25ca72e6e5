//! How many placements a second are durable: chosen, checked again, reserved and written with operation, steps and audit
//! row, and answered after the COMMIT. 256 callers at once ask a manager for new VMs over 10,000 nodes, each for the
//! next one as soon as it is answered; the database is on a disk, with `synchronous=FULL`. Prints a table, and writes
//! `operations.json` into `HOSTGRID_BENCH_DIR` (by default `target/bench`).
//!
//! Then the same program is killed in the middle (`kill -9`), and everything that it had answered is looked for in the
//! database. Fails where something is missing.
//!
//! All of [`manager::Manager::vm_deploy`] is in it. What is not: the web server in front of it, what nodes report
//! meanwhile (the map is as their last samples left it), and carrying the operations out.
//!
//! `HOSTGRID_NODES`: other numbers of nodes (for instance `10000,1000000`); `HOSTGRID_SECONDS`: how long is measured;
//! `HOSTGRID_CALLERS`: how many ask at once.

mod callers;
mod chance;
mod disk;
mod ground;
mod killed;
#[path = "../../../grid/benches/shared/measures.rs"]
mod measures;
mod program;

use measures::Measure;
use program::Figures;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, thread};

/// Whatever may go wrong here ends the bench.
type Failure = Box<dyn std::error::Error + Send + Sync>;

const AIM_PER_S: f64 = 14_000.0;
const AIM_P99_MS: f64 = 50.0;

fn main() -> ExitCode {
    let done = match env::var_os(program::DIRECTORY) {
        Some(directory) => callers::run(&PathBuf::from(directory)),
        None => bench(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("operations: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A number that the environment gives; `otherwise` where it gives none.
pub(crate) fn given(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn bench() -> Result<(), Failure> {
    let sizes = env::var("HOSTGRID_NODES").unwrap_or_else(|_| "10000".to_owned());
    let sizes: Vec<usize> = sizes.split(',').filter_map(|size| size.trim().parse().ok()).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let place = disk::place()?;
    let fsync = disk::fsync_ms(place.path())?;
    println!(
        "durable placements on {cores} cores; the database on {} ({}), where a write of 4 KiB with fsync takes {fsync:.2} ms",
        place.path().display(),
        disk::file_system(place.path())?
    );
    println!(
        "{:<10}{:>12}{:>10}{:>10}{:>10}{:>12}{:>14}{:>12}{:>14}",
        "nodes", "placed", "per s", "p50 ms", "p99 ms", "CPU s", "CPU µs each", "KiB each", "after kill -9"
    );
    let mut measures = Vec::new();
    for nodes in sizes {
        let ground = place.path().join(format!("{nodes}-nodes"));
        ground::prepare(&ground, nodes)?;
        let figures = program::measure(&disk::copy(&ground, &place.path().join("measured"))?)?;
        let found = killed::kill(&disk::copy(&ground, &place.path().join("killed"))?)?;
        print(nodes, &figures, &found);
        measures.extend(told(nodes, &figures, &found));
    }
    println!("After kill -9: how many of the placements that were answered before it are in the database, whole.");
    measures::write("operations", &measures);
    Ok(())
}

fn print(nodes: usize, figures: &Figures, found: &killed::Found) {
    println!(
        "{:<10}{:>12}{:>10.0}{:>10.2}{:>10.2}{:>12.2}{:>14.0}{:>12.1}{:>14}",
        nodes,
        figures.placed,
        figures.per_second(),
        figures.p50_ms,
        figures.p99_ms,
        figures.cpu_seconds,
        figures.cpu_us_each(),
        figures.kib_each(),
        format!("{}/{}", found.whole, found.answered),
    );
}

fn told(nodes: usize, figures: &Figures, found: &killed::Found) -> Vec<Measure> {
    let measure =
        |name: &str, value, unit, aim, better| Measure { name: format!("{name}@{nodes}"), value, unit, aim, better };
    vec![
        measure("durable_placements_per_s", figures.per_second(), "1/s", Some(AIM_PER_S), "higher"),
        measure("durable_p50_ms", figures.p50_ms, "ms", None, "lower"),
        measure("durable_p99_ms", figures.p99_ms, "ms", Some(AIM_P99_MS), "lower"),
        measure("durable_cpu_us_each", figures.cpu_us_each(), "us", None, "lower"),
        measure("durable_cpu_s", figures.cpu_seconds, "s", None, "lower"),
        measure("found_after_kill_share", found.share(), "share", Some(1.0), "higher"),
    ]
}
