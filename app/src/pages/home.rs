//! `/`: on to the VMs.

use crate::AppError;
use crate::components::loaded::loaded;
use leptos::prelude::*;

#[server(endpoint = "home_get")]
pub async fn home_get() -> Result<(), AppError> {
    crate::server_side::door::start().await
}

#[component]
pub fn HomePage() -> impl IntoView {
    let home = Resource::new(|| (), |()| home_get());
    loaded(home, |()| view! { <p class="loading">"On to your VMs…"</p> })
}
