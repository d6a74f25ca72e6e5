//! `/admin/drift`: what is not as it is recorded, and recording what is.

use super::session::flash_take;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::field::{FormProblems, problems};
use crate::components::loaded::{kept, loaded};
use crate::form::FormReply;
use crate::live::Live;
use crate::view::drift::{DriftLine, DriftListView};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "drift_list")]
pub async fn drift_list() -> Result<DriftListView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let drift = door.pass(door.manager.drift_list(&door.principal).await)?;
    Ok(crate::server_side::present::drift::list(drift))
}

#[server(endpoint = "drift_record")]
pub async fn drift_record(#[server(default)] vm: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let done = door.manager.drift_record(&door.principal, door.id(&vm)?).await;
    door.reply(done.map(|()| "/admin/drift".to_owned()), "drift", "/admin/drift", &[]).await
}

#[component]
pub fn AdminDriftPage() -> impl IntoView {
    let version = expect_context::<Live>().version(|_| true);
    let record = ServerAction::<DriftRecord>::new();
    let drift = Resource::new(move || (version.get(), record.version().get()), |_| drift_list());
    let flash = Resource::new(|| (), |()| flash_take("drift".to_owned()));
    view! {
        <Title text="Drift"/>
        {loaded(flash, move |flash| {
            let problems = problems(move || record.value().get(), flash.problems);
            view! { <FormProblems problems fields=&[]/> }
        })}
        {kept(drift, move |list| view! { <DriftList list record/> })}
    }
    .into_any()
}

#[component]
fn DriftList(list: DriftListView, record: ServerAction<DriftRecord>) -> impl IntoView {
    let is_empty = list.drift.is_empty();
    let lines = list.drift.into_iter().map(|line| view! { <Line line record/> }).collect_view();
    view! {
        <div class="page-head">
            <div>
                <h1>"Drift"</h1>
                <AsOf at=list.as_of/>
            </div>
        </div>
        <p>
            "What hypervisors and utility modules say and the records don't. What is left of a VM that runs at its home is "
            "removed by itself, and a VM that could not write to its disk goes on once its pool has room; the rest is left "
            "alone until you decide."
        </p>
        {is_empty.then(|| view! { <p>"Everything is as it is recorded."</p> })}
        <div class="card card-table" hidden=is_empty>
            <table class="stacking">
                <thead>
                    <tr>
                        <th scope="col">"Node"</th>
                        <th scope="col">"VM"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Since (UTC)"</th>
                        <td></td>
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn Line(line: DriftLine, record: ServerAction<DriftRecord>) -> impl IntoView {
    let vm = match line.vm_name {
        Some(name) => view! { <a href=format!("/vms/{}", line.vm_id)>{name}</a> }.into_any(),
        None => view! { <span class="mono">{line.vm_id.clone()}</span> }.into_any(),
    };
    let decide = line.can_record.then(|| {
        view! {
            <ActionForm action=record>
                <input type="hidden" name="vm" value=line.vm_id/>
                <button type="submit" class="button" disabled=move || record.pending().get()>"Record what is"</button>
            </ActionForm>
        }
    });
    view! {
        <tr data-drift=line.kind>
            <td data-label="Node"><a href=format!("/admin/nodes/{}", line.node)>{line.node.clone()}</a></td>
            <td data-label="VM">{vm}</td>
            <td data-label="What">{line.what}</td>
            <td data-label="Since"><time>{line.since}</time></td>
            <td>{decide}</td>
        </tr>
    }
    .into_any()
}
