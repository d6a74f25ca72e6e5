//! For admins: why this node, or why none. The answer first, the list of nodes on demand.

use crate::view::plan::{CandidateView, ChoiceView, RejectionView};
use grid::wording::Grouped;
use leptos::prelude::*;

#[component]
pub fn Choice(choice: ChoiceView) -> impl IntoView {
    let heading = choice
        .best
        .first()
        .map_or_else(|| "Why no node can take it".to_owned(), |chosen| format!("Why {}", chosen.node));
    let needs = choice.needs.into_iter().map(|sentence| view! { <p class="field-hint">{sentence}</p> }).collect_view();
    let home = choice.home.reasons.join("; ");
    let why_not_home = (!home.is_empty()).then(|| {
        view! { <li><strong>{format!("Its own node, {}: ", choice.home.node)}</strong>{home}</li> }
    });
    let reasons = choice
        .reasons
        .into_iter()
        .map(|(nodes, why)| view! { <li><strong>{counted(nodes)}": "</strong>{why}</li> })
        .collect_view();
    let best = (!choice.best.is_empty()).then(|| view! { <Best best=choice.best candidates=choice.candidates/> });
    let nodes = (!choice.nodes.is_empty()).then(|| {
        let nodes = std::iter::once(choice.home).chain(choice.nodes).collect();
        view! { <Rejections nodes left_off=choice.left_off/> }
    });
    view! {
        <div class="choice">
            <h3>{heading}</h3>
            {needs}
            {best}
            <ul class="choice-reasons">{why_not_home}{reasons}</ul>
            {nodes}
        </div>
    }
    .into_any()
}

fn counted(nodes: u64) -> String {
    if nodes == 1 { "1 node".to_owned() } else { format!("{} nodes", Grouped(nodes)) }
}

/// The chosen node and the runners-up, with their scores in parts.
#[component]
fn Best(best: Vec<CandidateView>, candidates: u64) -> impl IntoView {
    let named = u64::try_from(best.len()).unwrap_or(u64::MAX);
    let others = candidates.saturating_sub(named);
    let rows = best
        .into_iter()
        .enumerate()
        .map(|(place, each)| {
            let word = if place == 0 { "chosen" } else { "runner-up" };
            view! {
                <tr class:choice-chosen={place == 0}>
                    <td data-label="Node">
                        <a href=format!("/admin/nodes/{}", each.node)>{each.node.clone()}</a>
                        <span class="cell-note">{word}</span>
                    </td>
                    <td data-label="Cost">{each.cost}</td>
                    <td data-label="Stays free">{each.free_after}</td>
                    <td data-label="Full">{each.full}</td>
                    <td data-label="Busy">{each.busy}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-scroll">
            <table class="stacking choice-best">
                <thead>
                    <tr>
                        <th scope="col">"Node"</th>
                        <th scope="col">"Cost"</th>
                        <th scope="col">"Stays free"</th>
                        <th scope="col">"Full"</th>
                        <th scope="col">"Busy"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        <p class="field-hint">
            "The lowest cost by its kind's policy is chosen; of equals the less busy. "
            {(others > 0).then(|| format!("{} more could take it.", counted(others)))}
        </p>
    }
    .into_any()
}

/// What speaks against each node.
#[component]
fn Rejections(nodes: Vec<RejectionView>, left_off: u64) -> impl IntoView {
    let rows = nodes
        .into_iter()
        .map(|rejection| {
            let reasons = rejection.reasons.into_iter().map(|reason| view! { <li>{reason}</li> }).collect_view();
            view! {
                <tr>
                    <th scope="row"><a href=format!("/admin/nodes/{}", rejection.node)>{rejection.node.clone()}</a></th>
                    <td><ul>{reasons}</ul></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <details>
            <summary>"Every node of its kind"</summary>
            <div class="table-scroll">
                <table class="rejections">
                    <thead><tr><th scope="col">"Node"</th><th scope="col">"Why not"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {(left_off > 0).then(|| view! { <p class="field-hint">{format!("And {}.", counted(left_off))}</p> })}
        </details>
    }
    .into_any()
}
