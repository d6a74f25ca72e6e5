//! A table of nodes with their bars.

use super::badge::Badge;
use super::bar::CapacityBar;
use crate::view::amounts;
use crate::view::node::NodeLine;
use grid::Resource;
use leptos::prelude::*;

#[component]
pub fn NodeTable(nodes: Vec<NodeLine>) -> impl IntoView {
    let told = Resource::ALL.into_iter().filter(|each| nodes.iter().any(|node| node.figures.tells_of(*each)));
    let told: Vec<Resource> = told.collect();
    let headings = told.iter().map(|resource| view! { <th scope="col">{resource.heading()}</th> }).collect_view();
    let rows = nodes.into_iter().map(|node| view! { <NodeRow node told=told.clone()/> }).collect_view();
    view! {
        <div class="table-scroll">
            <table class="stacking nodes">
                <thead>
                    <tr>
                        <th scope="col">"Node"</th>
                        <th scope="col">"Condition"</th>
                        {headings}
                        <th scope="col">"VMs"</th>
                        <th scope="col">"Heard"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn NodeRow(node: NodeLine, told: Vec<Resource>) -> impl IntoView {
    let figures = node.figures;
    let cells = told
        .into_iter()
        .map(|resource| {
            let (available, usable) = (figures.available.get(resource), figures.usable.get(resource));
            view! {
                <td data-label=resource.heading() class="nodes-bar">
                    <CapacityBar resource figures/>
                    <span class="cell-note">
                        {format!("{} of {} available", amounts::bare(resource, available), amounts::bare(resource, usable))}
                    </span>
                </td>
            }
        })
        .collect_view();
    let heard = |age: Option<String>| age.map_or_else(|| "never".to_owned(), |age| format!("{age} ago"));
    let disagreements = (node.disagreements > 0).then(|| {
        let text = if node.disagreements == 1 {
            "1 disagreement".to_owned()
        } else {
            format!("{} disagreements", node.disagreements)
        };
        view! { <span class="cell-note cell-warning">{text}</span> }
    });
    let (condition, said) = match node.condition.split_once(':') {
        Some((word, said)) => (word.to_owned(), Some(said.trim().to_owned())),
        None => (node.condition.clone(), None),
    };
    view! {
        <tr>
            <td data-label="Node">
                <a href=format!("/admin/nodes/{}", node.name)>{node.name.clone()}</a>
                <span class="cell-note">{node.place()}</span>
            </td>
            <td data-label="Condition">
                <Badge tone=node.tone text=condition/>
                {said.map(|said| view! { <span class="cell-note">{said}</span> })}
                {disagreements}
            </td>
            {cells}
            <td data-label="VMs">{node.vms}</td>
            <td data-label="Heard">
                <span class="cell-note">{format!("hypervisor {}", heard(node.hypervisor_age))}</span>
                <span class="cell-note">{format!("utility {}", heard(node.utility_age))}</span>
            </td>
        </tr>
    }
    .into_any()
}
