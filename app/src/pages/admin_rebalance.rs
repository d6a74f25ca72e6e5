//! `/admin/rebalance`: which moves would even the nodes out, reviewed and agreed to by a press, and how that goes.

use super::session::flash_take;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::field::{FormProblems, problems};
use crate::components::loaded::{kept, loaded};
use crate::components::relocation::{CANCEL_HINT, PlannedMoves, Run};
use crate::form::FormReply;
use crate::live::Live;
use crate::view::relocation::RebalancePageView;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "rebalance_get")]
pub async fn rebalance_get() -> Result<RebalancePageView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::relocation::rebalance_page(&door).await
}

#[server(endpoint = "rebalance")]
pub async fn rebalance(#[server(default)] id: String, #[server(default)] plan: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::relocation::rebalance(&door, &id, &plan).await
}

#[server(endpoint = "rebalance_cancel")]
pub async fn rebalance_cancel() -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::relocation::rebalance_cancel(&door).await
}

#[component]
pub fn AdminRebalancePage() -> impl IntoView {
    let (begin, cancel) = (ServerAction::<Rebalance>::new(), ServerAction::<RebalanceCancel>::new());
    let version = expect_context::<Live>().version(|_| true);
    let found =
        Resource::new(move || (version.get(), begin.version().get(), cancel.version().get()), |_| rebalance_get());
    let flash = Resource::new(|| (), |()| flash_take("rebalance".to_owned()));
    let reply = move || begin.value().get().or_else(|| cancel.value().get());
    view! {
        <Title text="Even nodes out"/>
        {loaded(flash, move |flash| {
            let problems = problems(reply, flash.problems);
            view! { <FormProblems problems fields=&[]/> }
        })}
        {kept(found, move |view| view! { <RebalanceView view begin cancel/> })}
    }
    .into_any()
}

#[component]
fn RebalanceView(
    view: RebalancePageView,
    begin: ServerAction<Rebalance>,
    cancel: ServerAction<RebalanceCancel>,
) -> impl IntoView {
    let runs = view.newest.as_ref().is_some_and(|newest| !newest.state.is_over());
    let newest = view.newest.clone().map(|newest| {
        view! {
            <Run newest titles=("Being evened out", "The last time")>
                <ActionForm action=cancel>
                    <button type="submit" class="button" disabled=move || cancel.pending().get()>"Cancel"</button>
                    <span class="field-hint">{CANCEL_HINT}</span>
                </ActionForm>
            </Run>
        }
    });
    view! {
        <div class="page-head">
            <div>
                <p class="crumbs"><a href="/admin/nodes">"Nodes"</a></p>
                <h1>"Even nodes out"</h1>
                <AsOf at=view.as_of.clone()/>
            </div>
        </div>
        {newest}
        {(!runs).then(|| view! { <Plan view begin/> })}
    }
    .into_any()
}

/// What would be done now.
#[component]
fn Plan(view: RebalancePageView, begin: ServerAction<Rebalance>) -> impl IntoView {
    let can_begin = !view.plan.is_empty();
    view! {
        <section class="card" data-rebalance-plan="">
            <h2>"The plan"</h2>
            <p>
                "VMs leave the fullest nodes for emptier ones of the same kind and region, one after the other, running "
                "and live; no other VM is touched. Each move is worth it: it makes the fuller of its two nodes less full "
                "by at least 5 % of what it has. Just these moves are made, and one that has become impossible is left "
                "out."
            </p>
            <PlannedMoves moves=view.plan/>
            {can_begin.then(|| view! {
                <ActionForm action=begin>
                    <input type="hidden" name="id" value=view.form_id/>
                    <input type="hidden" name="plan" value=view.json/>
                    <button type="submit" class="button button-main" disabled=move || begin.pending().get()>
                        "Move them"
                    </button>
                </ActionForm>
            })}
        </section>
    }
    .into_any()
}
