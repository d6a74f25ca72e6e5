//! Measuring the downtime: a utility module asks the VM's address on the customers' network from before the first
//! disturbance until it answers after the last; the longest gap is what the guest's users saw. Where no module can
//! say, or the address never answered before, the hypervisor's own figure or the time between off and on counts, and
//! the note says which. An address that answered before and does not now has no figure. A measurement that fails fails
//! no operation.

use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use crate::utility::UtilityError;
use async_trait::async_trait;
use grid::NodeId;
use grid::identity::WorkId;
use grid::wording::Measured;
use grid::work::{Work, WorkDone, WorkFailure};
use std::sync::atomic::Ordering;
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
/// There where the address answered before anything was done to the VM.
const ANSWERED: &str = "answered";
/// What was heard after the last disturbance.
const HEARD: &str = "heard";
/// How long the first answer is waited for: a guest that has a network answers at once.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

pub(in crate::operations) struct WatchStart;

#[async_trait]
impl Step for WatchStart {
    fn name(&self) -> &'static str {
        "watch-address"
    }

    fn prepares(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let Some((node, first)) = begin(run).await? else {
            return Ok(Some("no utility module can watch the address".into()));
        };
        let patience = FIRST_ANSWER.min(run.pace().answer);
        if !matches!(listen(run, node, first, patience).await, Heard::Again { .. }) {
            return Ok(Some("the address does not answer".into()));
        }
        run.fact_set(ANSWERED, "yes").await?;
        if let Some((node, watch)) = begin(run).await? {
            run.fact_set(WATCH, &format!("{node} {watch}")).await?;
        }
        Ok(None)
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        if let Some((node, watch)) = watch(run).await? {
            listen(run, node, watch, Duration::ZERO).await;
        }
        Ok(())
    }
}

pub(in crate::operations) struct MeasureDowntime;

#[async_trait]
impl Step for MeasureDowntime {
    fn name(&self) -> &'static str {
        "measure-downtime"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.answer * 2 + pace.short_step
    }

    fn cleans_up(&self) -> bool {
        true
    }

    fn may_fail(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (downtime_ms, how) = match heard(run).await? {
            Heard::Again { gap_ms: Some(gap_ms) } => (Some(gap_ms), "by asking its address"),
            Heard::Silence => return Ok(Some("not known: the address answered before, and does not now".into())),
            Heard::Again { gap_ms: None } | Heard::NeverBefore | Heard::NotAsked => by_hypervisor(run).await?,
        };
        let Some(downtime_ms) = downtime_ms else { return Ok(Some("the downtime is not known".into())) };
        run.fact_set(DOWNTIME, &downtime_ms.to_string()).await?;
        Ok(Some(format!("{}, measured {how}", Measured(downtime_ms))))
    }
}

/// What was heard of the guest after the last disturbance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operations) enum Heard {
    /// It answers; the longest gap between two answers, where it was watched all the time.
    Again { gap_ms: Option<u64> },
    /// It answered before, and gave no answer as long as it was waited for.
    Silence,
    /// It did not answer before either: nobody waits for it.
    NeverBefore,
    /// No utility module can ask.
    NotAsked,
}

impl Heard {
    fn to_fact(self) -> String {
        match self {
            Self::Again { gap_ms: Some(gap_ms) } => gap_ms.to_string(),
            Self::Again { gap_ms: None } => "again".into(),
            Self::Silence => "silence".into(),
            Self::NeverBefore | Self::NotAsked => "not asked".into(),
        }
    }

    fn of_fact(fact: &str) -> Self {
        match fact {
            "again" => Self::Again { gap_ms: None },
            "silence" => Self::Silence,
            gap_ms => gap_ms.parse().map_or(Self::NotAsked, |gap_ms| Self::Again { gap_ms: Some(gap_ms) }),
        }
    }
}

/// Waits until the guest answers again; what was heard once is remembered, and nobody waits a second time.
pub(in crate::operations) async fn heard(run: &Run) -> Result<Heard, StepError> {
    if run.fact(ANSWERED).await?.is_none() {
        return Ok(Heard::NeverBefore);
    }
    if let Some(known) = run.fact(HEARD).await? {
        return Ok(Heard::of_fact(&known));
    }
    let patience = run.pace().answer;
    let mut heard = match watch(run).await? {
        Some((node, watch)) => listen(run, node, watch, patience).await,
        None => Heard::NotAsked,
    };
    // The watch may be gone with its module, or have ended while this server was away: another one hears the answer, and
    // knows no gap.
    let may_have_ended = run.again.load(Ordering::Relaxed) && heard == Heard::Silence;
    if (heard == Heard::NotAsked || may_have_ended)
        && let Some((node, watch)) = begin(run).await?
    {
        heard = match listen(run, node, watch, patience).await {
            Heard::Again { .. } => Heard::Again { gap_ms: None },
            other => other,
        };
    }
    run.fact_set(HEARD, &heard.to_fact()).await?;
    Ok(heard)
}

/// Whether the guest answered before and is waited for in vain now. Asked by a watch of its own: the one that measures goes
/// on, and nothing is remembered.
pub(in crate::operations) async fn is_silenced(run: &Run) -> Result<bool, StepError> {
    if run.fact(ANSWERED).await?.is_none() {
        return Ok(false);
    }
    let Some((node, watch)) = begin(run).await? else { return Ok(false) };
    Ok(listen(run, node, watch, run.pace().answer).await == Heard::Silence)
}

/// Whether the guest was waited for in vain.
pub(in crate::operations) async fn was_silent(run: &Run) -> bool {
    matches!(run.fact(HEARD).await, Ok(Some(known)) if Heard::of_fact(&known) == Heard::Silence)
}

/// Has the first module that can do it watch the address.
async fn begin(run: &Run) -> Result<Option<(NodeId, WorkId)>, StepError> {
    let (vm, plan) = (run.vm().await?, run.plan()?);
    let watch = WorkId(Uuid::now_v7());
    let every_ms = u64::try_from(run.pace().ask_every.as_millis()).unwrap_or(u64::MAX);
    for node in [Some(plan.source), plan.destination].into_iter().flatten() {
        let work = Work::WatchStart { watch, address: vm.address, every_ms };
        // Short: a module that is away must not keep a customer waiting for a stop-watch.
        if run.order(node, work, Duration::from_secs(5)).await.is_ok() {
            return Ok(Some((node, watch)));
        }
    }
    Ok(None)
}

/// Waits for one more answer, which ends the watch.
async fn listen(run: &Run, node: NodeId, watch: WorkId, patience: Duration) -> Heard {
    let deadline_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
    let work = Work::WatchStop { watch, deadline_ms };
    let ordered = run.order_uncounted(node, work, patience + Duration::from_secs(10));
    match run.call(ordered).await {
        // One answer alone has no gap.
        Ok(WorkDone::Watched { longest_gap_ms, answered, .. }) => {
            Heard::Again { gap_ms: (answered > 1).then_some(longest_gap_ms) }
        }
        Err(UtilityError::Failed(WorkFailure::NoAnswer)) => Heard::Silence,
        Ok(_) => Heard::NotAsked,
        Err(error) => {
            tracing::debug!(%error, operation = %run.operation.id, "the watch told nothing");
            Heard::NotAsked
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

async fn watch(run: &Run) -> Result<Option<(NodeId, WorkId)>, StepError> {
    let Some(fact) = run.fact(WATCH).await? else { return Ok(None) };
    let Some((node, watch)) = fact.split_once(' ') else { return Ok(None) };
    Ok(node.parse().ok().zip(watch.parse().ok()))
}
