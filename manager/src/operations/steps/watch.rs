//! Measuring the downtime: a utility module asks the VM's address on the customers' network from before the first
//! disturbance until it answers after the last; the longest gap is what the guest's users saw. Where no module can
//! say, the hypervisor's own figure or the time between off and on counts, and the note says which. A measurement
//! that fails fails no operation.

use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::NodeId;
use grid::identity::WorkId;
use grid::wording::Measured;
use grid::work::{Work, WorkDone};
use std::time::Duration;
use uuid::Uuid;

/// The fact in which the measured downtime is kept, in milliseconds.
pub(in crate::operations) const DOWNTIME: &str = "downtime-ms";
/// The hypervisor's own figure of a live move.
pub(in crate::operations) const MIGRATE_DOWNTIME: &str = "migrate-downtime-ms";
/// When the VM was off, and when it was on again; Unix milliseconds.
pub(in crate::operations) const OFF_AT: &str = "off-at";
pub(in crate::operations) const ON_AT: &str = "on-at";
/// Who watches, as `node work`.
const WATCH: &str = "watch";

pub(in crate::operations) struct WatchStart;

#[async_trait]
impl Step for WatchStart {
    fn name(&self) -> &'static str {
        "watch-address"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (vm, plan) = (run.vm().await?, run.plan()?);
        let watch = WorkId(Uuid::now_v7());
        let every_ms = u64::try_from(run.pace().ask_every.as_millis()).unwrap_or(u64::MAX);
        for node in [Some(plan.source), plan.destination].into_iter().flatten() {
            let work = Work::WatchStart { watch, address: vm.address, every_ms };
            // Short: a module that is away must not keep a customer waiting for a stop-watch.
            if run.order(node, work, Duration::from_secs(5)).await.is_ok() {
                run.fact_set(WATCH, &format!("{node} {watch}")).await?;
                return Ok(None);
            }
        }
        Ok(Some("no utility module can watch the address".into()))
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        stop(run, Duration::ZERO).await.map(drop)
    }
}

pub(in crate::operations) struct MeasureDowntime;

#[async_trait]
impl Step for MeasureDowntime {
    fn name(&self) -> &'static str {
        "measure-downtime"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.answer + pace.short_step
    }

    fn cleans_up(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (downtime_ms, how) = match stop(run, run.pace().answer).await? {
            Some(gap_ms) => (Some(gap_ms), "by asking its address"),
            None => by_hypervisor(run).await?,
        };
        let Some(downtime_ms) = downtime_ms else { return Ok(Some("the downtime is not known".into())) };
        run.fact_set(DOWNTIME, &downtime_ms.to_string()).await?;
        Ok(Some(format!("{}, measured {how}", Measured(downtime_ms))))
    }
}

/// Ends the watch; answers the longest gap where the address answered before and after it.
async fn stop(run: &Run, patience: Duration) -> Result<Option<u64>, StepError> {
    let Some(fact) = run.fact(WATCH).await? else { return Ok(None) };
    let Some((node, watch)) = parse(&fact) else { return Ok(None) };
    let deadline_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    let work = Work::WatchStop { watch, deadline_ms };
    match run.order(node, work, patience + Duration::from_secs(10)).await {
        Ok(WorkDone::Watched { longest_gap_ms, answered, .. }) if answered > 0 => Ok(Some(longest_gap_ms)),
        Ok(_) => Ok(None),
        Err(error) => {
            tracing::debug!(%error, operation = %run.operation.id, "the watch told nothing");
            Ok(None)
        }
    }
}

async fn by_hypervisor(run: &Run) -> Result<(Option<u64>, &'static str), StepError> {
    if let (Some(off), Some(on)) = (run.number(OFF_AT).await?, run.number(ON_AT).await?) {
        return Ok((Some(on.saturating_sub(off)), "as the time in which it did not run"));
    }
    if let Some(paused) = run.number(MIGRATE_DOWNTIME).await? {
        return Ok((Some(paused), "by the hypervisor"));
    }
    Ok((None, ""))
}

fn parse(fact: &str) -> Option<(NodeId, WorkId)> {
    let (node, watch) = fact.split_once(' ')?;
    Some((node.parse().ok()?, watch.parse().ok()?))
}
