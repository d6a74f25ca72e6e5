//! Plans and refusals in words. Customers never read a node's name.

use super::{catalogue, choice, schedule, time, vm};
use crate::AppError;
use crate::form::{FormReply, Problem};
use crate::server_side::door::{Agreement, Door, Explained, in_full, note};
use crate::view::amounts;
use crate::view::plan::{ChoiceView, PlanView, PreviewView, RefusalView, ResizeFormView, Typed};
use crate::view::relocation::MoveLine;
use grid::explain::explain_plan;
use grid::form::{SizeErrors, parse_size};
use grid::placement::RejectedNode;
use grid::plan::{Choice, Plan, PlanAnswer, Refusal};
use grid::{NodeId, VmId};
use manager::ManagerError;

/// What the form starts with.
pub async fn form(door: &Door, id: VmId) -> Result<ResizeFormView, AppError> {
    let view = door.pass(door.manager.vm_get(&door.principal, id).await)?;
    Ok(ResizeFormView {
        maximum_vcpus: view.vm.maxima.vcpus.0,
        maximum_memory_mib: view.vm.maxima.memory.0,
        schedule: schedule::list(door, id).await?.into_iter().find(|it| !it.state.is_over()),
        as_of: time::moment(door.manager.map().as_of),
        vm: vm::card(door, view),
    })
}

/// The answer to what was typed; none where nothing was. What is typed about a VM that isn't there is not even read.
/// `nodes` is the page of the list of all nodes that an admin asks for.
pub async fn preview(
    door: &Door,
    id: VmId,
    typed: Option<&Typed>,
    nodes: Option<u64>,
) -> Result<Option<PreviewView>, AppError> {
    door.pass(door.manager.vm_get(&door.principal, id).await)?;
    match typed {
        Some(typed) => answer(door, id, typed, nodes).await.map(Some),
        None => Ok(None),
    }
}

async fn answer(door: &Door, id: VmId, typed: &Typed, nodes: Option<u64>) -> Result<PreviewView, AppError> {
    let size = match parse_size(&typed.vcpus, &typed.memory_mib, &typed.disk_gib) {
        Ok(size) => size,
        Err(errors) => {
            note().refused_again(errors);
            return Ok(PreviewView::Unreadable { problems: problems(errors) });
        }
    };
    let (manager, principal) = (&door.manager, &door.principal);
    let answer = if door.is_admin() {
        manager.vm_resize_preview_explained(principal, id, size, nodes.is_some()).await
    } else {
        manager.vm_resize_preview(principal, id, size).await.map(Explained::without_choice)
    };
    let link = |page: u64| format!("/vms/{id}/resize{}&nodes={page}#nodes", Typed::query(size));
    let viewed = |home: NodeId, choice: Option<Choice>, rejected: &[RejectedNode]| {
        let list = choice::List { rejected, page: nodes, link: &link };
        choice.map(|choice| choice::view(&manager.map(), home, size, &choice, &list))
    };
    match answer {
        Ok(Explained { answer: PlanAnswer::Nothing, .. }) => Ok(PreviewView::Nothing),
        Ok(Explained { answer: PlanAnswer::Planned { plan }, choice, rejected }) => {
            let choice = viewed(plan.source, choice, &rejected);
            planned(door, &plan, choice).await
        }
        Ok(Explained { answer: PlanAnswer::Refused { refusal }, choice, rejected }) => {
            note().refused_again(&refusal.reason);
            let home = door.pass(manager.vm_get(principal, id).await)?.vm.node;
            let choice = viewed(home, choice, &rejected);
            Ok(refused(door, *refusal, choice))
        }
        Err(ManagerError::Refused { refusal }) => {
            note().refused_again(&refusal.reason);
            Ok(refused(door, *refusal, None))
        }
        Err(ManagerError::Busy { .. }) => {
            Ok(not_now("Another operation is working on this VM. Wait until it is over.".into()))
        }
        Err(ManagerError::Unavailable { reason }) => Ok(not_now(reason)),
        Err(error) => door.pass(Err(error)),
    }
}

fn not_now(reason: String) -> PreviewView {
    note().refused_again(&reason);
    PreviewView::NotNow { reason }
}

fn problems(errors: SizeErrors) -> Vec<Problem> {
    [("vcpus", errors.vcpus), ("memory_mib", errors.memory), ("disk_gib", errors.disk)]
        .into_iter()
        .filter_map(|(field, error)| error.map(|error| Problem::of(field, error.to_string())))
        .collect()
}

/// The moves that make room first, by name; a customer's plan has none.
async fn first(door: &Door, plan: &Plan) -> Result<Vec<MoveLine>, AppError> {
    let mut lines = Vec::new();
    for each in plan.room.iter().flat_map(|room| &room.moves) {
        let vm = door.pass(door.manager.vm_get(&door.principal, each.vm).await)?.vm.name;
        let way = format!("{} → {}", node_name(door, each.from), node_name(door, each.to));
        lines.push(MoveLine { vm, way, manner: each.manner.to_string() });
    }
    Ok(lines)
}

async fn planned(door: &Door, plan: &Plan, choice: Option<ChoiceView>) -> Result<PreviewView, AppError> {
    let way = plan
        .destination
        .filter(|_| door.is_admin())
        .map(|destination| (node_name(door, plan.source), node_name(door, destination)));
    let json = serde_json::to_string(plan).map_err(|error| {
        tracing::error!(%error, "a plan could not be written");
        crate::server_side::door::refuse(AppError::Internal)
    })?;
    let words = explain_plan(plan);
    Ok(PreviewView::Planned(Box::new(PlanView {
        kind: plan.kind,
        from: plan.from,
        to: plan.to,
        title: words.title,
        sentences: words.sentences,
        duration: amounts::expected(plan.estimate.duration_ms),
        downtime: amounts::expected(plan.estimate.downtime_ms),
        restarts: plan.interrupts(),
        first: first(door, plan).await?,
        way,
        choice,
        json,
        idempotency_key: catalogue::key(),
        proposed: schedule::proposed(time::now()),
        as_of: time::moment(door.manager.map().as_of),
    })))
}

fn refused(door: &Door, refusal: Refusal, choice: Option<ChoiceView>) -> PreviewView {
    PreviewView::Refused(Box::new(RefusalView {
        reason: refusal.reason.to_string(),
        asked: refusal.asked,
        largest: refusal.largest,
        choice,
        as_of: time::moment(door.manager.map().as_of),
    }))
}

fn node_name(door: &Door, id: NodeId) -> String {
    door.manager.map().get(id).map_or_else(|| "a node that is gone".to_owned(), |node| node.node.name.clone())
}

/// Agrees to a plan as it came back from the page. What can't be read is no plan; what no longer holds is asked again.
pub async fn agree(door: &Door, id: VmId, plan: &str, force_off: bool, key: String) -> Result<FormReply, AppError> {
    let Ok(plan) = serde_json::from_str::<Plan>(plan) else {
        door.pass(door.manager.vm_get(&door.principal, id).await)?;
        let problem = Problem::whole("This plan can't be read, so nothing was started. Ask for it again.");
        return door.reply_problems(vec![problem], "resize", &format!("/vms/{id}/resize"), &[]).await;
    };
    let page = format!("/vms/{id}/resize{}", Typed::query(plan.to));
    let agreement = Agreement { plan, force_off, idempotency_key: key };
    match door.manager.vm_resize(&door.principal, id, agreement).await {
        Err(error @ (ManagerError::PlanChanged { .. } | ManagerError::Refused { .. })) => {
            note().refused(in_full(&error));
            leptos_axum::redirect(&format!("{page}&changed={}", catalogue::key()));
            Ok(FormReply::default())
        }
        started => door.reply_operation(started, "resize", &page, &[]).await,
    }
}
