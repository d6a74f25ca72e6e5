//! `/admin/nodes`: all nodes.

use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::bar::BarLegend;
use crate::components::loaded::kept;
use crate::components::node_table::NodeTable;
use crate::live::Live;
use crate::view::node::NodeListView;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "node_list")]
pub async fn node_list() -> Result<NodeListView, AppError> {
    use crate::server_side::present::{node, time};
    let door = crate::server_side::door::Door::open().await?;
    let nodes = door.pass(door.manager.node_list(&door.principal).await)?;
    let as_of = time::now();
    Ok(NodeListView { nodes: nodes.iter().map(|each| node::line(each, as_of)).collect(), as_of: time::moment(as_of) })
}

#[component]
pub fn AdminNodesPage() -> impl IntoView {
    let version = expect_context::<Live>().version(|_| true);
    let nodes = Resource::new(move || version.get(), |_| node_list());
    view! {
        <Title text="Nodes"/>
        {kept(nodes, |list| {
            view! {
                <div class="page-head">
                    <div>
                        <h1>"Nodes"</h1>
                        <AsOf at=list.as_of/>
                    </div>
                    <a class="button" href="/admin/rebalance">"Even nodes out…"</a>
                    <BarLegend/>
                </div>
                <div class="card card-table"><NodeTable nodes=list.nodes/></div>
            }
        })}
    }
    .into_any()
}
