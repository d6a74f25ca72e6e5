//! The frame of every page: the head with its ways, the banner of a simulated grid, and the page itself.

use super::icon::LogoMark;
use crate::live::Live;
use crate::pages::login::SessionClose;
use crate::pages::session::session_get;
use crate::view::session::SessionView;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::components::{A, Outlet};

#[component]
pub fn Layout() -> impl IntoView {
    let session = Resource::new(|| (), |()| session_get());
    open_stream_when_signed_in(session);
    view! {
        <a class="skip-link" href="#main">"Skip to the page"</a>
        <Suspense>
            {move || Suspend::new(async move {
                let session = session.await.unwrap_or_default();
                view! { <Head session/> }
            })}
        </Suspense>
        <main id="main" class="page"><Outlet/></main>
        <footer class="foot"><p>"Hostgrid keeps every virtual machine on a node that can carry it."</p></footer>
    }
    .into_any()
}

/// Effects run in the browser only, when the page is alive.
fn open_stream_when_signed_in(session: Resource<Result<SessionView, crate::AppError>>) {
    let live = use_context::<Live>();
    Effect::new(move |_| {
        let is_signed_in = session.get().and_then(Result::ok).is_some_and(|session| session.email.is_some());
        if let (true, Some(live)) = (is_signed_in, live) {
            live.open();
        }
    });
}

/// What every page of a simulated grid says.
pub(crate) const SIMULATED: (&str, &str) =
    ("Simulated grid.", " These nodes and VMs live in memory only; no hypervisor runs behind this page.");

#[component]
fn Head(session: SessionView) -> impl IntoView {
    let banner = session.is_simulated.then(|| {
        view! {
            <p class="banner" data-simulated="">
                <strong>{SIMULATED.0}</strong>
                {SIMULATED.1}
            </p>
        }
    });
    let admin = session.is_admin.then(|| {
        view! {
            <A href="/admin" exact=true>"Capacity"</A>
            <A href="/admin/nodes">"Nodes"</A>
            <A href="/admin/operations">"Operations"</A>
            <A href="/admin/drift">"Drift"</A>
        }
    });
    let signed_in = session.email.map(|email| {
        view! {
            <nav class="head-ways" aria-label="Main">
                {admin}
                <A href="/vms">"VMs"</A>
            </nav>
            <form class="head-session" method="post" action=SessionClose::url()>
                <span class="head-email">{email}</span>
                <button type="submit" class="button button-quiet">"Sign out"</button>
            </form>
        }
    });
    view! {
        {banner}
        <header class="head">
            <a class="head-brand" href="/"><LogoMark/>"Hostgrid"</a>
            {signed_in}
        </header>
    }
    .into_any()
}
