//! `/operations/{id}`: an operation, its steps live, and how it ended.

use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::badge::OperationBadge;
use crate::components::loaded::loaded;
use crate::live::{Live, LiveEvent};
use crate::view::operation::{OperationPageView, StepView, state_word, step_word};
use grid::operation::{OperationState, StepState};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;

#[server(endpoint = "operation_get")]
pub async fn operation_get(id: String) -> Result<OperationPageView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let operation = door.pass(door.manager.operation_get(&door.principal, door.id(&id)?).await)?;
    Ok(crate::server_side::present::operation::page(operation))
}

#[component]
pub fn OperationPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let version = expect_context::<Live>().version(move |event| match event {
        LiveEvent::Operation(operation) => id.with_untracked(|id| id == operation),
        _ => false,
    });
    let operation = Resource::new(move || (id.get(), version.get()), |(id, _)| operation_get(id));
    loaded(operation, |view| view! { <OperationView view/> })
}

#[component]
fn OperationView(view: OperationPageView) -> impl IntoView {
    let line = view.line.clone();
    let steps = view.steps.clone().into_iter().map(|step| view! { <Step step/> }).collect_view();
    view! {
        <Title text=line.title.clone()/>
        <div class="page-head">
            <div>
                <p class="crumbs">
                    <a href="/vms">"VMs"</a>
                    <a href=format!("/vms/{}", line.vm_id)>{line.vm_name.clone()}</a>
                </p>
                <h1>{line.title.clone()} <OperationBadge state=line.state/></h1>
                <AsOf at=view.as_of.clone()/>
            </div>
        </div>
        <Outcome view=view.clone()/>
        <div class="columns">
            <section class="card">
                <h2>"Steps"</h2>
                <ol class="steps">{steps}</ol>
            </section>
            <Measures view/>
        </div>
    }
    .into_any()
}

/// How it ended; empty while it goes on, so that a reader is told when it changes.
#[component]
fn Outcome(view: OperationPageView) -> impl IntoView {
    let state = view.line.state;
    let word = if state.is_over() { state_word(state) } else { "" };
    let words = match state {
        OperationState::Succeeded => "Everything was done and verified.",
        OperationState::Undone => "It was taken back; everything is as it was before.",
        OperationState::Failed => "It could not be finished.",
        OperationState::Undoing => "It is being taken back.",
        OperationState::Pending | OperationState::Running => "It goes on even if you close this page.",
    };
    let class = format!("outcome outcome-{}", state.as_str());
    let figures = view.figures;
    view! {
        <section
            class=class
            data-operation=view.line.id
            data-state=state.as_str()
            data-plan=view.plan
            data-duration-ms=figures.duration_ms
            data-called-ms=figures.called_ms
            data-downtime-ms=figures.downtime_ms
            data-source=figures.source
            data-destination=figures.destination
        >
            <p role="status" class="outcome-word">{word}</p>
            <p>{words}</p>
            {view.reason.map(|reason| view! { <p class="outcome-reason">{reason}</p> })}
            {view.detail.map(|detail| {
                view! { <details><summary>"Everything that is known"</summary><pre>{detail}</pre></details> }
            })}
        </section>
    }
    .into_any()
}

#[component]
fn Step(step: StepView) -> impl IntoView {
    let class = format!("step step-{}", step.state.as_str());
    let is_running = matches!(step.state, StepState::Started | StepState::UndoStarted);
    view! {
        <li class=class data-step=step.name data-state=step.state.as_str()>
            <span class="step-mark" class:spinner=is_running aria-hidden="true"></span>
            <span class="step-title">{step.title}</span>
            <span class="step-state">{step_word(step.state)}</span>
            <span class="step-took">{step.took.unwrap_or_default()}</span>
            <span class="step-note">{step.note.unwrap_or_default()}</span>
        </li>
    }
    .into_any()
}

#[component]
fn Measures(view: OperationPageView) -> impl IntoView {
    let line = view.line;
    let dash = || "–".to_owned();
    view! {
        <section class="card facts">
            <h2>"Times"</h2>
            <dl>
                <dt>"Started"</dt>
                <dd><time>{view.started_at}</time></dd>
                <dt>"Ended"</dt>
                <dd><time>{view.ended_at.unwrap_or_else(dash)}</time></dd>
                <dt>"Took"</dt>
                <dd>{line.took.unwrap_or_else(dash)}</dd>
                <dt>"Downtime"</dt>
                <dd data-downtime="">{line.downtime.unwrap_or_else(dash)}</dd>
                <dt>"In calls below"</dt>
                <dd>{view.called}</dd>
                {view.expected.map(|(duration, downtime)| {
                    view! {
                        <dt>"Expected"</dt>
                        <dd>{format!("{duration}; downtime {downtime}")}</dd>
                    }
                })}
                {view.plan.map(|plan| view! { <dt>"Plan"</dt><dd>{plan}</dd> })}
                {line.way.map(|way| view! { <dt>"Nodes"</dt><dd>{way}</dd> })}
            </dl>
        </section>
    }
    .into_any()
}
