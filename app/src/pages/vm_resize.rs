//! `/vms/{id}/resize`: what shall change, and the plan or the refusal before anything is agreed to.
//!
//! The preview is a GET form: its query says it all, so it can be linked and works without scripts.

use super::address;
use super::session::flash_take;
use super::vm::RunningOperation;
use super::vm_resize_later::VmScheduleCancel;
use crate::AppError;
use crate::components::field::{FormProblems, TickField, problems};
use crate::components::loaded::loaded;
use crate::components::page_head::{PageHead, of_vm};
use crate::components::resize_form::ResizeForm;
use crate::components::resize_preview::Preview;
use crate::components::schedule::Scheduled;
use crate::form::FormReply;
use crate::live::Live;
use crate::view::plan::{PlanView, PreviewView, ResizeFormView, Typed};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "vm_resize_form")]
pub async fn vm_resize_form(id: String) -> Result<ResizeFormView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::plan::form(&door, door.id(&id)?).await
}

/// None where nothing was asked yet. `nodes` is the page of the list of all nodes that an admin asks for.
#[server(endpoint = "vm_resize_preview")]
pub async fn vm_resize_preview(
    id: String,
    typed: Option<Typed>,
    nodes: Option<u64>,
) -> Result<Option<PreviewView>, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::plan::preview(&door, door.id(&id)?, typed.as_ref(), nodes).await
}

/// Carries out the plan that was seen; asks again where it no longer holds.
#[server(endpoint = "vm_resize")]
pub async fn vm_resize(
    #[server(default)] id: String,
    #[server(default)] plan: String,
    #[server(default)] force_off: bool,
    #[server(default)] key: String,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    crate::server_side::present::plan::agree(&door, vm, &plan, force_off, key).await
}

/// What the query asks for; nothing where it asks nothing.
pub(super) fn typed_of(get: impl Fn(&str) -> Option<String>) -> Option<Typed> {
    let (vcpus, memory_mib, disk_gib) = (get("vcpus"), get("memory_mib"), get("disk_gib"));
    if vcpus.is_none() && memory_mib.is_none() && disk_gib.is_none() {
        return None;
    }
    Some(Typed {
        vcpus: vcpus.unwrap_or_default(),
        memory_mib: memory_mib.unwrap_or_default(),
        disk_gib: disk_gib.unwrap_or_default(),
    })
}

/// What is said to somebody whose plan no longer held, above what is possible now.
const fn changed_notice(now: Option<&PreviewView>) -> &'static str {
    match now {
        Some(PreviewView::Planned(_)) => {
            "The grid changed since you looked, so nothing was started. This is the plan now: agree to it again."
        }
        Some(PreviewView::Refused(_)) => {
            "The grid changed since you looked, so nothing was started. This change is not possible now."
        }
        _ => "The grid changed since you looked, so nothing was started.",
    }
}

#[component]
pub fn VmResizePage() -> impl IntoView {
    let id = address::part("id");
    let typed = address::query(|query| typed_of(|name| query.get(name)));
    // Says that the plan agreed to no longer held; a new word each time, so that the preview is fetched again.
    let changed = address::query(|query| query.get("changed"));
    let nodes = address::query(|query| query.get("nodes").and_then(|page| page.parse::<u64>().ok()));
    let version = expect_context::<Live>().version(|_| true);

    let cancel = ServerAction::<VmScheduleCancel>::new();
    let form = Resource::new(move || (id.get(), cancel.version().get()), |(id, _)| vm_resize_form(id));
    let preview = Resource::new(
        move || (id.get(), typed.get(), nodes.get(), changed.get(), version.get()),
        |(id, typed, nodes, _, _)| async move { Ok((vm_resize_preview(id.clone(), typed, nodes).await?, id)) },
    );
    let flash = Resource::new(|| (), |()| flash_take("resize".to_owned()));
    let agree = ServerAction::<VmResize>::new();
    let force_off = RwSignal::new(false);
    let found = Signal::derive(move || match preview.get() {
        Some(Ok((Some(PreviewView::Unreadable { problems }), _))) => problems,
        _ => Vec::new(),
    });
    view! {
        <Title text="Change its size"/>
        {loaded(form, move |view| {
            view! {
                <PageHead crumbs=of_vm(&view.vm.id, &view.vm.name)>
                    <h1>"Change its size"</h1>
                </PageHead>
                {view.vm.operation.clone().map(|line| view! { <RunningOperation line/> })}
                {view.schedule.clone().map(|schedule| view! { <Scheduled schedule cancel/> })}
                <Transition>
                    <ResizeForm view=view.clone() typed=typed.into() problems=found/>
                </Transition>
            }
        })}
        {loaded(flash, move |flash| {
            let problems = problems(move || agree.value().get().or_else(|| cancel.value().get()), flash.problems);
            view! { <FormProblems problems fields=&[]/> }
        })}
        {loaded(preview, move |(preview, id)| {
            let notice = changed_notice(preview.as_ref());
            let vm = id.clone();
            let form = move |plan: &PlanView| view! { <AgreeForm plan=plan.clone() id=vm agree force_off/> }.into_any();
            view! {
                <p class="notice notice-warning" hidden=move || changed.get().is_none()>{notice}</p>
                <Preview preview id form/>
            }
        })}
    }
    .into_any()
}

/// Now; or later, by way of another page.
#[component]
fn AgreeForm(plan: PlanView, id: String, agree: ServerAction<VmResize>, force_off: RwSignal<bool>) -> impl IntoView {
    let is_pending = agree.pending();
    let later = format!("/vms/{id}/resize/later{}", Typed::query(plan.to));
    let force_off = plan.restarts.then(|| {
        view! { <TickField label="Force off if the guest does not shut down in time" name="force_off" ticked=force_off/> }
    });
    view! {
        <ActionForm action=agree>
            <input type="hidden" name="id" value=id/>
            <input type="hidden" name="plan" value=plan.json/>
            <input type="hidden" name="key" value=plan.idempotency_key/>
            {force_off}
            <button type="submit" class="button button-main" disabled=move || is_pending.get()>"Resize"</button>
        </ActionForm>
        <p><a href=later>"Not now: choose a time for it"</a></p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::plan::RefusalView;

    #[test]
    fn nobody_is_asked_to_agree_to_a_plan_that_there_is_not() {
        let refusal = RefusalView {
            reason: "no node has room".to_owned(),
            asked: grid::Size::SMALLEST,
            largest: None,
            choice: None,
            as_of: String::new(),
        };
        let busy = PreviewView::NotNow { reason: "another operation".to_owned() };
        for now in [Some(&PreviewView::Refused(Box::new(refusal))), Some(&busy), Some(&PreviewView::Nothing), None] {
            let notice = changed_notice(now);
            assert!(notice.contains("nothing was started") && !notice.contains("plan"), "{notice}");
        }
    }

    #[test]
    fn a_query_without_sizes_asks_nothing_and_a_part_of_one_asks() {
        assert!(typed_of(|_| None).is_none());
        let typed = typed_of(|name| (name == "vcpus").then(|| "２".to_owned()));
        assert_eq!(typed.map(|typed| (typed.vcpus, typed.disk_gib)), Some(("２".to_owned(), String::new())));
    }
}
