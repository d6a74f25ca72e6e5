//! The form of the new size.

use crate::components::field::{Field, without_button};
use crate::form::Problem;
use crate::view::amounts;
use crate::view::plan::{ResizeFormView, Typed};
use grid::Resource;
use leptos::prelude::*;
use leptos_router::components::Form;

#[component]
pub fn ResizeForm(
    view: ResizeFormView,
    /// What the address asks for; the fields say the same, also after the browser's "back".
    typed: Signal<Option<Typed>>,
    problems: Signal<Vec<Problem>>,
) -> impl IntoView {
    let vm = view.vm;
    let now = Typed::from(vm.size);
    let asked = move |part: fn(Typed) -> String| {
        let now = now.clone();
        Signal::derive(move || part(typed.get().unwrap_or_else(|| now.clone())))
    };
    let [vcpus, memory, disk] = [asked(|it| it.vcpus), asked(|it| it.memory_mib), asked(|it| it.disk_gib)];
    let live = format!(
        "Up to {} and {} of memory it can grow without a restart.",
        amounts::vcpus(view.maximum_vcpus.into()),
        amounts::free(Resource::Memory, view.maximum_memory_mib)
    );
    view! {
        <section class="card resize-form">
            <p class="resize-now">"Now: " <strong>{amounts::form_size(vm.size)}</strong></p>
            <Form method="GET" action=format!("/vms/{}/resize", vm.id) on_form_data=without_button()>
                <div class="resize-fields">
                    <Field label="vCPUs" name="vcpus" value=vcpus.get_untracked() follows=vcpus input_mode="numeric" problems/>
                    <Field
                        label="Memory (MiB)"
                        name="memory_mib"
                        value=memory.get_untracked()
                        follows=memory
                        input_mode="numeric"
                        hint="1 GiB is 1024 MiB."
                        problems
                    />
                    <Field
                        label="Disk (GiB)"
                        name="disk_gib"
                        value=disk.get_untracked()
                        follows=disk
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
