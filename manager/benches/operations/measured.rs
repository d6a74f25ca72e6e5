//! How callers are measured: so long until anything counts, then so long as it counts.

use crate::program::Figures;
use crate::{Failure, given};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(2);

/// Clock ticks a second, in which Linux tells a process's CPU time to other programs.
const TICKS: f64 = 100.0;

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Where the run is.
#[derive(Clone)]
pub(crate) struct Phase(Arc<AtomicU8>);

impl Phase {
    pub(crate) fn warming() -> Self {
        Self(Arc::new(AtomicU8::new(WARMING)))
    }

    /// Something was answered that took so long: kept where it counts. Whether it goes on.
    pub(crate) fn is_on(&self, took: Duration, times: &mut Vec<Duration>) -> bool {
        match self.0.load(Ordering::Relaxed) {
            WARMING => {}
            COUNTING => times.push(took),
            _ => return false,
        }
        true
    }
}

/// Lets these callers go on for the time that is given.
pub(crate) async fn measured(
    mut callers: JoinSet<Result<Vec<Duration>, Failure>>,
    phase: &Phase,
) -> Result<Figures, Failure> {
    tokio::time::sleep(WARM_UP).await;
    let (began, before) = (Instant::now(), spent()?);
    phase.0.store(COUNTING, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(given("HOSTGRID_SECONDS", 10))).await;
    phase.0.store(OVER, Ordering::Relaxed);
    let (seconds, after) = (began.elapsed().as_secs_f64(), spent()?);
    let mut times = Vec::new();
    while let Some(done) = callers.join_next().await {
        times.extend(done??);
    }
    times.sort_unstable();
    let at = |permille: usize| times.get(times.len() * permille / 1000).map_or(f64::NAN, Duration::as_secs_f64);
    Ok(Figures {
        done: times.len() as u64,
        seconds,
        p50_ms: at(500) * 1000.0,
        p99_ms: at(990) * 1000.0,
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        written_kib: after.written_kib - before.written_kib,
        opened_seconds: 0.0,
    })
}

/// What this process has taken so far.
struct Spent {
    cpu_seconds: f64,
    written_kib: f64,
}

fn spent() -> Result<Spent, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may have anything in it: user and system time are the 12th and 13th from there.
    let words = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11);
    let ticks: f64 = words.take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse::<f64>().ok());
    Ok(Spent { cpu_seconds: ticks / TICKS, written_kib: written.unwrap_or(0.0) / 1024.0 })
}
