//! The task of one node: asks its hypervisor on a clock, and when it tells by itself that something changed; with a
//! deadline; and hands on what it hears.

use super::outage::Outage;
use super::{Back, Collector, history, states};
use crate::clock;
use crate::hypervisor::{Hypervisor, HypervisorError};
use grid::NodeId;
use grid::sample::{HypervisorSample, Source};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

/// A node whose domains change all the time is looked at no more often than this.
const LOOKS_APART: Duration = Duration::from_millis(500);

/// Runs until the collector stops.
pub(super) async fn watch(collector: Arc<Collector>, hypervisor: Arc<dyn Hypervisor>) {
    let node = hypervisor.node();
    let pace = collector.shared.pace;
    let mut tick = interval(pace.sample_every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_points = Instant::now() + pace.history_every;
    let mut outage = Outage::default();
    let mut looked_at = Instant::now();
    // Of the sample that was answered last; none of this process's yet.
    let mut asked_at = states::NOT_ASKED;
    loop {
        tokio::select! {
            () = collector.stop.cancelled() => return,
            _ = tick.tick() => {}
            () = woken(hypervisor.as_ref(), looked_at) => {}
        }
        looked_at = Instant::now();
        let now = clock::now();
        let sample = tokio::select! {
            () = collector.stop.cancelled() => return,
            sample = sample(&collector, hypervisor.as_ref()) => sample,
        };
        match sample {
            Ok(sample) => {
                if outage.ends() {
                    tracing::info!(node = collector.name_of(node), "a node's hypervisor answers again");
                    collector.returned(Back::Node(node));
                }
                collector.heard().hypervisor_answered(node, clock::now(), sample);
                asked_at = now;
            }
            Err(error) if outage.is_news(&error) => {
                tracing::warn!(node = collector.name_of(node), %error, "no answer from a node's hypervisor");
            }
            Err(_) => {}
        }
        // Without an answer too: the entry ages.
        collector.publish(&[node]);
        states::follow(&collector, node, asked_at).await;
        if Instant::now() >= next_points {
            next_points = Instant::now() + pace.history_every;
            keep(&collector, node).await;
        }
    }
}

/// A node without a hypervisor, because it is not configured any more: what an earlier run heard of it ages.
pub(super) async fn age(collector: Arc<Collector>, node: NodeId) {
    loop {
        collector.publish(&[node]);
        states::follow(&collector, node, states::NOT_ASKED).await;
        tokio::select! {
            () = collector.stop.cancelled() => return,
            () = sleep(collector.shared.pace.sample_every) => {}
        }
    }
}

async fn woken(hypervisor: &dyn Hypervisor, looked_at: Instant) {
    hypervisor.changed().await;
    sleep_until(looked_at + LOOKS_APART).await;
}

async fn sample(collector: &Collector, hypervisor: &dyn Hypervisor) -> Result<HypervisorSample, HypervisorError> {
    let began = Instant::now();
    let answer = tokio::time::timeout(collector.shared.pace.sample_deadline, hypervisor.sample()).await;
    metrics::histogram!("hostgrid_sample_duration_seconds").record(began.elapsed());
    let (outcome, sample) = match answer {
        Ok(Ok(sample)) => ("taken", Ok(sample)),
        Ok(Err(error)) => ("failed", Err(error)),
        Err(_) => ("late", Err(HypervisorError::Deadline)),
    };
    metrics::counter!("hostgrid_samples_total", "source" => "hypervisor", "outcome" => outcome).increment(1);
    sample
}

/// Hands the node's points to the writer, and keeps the raw samples.
async fn keep(collector: &Collector, node: NodeId) {
    let map = collector.map();
    let Some(entry) = map.get(node) else { return };
    let usage = collector.heard().usage_on(node);
    let now = clock::now();
    if collector.points.try_send(history::points(entry, &usage, now)).is_err() {
        tracing::warn!(%node, "the writer of the history is behind: points dropped");
    }
    let store = &collector.shared.store;
    let hypervisor = entry.hypervisor.as_ref().map(|it| (Source::Hypervisor, it.at, serde_json::to_string(&it.sample)));
    let utility = entry.utility.as_ref().map(|it| (Source::Utility, it.at, serde_json::to_string(&it.sample)));
    for (source, at, json) in [hypervisor, utility].into_iter().flatten() {
        let Ok(json) = json else { continue };
        if let Err(error) = store.sample_put(node, source, at, &json).await {
            tracing::warn!(%error, %node, "a raw sample was not kept");
        }
    }
}
