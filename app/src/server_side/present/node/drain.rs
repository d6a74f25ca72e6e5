//! Emptying a node: its plan and how it goes, in words; what an admin decides about it, handed on.

use super::change::address;
use crate::AppError;
use crate::form::FormReply;
use crate::server_side::door::{Door, refuse};
use crate::server_side::present::{catalogue, operation, time};
use crate::view::drain::{DrainMoveLine, DrainPageView, DrainRun};

/// The plan as it is now, and the newest drain.
pub async fn page(door: &Door, name: &str) -> Result<DrainPageView, AppError> {
    let found = door.pass(door.manager.node_drain_get(&door.principal, name).await)?;
    let plan = found.moves.into_iter().map(|each| DrainMoveLine {
        vm: each.vm,
        way: format!("{} → {}", each.from, each.to),
        manner: each.manner.to_string(),
    });
    let newest = found.newest.map(|(drain, moves)| DrainRun {
        id: drain.id.to_string(),
        state: drain.state,
        reason: drain.reason,
        is_cancelled: drain.cancelled_by.is_some(),
        moves: moves.iter().map(operation::line_of_view).collect(),
    });
    Ok(DrainPageView {
        node: name.to_owned(),
        plan: plan.collect(),
        stay: found.stay,
        newest,
        form_id: catalogue::key(),
        as_of: time::moment(time::now()),
    })
}

/// Begins to empty it.
pub async fn begin(door: &Door, name: &str, id: &str) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let page = format!("{}/drain", address(name)?);
    let id = id.parse().map_err(|_| refuse(AppError::BadRequest))?;
    let done = door.manager.node_drain(&door.principal, name, id).await;
    door.reply(done.map(|_| page.clone()), "drain", &page, &[]).await
}

/// Ends it after the move at hand.
pub async fn cancel(door: &Door, name: &str) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let page = format!("{}/drain", address(name)?);
    let done = door.manager.node_drain_cancel(&door.principal, name).await;
    door.reply(done.map(|()| page.clone()), "drain", &page, &[]).await
}
