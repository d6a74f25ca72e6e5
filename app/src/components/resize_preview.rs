//! The answer to a new size: the plan to agree to, or why there is none.

use crate::components::as_of::AsOf;
use crate::components::choice::Choice;
use crate::components::field::TickField;
use crate::components::relocation::PlannedMoves;
use crate::pages::vm_resize::VmResize;
use crate::view::amounts;
use crate::view::plan::{PlanView, PreviewView, RefusalView, Typed};
use grid::{Resources, Size};
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn Preview(
    preview: Option<PreviewView>,
    id: String,
    agree: ServerAction<VmResize>,
    force_off: RwSignal<bool>,
) -> impl IntoView {
    match preview {
        None | Some(PreviewView::Unreadable { .. }) => ().into_any(),
        Some(PreviewView::Nothing) => {
            view! { <p class="notice" data-plan="nothing">"This is its size already: there is nothing to change."</p> }
                .into_any()
        }
        Some(PreviewView::NotNow { reason }) => {
            view! { <p class="notice notice-warning" data-plan="refused">{reason}</p> }.into_any()
        }
        Some(PreviewView::Planned(plan)) => view! { <PlanPanel plan=*plan id agree force_off/> }.into_any(),
        Some(PreviewView::Refused(refusal)) => view! { <RefusalPanel refusal=*refusal id/> }.into_any(),
    }
}

#[component]
fn PlanPanel(plan: PlanView, id: String, agree: ServerAction<VmResize>, force_off: RwSignal<bool>) -> impl IntoView {
    let is_pending = agree.pending();
    let sentences = plan.sentences.into_iter().map(|sentence| view! { <li>{sentence}</li> }).collect_view();
    let force_off = plan.restarts.then(|| {
        view! { <TickField label="Force off if the guest does not shut down in time" name="force_off" ticked=force_off/> }
    });
    let choice = plan.choice.map(|choice| view! { <Choice choice/> });
    let first = (!plan.first.is_empty()).then(|| {
        view! {
            <h3>"These move away first"</h3>
            <PlannedMoves moves=plan.first/>
        }
    });
    let way = plan.way.map(|(source, destination)| {
        view! { <dt>"Nodes"</dt><dd>{format!("{source} → {destination}")}</dd> }
    });
    view! {
        <section class="card plan" data-plan=plan.kind.as_str()>
            <h2>{plan.title}</h2>
            <Change from=plan.from to=plan.to/>
            <ul class="plan-sentences">{sentences}</ul>
            <dl class="plan-costs">
                <dt>"Takes"</dt>
                <dd>{plan.duration}</dd>
                <dt>"Downtime"</dt>
                <dd>{plan.downtime}</dd>
                {way}
            </dl>
            {first}
            <ActionForm action=agree>
                <input type="hidden" name="id" value=id/>
                <input type="hidden" name="plan" value=plan.json/>
                <input type="hidden" name="key" value=plan.idempotency_key/>
                {force_off}
                <button type="submit" class="button button-main" disabled=move || is_pending.get()>"Resize"</button>
            </ActionForm>
            {choice}
            <AsOf at=plan.as_of/>
        </section>
    }
    .into_any()
}

/// Old and new, resource by resource.
#[component]
fn Change(from: Size, to: Size) -> impl IntoView {
    let (from, to) = (Resources::from(from), Resources::from(to));
    let lines = from
        .larger(to)
        .parts()
        .map(|(resource, _)| {
            let (old, new) = (from.get(resource), to.get(resource));
            let is_same = old == new;
            view! {
                <li class="change" class:change-same=is_same>
                    <span class="change-name">{resource.as_str()}</span>
                    <span class="change-old">{amounts::free(resource, old)}</span>
                    <span class="change-arrow" aria-label="becomes">"→"</span>
                    <strong class="change-new">{amounts::free(resource, new)}</strong>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="changes">{lines}</ul> }
}

#[component]
fn RefusalPanel(refusal: RefusalView, id: String) -> impl IntoView {
    let largest = refusal.largest.map(|largest| {
        view! {
            <p>
                "The largest that fits: "
                <a rel="external" href=format!("/vms/{id}/resize{}", Typed::query(largest))>{amounts::form_size(largest)}</a>
            </p>
        }
    });
    let choice = refusal.choice.map(|choice| view! { <Choice choice/> });
    view! {
        <section class="card refusal" data-plan="refused">
            <h2>"This does not fit"</h2>
            <p class="refusal-reason">{refusal.reason}</p>
            <p>"Asked: " {amounts::form_size(refusal.asked)}</p>
            {largest}
            {choice}
            <AsOf at=refusal.as_of/>
        </section>
    }
    .into_any()
}
