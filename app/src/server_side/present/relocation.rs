//! Work that is made of moves: its plan and how it goes, in words; what an admin decides about it, handed on.

use super::{catalogue, operation, time};
use crate::AppError;
use crate::form::{FormReply, Problem};
use crate::server_side::door::{Door, refuse};
use crate::view::relocation::{MoveLine, RebalancePageView, RelocationRun};
use grid::moves::Move;
use grid::relocation::Relocation;
use manager::operations::OperationView;
use manager::relocations::PlannedMove;

const REBALANCE: &str = "/admin/rebalance";

pub fn line(planned: PlannedMove) -> MoveLine {
    MoveLine { vm: planned.vm, way: format!("{} → {}", planned.from, planned.to), manner: planned.manner.to_string() }
}

pub fn run((newest, moves): (Relocation, Vec<OperationView>)) -> RelocationRun {
    RelocationRun {
        id: newest.id.to_string(),
        state: newest.state,
        reason: newest.reason,
        is_cancelled: newest.cancelled_by.is_some(),
        moves: moves.iter().map(operation::line_of_view).collect(),
    }
}

/// How nodes would be evened out now, and the newest rebalance.
pub async fn rebalance_page(door: &Door) -> Result<RebalancePageView, AppError> {
    let found = door.pass(door.manager.rebalance_get(&door.principal).await)?;
    let json = serde_json::to_string(&found.plan).map_err(|error| {
        tracing::error!(%error, "a plan could not be written");
        refuse(AppError::Internal)
    })?;
    Ok(RebalancePageView {
        plan: found.moves.into_iter().map(line).collect(),
        json,
        newest: found.newest.map(run),
        form_id: catalogue::key(),
        as_of: time::moment(time::now()),
    })
}

/// Begins the rebalance that was reviewed, as it came back from the page.
pub async fn rebalance(door: &Door, id: &str, plan: &str) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let id = id.parse().map_err(|_| refuse(AppError::BadRequest))?;
    let Ok(plan) = serde_json::from_str::<Vec<Move>>(plan) else {
        let problem = Problem::whole("This plan can't be read, so nothing was started. Look at it again.");
        return door.reply_problems(vec![problem], "rebalance", REBALANCE, &[]).await;
    };
    let done = door.manager.rebalance(&door.principal, id, plan).await;
    door.reply(done.map(|_| REBALANCE.to_owned()), "rebalance", REBALANCE, &[]).await
}

/// Ends it after the move at hand.
pub async fn rebalance_cancel(door: &Door) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let done = door.manager.rebalance_cancel(&door.principal).await;
    door.reply(done.map(|()| REBALANCE.to_owned()), "rebalance", REBALANCE, &[]).await
}
