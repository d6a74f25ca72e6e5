//! `/vms`: a customer's VMs, or for an admin everybody's.

use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::badge::VmStateBadge;
use crate::components::loaded::kept;
use crate::components::quota::Quota;
use crate::live::Live;
use crate::view::amounts;
use crate::view::operation::state_word;
use crate::view::vm::{VmCard, VmListView};
use grid::Resources;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "vm_list")]
pub async fn vm_list() -> Result<VmListView, AppError> {
    use crate::server_side::{door::Door, present};
    let door = Door::open().await?;
    let vms = door.pass(door.manager.vm_list(&door.principal).await)?;
    let quota = door.pass(door.manager.quota(&door.principal).await)?;
    Ok(present::vm::list(&door, vms, quota))
}

#[component]
pub fn VmsPage() -> impl IntoView {
    let version = expect_context::<Live>().version(|_| true);
    let vms = Resource::new(move || version.get(), |_| vm_list());
    view! {
        <Title text="VMs"/>
        {kept(vms, |list| view! { <VmList list/> })}
    }
    .into_any()
}

#[component]
fn VmList(list: VmListView) -> impl IntoView {
    let is_admin = list.is_admin;
    let is_empty = list.vms.is_empty();
    let rows = list.vms.into_iter().map(|vm| view! { <VmRow vm is_admin/> }).collect_view();
    view! {
        <div class="page-head">
            <div>
                <h1>{if is_admin { "All VMs" } else { "Your VMs" }}</h1>
                <AsOf at=list.as_of/>
            </div>
            <a class="button button-main" href="/vms/new">"Deploy a VM"</a>
        </div>
        <Quota quota=list.quota/>
        <div class="table-scroll card card-table">
            <table class="stacking vms">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Size"</th>
                        <th scope="col">"Address"</th>
                        <th scope="col">"Region"</th>
                        <th scope="col">"CPU in use"</th>
                        {is_admin.then(|| view! { <th scope="col">"Owner"</th><th scope="col">"Node"</th> })}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <p class="empty" hidden=!is_empty>
                "No VMs yet. " <a href="/vms/new">"Deploy the first one."</a>
            </p>
        </div>
    }
    .into_any()
}

#[component]
fn VmRow(vm: VmCard, is_admin: bool) -> impl IntoView {
    let size = Resources::from(vm.size);
    let operation = vm.operation.map(|line| {
        view! {
            <a class="cell-note" href=format!("/operations/{}", line.id)>
                {format!("{} · {}", line.title, state_word(line.state).to_lowercase())}
            </a>
        }
    });
    let admin = is_admin.then(|| {
        view! {
            <td data-label="Owner">{vm.owner.unwrap_or_default()}</td>
            <td data-label="Node">
                {vm.node.map(|node| view! { <a href=format!("/admin/nodes/{node}")>{node.clone()}</a> })}
            </td>
        }
    });
    view! {
        <tr>
            <td data-label="Name" class="vms-name">
                <a href=format!("/vms/{}", vm.id)>{vm.name}</a>
                {operation}
            </td>
            <td data-label="State"><VmStateBadge state=vm.state stands_still=vm.stands_still/></td>
            <td data-label="Size">
                {amounts::vcpus(size.vcpus())}
                <span class="cell-note">
                    {amounts::listed(size.parts().filter(|(resource, _)| *resource != grid::Resource::Vcpus), " · ", amounts::of)}
                </span>
            </td>
            <td data-label="Address" class="mono">{vm.address}</td>
            <td data-label="Region">{vm.region}<span class="cell-note">{vm.kind}</span></td>
            <td data-label="CPU in use">{vm.cpu_permille.map_or_else(|| "–".to_owned(), amounts::permille)}</td>
            {admin}
        </tr>
    }
    .into_any()
}
