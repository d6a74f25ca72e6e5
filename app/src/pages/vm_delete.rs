//! `/vms/{id}/delete`: asks once more before a VM and its disk are gone.

use super::address;
use super::session::flash_take;
use super::vm::vm_get;
use crate::AppError;
use crate::components::field::{FormProblems, problems};
use crate::components::loaded::loaded;
use crate::form::FormReply;
use crate::view::amounts;
use crate::view::vm::VmPageView;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "vm_delete")]
pub async fn vm_delete(#[server(default)] id: String, #[server(default)] key: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    let started = door.manager.vm_delete(&door.principal, vm, &key).await;
    door.reply_operation(started, "vm_delete", &format!("/vms/{vm}/delete"), &[]).await
}

#[component]
pub fn VmDeletePage() -> impl IntoView {
    let id = address::part("id");
    let vm = Resource::new(move || id.get(), vm_get);
    let flash = Resource::new(|| (), |()| flash_take("vm_delete".to_owned()));
    let delete = ServerAction::<VmDelete>::new();
    view! {
        <Title text="Delete a VM"/>
        {loaded(flash, move |flash| {
            let problems = problems(move || delete.value().get(), flash.problems);
            view! { <FormProblems problems fields=&[]/> }
        })}
        {loaded(vm, move |view| view! { <DeleteForm view delete/> })}
    }
    .into_any()
}

#[component]
fn DeleteForm(view: VmPageView, delete: ServerAction<VmDelete>) -> impl IntoView {
    let vm = view.vm;
    let is_pending = delete.pending();
    view! {
        <section class="card narrow">
            <p class="crumbs"><a href=format!("/vms/{}", vm.id)>{vm.name.clone()}</a></p>
            <h1>{format!("Delete {}?", vm.name)}</h1>
            <p>{format!("{} at {} and everything on its disk will be gone.", amounts::size(vm.size), vm.address)}</p>
            <p>"This can't be undone. A running VM is forced off."</p>
            <ActionForm action=delete>
                <input type="hidden" name="id" value=vm.id.clone()/>
                <input type="hidden" name="key" value=format!("{}-delete", view.idempotency_key)/>
                <div class="button-row">
                    <button type="submit" class="button button-danger" disabled=move || is_pending.get()>
                        "Delete"
                    </button>
                    <a class="button" href=format!("/vms/{}", vm.id)>"Keep it"</a>
                </div>
            </ActionForm>
        </section>
    }
    .into_any()
}
