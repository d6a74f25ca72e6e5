//! Both sets of statistics side by side, and the VMs as each source reports them.

use crate::view::node::{FactView, NodeVmView};
use grid::sample::Source;
use leptos::prelude::*;

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

#[component]
pub fn NodeFacts(facts: Vec<FactView>, stale: Vec<Source>) -> impl IntoView {
    let is_stale = |source: Source| if stale.contains(&source) { "true" } else { "false" };
    let rows = facts
        .into_iter()
        .map(|fact| {
            let disagrees = fact.counted.is_some();
            let note = fact.counted.map(|counted| {
                view! { <span class="cell-note cell-warning">{format!("They disagree; the {counted} counts.")}</span> }
            });
            let flags = fact
                .flags
                .into_iter()
                .map(|flag| view! { <span class="cell-note cell-warning" data-flag="">{flag}</span> })
                .collect_view();
            view! {
                <tr class:facts-disagree=disagrees>
                    <th scope="row">{fact.fact}{note}{flags}</th>
                    <td data-label="Hypervisor">{or_dash(fact.hypervisor)}</td>
                    <td data-label="Utility module">{or_dash(fact.utility)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card card-table">
            <h2>"Both sets of statistics"</h2>
            <div class="table-scroll">
                <table class="stacking both-sets">
                    <thead>
                        <tr>
                            <th scope="col">"Fact"</th>
                            <th scope="col" data-set="hypervisor" data-stale=is_stale(Source::Hypervisor)>
                                "Hypervisor says"
                            </th>
                            <th scope="col" data-set="utility" data-stale=is_stale(Source::Utility)>
                                "Utility module says"
                            </th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[component]
pub fn NodeVms(vms: Vec<NodeVmView>) -> impl IntoView {
    let rows = vms
        .into_iter()
        .map(|vm| {
            let name = match vm.id {
                Some(id) => view! { <a href=format!("/vms/{id}")>{vm.name}</a> }.into_any(),
                None => view! { <span>{vm.name}</span> }.into_any(),
            };
            view! {
                <tr class:facts-disagree=vm.differs>
                    <td data-label="VM">{name}<span class="cell-note">{vm.state}</span></td>
                    <td data-label="Recorded">{or_dash(vm.recorded)}</td>
                    <td data-label="Hypervisor">{or_dash(vm.hypervisor)}</td>
                    <td data-label="Utility module">{or_dash(vm.utility)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="card card-table">
            <h2>"VMs on it"</h2>
            <div class="table-scroll">
                <table class="stacking">
                    <thead>
                        <tr>
                            <th scope="col">"VM"</th>
                            <th scope="col">"Recorded"</th>
                            <th scope="col">"Hypervisor says"</th>
                            <th scope="col">"Utility module says"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
