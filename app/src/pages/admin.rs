//! `/admin`: capacity, by hypervisor kind and by node.

use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::bar::{BarLegend, FiguresTable};
use crate::components::capacity_answers::CapacityAnswers;
use crate::components::chart::Chart;
use crate::components::loaded::kept;
use crate::components::node_table::NodeTable;
use crate::components::operation_table::OperationTable;
use crate::live::Live;
use crate::view::capacity::{DashboardView, KindView};
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "capacity_get")]
pub async fn capacity_get() -> Result<DashboardView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::capacity::dashboard(&door).await
}

#[component]
pub fn AdminPage() -> impl IntoView {
    let version = expect_context::<Live>().version(|_| true);
    let capacity = Resource::new(move || version.get(), |_| capacity_get());
    view! {
        <Title text="Capacity"/>
        {kept(capacity, |view| view! { <Dashboard view/> })}
    }
    .into_any()
}

#[component]
fn Dashboard(view: DashboardView) -> impl IntoView {
    // On a large grid the answers are kept for a while.
    let older = (view.answers_as_of != view.as_of).then_some(view.answers_as_of);
    let kinds = view.kinds.into_iter().map(|kind| view! { <Kind kind/> }).collect_view();
    view! {
        <div class="page-head">
            <div>
                <h1>"Capacity"</h1>
                <AsOf at=view.as_of/>
            </div>
            <a class="button" href="/admin/what-if">"What if…"</a>
        </div>
        <CapacityAnswers answers=view.answers/>
        {older.map(|at| view! { <p class="page-note">"Answered as of " <time>{at}</time></p> })}
        {kinds}
        <section>
            <h2>"Recent operations"</h2>
            <div class="card card-table"><OperationTable operations=view.operations with_vm=true/></div>
        </section>
    }
    .into_any()
}

#[component]
fn Kind(kind: KindView) -> impl IntoView {
    let charts = kind.charts.into_iter().map(|chart| view! { <Chart chart/> }).collect_view();
    let nodes = match (kind.node_count, kind.ready) {
        (1, 1) => "1 node, takes VMs".to_owned(),
        (all, ready) if all == ready => format!("{all} nodes, all take VMs"),
        (all, ready) => format!("{ready} of {all} nodes take VMs"),
    };
    view! {
        <section class="kind" data-kind=kind.kind.clone()>
            <div class="kind-head">
                <h2 class="kind-name">{kind.kind.clone()}</h2>
                <p class="page-note">{nodes}</p>
            </div>
            <div class="card">
                <div class="page-head">
                    <h3>"All nodes of this kind"</h3>
                    <BarLegend/>
                </div>
                <FiguresTable figures=kind.figures/>
            </div>
            <div class="card card-table"><NodeTable nodes=kind.nodes/></div>
            <div class="charts">{charts}</div>
        </section>
    }
    .into_any()
}
