//! `/vms/{id}/resize/later`: agreeing to a plan now and having it carried out in a window that the customer chooses.
//!
//! The plan is drawn once: a page that changed by itself would take the fields away under whoever fills them in.

use super::address;
use super::session::flash_take;
use super::vm_resize::{typed_of, vm_resize_form, vm_resize_preview};
use crate::AppError;
use crate::components::field::{FormProblems, TickField, problems};
use crate::components::loaded::loaded;
use crate::components::page_head::{PageHead, of_vm};
use crate::components::resize_preview::Preview;
use crate::components::window::WindowFields;
use crate::form::{Flash, FormReply, Problem};
use crate::view::plan::PlanView;
use crate::view::schedule::{CLOSES, OPENS, TypedWindow};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

/// Agrees to the plan that was seen, for later.
#[server(endpoint = "vm_schedule")]
pub async fn vm_schedule(
    #[server(default)] id: String,
    #[server(default)] plan: String,
    #[server(default)] key: String,
    #[server(default)] window: TypedWindow,
    #[server(default)] or_a_restart: bool,
    #[server(default)] force_off: bool,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    crate::server_side::present::schedule::agree(&door, vm, (&plan, &key), &window, (or_a_restart, force_off)).await
}

#[server(endpoint = "vm_schedule_cancel")]
pub async fn vm_schedule_cancel(
    #[server(default)] id: String,
    #[server(default)] schedule: String,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    crate::server_side::present::schedule::cancel(&door, vm, &schedule).await
}

#[component]
pub fn VmResizeLaterPage() -> impl IntoView {
    let id = address::part("id");
    let typed = address::query(|query| typed_of(|name| query.get(name)));
    let form = Resource::new(move || id.get(), vm_resize_form);
    let preview = Resource::new(
        move || (id.get(), typed.get()),
        |(id, typed)| async move {
            let flash = flash_take("later".to_owned()).await?;
            Ok((vm_resize_preview(id.clone(), typed, None).await?, id, flash))
        },
    );
    let agree = ServerAction::<VmSchedule>::new();
    let (or_a_restart, force_off) = (RwSignal::new(false), RwSignal::new(false));
    view! {
        <Title text="Change its size later"/>
        {loaded(form, move |view| {
            let none = typed.get().is_none().then(|| {
                view! { <p class="notice"><a href=format!("/vms/{}/resize", view.vm.id)>"Choose its new size first"</a></p> }
            });
            view! {
                <PageHead crumbs=of_vm(&view.vm.id, &view.vm.name)>
                    <h1>"Change its size later"</h1>
                </PageHead>
                {none}
            }
        })}
        {loaded(preview, move |(preview, id, flash)| {
            let vm = id.clone();
            let form = move |plan: &PlanView| {
                let problems = problems(move || agree.value().get(), flash.problems.clone());
                view! { <LaterForm plan=plan.clone() id=vm flash=flash.clone() problems agree or_a_restart force_off/> }
                    .into_any()
            };
            view! { <Preview preview id form/> }
        })}
    }
    .into_any()
}

#[component]
fn LaterForm(
    plan: PlanView,
    id: String,
    flash: Flash,
    problems: Signal<Vec<Problem>>,
    agree: ServerAction<VmSchedule>,
    or_a_restart: RwSignal<bool>,
    force_off: RwSignal<bool>,
) -> impl IntoView {
    let is_pending = agree.pending();
    let window = TypedWindow::of(&flash, &plan.proposed);
    let cancel = format!("/vms/{id}/resize");
    let restart = (!plan.restarts).then(|| {
        view! {
            <TickField
                label="Should it take a move or a restart by then, do it all the same"
                name="or_a_restart"
                ticked=or_a_restart
            />
        }
    });
    view! {
        <FormProblems problems fields=&[OPENS, CLOSES]/>
        <p>
            "This is how it would be done now. When the window opens it is planned anew, and started if it takes no more "
            "than you agree to here; else it is tried again until the window closes. No room is kept for it."
        </p>
        <ActionForm action=agree>
            <input type="hidden" name="id" value=id/>
            <input type="hidden" name="plan" value=plan.json/>
            <input type="hidden" name="key" value=plan.idempotency_key/>
            <WindowFields typed=window problems/>
            {restart}
            <TickField label="Force off if the guest does not shut down in time" name="force_off" ticked=force_off/>
            <div class="button-row">
                <button type="submit" class="button button-main" disabled=move || is_pending.get()>"Schedule"</button>
                <a class="button" href=cancel>"Back"</a>
            </div>
        </ActionForm>
    }
    .into_any()
}
