//! Torture: programs that die at every boundary of every kind of operation, calls that fail, answers that are lost, nodes
//! that fall silent or lose their power, at random too; afterwards every promise of ARCHITECTURE.md is looked at.
//!
//! On the simulated grid, with the real store, on a paused clock. A short run is part of `cargo test`; `make torture` is
//! the long one. `HOSTGRID_TORTURE_SEED=N` tries that one schedule again.

#![expect(clippy::unwrap_used, reason = "all of this crate is a test")]

mod database;
mod ground;
mod layers;
mod looked_at;
#[path = "../../../grid/benches/shared/measures.rs"]
mod measures;
mod people;
mod plans;
mod report;
mod script;
mod template;
mod trial;

use database::Backstage;
use manager::utility::ImageLibrary;
use plans::{KINDS, Kind};
use report::Report;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;
use template::{Full, Template};
use trial::{Stage, run};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Each how manieth boundary of an operation that goes well is one to die at, to be cancelled at, and to fail at;
    /// behind a failure, to die at; and random schedules.
    kill_stride: usize,
    cancel_stride: usize,
    failure_stride: usize,
    undo_stride: usize,
    schedules: u64,
    first_seed: u64,
}

/// What one thread needs.
struct Workshop {
    backstage: Backstage,
    images: Arc<ImageLibrary>,
    templates: BTreeMap<Full, Template>,
    _folder: tempfile::TempDir,
}

impl Workshop {
    fn new() -> Self {
        let backstage = Backstage::new();
        let folder = template::folder();
        for family in ["disk", "root"] {
            std::fs::create_dir(folder.path().join(family)).unwrap();
            std::fs::write(folder.path().join(family).join(format!("{family}-tiny.raw")), family).unwrap();
        }
        let images = Arc::new(backstage.block_on(ImageLibrary::open(folder.path().to_path_buf())).unwrap());
        let templates = Full::ALL.map(|full| (full, Template::new(&backstage, full)));
        Self { templates: templates.into_iter().collect(), backstage, images, _folder: folder }
    }

    fn stage(&self, full: Full) -> Stage<'_> {
        Stage { backstage: &self.backstage, images: &self.images, template: &self.templates[&full] }
    }

    /// Every boundary of one kind of operation.
    fn kind(&self, kind: &Kind, effort: Effort, report: &mut Report) {
        let stage = self.stage(kind.full);
        let asks = [kind.ask(stage.template)];
        let good = run(&stage, &asks, &[]);
        report.count(kind.name, || format!("{} without any fault", kind.name), &good);
        assert!(!good.ends.is_empty(), "{}: nothing was done", kind.name);
        let mut attempt = |name: &str, faults: &[(u64, script::Fault)]| {
            let tried = run(&stage, &asks, faults);
            report.count(name, || format!("{}: {faults:?}", kind.name), &tried);
            tried
        };
        for faults in plans::kills(&good.sites, effort.kill_stride, kind.name.len()) {
            attempt(kind.name, &faults);
        }
        for faults in plans::kills_inside(&good.sites) {
            attempt(kind.name, &faults);
        }
        for faults in plans::cancels(&good.sites, effort.cancel_stride, kind.name.len()) {
            attempt(kind.name, &faults);
        }
        for (number, failure) in
            plans::failures(&good.sites, effort.failure_stride, kind.name.len()).into_iter().enumerate()
        {
            let failed = attempt(kind.name, &failure);
            for faults in plans::kills_behind(failure[0], failed.sites.len(), effort.undo_stride, number) {
                attempt(kind.name, &faults);
            }
        }
    }

    fn schedule(&self, seed: u64, report: &mut Report) {
        let full = Full::ALL[usize::try_from(seed % 5).unwrap()];
        let stage = self.stage(full);
        let (asks, faults) = plans::random(seed, stage.template);
        let tried = run(&stage, &asks, &faults);
        report.count("random schedules", || format!("seed {seed}: {asks:?}"), &tried);
    }
}

/// Tries everything, a thread a CPU; ends early where a promise is broken.
fn torture(effort: Effort) -> Report {
    let (next_kind, next_seed) = (AtomicUsize::new(0), AtomicU64::new(0));
    let is_broken = std::sync::atomic::AtomicBool::new(false);
    let work = || {
        let (workshop, mut report) = (Workshop::new(), Report::default());
        while !is_broken.load(Ordering::Relaxed) {
            if let Some(kind) = KINDS.get(next_kind.fetch_add(1, Ordering::Relaxed)) {
                workshop.kind(kind, effort, &mut report);
            } else {
                let number = next_seed.fetch_add(1, Ordering::Relaxed);
                if number >= effort.schedules {
                    break;
                }
                workshop.schedule(effort.first_seed + number, &mut report);
            }
            is_broken.fetch_or(!report.broken.is_empty(), Ordering::Relaxed);
        }
        report
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Report::default();
        for each in working {
            all.add(each.join().unwrap());
        }
        all
    })
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn told(report: &Report) -> String {
    report.broken.first().map(|(again, what)| format!("{again}: {what:#?}")).unwrap_or_default()
}

#[test]
fn a_short_torture_breaks_no_promise() {
    if let Some(seed) = number("HOSTGRID_TORTURE_SEED") {
        let mut report = Report::default();
        Workshop::new().schedule(seed, &mut report);
        assert!(report.broken.is_empty(), "{}", told(&report));
        return;
    }
    let began = Instant::now();
    let report = torture(Effort {
        kill_stride: 11,
        cancel_stride: 11,
        failure_stride: 6,
        undo_stride: 97,
        schedules: 60,
        first_seed: 1,
    });
    report.print(began.elapsed().as_secs_f64());
    assert!(report.broken.is_empty(), "{}", told(&report));
}

#[test]
#[ignore = "takes minutes: make torture"]
fn a_long_torture_breaks_no_promise() {
    let began = Instant::now();
    let effort = Effort {
        kill_stride: 1,
        cancel_stride: 1,
        failure_stride: 1,
        undo_stride: usize::try_from(number("HOSTGRID_TORTURE_UNDO_STRIDE").unwrap_or(3)).unwrap(),
        schedules: number("HOSTGRID_TORTURE_SCHEDULES").unwrap_or(10_000),
        first_seed: number("HOSTGRID_TORTURE_FIRST_SEED").unwrap_or(1),
    };
    let report = torture(effort);
    report.print(began.elapsed().as_secs_f64());
    report.write();
    assert!(report.broken.is_empty(), "{}", told(&report));
}
