//! The dashboard in words and charts.

use super::{node, operation, time};
use crate::AppError;
use crate::charts::{self, Line, Unit};
use crate::server_side::door::{Door, OperationFilter};
use crate::view::capacity::{DashboardView, Figures, KindView};
use crate::view::chart::ChartView;
use grid::map::{KindTotals, MapNode};
use grid::{HypervisorKind, UnixMillis};
use manager::capacity::KindCapacity;
use manager::history::HistoryRange;

const CHARTED_MS: i64 = 60 * 60 * 1000;
const POINTS: u32 = 120;
const OPERATIONS: u32 = 10;

/// The charts of a kind and of a node: title, unit, and the resource's word in the metrics' names.
pub const CHARTS: [(&str, Unit, &str); 3] =
    [("vCPUs", Unit::Count, "vcpus"), ("Memory", Unit::Mib, "memory_mib"), ("Disk", Unit::Mib, "disk_mib")];
/// The lines of each.
pub const LINES: [(&str, &str); 5] = [
    ("usable", "Usable"),
    ("committed", "Committed"),
    ("available", "Available"),
    ("measured", "Measured"),
    ("reserved", "Reserved"),
];

/// The last hour.
pub fn last_hour() -> HistoryRange {
    let to = time::now();
    HistoryRange { from: UnixMillis(to.0 - CHARTED_MS), to, points: POINTS }
}

pub async fn dashboard(door: &Door) -> Result<DashboardView, AppError> {
    let (manager, principal) = (&door.manager, &door.principal);
    let capacity = door.pass(manager.capacity(principal).await)?;
    let nodes = door.pass(manager.node_list(principal).await)?;
    let mut kinds = Vec::with_capacity(capacity.kinds.len());
    for kind in capacity.kinds {
        let word = kind.totals.kind;
        let charts = history(door, word).await?;
        let its_nodes = nodes.iter().filter(|node| node.kind() == word);
        let lines = its_nodes.map(|each| node::line(each, capacity.as_of)).collect();
        kinds.push(view(kind, lines, charts));
    }
    let filter = OperationFilter { limit: OPERATIONS, ..OperationFilter::default() };
    Ok(DashboardView { kinds, operations: operation::lines(door, filter).await?, as_of: time::moment(capacity.as_of) })
}

fn view(kind: KindCapacity, nodes: Vec<crate::view::node::NodeLine>, charts: Vec<ChartView>) -> KindView {
    KindView {
        kind: kind.totals.kind.as_str().to_owned(),
        figures: totals(&kind.totals),
        nodes,
        largest: kind.largest,
        offers: kind.offers.into_iter().map(|(offer, count)| (offer.name, offer.size, count)).collect(),
        charts,
    }
}

const fn totals(totals: &KindTotals) -> Figures {
    Figures {
        physical: totals.physical,
        usable: totals.usable,
        committed: totals.committed,
        reserved: totals.reserved,
        available: totals.available,
        measured: totals.measured,
    }
}

/// The figures of one node.
pub fn figures(node: &MapNode) -> Figures {
    Figures {
        physical: node.physical,
        usable: node.usable,
        committed: node.committed,
        reserved: node.reserved,
        available: node.available(),
        measured: node.measured,
    }
}

async fn history(door: &Door, kind: HypervisorKind) -> Result<Vec<ChartView>, AppError> {
    let range = last_hour();
    let mut drawn = Vec::with_capacity(CHARTS.len());
    for (title, unit, resource) in CHARTS {
        let mut lines = Vec::with_capacity(LINES.len());
        for (what, name) in LINES {
            let metric = format!("{what}_{resource}");
            let points = door.manager.capacity_history(&door.principal, kind, &metric, range).await;
            lines.push(Line { name: name.to_owned(), points: door.pass(points)? });
        }
        drawn.push(charts::chart(title, unit, &lines, (range.from, range.to)));
    }
    Ok(drawn)
}
