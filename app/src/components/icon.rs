//! The logo mark.

use leptos::prelude::*;

/// Four nodes, and a VM on its way from one to another.
#[component]
pub fn LogoMark() -> impl IntoView {
    view! {
        <svg class="logo-mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
            <rect class="logo-tile" x="2" y="2" width="13" height="13" rx="3.5"></rect>
            <rect class="logo-tile" x="17" y="17" width="13" height="13" rx="3.5"></rect>
            <rect class="logo-tile logo-tile-faint" x="2" y="17" width="13" height="13" rx="3.5"></rect>
            <rect class="logo-tile logo-tile-live" x="17" y="2" width="13" height="13" rx="3.5"></rect>
            <path class="logo-way" d="M8.5 8.5h11m-3.5-3.5 3.5 3.5-3.5 3.5"></path>
        </svg>
    }
    .into_any()
}
