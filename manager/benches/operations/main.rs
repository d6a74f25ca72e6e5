//! How many placements a second are durable: chosen, checked again, reserved and written with operation, steps and audit
//! row, and answered after the COMMIT. 256 callers at once ask a manager for new VMs over 10,000 nodes and over 100,000, each for the
//! next one as soon as it is answered; the database is on a disk, with `synchronous=FULL`. Prints a table, and writes
//! `operations.json` into `HOSTGRID_BENCH_DIR` (by default `target/bench`).
//!
//! Then the same program is killed in the middle (`kill -9`), and everything that it had answered is looked for in the
//! database. Fails where something is missing.
//!
//! Then whole resizes, from the agreement to the operation's end, through the driver and simulated hypervisors.
//!
//! All of [`manager::Manager::vm_deploy`] is in it. What is not: the web server in front of it, what nodes report
//! meanwhile (the map is as their last samples left it), and carrying the operations out.
//!
//! `HOSTGRID_NODES`: other numbers of nodes (`10000,1000000`, of which the second takes minutes to make and to open); `HOSTGRID_SECONDS`: how long is measured;
//! `HOSTGRID_CALLERS`: how many ask at once.

mod callers;
mod chance;
mod disk;
mod ground;
mod killed;
mod measured;
#[path = "../../../grid/benches/shared/measures.rs"]
mod measures;
mod program;
mod resizes;

use measures::{Better, Measure};
use program::Figures;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
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
    let sizes = env::var("HOSTGRID_NODES").unwrap_or_else(|_| "10000,100000".to_owned());
    let sizes: Vec<usize> = sizes.split(',').filter_map(|size| size.trim().parse().ok()).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let place = disk::place()?;
    let fsync = disk::fsync_ms(place.path())?;
    println!(
        "durable placements on {cores} cores; the database on {} ({}), where a write of 4 KiB with fsync takes {fsync:.2} ms",
        place.path().display(),
        disk::file_system(place.path())?
    );
    print_head("nodes", "placed");
    let mut measures = Vec::new();
    for nodes in sizes {
        let ground = place.path().join(format!("{nodes}-nodes"));
        let began = Instant::now();
        ground::prepare(&ground, nodes, true)?;
        let made = began.elapsed().as_secs_f64();
        let figures = program::measure(&disk::copy(&ground, &place.path().join("measured"))?, None)?;
        let found = killed::kill(&disk::copy(&ground, &place.path().join("killed"))?)?;
        print(nodes, &figures, &format!("{}/{}", found.whole, found.answered));
        println!("{:<10}made in {made:.0} s, opened in {:.0} s", "", figures.opened_seconds);
        measures.extend(told(nodes, &figures, &found));
    }
    println!("After kill -9: how many of the placements that were answered before it are in the database, whole.");
    let resized = place.path().join("resized");
    ground::prepare(&resized, resizes::NODES, false)?;
    let figures = program::measure(&resized, Some(program::RESIZES))?;
    println!("\nwhole resizes, from the agreement to the end, through simulated hypervisors");
    print_head("nodes", "resized");
    print(resizes::NODES, &figures, "");
    for (name, value, unit, better) in [
        ("resizes_per_s", figures.per_second(), "1/s", Better::Higher),
        ("resize_p50_ms", figures.p50_ms, "ms", Better::Lower),
        ("resize_p99_ms", figures.p99_ms, "ms", Better::Lower),
        ("resize_cpu_us_each", figures.cpu_us_each(), "us", Better::Lower),
    ] {
        measures.push(Measure { name: name.to_owned(), value, unit, aim: None, better });
    }
    Ok(measures::write("operations", &measures)?)
}

fn print_head(first: &str, what: &str) {
    println!(
        "{first:<10}{what:>12}{:>10}{:>10}{:>10}{:>12}{:>14}{:>12}{:>14}",
        "per s", "p50 ms", "p99 ms", "CPU s", "CPU µs each", "KiB each", "after kill -9"
    );
}

fn print(nodes: usize, figures: &Figures, after_kill: &str) {
    println!(
        "{nodes:<10}{:>12}{:>10.0}{:>10.2}{:>10.2}{:>12.2}{:>14.0}{:>12.1}{after_kill:>14}",
        figures.done,
        figures.per_second(),
        figures.p50_ms,
        figures.p99_ms,
        figures.cpu_seconds,
        figures.cpu_us_each(),
        figures.kib_each(),
    );
}

fn told(nodes: usize, figures: &Figures, found: &killed::Found) -> Vec<Measure> {
    let measure =
        |name: &str, value, unit, aim, better| Measure { name: format!("{name}@{nodes}"), value, unit, aim, better };
    vec![
        measure("durable_placements_per_s", figures.per_second(), "1/s", Some(AIM_PER_S), Better::Higher),
        measure("durable_p50_ms", figures.p50_ms, "ms", None, Better::Lower),
        measure("durable_p99_ms", figures.p99_ms, "ms", Some(AIM_P99_MS), Better::Lower),
        measure("durable_cpu_us_each", figures.cpu_us_each(), "us", None, Better::Lower),
        measure("durable_cpu_s", figures.cpu_seconds, "s", None, Better::Lower),
        measure("found_after_kill_share", found.share(), "share", Some(1.0), Better::Higher),
    ]
}
