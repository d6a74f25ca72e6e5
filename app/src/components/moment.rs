//! A point in time: in UTC as the server writes it, and in the reader's own time zone once scripts run.

use crate::live::zone;
use crate::view::schedule::Moment;
use leptos::prelude::*;

#[component]
pub fn Time(at: Moment) -> impl IntoView {
    let here = RwSignal::new(None::<String>);
    let Moment { utc, machine } = at;
    let moment = machine.clone();
    Effect::new(move |_| here.set(zone::written(&moment)));
    view! { <time datetime=machine>{move || here.get().unwrap_or_else(|| utc.clone())}</time> }
}
