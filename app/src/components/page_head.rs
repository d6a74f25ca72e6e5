//! The head of a page below a VM or a node: the way back to it, and what the page is.

use leptos::prelude::*;

/// `children` are the title, and what stands below it.
#[component]
pub fn PageHead(
    /// Addresses with what they are called.
    crumbs: [(String, String); 2],
    children: Children,
) -> impl IntoView {
    let crumbs = crumbs.map(|(address, name)| view! { <a href=address>{name}</a> });
    view! {
        <div class="page-head">
            <div>
                <p class="crumbs">{crumbs.into_iter().collect_view()}</p>
                {children()}
            </div>
        </div>
    }
    .into_any()
}

pub fn of_vm(id: &str, name: &str) -> [(String, String); 2] {
    [("/vms".to_owned(), "VMs".to_owned()), (format!("/vms/{id}"), name.to_owned())]
}

pub fn of_node(name: &str) -> [(String, String); 2] {
    [("/admin/nodes".to_owned(), "Nodes".to_owned()), (format!("/admin/nodes/{name}"), name.to_owned())]
}
