//! The program that is measured, and killed: this one again, as a process of its own over a store that is there.

use crate::Failure;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Where the program finds its store.
pub(crate) const DIRECTORY: &str = "HOSTGRID_BENCH_STORE";
/// Set where it is to tell each answer.
pub(crate) const TELL: &str = "HOSTGRID_BENCH_TELL";

/// Set where resizes are measured, and not placements.
pub(crate) const RESIZES: &str = "HOSTGRID_BENCH_RESIZES";

/// What a run found.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) done: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Of the whole program, user and system, while it was measured.
    pub(crate) cpu_seconds: f64,
    /// Given to the disk meanwhile.
    pub(crate) written_kib: f64,
    /// Until there was a manager to ask.
    pub(crate) opened_seconds: f64,
}

impl Figures {
    pub(crate) fn per_second(&self) -> f64 {
        self.count() / self.seconds
    }

    pub(crate) fn cpu_us_each(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.count().max(1.0)
    }

    pub(crate) fn kib_each(&self) -> f64 {
        self.written_kib / self.count().max(1.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of a bench stay far below 2^53")]
    fn count(&self) -> f64 {
        self.done as f64
    }

    /// One line, for the process that waits for it.
    pub(crate) fn line(&self) -> String {
        let Self { done, seconds, p50_ms, p99_ms, cpu_seconds, written_kib, opened_seconds } = self;
        format!("figures {done} {seconds} {p50_ms} {p99_ms} {cpu_seconds} {written_kib} {opened_seconds}")
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("figures ")?.split(' ');
        let done = words.next()?.parse().ok()?;
        let mut next = || words.next()?.parse().ok();
        let (seconds, p50_ms, p99_ms) = (next()?, next()?, next()?);
        Some(Self {
            done,
            seconds,
            p50_ms,
            p99_ms,
            cpu_seconds: next()?,
            written_kib: next()?,
            opened_seconds: next()?,
        })
    }
}

/// Starts it over the store of this folder.
pub(crate) fn start(store: &Path, set: Option<&str>) -> Result<(Child, Lines<BufReader<ChildStdout>>), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(DIRECTORY, store).stdout(Stdio::piped());
    if let Some(name) = set {
        command.env(name, "1");
    }
    let mut child = command.spawn()?;
    let output = child.stdout.take().ok_or("the program has no output")?;
    Ok((child, BufReader::new(output).lines()))
}

/// Runs it to its end.
pub(crate) fn measure(store: &Path, set: Option<&str>) -> Result<Figures, Failure> {
    let (mut child, lines) = start(store, set)?;
    let figures = lines.map_while(Result::ok).find_map(|line| Figures::read(&line));
    if !child.wait()?.success() {
        return Err("the measured program failed".into());
    }
    figures.ok_or_else(|| "the measured program told no figures".into())
}
