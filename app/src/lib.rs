//! The Leptos application: pages, components, the doors to the manager, and the pages' view models.
//!
//! Compiled twice: with `ssr` into the server, where pages are rendered and doors are opened, and with `hydrate` into
//! the browser's WASM, where the rendered pages come alive. What only the server does is in [`server_side`]; what
//! only the browser does, in `live::browser`.

#[cfg(feature = "ssr")]
pub mod charts;
pub mod components;
pub mod error;
pub mod form;
pub mod live;
pub mod pages;
#[cfg(feature = "ssr")]
pub mod server_side;
pub mod view;

pub use error::AppError;
#[cfg(feature = "ssr")]
pub use server_side::{AppState, router, shell};

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::SsrMode;
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::path;

/// The whole application, the same on both sides.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_context(live::Live::new());
    mark_hydrated();
    let title = |page: String| if page.is_empty() { "Hostgrid".to_owned() } else { format!("{page} · Hostgrid") };
    view! {
        <Title formatter=title text=""/>
        <Router>
            <Routes fallback=pages::not_found::NotFoundPage>
                <ParentRoute path=path!("") view=components::layout::Layout>
                    <Route path=path!("") view=pages::home::HomePage ssr=SsrMode::Async/>
                    <Route path=path!("login") view=pages::login::LoginPage ssr=SsrMode::Async/>
                    <Route path=path!("vms") view=pages::vms::VmsPage ssr=SsrMode::Async/>
                    <Route path=path!("vms/new") view=pages::vm_new::VmNewPage ssr=SsrMode::Async/>
                    <Route path=path!("vms/:id") view=pages::vm::VmPage ssr=SsrMode::Async/>
                    <Route path=path!("vms/:id/delete") view=pages::vm_delete::VmDeletePage ssr=SsrMode::Async/>
                    <Route path=path!("vms/:id/move") view=pages::vm_move::VmMovePage ssr=SsrMode::Async/>
                    <Route path=path!("vms/:id/rebuild") view=pages::vm_rebuild::VmRebuildPage ssr=SsrMode::Async/>
                    <Route path=path!("vms/:id/resize") view=pages::vm_resize::VmResizePage ssr=SsrMode::Async/>
                    <Route
                        path=path!("vms/:id/resize/later")
                        view=pages::vm_resize_later::VmResizeLaterPage
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("operations/:id") view=pages::operation::OperationPage ssr=SsrMode::Async/>
                    <Route path=path!("admin") view=pages::admin::AdminPage ssr=SsrMode::Async/>
                    <Route path=path!("admin/drift") view=pages::admin_drift::AdminDriftPage ssr=SsrMode::Async/>
                    <Route path=path!("admin/nodes") view=pages::admin_nodes::AdminNodesPage ssr=SsrMode::Async/>
                    <Route path=path!("admin/nodes/:name") view=pages::admin_node::AdminNodePage ssr=SsrMode::Async/>
                    <Route
                        path=path!("admin/nodes/:name/drain")
                        view=pages::admin_node_drain::AdminNodeDrainPage
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("admin/nodes/:name/fence")
                        view=pages::admin_node_fence::AdminNodeFencePage
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("admin/operations")
                        view=pages::admin_operations::AdminOperationsPage
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("admin/rebalance")
                        view=pages::admin_rebalance::AdminRebalancePage
                        ssr=SsrMode::Async
                    />
                    <Route
                        path=path!("admin/what-if")
                        view=pages::admin_what_if::AdminWhatIfPage
                        ssr=SsrMode::Async
                    />
                    <Route path=path!("*any") view=pages::not_found::NotFoundPage ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}

/// Says on `<html>` that the page is alive; effects run in the browser only.
fn mark_hydrated() {
    Effect::new(|_| {
        request_animation_frame(|| {
            if let Some(root) = document().document_element() {
                // Fails for a malformed name only.
                let _ = root.set_attribute("data-hydrated", "");
            }
        });
    });
}

/// The browser's way in: brings the rendered page to life.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_body(App);
}
