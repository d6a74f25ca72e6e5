//! What an admin decides about a node: its settings, and whether it takes new VMs.

use crate::components::field::{Field, FormProblems, problems};
use crate::form::Flash;
use crate::pages::admin_node::{NodeAdministrationSet, NodeSettingsSet};
use crate::view::node::SettingsView;
use grid::Resource;
use grid::node::Administration;
use leptos::form::ActionForm;
use leptos::prelude::*;

/// The settings' fields, as the form names them: what is kept back of each resource, how many times over each is sold.
pub const FIELDS: &[&str] = &[
    "settings[reserve_vcpus]",
    "settings[reserve_memory_mib]",
    "settings[reserve_disk_mib]",
    "settings[reserve_network_mbit]",
    "settings[overcommit_vcpus]",
    "settings[overcommit_memory]",
    "settings[overcommit_disk]",
    "settings[overcommit_network]",
    "settings[network_mbit]",
    "settings[failure_domain]",
];

#[component]
pub fn Settings(
    name: String,
    settings: SettingsView,
    typed: Flash,
    action: ServerAction<NodeSettingsSet>,
) -> impl IntoView {
    let problems = problems(move || action.value().get(), typed.problems.clone());
    // What came back without scripts stands at the head of the page.
    let whole = self::problems(move || action.value().get(), Vec::new());
    let is_pending = action.pending();
    let domain = typed.value_or("settings[failure_domain]", settings.get("failure_domain"));
    let network = typed.value_or("settings[network_mbit]", settings.get("network_mbit"));
    let reserves = Resource::ALL.map(|resource| {
        let unit = Some(resource.unit().as_str()).filter(|unit| !unit.is_empty());
        let unit = unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
        (format!("Reserve {}{unit}", resource.as_str()), resource.reserve_field())
    });
    let ratios =
        Resource::ALL.map(|resource| (format!("Overcommit {}", resource.as_str()), resource.overcommit_field()));
    let fields = reserves
        .into_iter()
        .chain(ratios)
        .zip(FIELDS)
        .map(|((label, field), name)| {
            view! { <Field label name=*name value=typed.value_or(name, settings.get(field)) problems/> }
        })
        .collect_view();
    view! {
        <section class="card">
            <h2>"Settings"</h2>
            <p class="field-hint">"Usable = (physical − reserve) × overcommit."</p>
            <ActionForm action>
                <FormProblems problems=whole fields=FIELDS/>
                <input type="hidden" name="name" value=name/>
                <div class="settings-fields">
                    {fields}
                    <Field
                        label="Network carries (Mbit/s)"
                        name="settings[network_mbit]"
                        value=network
                        hint="Each way. With 0 it takes no VM that was promised bandwidth."
                        input_mode="numeric"
                        problems
                    />
                    <Field
                        label="Failure domain"
                        name="settings[failure_domain]"
                        value=domain
                        hint="What fails together with it: a rack, a power feed. May be left empty."
                        problems
                    />
                </div>
                <button type="submit" class="button" disabled=move || is_pending.get()>"Save"</button>
            </ActionForm>
        </section>
    }
    .into_any()
}

#[component]
pub fn Administer(
    name: String,
    administration: Administration,
    /// Whether its hypervisor gives no answer.
    can_fence: bool,
    action: ServerAction<NodeAdministrationSet>,
) -> impl IntoView {
    let fence = format!("/admin/nodes/{name}/fence");
    let (said, to, button) = match administration {
        Administration::Open => ("It takes new VMs when it is ready.", "cordoned", "Cordon"),
        Administration::Cordoned => ("It is cordoned: it takes no new VM; what is there stays.", "open", "Uncordon"),
        Administration::Draining => ("It is being emptied and takes no new VM.", "open", "Stop draining"),
        Administration::Fenced => return view! { <Fenced fence/> }.into_any(),
    };
    let fence =
        can_fence.then(|| view! { <p><a href=fence>"It is cut off? Fence it, and rebuild its VMs elsewhere"</a></p> });
    let is_pending = action.pending();
    let drain = format!("/admin/nodes/{name}/drain");
    view! {
        <section class="card">
            <h2>"New VMs"</h2>
            <p>{said}</p>
            <ActionForm action>
                <input type="hidden" name="name" value=name/>
                <input type="hidden" name="to" value=to/>
                <button type="submit" class="button" disabled=move || is_pending.get()>{button}</button>
            </ActionForm>
            <p><a href=drain>"Drain: move its VMs away"</a></p>
            {fence}
        </section>
    }
    .into_any()
}

#[component]
fn Fenced(fence: String) -> impl IntoView {
    view! {
        <section class="card">
            <h2>"New VMs"</h2>
            <p>"It is fenced: it takes no VM, and nothing it says is believed."</p>
            <p><a href=fence>"Its VMs, and how to take this back"</a></p>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_resources_in_their_order() {
        let reserves = Resource::ALL.map(Resource::reserve_field);
        let named = reserves
            .into_iter()
            .chain(Resource::ALL.map(Resource::overcommit_field))
            .chain(["network_mbit", "failure_domain"]);
        assert_eq!(named.map(|field| format!("settings[{field}]")).collect::<Vec<_>>(), FIELDS);
    }
}
