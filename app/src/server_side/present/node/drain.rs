//! Emptying a node: its plan and how it goes, in words; what an admin decides about it, handed on.

use super::change::address;
use crate::AppError;
use crate::form::FormReply;
use crate::server_side::door::{Door, refuse};
use crate::server_side::present::{catalogue, relocation, schedule, time};
use crate::view::relocation::{ConsentView, DrainPageView, GivenView};
use manager::relocations::ConsentLine;

/// The plan as it is now, and the newest drain.
pub async fn page(door: &Door, name: &str) -> Result<DrainPageView, AppError> {
    let found = door.pass(door.manager.node_drain_get(&door.principal, name).await)?;
    Ok(DrainPageView {
        node: name.to_owned(),
        plan: found.moves.into_iter().map(relocation::line).collect(),
        stay: found.stay,
        newest: found.newest.map(relocation::run),
        consents: found.consents.into_iter().map(consent).collect(),
        form_id: catalogue::key(),
        as_of: time::moment(time::now()),
    })
}

fn consent(line: ConsentLine) -> ConsentView {
    let given = line.given.map(|(given, by)| GivenView {
        by,
        at: schedule::moment(given.at),
        opens: schedule::moment(given.window.opens),
        closes: schedule::moment(given.window.closes),
        force_off: given.force_off,
    });
    ConsentView { vm: line.vm, asked_at: schedule::moment(line.asked_at), given }
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
