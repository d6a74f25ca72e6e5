//! The answer to a new size: the plan to agree to, or why there is none.

use crate::components::as_of::AsOf;
use crate::components::choice::Choice;
use crate::components::relocation::PlannedMoves;
use crate::view::amounts;
use crate::view::plan::{PlanView, PreviewView, RefusalView, Typed};
use grid::{Resources, Size};
use leptos::prelude::*;

/// `form` is what is done with a plan.
#[component]
pub fn Preview<F>(preview: Option<PreviewView>, id: String, form: F) -> impl IntoView
where
    F: FnOnce(&PlanView) -> AnyView + 'static,
{
    match preview {
        None | Some(PreviewView::Unreadable { .. }) => ().into_any(),
        Some(PreviewView::Nothing) => {
            view! { <p class="notice">"This is its size already: there is nothing to change."</p> }.into_any()
        }
        Some(PreviewView::NotNow { reason }) => {
            view! { <p class="notice notice-warning" data-plan="refused">{reason}</p> }.into_any()
        }
        Some(PreviewView::Planned(plan)) => {
            let form = form(&plan);
            view! { <PlanPanel plan=*plan form/> }.into_any()
        }
        Some(PreviewView::Refused(refusal)) => view! { <RefusalPanel refusal=*refusal id/> }.into_any(),
    }
}

#[component]
fn PlanPanel(plan: PlanView, form: AnyView) -> impl IntoView {
    let sentences = plan.sentences.into_iter().map(|sentence| view! { <li>{sentence}</li> }).collect_view();
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
            {form}
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that the elements which show a plan carry.
    fn words(preview: PreviewView) -> (Vec<String>, String) {
        Owner::new().with(|| {
            let form = |_: &PlanView| ().into_any();
            let html = view! { <Preview preview=Some(preview) id=String::new() form/> }.to_html();
            let words = html.split("data-plan=\"").skip(1).filter_map(|rest| rest.split('"').next());
            (words.map(str::to_owned).collect(), html.clone())
        })
    }

    #[test]
    fn a_refusal_is_called_so_and_where_there_is_nothing_to_change_there_is_no_plan() {
        let reason = "no node has room".to_owned();
        let refusal = RefusalView {
            reason: reason.clone(),
            asked: Size::SMALLEST,
            largest: None,
            choice: None,
            as_of: String::new(),
        };
        for refused in [PreviewView::Refused(Box::new(refusal)), PreviewView::NotNow { reason: reason.clone() }] {
            let (words, html) = words(refused);
            assert_eq!(words, ["refused"], "{html}");
            assert!(html.contains(&reason), "{html}");
        }
        let (words, html) = words(PreviewView::Nothing);
        assert!(words.is_empty() && html.contains("there is nothing to change"), "{html}");
    }
}
