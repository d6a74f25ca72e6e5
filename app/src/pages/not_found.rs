//! Every address where there is nothing.

use crate::AppError;
use crate::components::error_panel::ErrorPanel;
use crate::components::loaded::loaded;
use leptos::prelude::*;
use leptos_meta::Title;

/// Says that there is nothing here; sets the status on the way.
#[server(endpoint = "nothing_get")]
pub async fn nothing_get() -> Result<(), AppError> {
    crate::server_side::door::nothing().await
}

#[component]
pub fn NotFoundPage() -> impl IntoView {
    let nothing = Resource::new(|| (), |()| nothing_get());
    view! {
        <Title text="Not found"/>
        {loaded(nothing, |()| view! { <ErrorPanel error=AppError::NotFound/> })}
    }
    .into_any()
}
