//! The dashboard in words and charts.

use super::history::{self, Subject};
use super::{node, operation, time};
use crate::AppError;
use crate::server_side::door::{Door, OperationFilter};
use crate::view::answers::{self, Names};
use crate::view::capacity::{DashboardView, Figures, KindView};
use crate::view::chart::ChartView;
use crate::view::node::NodeLine;
use grid::map::{KindTotals, MapNode};
use grid::{NodeId, VmId};
use manager::capacity::Named;

const OPERATIONS: u32 = 10;

pub async fn dashboard(door: &Door) -> Result<DashboardView, AppError> {
    let (manager, principal) = (&door.manager, &door.principal);
    let capacity = door.pass(manager.capacity(principal).await)?;
    let kept = door.pass(manager.capacity_answers(principal).await)?;
    let nodes = door.pass(manager.node_list(principal).await)?;
    let mut kinds = Vec::with_capacity(capacity.kinds.len());
    for totals in capacity.kinds {
        let charts = history::capacity(door, Subject::Kind(totals.kind), totals.physical).await?;
        let its_nodes = nodes.iter().filter(|node| node.kind() == totals.kind);
        let lines = its_nodes.map(|each| node::line(each, capacity.as_of)).collect();
        kinds.push(view(&totals, lines, charts));
    }
    let filter = OperationFilter { limit: OPERATIONS, ..OperationFilter::default() };
    Ok(DashboardView {
        answers: answers::view(&kept.answers, &kept.offers, &Known(&kept.named)),
        answers_as_of: time::moment(kept.as_of),
        kinds,
        operations: operation::lines(door, filter).await?,
        as_of: time::moment(capacity.as_of),
    })
}

/// Names that the manager looked up; the id of what has gone meanwhile.
struct Known<'a>(&'a Named);

impl Names for Known<'_> {
    fn node(&self, id: NodeId) -> String {
        self.0.nodes.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn vm(&self, id: VmId) -> String {
        self.0.vms.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
}

fn view(totals: &KindTotals, nodes: Vec<NodeLine>, charts: Vec<ChartView>) -> KindView {
    KindView {
        kind: totals.kind.as_str().to_owned(),
        node_count: totals.nodes,
        ready: totals.ready,
        figures: Figures {
            physical: totals.physical,
            usable: totals.usable,
            committed: totals.committed,
            reserved: totals.reserved,
            available: totals.available,
            measured: totals.measured,
        },
        nodes,
        charts,
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
