//! `/vms/{id}/rebuild`: says what is lost before a VM whose node was cut off begins anew on another one, and asks for its
//! name.

use super::address;
use super::session::flash_take;
use super::vm::vm_get;
use crate::AppError;
use crate::components::field::{Field, FormProblems, problems};
use crate::components::loaded::loaded;
use crate::form::{FormReply, Problem};
use crate::view::amounts;
use crate::view::vm::VmPageView;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

const FIELDS: &[&str] = &["confirmed"];

#[server(endpoint = "vm_rebuild")]
pub async fn vm_rebuild(
    #[server(default)] id: String,
    #[server(default)] confirmed: String,
    #[server(default)] key: String,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    let started = door.manager.vm_rebuild(&door.principal, vm, &confirmed, &key).await;
    door.reply_operation(started, "vm_rebuild", &format!("/vms/{vm}/rebuild"), &[("confirmed", confirmed)]).await
}

#[component]
pub fn VmRebuildPage() -> impl IntoView {
    let id = address::part("id");
    let vm = Resource::new(move || id.get(), vm_get);
    let flash = Resource::new(|| (), |()| flash_take("vm_rebuild".to_owned()));
    let rebuild = ServerAction::<VmRebuild>::new();
    view! {
        <Title text="Rebuild a VM"/>
        {loaded(flash, move |flash| {
            let typed = flash.value_or("confirmed", "");
            let problems = problems(move || rebuild.value().get(), flash.problems);
            view! {
                <FormProblems problems fields=FIELDS/>
                {loaded(vm, move |view| view! { <RebuildForm view typed=typed.clone() problems rebuild/> })}
            }
        })}
    }
    .into_any()
}

#[component]
fn RebuildForm(
    view: VmPageView,
    typed: String,
    problems: Signal<Vec<Problem>>,
    rebuild: ServerAction<VmRebuild>,
) -> impl IntoView {
    let vm = view.vm;
    let is_pending = rebuild.pending();
    let cannot = !vm.can_be_rebuilt();
    view! {
        <section class="card narrow">
            <p class="crumbs"><a href=format!("/vms/{}", vm.id)>{vm.name.clone()}</a></p>
            <h1>{format!("Rebuild {} without its data?", vm.name)}</h1>
            <p hidden=!cannot>"Its node is not out of service, or something is being done to it: it can't be rebuilt now."</p>
            <p>
                "Its node is out of service. The only copy of its disk is there, and nobody can read it now. "
                <strong>"Everything that was written to it is missing from the rebuilt VM."</strong>
            </p>
            <p>
                {format!(
                    "On another node it begins anew from the image {}, with its name, its keys, its address {}, and {}.",
                    vm.image, vm.address, amounts::size(vm.size)
                )}
            </p>
            <p>
                "The old disk is not touched. Should its node come back, an administrator can still save what is on it; it "
                "is not put back by itself."
            </p>
            <ActionForm action=rebuild>
                <input type="hidden" name="id" value=vm.id.clone()/>
                <input type="hidden" name="key" value=format!("{}-rebuild", view.idempotency_key)/>
                <Field label="Type the VM's name" name="confirmed" value=typed problems/>
                <div class="button-row">
                    <button type="submit" class="button button-danger" disabled=move || cannot || is_pending.get()>
                        "Rebuild it"
                    </button>
                    <a class="button" href=format!("/vms/{}", vm.id)>"Wait for its node"</a>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
