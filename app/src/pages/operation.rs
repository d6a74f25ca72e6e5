//! `/operations/{id}`: an operation, its steps live, and how it ended.

use super::address;
use super::session::flash_take;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::badge::OperationBadge;
use crate::components::field::{FormProblems, problems};
use crate::components::loaded::{kept, loaded};
use crate::components::page_head::{PageHead, of_vm};
use crate::form::FormReply;
use crate::live::{Live, LiveEvent};
use crate::view::operation::{OperationPageView, StepView, state_word, step_word};
use grid::operation::{OperationState, StepState};
use grid::plan::PlanKind;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "operation_get")]
pub async fn operation_get(id: String) -> Result<OperationPageView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let operation = door.pass(door.manager.operation_get(&door.principal, door.id(&id)?).await)?;
    Ok(crate::server_side::present::operation::page(operation))
}

#[server(endpoint = "operation_retry")]
pub async fn operation_retry(#[server(default)] id: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let operation = door.id(&id)?;
    let done = door.manager.operation_retry(&door.principal, operation).await.map(|()| operation);
    door.reply_operation(done, "operation", &format!("/operations/{operation}"), &[]).await
}

#[server(endpoint = "operation_give_up")]
pub async fn operation_give_up(#[server(default)] id: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let operation = door.id(&id)?;
    let done = door.manager.operation_give_up(&door.principal, operation).await.map(|()| operation);
    door.reply_operation(done, "operation", &format!("/operations/{operation}"), &[]).await
}

#[server(endpoint = "operation_cancel")]
pub async fn operation_cancel(#[server(default)] id: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let operation = door.id(&id)?;
    let done = door.manager.operation_cancel(&door.principal, operation).await.map(|()| operation);
    door.reply_operation(done, "operation", &format!("/operations/{operation}"), &[]).await
}

#[component]
pub fn OperationPage() -> impl IntoView {
    let id = address::part("id");
    let version = expect_context::<Live>().version(move |event| match event {
        LiveEvent::Operation(operation) => id.with_untracked(|id| id == operation),
        _ => false,
    });
    let decide = Decide { cancel: ServerAction::new(), retry: ServerAction::new(), give_up: ServerAction::new() };
    let answered =
        move || decide.cancel.version().get() + decide.retry.version().get() + decide.give_up.version().get();
    let operation = Resource::new(move || (id.get(), version.get(), answered()), |(id, ..)| operation_get(id));
    let flash = Resource::new(|| (), |()| flash_take("operation".to_owned()));
    let decided = move || decide.retry.value().get().or_else(|| decide.give_up.value().get());
    let reply = move || decide.cancel.value().get().or_else(decided);
    view! {
        {loaded(flash, move |flash| {
            let problems = problems(reply, flash.problems);
            view! { <FormProblems problems fields=&[]/> }
        })}
        {kept(operation, move |view| view! { <OperationView view decide/> })}
    }
    .into_any()
}

/// What can be decided about it on its page.
#[derive(Clone, Copy)]
struct Decide {
    cancel: ServerAction<OperationCancel>,
    retry: ServerAction<OperationRetry>,
    give_up: ServerAction<OperationGiveUp>,
}

#[component]
fn OperationView(view: OperationPageView, decide: Decide) -> impl IntoView {
    let line = view.line.clone();
    let none_yet = view.steps.is_empty().then(|| view! { <p>"There are none before there is room."</p> });
    let steps = view.steps.clone().into_iter().map(|step| view! { <Step step/> }).collect_view();
    let (title, as_of) = (line.title.clone(), view.as_of.clone());
    view! {
        <Title text=line.title.clone()/>
        <PageHead crumbs=of_vm(&line.vm_id, &line.vm_name)>
            <h1>{title} <OperationBadge state=line.state/></h1>
            <AsOf at=as_of/>
            <div inner_html=reload(line.state)></div>
        </PageHead>
        <Outcome view=view.clone()/>
        <Decisions view=view.clone() decide/>
        <Cancel view=view.clone() cancel=decide.cancel/>
        <div class="columns">
            <section class="card">
                <h2>"Steps"</h2>
                {none_yet}
                <ol class="steps">{steps}</ol>
            </section>
            <Measures view/>
        </div>
    }
    .into_any()
}

/// What keeps the page up to date where there are no scripts. The browser's half writes nothing of it: it leaves alone
/// what the server wrote, which means nothing where scripts run.
fn reload(state: OperationState) -> String {
    let seconds = match state {
        _ if cfg!(not(feature = "ssr")) || state.is_over() => return String::new(),
        OperationState::Waiting => 15,
        _ => 3,
    };
    format!(
        "<noscript><meta http-equiv=\"refresh\" content=\"{seconds}\"><p class=\"page-note\">This page loads itself \
         again every {seconds} seconds until the operation is over.</p></noscript>"
    )
}

/// How it ended; empty while it goes on, so that a reader is told when it changes.
#[component]
fn Outcome(view: OperationPageView) -> impl IntoView {
    let state = view.line.state;
    let is_told = state.is_over() || state == OperationState::Waiting;
    let word = if is_told { state_word(state) } else { "" };
    let is_whole = view.steps.iter().all(|step| step.state != StepState::Failed);
    let words = match state {
        OperationState::Succeeded if !is_whole => {
            "What was asked for was done and verified. A step that only measures or tidies up failed; what it may \
             have left is removed once the VM runs."
        }
        OperationState::Succeeded => "Everything was done and verified.",
        OperationState::Undone => "It was taken back; nothing of it was kept.",
        OperationState::Failed => "It could not be finished.",
        OperationState::Undoing => "It is being taken back.",
        OperationState::Waiting => {
            "Nothing goes on until an operator has looked at it, or a node that gave no answer answers again."
        }
        OperationState::Pending if view.plan.as_deref() == Some(PlanKind::MakeRoom.as_str()) => {
            "Room is being made: other VMs move away first. It goes on even if you close this page."
        }
        OperationState::Pending if view.plan.as_deref().is_some_and(|plan| plan.starts_with("move")) => {
            "It waits for its turn: only so many VMs move at once. It goes on even if you close this page."
        }
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

/// Cancel, where it is true; disabled with the reason where it isn't.
#[component]
fn Cancel(view: OperationPageView, cancel: ServerAction<OperationCancel>) -> impl IntoView {
    let state = view.line.state;
    let goes_on = !state.is_over() && state != OperationState::Waiting;
    let cannot = view.cannot_cancel.is_some();
    goes_on.then(|| {
        view! {
            <ActionForm action=cancel>
                <input type="hidden" name="id" value=view.line.id/>
                <button type="submit" class="button" disabled=move || cannot || cancel.pending().get()>"Cancel"</button>
                {view.cannot_cancel.map(|why| {
                    view! { <span class="field-hint">{format!("It can't be cancelled: {why}.")}</span> }
                })}
            </ActionForm>
        }
        .into_any()
    })
}

/// What an operator can do with an operation that waits.
#[component]
fn Decisions(view: OperationPageView, decide: Decide) -> impl IntoView {
    let Decide { retry, give_up, .. } = decide;
    let (retry_id, give_up_id) = (view.line.id.clone(), view.line.id);
    let is_pending = move || retry.pending().get() || give_up.pending().get();
    view.can_decide.then(|| {
        view! {
            <section class="card actions">
                <h2>"It waits for you"</h2>
                <p>
                    "What is not known is looked at again before anything is done. Given up, it ends as failed, and "
                    "nothing is started, stopped or removed."
                </p>
                <ActionForm action=retry>
                    <input type="hidden" name="id" value=retry_id/>
                    <button type="submit" class="button button-main" disabled=is_pending>"Try again"</button>
                </ActionForm>
                <ActionForm action=give_up>
                    <input type="hidden" name="id" value=give_up_id/>
                    <button type="submit" class="button button-danger" disabled=is_pending>"Give up"</button>
                </ActionForm>
            </section>
        }
        .into_any()
    })
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
                <dt>"In calls to its nodes"</dt>
                <dd>{view.called.unwrap_or_else(dash)}</dd>
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

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_scripts_loads_itself_again_until_the_operation_is_over() {
        for state in OperationState::ALL {
            assert_eq!(reload(state).contains("http-equiv=\"refresh\""), !state.is_over(), "{state:?}");
        }
    }
}
