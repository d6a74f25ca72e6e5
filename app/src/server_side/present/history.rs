//! Charts of capacity over the last hour, of a node or of all nodes of a kind.

use super::time;
use crate::AppError;
use crate::charts::{self, Line, Unit};
use crate::server_side::door::Door;
use crate::view::chart::ChartView;
use grid::{HypervisorKind, Resource, Resources, UnixMillis};
use manager::ManagerError;
use manager::history::HistoryRange;

const CHARTED_MS: i64 = 60 * 60 * 1000;
const POINTS: u32 = 120;

/// What is charted of each resource: the metric's first word, and the line's.
const LINES: [(&str, &str); 4] =
    [("usable", "Usable"), ("committed", "Committed"), ("available", "Available"), ("reserved", "Reserved")];

/// Of what is physically there, for it counts all that the machine has in use and has a scale of its own.
const IN_USE: &str = "In use, measured";

/// Whose history it is.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    Kind(HypervisorKind),
    /// By its name.
    Node(&'a str),
}

impl Subject<'_> {
    async fn points(self, door: &Door, metric: &str, range: HistoryRange) -> Result<Vec<(UnixMillis, f64)>, AppError> {
        let (manager, principal) = (&door.manager, &door.principal);
        let points: Result<_, ManagerError> = match self {
            Self::Kind(kind) => manager.capacity_history(principal, kind, metric, range).await,
            Self::Node(name) => manager.node_history(principal, name, metric, range).await,
        };
        door.pass(points)
    }
}

/// A chart of each resource, then one of what is measured of all of them, in parts of `physical`.
pub async fn capacity(door: &Door, subject: Subject<'_>, physical: Resources) -> Result<Vec<ChartView>, AppError> {
    let range = last_hour();
    let mut drawn = Vec::new();
    for (resource, _) in physical.parts() {
        let mut lines = Vec::with_capacity(LINES.len());
        for (what, name) in LINES {
            let points = subject.points(door, &metric(what, resource), range).await?;
            lines.push(Line { name: name.to_owned(), points });
        }
        drawn.push(charts::chart(resource.heading(), unit(resource), &lines, (range.from, range.to)));
    }
    let mut lines = Vec::with_capacity(Resource::COUNT);
    for (resource, _) in physical.parts() {
        let points = subject.points(door, &metric("measured", resource), range).await?;
        let points = points.into_iter().map(|(at, value)| (at, permille(value, physical.get(resource)))).collect();
        lines.push(Line { name: resource.heading().to_owned(), points });
    }
    drawn.push(charts::chart(IN_USE, Unit::Permille, &lines, (range.from, range.to)));
    Ok(drawn)
}

/// A chart of these metrics, each with its line's word.
pub async fn of_metrics(
    door: &Door,
    subject: Subject<'_>,
    title: &str,
    unit: Unit,
    metrics: &[(&str, &str)],
) -> Result<ChartView, AppError> {
    let range = last_hour();
    let mut lines = Vec::with_capacity(metrics.len());
    for (metric, word) in metrics {
        lines.push(Line { name: (*word).to_owned(), points: subject.points(door, metric, range).await? });
    }
    Ok(charts::chart(title, unit, &lines, (range.from, range.to)))
}

fn last_hour() -> HistoryRange {
    let to = time::now();
    HistoryRange { from: UnixMillis(to.0 - CHARTED_MS), to, points: POINTS }
}

const fn unit(resource: Resource) -> Unit {
    match resource.unit() {
        grid::Unit::Vcpus => Unit::Count,
        grid::Unit::Mib | grid::Unit::Gib => Unit::Mib,
        grid::Unit::Mbit => Unit::Mbit,
    }
}

fn metric(what: &str, resource: Resource) -> String {
    format!("{what}_{}", resource.field())
}

/// A measured amount in thousandths of the whole; nothing of nothing.
fn permille(value: f64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "what a chart shows has far fewer digits")]
    let whole = whole as f64;
    if whole > 0.0 { value * 1000.0 / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_in_thousandths_of_what_is_there() {
        assert!((permille(3.0, 12) - 250.0).abs() < 1e-9);
        assert!(permille(3.0, 0).abs() < 1e-9);
    }

    #[test]
    fn metrics_are_named_as_the_history_keeps_them() {
        assert_eq!(metric("usable", Resource::Memory), "usable_memory_mib");
        assert_eq!(metric("measured", Resource::Vcpus), "measured_vcpus");
    }
}
