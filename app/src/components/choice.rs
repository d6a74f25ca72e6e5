//! For admins: why this node, or why none. The answer first, the list of nodes on demand.

use crate::view::plan::{CandidateView, ChoiceView, RejectionPage, RejectionView, RejectionsView};
use grid::wording::{Counted, Grouped};
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
        .map(|(nodes, why)| view! { <li><strong>{Counted(nodes, "node").to_string()}": "</strong>{why}</li> })
        .collect_view();
    let best = (!choice.best.is_empty()).then(|| view! { <Best best=choice.best candidates=choice.candidates/> });
    let nodes = choice.nodes.map(|nodes| view! { <Rejections home=choice.home nodes/> });
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
            {(others > 0).then(|| format!("{} more could take it.", Counted(others, "node")))}
        </p>
    }
    .into_any()
}

/// What speaks against each node, or where to ask for it.
#[component]
fn Rejections(home: RejectionView, nodes: RejectionsView) -> impl IntoView {
    let RejectionsView { all, page, first } = nodes;
    let Some(page) = page else {
        return view! { <p><a href=first>{format!("Why not: {} of its kind, one by one", Counted(all, "node"))}</a></p> }
            .into_any();
    };
    let leaf = view! { <Leaf all first page=page.clone()/> };
    // Its own node stands at the head of the list.
    let home = (page.from == 1).then_some(home).filter(|home| !home.reasons.is_empty());
    let rows = home
        .into_iter()
        .chain(page.nodes)
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
        <details id="nodes" open=page.is_open>
            <summary>"Every node of its kind"</summary>
            <div class="table-scroll">
                <table class="rejections">
                    <thead><tr><th scope="col">"Node"</th><th scope="col">"Why not"</th></tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            {leaf}
        </details>
    }
    .into_any()
}

/// Which part of the list this is, and the way to the others.
#[component]
fn Leaf(all: u64, first: String, page: RejectionPage) -> impl IntoView {
    let here = u64::try_from(page.nodes.len()).unwrap_or(u64::MAX);
    let to = page.from.saturating_add(here).saturating_sub(1);
    let first = page.before.is_some().then_some(first);
    let links = [(first, "First"), (page.before, "Before"), (page.after, "Next"), (page.last, "Last")];
    let links: Vec<_> =
        links.into_iter().filter_map(|(link, word)| link.map(|link| view! { <a href=link>{word}</a> })).collect();
    (!links.is_empty()).then(|| {
        view! {
            <nav class="leaf" aria-label="Nodes of its kind">
                <span>{format!("{} to {} of {}", Grouped(page.from), Grouped(to), Counted(all, "node"))}</span>
                {links}
            </nav>
        }
    })
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn html(page: Option<RejectionPage>) -> String {
        let home = RejectionView { node: "home".to_owned(), reasons: vec!["vCPUs: grows by 8".to_owned()] };
        let nodes = RejectionsView { all: 412, page, first: "/vms/1/resize?vcpus=9&nodes=1#nodes".to_owned() };
        view! { <Rejections home nodes/> }.to_html()
    }

    #[test]
    fn a_list_that_was_not_asked_for_is_linked_with_how_long_it_is() {
        let html = html(None);
        assert!(html.contains("412 nodes of its kind"), "{html}");
        assert!(html.contains("href=\"/vms/1/resize?vcpus=9&amp;nodes=1#nodes\""), "{html}");
        assert!(!html.contains("<table"), "{html}");
    }

    #[test]
    fn a_page_of_the_list_is_open_and_leads_to_the_others_by_plain_links() {
        let link = |page: u32| Some(format!("?nodes={page}#nodes"));
        let nodes = vec![RejectionView { node: "n-101".to_owned(), reasons: vec!["draining".to_owned()] }];
        let (before, after, last) = (link(1), link(3), link(5));
        let html = html(Some(RejectionPage { nodes, from: 101, before, after, last, is_open: true }));
        for part in ["<details id=\"nodes\" open", "101 to 101 of 412 nodes", ">First<", ">Before<", ">Next<", ">Last<"]
        {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(html.contains("n-101") && !html.contains(">home<"), "{html}");
    }
}
