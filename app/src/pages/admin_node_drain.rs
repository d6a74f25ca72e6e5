//! `/admin/nodes/{name}/drain`: how a node would be emptied, agreed to by a press, and how it goes.

use super::address;
use super::session::flash_take;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::field::{FormProblems, problems};
use crate::components::loaded::{kept, loaded};
use crate::components::moment::Time;
use crate::components::page_head::{PageHead, of_node};
use crate::components::relocation::{CANCEL_HINT, PlannedMoves, Run};
use crate::form::FormReply;
use crate::live::Live;
use crate::view::relocation::{ConsentView, DrainPageView};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "node_drain_get")]
pub async fn node_drain_get(name: String) -> Result<DrainPageView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::drain::page(&door, &name).await
}

#[server(endpoint = "node_drain")]
pub async fn node_drain(#[server(default)] name: String, #[server(default)] id: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::drain::begin(&door, &name, &id).await
}

#[server(endpoint = "node_drain_cancel")]
pub async fn node_drain_cancel(#[server(default)] name: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::drain::cancel(&door, &name).await
}

#[component]
pub fn AdminNodeDrainPage() -> impl IntoView {
    let name = address::part("name");
    let (begin, cancel) = (ServerAction::<NodeDrain>::new(), ServerAction::<NodeDrainCancel>::new());
    let version = expect_context::<Live>().version(|_| true);
    let drain = Resource::new(
        move || (name.get(), version.get(), begin.version().get(), cancel.version().get()),
        |(name, ..)| node_drain_get(name),
    );
    let flash = Resource::new(|| (), |()| flash_take("drain".to_owned()));
    let reply = move || begin.value().get().or_else(|| cancel.value().get());
    view! {
        <Title text=address::title(name, |name| format!("Drain {name}"))/>
        {loaded(flash, move |flash| {
            let problems = problems(reply, flash.problems);
            view! { <FormProblems problems fields=&[]/> }
        })}
        {kept(drain, move |view| view! { <DrainView view begin cancel/> })}
    }
    .into_any()
}

#[component]
fn DrainView(
    view: DrainPageView,
    begin: ServerAction<NodeDrain>,
    cancel: ServerAction<NodeDrainCancel>,
) -> impl IntoView {
    let name = view.node.clone();
    let runs = view.newest.as_ref().is_some_and(|newest| !newest.state.is_over());
    let newest = view.newest.clone().map(|newest| {
        let name = name.clone();
        view! {
            <Run newest titles=("Being drained", "The last drain")>
                <ActionForm action=cancel>
                    <input type="hidden" name="name" value=name/>
                    <button type="submit" class="button" disabled=move || cancel.pending().get()>"Cancel"</button>
                    <span class="field-hint">{CANCEL_HINT}</span>
                </ActionForm>
            </Run>
        }
    });
    let as_of = view.as_of.clone();
    view! {
        <PageHead crumbs=of_node(&name)>
            <h1>{format!("Drain {name}")}</h1>
            <AsOf at=as_of/>
        </PageHead>
        {newest}
        <Consents consents=view.consents.clone() runs/>
        {(!runs).then(|| view! { <Plan view begin/> })}
    }
    .into_any()
}

/// The owners who were asked, and what they have agreed to.
#[component]
fn Consents(consents: Vec<ConsentView>, runs: bool) -> impl IntoView {
    let is_empty = consents.is_empty();
    let rows = consents
        .into_iter()
        .map(|it| {
            let answer = match it.given {
                None => (if runs { "Not yet" } else { "No answer" }).into_any(),
                Some(given) => {
                    let force_off = given.force_off.then_some(", forced off if need be");
                    view! {
                        <span>
                            {given.by} " on " <Time at=given.at/> ": between " <Time at=given.opens/> " and "
                            <Time at=given.closes/> {force_off}
                        </span>
                    }
                    .into_any()
                }
            };
            let name = it.vm.clone();
            view! {
                <tr data-consent=name>
                    <td data-label="VM">{it.vm}</td>
                    <td data-label="Asked"><Time at=it.asked_at/></td>
                    <td data-label="Agreed">{answer}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card" hidden=is_empty>
            <h2>"Owners who were asked"</h2>
            <p hidden=!runs>
                "These VMs can't be moved while they run. Each is shut down and moved in the time that its owner agrees to."
            </p>
            <div class="table-scroll">
                <table class="stacking">
                    <thead>
                        <tr><th scope="col">"VM"</th><th scope="col">"Asked"</th><th scope="col">"Agreed"</th></tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

/// What would be done now.
#[component]
fn Plan(view: DrainPageView, begin: ServerAction<NodeDrain>) -> impl IntoView {
    let stays = view.stay.clone();
    let stay = view.stay.into_iter().map(|(vm, why)| view! { <li data-stays=vm.clone()>{format!("{vm}: {why}")}</li> });
    let stay = stay.collect_view();
    view! {
        <section class="card" data-drain-plan="">
            <h2>"The plan"</h2>
            <p>
                "The node takes no new VM from now on. Its VMs are moved one after the other, running ones live; before "
                "each move the plan is made anew. Where a VM would have to be shut down for it, its owner is asked, and the drain "
                "waits for the time that the owner agrees to."
            </p>
            <PlannedMoves moves=view.plan/>
            {(!stays.is_empty()).then(|| view! { <h3>"These stay"</h3> })}
            <ul>{stay}</ul>
            <ActionForm action=begin>
                <input type="hidden" name="name" value=view.node/>
                <input type="hidden" name="id" value=view.form_id/>
                <button type="submit" class="button button-main" disabled=move || begin.pending().get()>"Drain"</button>
            </ActionForm>
        </section>
    }
    .into_any()
}
