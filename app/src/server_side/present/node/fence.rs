//! Fencing a node: what the page says of it, and what an admin said.

use super::change::address;
use crate::AppError;
use crate::form::FormReply;
use crate::server_side::door::Door;
use crate::server_side::present::{time, vm};
use crate::view::node::FencePageView;
use grid::map::Condition;

/// The page on which a node is fenced.
pub async fn page(door: &Door, name: &str) -> Result<FencePageView, AppError> {
    let (manager, principal) = (&door.manager, &door.principal);
    let node = door.pass(manager.node_get(principal, name).await)?;
    let vms = door.pass(manager.vm_list(principal).await)?;
    let of_node = vms.into_iter().filter(|view| view.vm.node == node.node.id);
    Ok(FencePageView {
        node: node.node.name.clone(),
        condition: node.condition.to_string(),
        is_fenced: node.condition == Condition::Fenced,
        can_fence: node.condition != Condition::Fenced && !node.condition.hypervisor_answers(),
        vms: of_node.map(|view| vm::card(door, view)).collect(),
        as_of: time::moment(time::now()),
    })
}

pub async fn fence(door: &Door, name: &str, confirmed: String) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let page = format!("{}/fence", address(name)?);
    let done = door.manager.node_fence(&door.principal, name, &confirmed).await;
    door.reply(done.map(|()| page.clone()), "fence", &page, &[("confirmed", confirmed)]).await
}

pub async fn unfence(door: &Door, name: &str) -> Result<FormReply, AppError> {
    door.admin_only()?;
    let page = format!("{}/fence", address(name)?);
    let done = door.manager.node_unfence(&door.principal, name).await;
    door.reply(done.map(|()| page.clone()), "fence", &page, &[]).await
}
