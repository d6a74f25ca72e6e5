//! Utility modules: their reports are taken as they come, and a utility VM that died, or whose module fell silent, is
//! brought back.

use super::Collector;
use super::outage::Outage;
use crate::clock;
use crate::hypervisor::{Hypervisor, HypervisorError, UtilityConfiguration};
use grid::NodeId;
use grid::map::Condition;
use grid::sample::DomainState;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// Between two looks at a utility VM.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The wait doubles up to this many times the first.
const LONGEST_BACK_OFF: u32 = 30;
/// Bringing a utility VM up may carry its images over.
const START_DEADLINE: Duration = Duration::from_mins(3);

/// Takes the reports of all nodes.
pub(super) async fn listen(collector: Arc<Collector>) {
    let mut reports = collector.shared.hub.reports();
    loop {
        let report = tokio::select! {
            () = collector.stop.cancelled() => return,
            report = reports.recv() => report,
        };
        match report {
            Ok(report) => collector.utility_reported(report.node, report.at, report.sample.as_ref().clone()),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "reports came faster than they were taken"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Keeps one node's utility VM running. Never started twice at once: this is the only place that starts it.
pub(super) async fn care(collector: Arc<Collector>, hypervisor: Arc<dyn Hypervisor>) {
    let node = hypervisor.node();
    let pace = collector.shared.pace;
    let mut back_off = pace.utility_back_off;
    let mut outage = Outage::default();
    // A module that runs has time to be heard before it is called dead.
    let mut started_at = Instant::now();
    // The first look is at once: a node that is new has no utility VM yet.
    let mut looks = interval(LOOK_EVERY.min(pace.utility_dead_after));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = collector.stop.cancelled() => return,
            _ = looks.tick() => {}
        }
        // Nothing is done on a fenced node, and nothing by a server that does not hold the lease.
        if is_fenced(&collector, node) || !collector.shared.lease.is_held() {
            continue;
        }
        let heard = collector.heard().utility_is_heard(node, pace.utility_dead_after);
        if heard {
            back_off = pace.utility_back_off;
        }
        let looked = timeout(pace.sample_deadline, hypervisor.utility_state()).await;
        let state = match looked.unwrap_or(Err(HypervisorError::Deadline)) {
            Ok(state) => state,
            Err(error) => {
                if outage.is_news(&error) {
                    tracing::warn!(node = collector.name_of(node), %error, "a utility VM can't be looked at");
                }
                continue;
            }
        };
        outage.ends();
        let runs = state == Some(DomainState::Running);
        let had_time = started_at.elapsed() >= pace.utility_dead_after;
        if runs && (heard || !had_time) {
            continue;
        }
        tracing::warn!(%node, ?state, heard, "a utility VM is brought back");
        if !runs {
            collector.heard().utility_is_off(node, clock::now());
            collector.publish(&[node]);
        }
        let started = tokio::select! {
            () = collector.stop.cancelled() => return,
            started = start(&collector, hypervisor.as_ref()) => started,
        };
        started_at = Instant::now();
        let outcome = if started { "started" } else { "failed" };
        metrics::counter!("hostgrid_utility_starts_total", "outcome" => outcome).increment(1);
        if !started {
            tokio::select! {
                () = collector.stop.cancelled() => return,
                () = sleep(back_off) => {}
            }
        }
        back_off = (back_off * 2).min(pace.utility_back_off * LONGEST_BACK_OFF);
    }
}

fn is_fenced(collector: &Collector, node: NodeId) -> bool {
    collector.map().get(node).is_some_and(|entry| entry.condition == Condition::Fenced)
}

/// Starts it afresh with a new one-time token.
async fn start(collector: &Collector, hypervisor: &dyn Hypervisor) -> bool {
    let (node, shared) = (hypervisor.node(), &collector.shared);
    let Some(address) = shared.utility.addresses.get(&collector.name_of(node)) else { return false };
    let token = match shared.hub.token_issue(node).await {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(%error, %node, "no token for a utility module");
            return false;
        }
    };
    let configuration = UtilityConfiguration {
        manager: shared.utility.manager.clone(),
        token,
        address: address.clone(),
        memory: shared.utility.memory,
        images: shared.utility.images.clone(),
    };
    match timeout(START_DEADLINE, hypervisor.utility_start(&configuration)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::error!(%error, %node, "a utility VM did not start");
            false
        }
        Err(_) => {
            tracing::error!(%node, "a utility VM did not start in time");
            false
        }
    }
}
