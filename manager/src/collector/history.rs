//! The history: what is kept of each node, hypervisor kind and VM over time, and the one task that writes it.

use super::Collector;
use crate::clock;
use crate::shared::Shared;
use crate::store::rows::{MetricPoint, MetricSeries};
use crate::vms::VmUsage;
use grid::map::{Condition, KindTotals, MapNode, ResourceMap};
use grid::sample::{DomainState, Source};
use grid::{Resource, Resources, UnixMillis, VmId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, interval_at};

/// Between two clean-ups of what is too old.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// What one node and its VMs add to the history now.
pub(super) fn points(entry: &MapNode, usage: &BTreeMap<VmId, VmUsage>, at: UnixMillis) -> Vec<MetricPoint> {
    let subject = entry.node.id.to_string();
    let mut points = amounts(&subject, entry, at);
    let mut add = |metric: &str, value: u64| points.push(point(&subject, metric, at, value));
    if let Some(pool) = entry.hypervisor.as_ref().and_then(|reading| reading.sample.pool) {
        add("pool_free_mib/hypervisor", pool.free_mib);
    }
    if let Some(reading) = &entry.utility {
        add("pool_free_mib/utility", reading.sample.pool.free_mib);
        add("write_latency_us", reading.sample.write_latency_us);
    }
    points.extend(vm_points(entry, usage, at));
    points
}

/// What each hypervisor kind adds: the sums over its nodes.
fn kind_points(map: &ResourceMap, at: UnixMillis) -> Vec<MetricPoint> {
    let of_kind = |totals: KindTotals| {
        let sums = [
            ("usable", totals.usable),
            ("committed", totals.committed),
            ("reserved", totals.reserved),
            ("available", totals.available),
            ("measured", totals.measured),
        ];
        resource_points(totals.kind.as_str(), &sums, at)
    };
    map.totals().into_iter().flat_map(of_kind).collect()
}

/// `usable_vcpus` and so on: five amounts of each resource.
fn amounts(subject: &str, entry: &MapNode, at: UnixMillis) -> Vec<MetricPoint> {
    let sums = [
        ("usable", entry.usable),
        ("committed", entry.committed),
        ("reserved", entry.reserved),
        ("available", available(entry)),
        ("measured", entry.measured),
    ];
    resource_points(subject, &sums, at)
}

/// What is not known, or not to be used, is not available.
fn available(entry: &MapNode) -> Resources {
    if entry.condition == Condition::Ready { entry.available() } else { Resources::ZERO }
}

fn resource_points(subject: &str, sums: &[(&str, Resources)], at: UnixMillis) -> Vec<MetricPoint> {
    let each = sums.iter().flat_map(|(word, amounts)| {
        Resource::ALL.map(|resource| point(subject, &metric(word, resource), at, amounts.get(resource)))
    });
    each.collect()
}

fn metric(word: &str, resource: Resource) -> String {
    format!("{word}_{}", resource.field())
}

fn vm_points(entry: &MapNode, usage: &BTreeMap<VmId, VmUsage>, at: UnixMillis) -> Vec<MetricPoint> {
    let mut points = Vec::new();
    for domain in entry.hypervisor.iter().flat_map(|reading| &reading.sample.domains) {
        let Some(usage) = usage.get(&domain.id).filter(|_| domain.state == DomainState::Running) else { continue };
        let subject = domain.id.to_string();
        let told = [
            ("cpu_permille", Some(usage.cpu_permille.into())),
            ("memory_resident_mib", usage.memory_resident_mib),
            ("block_read_bytes_per_s", usage.block_read_bytes_per_s),
            ("block_write_bytes_per_s", usage.block_write_bytes_per_s),
            ("network_receive_bytes_per_s", Some(usage.network_receive_bytes_per_s)),
            ("network_transmit_bytes_per_s", Some(usage.network_transmit_bytes_per_s)),
            ("vcpus", Some(domain.vcpus_current.into())),
            ("memory_mib", Some(domain.memory_current_mib)),
        ];
        points.extend(told.into_iter().filter_map(|(metric, value)| Some(point(&subject, metric, at, value?))));
    }
    points
}

#[expect(clippy::cast_precision_loss, reason = "the history keeps floats; amounts stay far below 2^53")]
fn point(subject: &str, metric: &str, at: UnixMillis, value: u64) -> MetricPoint {
    MetricPoint { series: MetricSeries { subject: subject.into(), metric: metric.into() }, at, value: value as f64 }
}

/// Writes what comes, in batches; forgets what is too old; ends with the collector, after what was waiting.
pub(super) async fn write(collector: Arc<Collector>, mut taken: mpsc::Receiver<Vec<MetricPoint>>) {
    let (shared, stop) = (Arc::clone(&collector.shared), collector.stop.clone());
    // Not at once: the first samples are still on their way.
    let every = shared.pace.history_every;
    let mut tick = interval_at(Instant::now() + every, every);
    let mut forget = interval(FORGET_EVERY);
    let mut waiting: Vec<MetricPoint> = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(points) = taken.recv() => waiting.extend(points),
            _ = tick.tick() => {
                let map = collector.map();
                tell_ages(&map);
                waiting.extend(kind_points(&map, clock::now()));
                flush(&shared, &mut waiting).await;
            }
            _ = forget.tick() => forget_old(&shared).await,
        }
    }
    flush(&shared, &mut waiting).await;
}

/// How old what is known of each node is, for whoever watches the manager itself.
fn tell_ages(map: &ResourceMap) {
    let now = clock::now();
    for entry in map.iter() {
        let heard = [
            (Source::Hypervisor, entry.hypervisor.as_ref().map(|reading| reading.at)),
            (Source::Utility, entry.utility.as_ref().map(|reading| reading.at)),
        ];
        for (source, at) in heard {
            let Some(at) = at else { continue };
            let age = Duration::from_millis(now.apart(at)).as_secs_f64();
            let labels = [("node", entry.node.name.clone()), ("source", source.as_str().to_owned())];
            metrics::gauge!("hostgrid_reading_age_seconds", &labels).set(age);
        }
    }
}

async fn flush(shared: &Shared, waiting: &mut Vec<MetricPoint>) {
    if waiting.is_empty() {
        return;
    }
    match shared.store.metrics_add(waiting).await {
        Ok(()) => metrics::counter!("hostgrid_history_points_total").increment(waiting.len() as u64),
        Err(error) => tracing::error!(%error, points = waiting.len(), "points of the history were lost"),
    }
    waiting.clear();
}

async fn forget_old(shared: &Shared) {
    let kept_ms = i64::try_from(shared.pace.history_kept.as_millis()).unwrap_or(i64::MAX);
    let before = UnixMillis(clock::now().0.saturating_sub(kept_ms));
    if let Err(error) = shared.store.metrics_forget(before).await {
        tracing::warn!(%error, "old history was not forgotten");
    }
}
