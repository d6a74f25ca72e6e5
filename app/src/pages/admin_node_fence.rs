//! `/admin/nodes/{name}/fence`: an admin says that a node which gives no answer is cut off; then its VMs can be rebuilt
//! elsewhere, one by one. Or that it is back.

use super::address;
use super::session::flash_take;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::badge::VmStateBadge;
use crate::components::field::{Field, FormProblems, problems};
use crate::components::loaded::loaded;
use crate::components::page_head::{PageHead, of_node};
use crate::form::{FormReply, Problem};
use crate::view::amounts;
use crate::view::node::FencePageView;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

const FIELDS: &[&str] = &["confirmed"];

#[server(endpoint = "node_fence_get")]
pub async fn node_fence_get(name: String) -> Result<FencePageView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::fence::page(&door, &name).await
}

#[server(endpoint = "node_fence")]
pub async fn node_fence(
    #[server(default)] name: String,
    #[server(default)] confirmed: String,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::fence::fence(&door, &name, confirmed).await
}

#[server(endpoint = "node_unfence")]
pub async fn node_unfence(#[server(default)] name: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::node::fence::unfence(&door, &name).await
}

#[component]
pub fn AdminNodeFencePage() -> impl IntoView {
    let name = address::part("name");
    let fence = ServerAction::<NodeFence>::new();
    let unfence = ServerAction::<NodeUnfence>::new();
    // Not with every news from the grid: what is being typed must stay.
    let node = Resource::new(
        move || (name.get(), fence.version().get(), unfence.version().get()),
        |(name, ..)| node_fence_get(name),
    );
    let flash = Resource::new(|| (), |()| flash_take("fence".to_owned()));
    let reply = move || unfence.value().get().or_else(|| fence.value().get());
    view! {
        <Title text=address::title(name, |name| format!("Fence {name}"))/>
        {loaded(flash, move |flash| {
            let typed = flash.value_or("confirmed", "");
            let problems = problems(reply, flash.problems);
            view! {
                <FormProblems problems fields=FIELDS/>
                {loaded(node, move |view| view! { <FenceView view typed=typed.clone() problems fence unfence/> })}
            }
        })}
    }
    .into_any()
}

#[component]
fn FenceView(
    view: FencePageView,
    typed: String,
    problems: Signal<Vec<Problem>>,
    fence: ServerAction<NodeFence>,
    unfence: ServerAction<NodeUnfence>,
) -> impl IntoView {
    let name = view.node.clone();
    let form = if view.is_fenced {
        view! { <Unfence name=name.clone() unfence/> }.into_any()
    } else {
        view! { <Fence view=view.clone() typed problems fence/> }.into_any()
    };
    let (condition, as_of) = (view.condition.clone(), view.as_of.clone());
    view! {
        <PageHead crumbs=of_node(&name)>
            <h1>{format!("Fence {name}")}</h1>
            <p class="page-note">{condition}</p>
            <AsOf at=as_of/>
        </PageHead>
        {form}
        <Vms view/>
    }
    .into_any()
}

#[component]
fn Fence(
    view: FencePageView,
    typed: String,
    problems: Signal<Vec<Problem>>,
    fence: ServerAction<NodeFence>,
) -> impl IntoView {
    let is_pending = fence.pending();
    let cannot = !view.can_fence;
    view! {
        <section class="card narrow" data-fence="">
            <h2>"Say that it is cut off"</h2>
            <p hidden=!cannot>"Its hypervisor answers, so it is not cut off. Drain it instead."</p>
            <p>
                "That a node gives no answer says nothing about its VMs: they may be running, and their customers may be using "
                "them. Only you can know that the node is off."
            </p>
            <p class="notice notice-warning">
                <strong>"If it is not off, a VM that is rebuilt elsewhere runs twice, with the same address."</strong>
                <span>"Power it off at its switch or its management board, and see that it is off, before you go on."</span>
            </p>
            <p>
                "A fenced node takes no VM. Nothing it says is believed and nothing is done there, whether it answers again or "
                "not, until you take this back. Its VMs are not restarted by themselves: you or their customers have each one "
                "rebuilt elsewhere, from its image, without its data."
            </p>
            <ActionForm action=fence>
                <input type="hidden" name="name" value=view.node/>
                <Field label="Type the node's name: it is powered off or cut off" name="confirmed" value=typed problems/>
                <button type="submit" class="button button-danger" disabled=move || cannot || is_pending.get()>
                    "It is cut off: fence it"
                </button>
            </ActionForm>
        </section>
    }
    .into_any()
}

#[component]
fn Unfence(name: String, unfence: ServerAction<NodeUnfence>) -> impl IntoView {
    let is_pending = unfence.pending();
    view! {
        <section class="card narrow" data-fenced="">
            <h2>"It is fenced"</h2>
            <p>
                "It takes no VM, nothing it says is believed, and nothing is done there. When it is repaired, look at what it "
                "runs before you take this back."
            </p>
            <p>
                "A VM that was rebuilt elsewhere must not run there. Hostgrid neither starts it nor removes its old disk: both "
                "are told on " <a href="/admin/drift">"Drift"</a> ". VMs that were not rebuilt, and ran before, are started "
                "again. The node stays cordoned."
            </p>
            <ActionForm action=unfence>
                <input type="hidden" name="name" value=name/>
                <button type="submit" class="button" disabled=move || is_pending.get()>"It is back: take this back"</button>
            </ActionForm>
        </section>
    }
    .into_any()
}

/// The VMs whose home it is.
#[component]
fn Vms(view: FencePageView) -> impl IntoView {
    let is_empty = view.vms.is_empty();
    let rows = view
        .vms
        .into_iter()
        .map(|vm| {
            let rebuild = vm.can_be_rebuilt().then(|| {
                view! { <a class="button button-quiet" href=format!("/vms/{}/rebuild", vm.id)>"Rebuild"</a> }
            });
            view! {
                <tr>
                    <td data-label="VM"><a href=format!("/vms/{}", vm.id)>{vm.name}</a></td>
                    <td data-label="State"><VmStateBadge state=vm.state/></td>
                    <td data-label="Owner">{vm.owner}</td>
                    <td data-label="Size">{amounts::size(vm.size)}</td>
                    <td>{rebuild}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section>
            <h2>"VMs on it"</h2>
            <p hidden=!is_empty>"None."</p>
            <div class="card card-table" hidden=is_empty>
                <table class="stacking">
                    <thead>
                        <tr>
                            <th scope="col">"VM"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Owner"</th>
                            <th scope="col">"Size"</th>
                            <td></td>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}
