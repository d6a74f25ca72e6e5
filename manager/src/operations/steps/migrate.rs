//! The live move itself. Its end is the point of no return: the destination's first executed instruction.
//!
//! What the call answers decides nothing; both ends are looked at. Until both have been seen it is unknown, and
//! nothing is started, stopped or removed. A move that goes on from before a crash is seen through, not begun anew.

use super::watch::MIGRATE_DOWNTIME;
use crate::hypervisor::{Destination, Hypervisor, HypervisorError, Migrated, Progress};
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::plan::Estimate;
use grid::sample::DomainState;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Where a VM in a live move executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whereabouts {
    Source,
    Destination,
    /// Off at the source, and never came to be at the destination.
    Nowhere,
    /// Paused at the source, and not at the destination: it stands still there, as a guest does whose disk can't be
    /// written, or is about to go on after a move that failed.
    Paused,
}

pub(in crate::operations) struct MigrateLive {
    pub(in crate::operations) expected: Estimate,
}

#[async_trait]
impl Step for MigrateLive {
    fn name(&self) -> &'static str {
        "migrate-live"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.carrying(self.expected)
    }

    fn no_return(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        if has_arrived(run).await? {
            return Ok(Some("had arrived already".into()));
        }
        let plan = run.plan()?;
        let source = run.hypervisor(plan.source)?;
        // libvirt goes on with it where this program died.
        if run.again.load(Ordering::Relaxed) {
            let went_on = watch(run, source).await;
            if went_on != Ok(false) && has_arrived(run).await? {
                return Ok(Some("it went on without us, and has arrived".into()));
            }
            went_on?;
        }
        match migrate(run, source).await {
            Ok(migrated) => {
                run.fact_set(MIGRATE_DOWNTIME, &migrated.downtime_ms.to_string()).await?;
                match whereabouts(run).await? {
                    Whereabouts::Destination => Ok(Some(format!("{} MiB carried", migrated.bytes >> 20))),
                    _ => Err(StepError::new("the move is said to be done, but the VM has not arrived")),
                }
            }
            Err(error) => match whereabouts(run).await? {
                Whereabouts::Destination => Ok(Some("the answer was lost; it has arrived".into())),
                // Not tried again by itself: what made it fail may be the guest's own load.
                _ => Err(StepError::from(error).lasting()),
            },
        }
    }

    async fn has_happened(&self, run: &Run) -> Result<bool, StepError> {
        Ok(whereabouts(run).await? == Whereabouts::Destination)
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        let plan = run.plan()?;
        if whereabouts(run).await? == Whereabouts::Destination {
            return Err(StepError::new("the VM has arrived at its destination").unknown());
        }
        run.call(run.hypervisor(plan.source)?.migrate_abort(plan.vm)).await?;
        // It may have arrived just before.
        match whereabouts(run).await? {
            Whereabouts::Destination => Err(StepError::new("the VM has arrived at its destination").unknown()),
            _ => Ok(()),
        }
    }
}

/// Whether it has arrived; an error where it does not run at its source either.
async fn has_arrived(run: &Run) -> Result<bool, StepError> {
    match whereabouts(run).await? {
        Whereabouts::Destination => Ok(true),
        Whereabouts::Source => Ok(false),
        Whereabouts::Nowhere => Err(StepError::new("the VM does not run any more")),
        Whereabouts::Paused => Err(StepError::new("the VM is paused: its node's storage may be full")),
    }
}

/// Carries it over.
async fn migrate(run: &Run, source: &Arc<dyn Hypervisor>) -> Result<Migrated, HypervisorError> {
    let (destination, latest) = (destination(run)?, Mutex::default());
    telling(run, &latest, source.migrate(run.vm_id(), &destination, &|now| note(&latest, now))).await
}

/// Sees a move through that goes on from before a crash; whether there was one.
async fn watch(run: &Run, source: &Arc<dyn Hypervisor>) -> Result<bool, HypervisorError> {
    let (destination, latest) = (destination(run)?, Mutex::default());
    telling(run, &latest, source.migrate_watch(run.vm_id(), &destination, &|now| note(&latest, now))).await
}

fn destination(run: &Run) -> Result<Destination, HypervisorError> {
    let uri = run.destination().ok().and_then(|node| Some(run.collector.map().get(node)?.node.uri.clone()));
    let unknown = || HypervisorError::Refused("the destination is not in the map".into());
    Ok(Destination { uri: uri.ok_or_else(unknown)? })
}

fn note(latest: &Mutex<Progress>, now: Progress) {
    *latest.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

async fn telling<T>(
    run: &Run,
    latest: &Mutex<Progress>,
    moving: impl Future<Output = Result<T, HypervisorError>>,
) -> Result<T, HypervisorError> {
    let how_far = || {
        let Progress { bytes_done, bytes_left } = *latest.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{} MiB carried, {} MiB left", bytes_done >> 20, bytes_left >> 20)
    };
    run.telling(moving, how_far).await
}

/// Looks at both ends until both have answered; a failure here is unknown, and stays so.
async fn whereabouts(run: &Run) -> Result<Whereabouts, StepError> {
    let until = Instant::now() + run.pace().unknown;
    let plan = run.plan()?;
    let destination = run.destination()?;
    loop {
        let (here, there) = futures::future::join(run.observe(plan.source), run.observe(destination)).await;
        let state = |seen: Option<crate::hypervisor::Observation>| seen.map(|seen| seen.state);
        let error = match (here.map(state), there.map(state)) {
            (Ok(Some(DomainState::Running)), _) => return Ok(Whereabouts::Source),
            (Ok(None | Some(DomainState::ShutOff)), Ok(Some(DomainState::Running))) => {
                return Ok(Whereabouts::Destination);
            }
            (Ok(None | Some(DomainState::ShutOff)), Ok(None)) => return Ok(Whereabouts::Nowhere),
            (Ok(Some(DomainState::Paused)), Ok(None)) => return Ok(Whereabouts::Paused),
            (Ok(None | Some(DomainState::ShutOff)), Ok(Some(DomainState::ShutOff))) => {
                // It may have arrived and been switched off by its guest since: then the data are there.
                let reason = "the VM is off at both ends: nothing was started or removed";
                return Err(StepError::new(reason).unknown());
            }
            (Err(error), _) | (_, Err(error)) => error,
            // In between: paused at one end or both. It ends one way or the other.
            _ => StepError::new("the VM is between its nodes"),
        };
        if Instant::now() >= until {
            let reason = "it is not known where the VM runs: nothing was started or removed";
            return Err(StepError::new(reason).detail(error).unknown());
        }
        tokio::time::sleep(run.pace().retry_first).await;
    }
}
