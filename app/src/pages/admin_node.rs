//! `/admin/nodes/{name}`: a node: both sets of statistics side by side, its VMs, and what an admin decides about it.

use super::address;
use super::session::flash_take;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::badge::Badge;
use crate::components::bar::{BarLegend, FiguresTable};
use crate::components::chart::Chart;
use crate::components::field::{FormProblems, problems};
use crate::components::loaded::{kept, loaded};
use crate::components::node_facts::{NodeFacts, NodeVms};
use crate::components::node_settings::{Administer, Settings};
use crate::components::operation_table::OperationTable;
use crate::form::{Flash, FormReply};
use crate::live::{Live, LiveEvent};
use crate::view::node::{NodePageView, SettingsView};
use crate::view::operation::OperationLine;
use grid::wording::Grouped;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "node_get")]
pub async fn node_get(name: String) -> Result<NodePageView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::page(&door, &name).await
}

#[server(endpoint = "node_settings_get")]
pub async fn node_settings_get(name: String) -> Result<SettingsView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::settings_get(&door, &name).await
}

#[server(endpoint = "node_settings_set")]
pub async fn node_settings_set(
    #[server(default)] name: String,
    #[server(default)] settings: SettingsView,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::settings_set(&door, &name, settings).await
}

/// `to` is `open` or `cordoned`.
#[server(endpoint = "node_administration_set")]
pub async fn node_administration_set(
    #[server(default)] name: String,
    #[server(default)] to: String,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::administration_set(&door, &name, &to).await
}

#[component]
pub fn AdminNodePage() -> impl IntoView {
    let name = address::part("name");
    let settings = ServerAction::<NodeSettingsSet>::new();
    let administer = ServerAction::<NodeAdministrationSet>::new();
    let version = expect_context::<Live>().version(|event| !matches!(event, LiveEvent::Vm(_)));
    let node = Resource::new(
        move || (name.get(), version.get(), settings.version().get(), administer.version().get()),
        |(name, ..)| node_get(name),
    );
    // Not with every news from the grid: what is being typed must stay.
    let recorded = Resource::new(
        move || (name.get(), settings.version().get()),
        |(name, _)| async move { Ok((node_settings_get(name.clone()).await?, name)) },
    );
    let flash = Resource::new(|| (), |()| flash_take("node".to_owned()));
    let reply = move || administer.value().get();
    view! {
        <Title text=address::title(name, str::to_owned)/>
        {loaded(flash, move |typed: Flash| {
            let problems = problems(reply, typed.problems.clone());
            view! {
                <FormProblems problems fields=crate::components::node_settings::FIELDS/>
                {kept(node, |view| view! { <NodeView view/> })}
                <div class="columns">
                    {loaded(recorded, move |(recorded, name)| {
                        view! { <Settings name settings=recorded typed=typed.clone() action=settings/> }
                    })}
                    {kept(node, move |view| {
                        let name = view.line.name;
                        let (administration, can_fence) = (view.administration, view.can_fence);
                        view! { <Administer name administration can_fence action=administer/> }
                    })}
                </div>
                {kept(node, |view| view! { <NodeOperations operations=view.operations/> })}
            }
        })}
    }
    .into_any()
}

#[component]
fn NodeView(view: NodePageView) -> impl IntoView {
    let line = view.line;
    let place = line.place();
    let more = (!view.more.is_empty()).then(|| {
        let counts: Vec<String> =
            view.more.iter().map(|(offer, count)| format!("{offer} {}", Grouped(*count))).collect();
        view! {
            <p class="field-hint">
                "How many more of each offer fit here, each alone: "<strong data-more="">{counts.join(" · ")}</strong>
            </p>
        }
    });
    let charts = view.charts.into_iter().map(|chart| view! { <Chart chart/> }).collect_view();
    view! {
        <div class="page-head">
            <div>
                <p class="crumbs"><a href="/admin/nodes">"Nodes"</a></p>
                <h1>{line.name.clone()} <Badge tone=line.tone text=line.condition/></h1>
                <p class="page-note">{format!("{place} · ")}<code>{view.uri}</code></p>
                <AsOf at=view.as_of/>
            </div>
            <BarLegend/>
        </div>
        <section class="card">
            <h2>"Capacity"</h2>
            <FiguresTable figures=line.figures/>
            {more}
        </section>
        <NodeFacts facts=view.facts stale=view.stale/>
        <NodeVms vms=view.vms/>
        <section>
            <h2>"Over the last hour"</h2>
            <div class="charts">{charts}</div>
        </section>
    }
    .into_any()
}

#[component]
fn NodeOperations(operations: Vec<OperationLine>) -> impl IntoView {
    view! {
        <section>
            <h2>"Recent operations"</h2>
            <div class="card card-table"><OperationTable operations with_vm=true/></div>
        </section>
    }
    .into_any()
}
