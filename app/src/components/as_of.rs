//! When what is shown was so; and, where the stream of changes is lost, how old it is by now.

use crate::live::{Live, Stream};
use crate::view::amounts;
use leptos::prelude::*;

#[component]
pub fn AsOf(
    /// The server's time, as text.
    at: String,
) -> impl IntoView {
    let stream = use_context::<Live>().map(|live| live.stream);
    let lost = move || match stream.map(|stream| stream.get()) {
        Some(Stream::Lost { silent_s }) => Some(silent_s),
        _ => None,
    };
    let words = move || {
        lost().map_or_else(String::new, |silent_s| {
            format!("Live updates are lost. This is at least {} old.", amounts::duration(silent_s * 1000))
        })
    };
    let is_live = move || matches!(stream.map(|stream| stream.get()), Some(Stream::Open));
    view! {
        <p class="as-of" class:as-of-lost=move || lost().is_some() class:as-of-live=is_live>
            <span class="as-of-dot" aria-hidden="true"></span>
            <span>"As of " <time>{at}</time></span>
            <strong class="as-of-words" aria-live="polite">{words}</strong>
        </p>
    }
    .into_any()
}
