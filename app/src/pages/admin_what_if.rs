//! `/admin/what-if`: hypothetical changes, and the capacity answers before and after.
//!
//! The form is a GET whose query says it all. With scripts on, the browser works the answers out by itself over a
//! snapshot that came with the page; without, the server does by the same code. Nothing here touches a real node.

use super::address;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::capacity_answers::CapacityAnswers;
use crate::components::field::{Field, FormProblems, SelectField, without_button};
use crate::components::loaded::loaded;
use crate::form::Problem;
use crate::view::what_if::{FIELDS, WhatIfPageView, WhatIfTyped, WhatIfView};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::Form;

/// The grid as it is, and the result for `typed`.
#[server(endpoint = "what_if_get")]
pub async fn what_if_get(typed: WhatIfTyped) -> Result<WhatIfPageView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::what_if::page(&door, typed).await
}

#[component]
pub fn AdminWhatIfPage() -> impl IntoView {
    let typed = address::query(|query| WhatIfTyped::of(|name| query.get(name)));
    // Once: what is typed later is worked out here.
    let start = StoredValue::new(typed.get_untracked());
    let page = Resource::new(|| (), move |()| what_if_get(start.get_value()));
    view! {
        <Title text="What if"/>
        {loaded(page, move |page| view! { <WhatIf page typed start=start.get_value()/> })}
    }
    .into_any()
}

#[component]
fn WhatIf(page: WhatIfPageView, typed: Memo<WhatIfTyped>, start: WhatIfTyped) -> impl IntoView {
    let page = StoredValue::new(page);
    let result = Memo::new(move |_| page.with_value(|page| page.result_for(&typed.get())));
    let problems = Signal::derive(move || result.with(|result| result.problems.clone()));
    view! {
        <div class="page-head">
            <div>
                <p class="crumbs"><a href="/admin">"Capacity"</a></p>
                <h1>"What if"</h1>
                <AsOf at=page.with_value(|page| page.as_of.clone())/>
            </div>
        </div>
        <FormProblems problems fields=FIELDS/>
        <Changes page start problems/>
        {move || view! { <Outcome result=result.get()/> }}
    }
    .into_any()
}

/// What shall change; each of it may be left as it is.
#[component]
fn Changes(
    page: StoredValue<WhatIfPageView>,
    /// What stands in the fields at first.
    start: WhatIfTyped,
    problems: Signal<Vec<Problem>>,
) -> impl IntoView {
    let choices = page.with_value(Choices::of);
    let ratios = grid::Resource::ALL
        .into_iter()
        .zip(start.ratios())
        .map(|(resource, (name, value))| {
            view! { <Field label=resource.heading() name value input_mode="decimal" problems/> }
        })
        .collect_view();
    view! {
        <section class="card">
            <Form method="GET" action="/admin/what-if" on_form_data=without_button()>
                <div class="what-if">
                    <fieldset>
                        <legend>"Add nodes"</legend>
                        <Field label="How many" name="add" value=start.add input_mode="numeric" problems/>
                        <SelectField label="Like" name="like" value=start.like choices=choices.nodes problems/>
                    </fieldset>
                    <fieldset>
                        <legend>"Lose"</legend>
                        <SelectField
                            label="Node or failure domain"
                            name="lose"
                            value=start.lose
                            choices=choices.lose
                            problems
                        />
                    </fieldset>
                    <fieldset>
                        <legend>"Grow all VMs of an offer"</legend>
                        <SelectField label="From" name="grow" value=start.grow choices=choices.grow problems/>
                        <SelectField label="To" name="to" value=start.to choices=choices.to problems/>
                    </fieldset>
                    <fieldset>
                        <legend>"Change overcommit"</legend>
                        <SelectField label="Of kind" name="kind" value=start.kind choices=choices.kinds problems/>
                        <div class="what-if-ratios">
                            {ratios}
                        </div>
                    </fieldset>
                </div>
                <div>
                    <button type="submit" class="button button-main">"Show"</button>
                    <span class="button-note">"Nothing real is changed. What is left empty stays as it is."</span>
                </div>
            </Form>
        </section>
    }
    .into_any()
}

/// What can be chosen, each as its value and what is shown.
struct Choices {
    nodes: Vec<(String, String)>,
    lose: Vec<(String, String)>,
    grow: Vec<(String, String)>,
    to: Vec<(String, String)>,
    kinds: Vec<(String, String)>,
}

impl Choices {
    fn of(page: &WhatIfPageView) -> Self {
        let nodes = &page.snapshot.nodes;
        let as_is = |text: &str| (String::new(), text.to_owned());
        let node = |name: &String| (name.clone(), name.clone());
        let mut domains: Vec<&String> = nodes.iter().filter_map(|node| node.failure_domain.as_ref()).collect();
        domains.sort();
        domains.dedup();
        let mut kinds: Vec<String> = nodes.iter().map(|node| node.kind.to_string()).collect();
        kinds.sort();
        kinds.dedup();
        let mut names: Vec<&String> = nodes.iter().map(|node| &node.name).collect();
        names.sort();
        let lose_domains = domains.into_iter().map(|domain| (format!("domain {domain}"), format!("All of {domain}")));
        let lose_nodes = names.iter().map(|name| (format!("node {name}"), format!("Node {name}")));
        let offers: Vec<(String, String)> = page.offers.iter().map(|offer| node(&offer.name)).collect();
        Self {
            lose: [as_is("Nothing")].into_iter().chain(lose_domains).chain(lose_nodes).collect(),
            nodes: names.into_iter().map(node).collect(),
            grow: [as_is("None")].into_iter().chain(offers.clone()).collect(),
            to: offers,
            kinds: [as_is("None")].into_iter().chain(kinds.iter().map(node)).collect(),
        }
    }
}

/// The changes in words, and the answers after them beside those of now.
#[component]
fn Outcome(result: WhatIfView) -> impl IntoView {
    if result.changes.is_empty() {
        return view! {
            <section>
                <h2>"As it is"</h2>
                <CapacityAnswers answers=result.before/>
            </section>
        }
        .into_any();
    }
    let changes = result.changes.into_iter().map(|words| view! { <li>{words}</li> }).collect_view();
    view! {
        <section data-what-if="">
            <h2>"Then"</h2>
            <ul class="plan-sentences">
                {changes}
                {result.homeless.map(|words| view! { <li>{words}</li> })}
            </ul>
            <CapacityAnswers answers=result.after before=result.before/>
        </section>
    }
    .into_any()
}
