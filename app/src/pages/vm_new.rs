//! `/vms/new`: deploying a VM.

use crate::AppError;
use crate::components::field::{Field, FormProblems, SelectField, TextField, problems};
use crate::components::loaded::loaded;
use crate::components::quota::Quota;
use crate::form::FormReply;
use crate::view::amounts;
use crate::view::catalogue::DeployView;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

/// What can be chosen, with what came back from a post without scripts.
#[server(endpoint = "catalogue_get")]
pub async fn catalogue_get() -> Result<DeployView, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    crate::server_side::present::catalogue::deploy(&door).await
}

#[server(endpoint = "vm_deploy")]
pub async fn vm_deploy(
    #[server(default)] name: String,
    #[server(default)] image: String,
    #[server(default)] offer: String,
    #[server(default)] region: String,
    #[server(default)] keys: String,
    #[server(default)] key: String,
) -> Result<FormReply, AppError> {
    use crate::form::Problem;
    use crate::server_side::door::{DeployRequest, Door};
    let door = Door::open().await?;
    let typed = [("name", &name), ("image", &image), ("offer", &offer), ("region", &region), ("keys", &keys)]
        .map(|(field, value)| (field, value.clone()));
    let request = DeployRequest { name, image, offer, region, keys, idempotency_key: key };
    let wrong = request.wrong();
    let started = door.manager.vm_deploy(&door.principal, request).await.map(|(_, operation)| operation);
    if wrong.len() > 1 && started.is_err() {
        // The manager answers the first; whoever mends it shall not be sent back for the next.
        let problems = wrong.into_iter().map(|(field, message)| Problem::of(field, message)).collect();
        return door.reply_problems(problems, "deploy", "/vms/new", &typed).await;
    }
    door.reply_operation(started, "deploy", "/vms/new", &typed).await
}

#[component]
pub fn VmNewPage() -> impl IntoView {
    let catalogue = Resource::new(|| (), |()| catalogue_get());
    let deploy = ServerAction::<VmDeploy>::new();
    view! {
        <Title text="Deploy a VM"/>
        <div class="page-head">
            <div>
                <p class="crumbs"><a href="/vms">"VMs"</a></p>
                <h1>"Deploy a VM"</h1>
            </div>
        </div>
        {loaded(catalogue, move |view| view! { <DeployForm view deploy/> })}
    }
    .into_any()
}

#[component]
fn DeployForm(view: DeployView, deploy: ServerAction<VmDeploy>) -> impl IntoView {
    let flash = view.flash;
    let problems = problems(move || deploy.value().get(), flash.problems.clone());
    let is_pending = deploy.pending();
    let images = view.images.into_iter().map(|image| (image.clone(), image)).collect();
    let offers = view
        .offers
        .into_iter()
        .map(|offer| {
            // As short as can be: a phone cuts off what its list has no room for.
            let parts =
                grid::Resources::from(offer.size).parts().map(|(resource, amount)| amounts::of(resource, amount));
            let text = format!("{}: {}", offer.name, parts.collect::<Vec<String>>().join(", "));
            (offer.name, text)
        })
        .collect();
    let regions = view
        .regions
        .into_iter()
        .map(|region| {
            let text = format!("{} · {}", region.name, region.kinds.join(", "));
            (region.name, text)
        })
        .collect();
    view! {
        <Quota quota=view.quota/>
        <section class="card narrow">
            <ActionForm action=deploy>
                <FormProblems problems fields=&["name", "image", "offer", "region", "keys"]/>
                <input type="hidden" name="key" value=view.idempotency_key/>
                <Field
                    label="Name"
                    name="name"
                    value=flash.value_or("name", "")
                    hint="Lower-case letters, digits and inner hyphens, at most 63; also its host name."
                    problems
                />
                <SelectField label="Image" name="image" value=flash.value_or("image", "") choices=images problems/>
                <SelectField
                    label="Offer"
                    name="offer"
                    value=flash.value_or("offer", "")
                    choices=offers
                    hint="vCPUs, memory and disk. You can change the size at any time."
                    problems
                />
                <SelectField label="Region" name="region" value=flash.value_or("region", "") choices=regions problems/>
                <TextField
                    label="SSH keys"
                    name="keys"
                    value=flash.value_or("keys", "")
                    hint="Public keys, one a line. May be left empty."
                    problems
                />
                <button type="submit" class="button button-main" disabled=move || is_pending.get()>"Deploy"</button>
            </ActionForm>
        </section>
    }
    .into_any()
}
