//! `/vms/{id}`: a VM: state, size, usage, what was done to it, start and stop.

use super::address;
use super::session::flash_take;
use super::vm_move::MoveSentences;
use super::vm_resize_later::VmScheduleCancel;
use crate::AppError;
use crate::components::as_of::AsOf;
use crate::components::badge::VmStateBadge;
use crate::components::chart::Chart;
use crate::components::field::{FormProblems, TickField, problems};
use crate::components::loaded::{kept, loaded};
use crate::components::operation_table::OperationTable;
use crate::components::schedule::{PastSchedules, Scheduled};
use crate::form::FormReply;
use crate::live::{Live, LiveEvent};
use crate::view::amounts;
use crate::view::operation::{OperationLine, state_word};
use crate::view::plan::Typed;
use crate::view::vm::{MoveAskedView, RevertView, VmCard, VmPageView};
use grid::Resources;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

#[server(endpoint = "vm_get")]
pub async fn vm_get(id: String) -> Result<VmPageView, AppError> {
    use crate::server_side::{door::Door, present};
    let door = Door::open().await?;
    present::vm::page(&door, door.id(&id)?).await
}

#[server(endpoint = "vm_start")]
pub async fn vm_start(#[server(default)] id: String, #[server(default)] key: String) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    let started = door.manager.vm_start(&door.principal, vm, &key).await;
    door.reply_operation(started, "vm", &format!("/vms/{vm}"), &[]).await
}

#[server(endpoint = "vm_stop")]
pub async fn vm_stop(
    #[server(default)] id: String,
    #[server(default)] force: bool,
    #[server(default)] key: String,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    let started = door.manager.vm_stop(&door.principal, vm, force, &key).await;
    door.reply_operation(started, "vm", &format!("/vms/{vm}"), &[]).await
}

#[component]
pub fn VmPage() -> impl IntoView {
    let id = address::part("id");
    let version = expect_context::<Live>().version(move |event| match event {
        LiveEvent::Vm(vm) => id.with_untracked(|id| id == vm),
        _ => true,
    });
    let cancel = ServerAction::<VmScheduleCancel>::new();
    let vm = Resource::new(move || (id.get(), version.get(), cancel.version().get()), |(id, ..)| vm_get(id));
    let flash = Resource::new(|| (), |()| flash_take("vm".to_owned()));
    let start = ServerAction::<VmStart>::new();
    let stop = ServerAction::<VmStop>::new();
    let force = RwSignal::new(false);
    let reply = move || start.value().get().or_else(|| stop.value().get()).or_else(|| cancel.value().get());
    view! {
        {loaded(flash, move |flash| {
            let problems = problems(reply, flash.problems);
            view! { <FormProblems problems fields=&[]/> }
        })}
        {kept(vm, move |view| view! { <VmView view start stop cancel force/> })}
    }
    .into_any()
}

#[component]
fn VmView(
    view: VmPageView,
    start: ServerAction<VmStart>,
    stop: ServerAction<VmStop>,
    cancel: ServerAction<VmScheduleCancel>,
    force: RwSignal<bool>,
) -> impl IntoView {
    let VmPageView { vm, charts, operations, revert, as_of, idempotency_key, .. } = view.clone();
    let (past, waiting): (Vec<_>, Vec<_>) = view.schedules.iter().cloned().partition(|it| it.state.is_over());
    let waiting = waiting.into_iter().map(|schedule| view! { <Scheduled schedule cancel/> }).collect_view();
    let charts = charts.into_iter().map(|chart| view! { <Chart chart/> }).collect_view();
    view! {
        <Title text=vm.name.clone()/>
        <div class="page-head">
            <div>
                <p class="crumbs"><a href="/vms">"VMs"</a></p>
                <h1>{vm.name.clone()} <VmStateBadge state=vm.state stands_still=vm.stands_still/></h1>
                <AsOf at=as_of/>
            </div>
        </div>
        {vm.operation.clone().map(|line| view! { <RunningOperation line/> })}
        {view.move_asked.clone().map(|asked| view! { <MoveAsked id=vm.id.clone() asked/> })}
        {waiting}
        {vm.stands_still.then(|| view! { <StandsStill/> })}
        {vm.can_be_rebuilt().then(|| view! { <OutOfService id=vm.id.clone()/> })}
        <div class="columns">
            <VmFacts view/>
            <VmActions vm revert key=idempotency_key start stop force/>
        </div>
        <section>
            <h2>"Usage"</h2>
            <div class="charts">{charts}</div>
        </section>
        <section>
            <h2>"History"</h2>
            <div class="card card-table"><OperationTable operations/></div>
            <PastSchedules schedules=past/>
        </section>
    }
    .into_any()
}

/// What is being done to it now.
#[component]
pub fn RunningOperation(line: OperationLine) -> impl IntoView {
    view! {
        <p class="notice">
            <span class="spinner" aria-hidden="true"></span>
            <a href=format!("/operations/{}", line.id)>{line.title}</a>
            <span>{state_word(line.state).to_lowercase()}</span>
        </p>
    }
    .into_any()
}

/// Its node is to be emptied, and it can't be moved while it runs.
#[component]
fn MoveAsked(id: String, asked: MoveAskedView) -> impl IntoView {
    let button = if asked.given.is_some() { "Change what you agreed to" } else { "Agree to a restart" };
    view! {
        <div class="notice notice-warning" data-move-asked="">
            <MoveSentences asked/>
            <a class="button" href=format!("/vms/{id}/move")>{button}</a>
        </div>
    }
    .into_any()
}

/// Its hypervisor has it paused.
#[component]
fn StandsStill() -> impl IntoView {
    view! {
        <div class="notice notice-warning" data-stands-still="">
            <p>
                "This VM stands still: its disk could not be written, as where no room is left for it, or an administrator "
                "paused it. In the first case it goes on by itself where it stopped, as soon as it can be written again. The "
                "administrators see it too."
            </p>
        </div>
    }
    .into_any()
}

/// Its node was cut off.
#[component]
fn OutOfService(id: String) -> impl IntoView {
    view! {
        <div class="notice notice-warning" data-out-of-service="">
            <p>
                "The node that this VM is on is out of service, so the VM does not run, and its disk can't be read. Wait for "
                "the node to come back, or have the VM rebuilt on another one: from its image, with an empty disk."
            </p>
            <a class="button" href=format!("/vms/{id}/rebuild")>"Rebuild it without its data"</a>
        </div>
    }
    .into_any()
}

#[component]
fn VmFacts(view: VmPageView) -> impl IntoView {
    let vm = view.vm;
    let tile = |(resource, amount): (grid::Resource, u64)| {
        view! { <li><strong>{amounts::bare(resource, amount)}</strong> <span>{resource.as_str()}</span></li> }
    };
    let tiles = Resources::from(vm.size).parts().map(tile).collect_view();
    let growth = format!(
        "{} and {} of memory without a restart",
        amounts::vcpus(view.maximum_vcpus.into()),
        amounts::mib(view.maximum_memory_mib)
    );
    view! {
        <section class="card facts">
            <h2>"Size and place"</h2>
            <ul class="size-tiles">
                {tiles}
            </ul>
            <dl>
                <dt>"Grows to"</dt>
                <dd>{growth}</dd>
                <dt>"Address"</dt>
                <dd class="mono">{vm.address}</dd>
                <dt>"MAC"</dt>
                <dd class="mono">{view.mac}</dd>
                <dt>"Region"</dt>
                <dd>{format!("{} · {}", vm.region, vm.kind)}</dd>
                <dt>"Image"</dt>
                <dd>{vm.image}</dd>
                <dt>"Deployed"</dt>
                <dd><time>{view.created_at}</time></dd>
                {vm.owner.map(|owner| view! { <dt>"Owner"</dt><dd>{owner}</dd> })}
                {vm.node.map(|node| {
                    view! { <dt>"Node"</dt><dd><a href=format!("/admin/nodes/{node}")>{node.clone()}</a></dd> }
                })}
                <dt>"Id"</dt>
                <dd class="mono">{vm.id}</dd>
            </dl>
        </section>
    }
    .into_any()
}

#[component]
fn VmActions(
    vm: VmCard,
    revert: Option<RevertView>,
    key: String,
    start: ServerAction<VmStart>,
    stop: ServerAction<VmStop>,
    force: RwSignal<bool>,
) -> impl IntoView {
    let is_pending = move || start.pending().get() || stop.pending().get();
    let (cannot_start, cannot_stop) = (!vm.can_start(), !vm.can_stop());
    let (start_id, stop_id) = (vm.id.clone(), vm.id.clone());
    let (start_key, stop_key) = (format!("{key}-start"), format!("{key}-stop"));
    let resize = vm.can_resize().then(|| {
        view! { <a class="button button-main" href=format!("/vms/{}/resize", vm.id)>"Change its size"</a> }
    });
    let revert = revert.filter(|_| vm.can_resize()).map(|revert| {
        let form = format!("/vms/{}/resize{}", vm.id, Typed::query(revert.to));
        let (title, hint) = (revert.title(), revert.hint());
        view! {
            <div>
                <a class="button" href=form>{title}</a>
                <p class="field-hint">{hint}</p>
            </div>
        }
    });
    let busy = vm.operation.is_some().then(|| {
        view! { <p class="field-hint">"Something is being done to it; wait until that is over."</p> }
    });
    view! {
        <section class="card actions">
            <h2>"Actions"</h2>
            {busy}
            {resize}
            {revert}
            <ActionForm action=start>
                <input type="hidden" name="id" value=start_id/>
                <input type="hidden" name="key" value=start_key/>
                <button type="submit" class="button" disabled=move || cannot_start || is_pending()>"Start"</button>
            </ActionForm>
            <ActionForm action=stop>
                <input type="hidden" name="id" value=stop_id/>
                <input type="hidden" name="key" value=stop_key/>
                <button type="submit" class="button" disabled=move || cannot_stop || is_pending()>"Stop"</button>
                <TickField label="Force off if the guest does not shut down in time" name="force" ticked=force/>
            </ActionForm>
            <form method="get" action=format!("/vms/{}/delete", vm.id)>
                <button type="submit" class="button button-danger" disabled=!vm.can_delete()>"Delete"</button>
            </form>
        </section>
    }
    .into_any()
}
