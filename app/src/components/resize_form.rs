//! The form of the new size.

use crate::components::field::Field;
use crate::form::Problem;
use crate::view::amounts;
use crate::view::plan::{ResizeFormView, Typed};
use grid::Resource;
use leptos::prelude::*;
use leptos_router::components::Form;

#[component]
pub fn ResizeForm(
    view: ResizeFormView,
    /// What stands in the fields at first.
    start: Typed,
    problems: Signal<Vec<Problem>>,
) -> impl IntoView {
    let vm = view.vm;
    let live = format!(
        "Up to {} and {} of memory it can grow without a restart.",
        amounts::vcpus(view.maximum_vcpus.into()),
        amounts::free(Resource::Memory, view.maximum_memory_mib)
    );
    view! {
        <section class="card resize-form">
            <p class="resize-now">"Now: " <strong>{amounts::form_size(vm.size)}</strong></p>
            <Form method="GET" action=format!("/vms/{}/resize", vm.id)>
                <div class="resize-fields">
                    <Field label="vCPUs" name="vcpus" value=start.vcpus input_mode="numeric" problems/>
                    <Field
                        label="Memory (MiB)"
                        name="memory_mib"
                        value=start.memory_mib
                        input_mode="numeric"
                        hint="1 GiB is 1024 MiB."
                        problems
                    />
                    <Field
                        label="Disk (GiB)"
                        name="disk_gib"
                        value=start.disk_gib
                        input_mode="numeric"
                        hint="Disks never shrink."
                        problems
                    />
                </div>
                <p class="field-hint">{live}</p>
                <button type="submit" class="button">"Preview"</button>
                <span class="button-note">"Shows what would happen. Nothing is changed yet."</span>
            </Form>
        </section>
    }
    .into_any()
}
