//! The fields of a window of time: in the reader's own time zone where scripts run, else in UTC, and said so.

use crate::components::field::FieldProblems;
use crate::form::{self, Problem};
use crate::live::zone;
use crate::view::schedule::{CLOSES, OPENS, TypedWindow};
use leptos::prelude::*;

#[component]
pub fn WindowFields(typed: TypedWindow, problems: Signal<Vec<Problem>>) -> impl IntoView {
    view! {
        <div class="window-fields">
            <TimeField label="From" name=OPENS zone_name="window[opens_zone]" value=typed.opens problems/>
            <TimeField label="Until" name=CLOSES zone_name="window[closes_zone]" value=typed.closes problems/>
        </div>
        <p class="field-hint">"Within the next 90 days, and 7 days long at most."</p>
    }
}

/// What stands below a time; `ahead` is known where scripts run and a time is chosen.
fn hint(with_scripts: bool, ahead: Option<i32>) -> String {
    match (with_scripts, ahead) {
        (false, _) => "In UTC.".to_owned(),
        (true, None) => "In your time zone.".to_owned(),
        (true, Some(ahead)) => format!("In your time zone, {} then.", zone::name(ahead)),
    }
}

#[component]
fn TimeField(
    label: &'static str,
    name: &'static str,
    zone_name: &'static str,
    value: String,
    problems: Signal<Vec<Problem>>,
) -> impl IntoView {
    let input = NodeRef::<leptos::html::Input>::new();
    let (with_scripts, ahead) = (RwSignal::new(false), RwSignal::new(None::<i32>));
    let look = move || {
        if let Some(input) = input.get_untracked() {
            ahead.set(zone::ahead_at(&input.value()));
        }
    };
    // A browser may have put back what was typed before the page was loaded again.
    Effect::new(move |_| {
        input.track();
        with_scripts.set(true);
        look();
    });
    let minutes = move || ahead.get().map(|ahead| ahead.to_string()).unwrap_or_default();
    let is_wrong = move || !form::messages(&problems.get(), name).is_empty();
    view! {
        <div class="field" class:field-wrong=is_wrong>
            <label for=name>{label}</label>
            <input
                node_ref=input
                id=name
                name=name
                type="datetime-local"
                value=value
                autocomplete="off"
                on:input=move |_| look()
                aria-invalid=move || is_wrong().then_some("true")
                aria-describedby=format!("{name}-hint {name}-problems")
            />
            <input type="hidden" name=zone_name value="" prop:value=minutes/>
            <p class="field-hint" id=format!("{name}-hint")>{move || hint(with_scripts.get(), ahead.get())}</p>
            <FieldProblems problems field=name/>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_scripts_times_are_utc_and_said_so_and_what_was_typed_comes_back_with_its_problem() {
        Owner::new().with(|| {
            let problems = Signal::derive(|| vec![Problem::of(OPENS, "This is in the past.")]);
            let typed = TypedWindow { opens: "2026-11-01T10:00".to_owned(), ..TypedWindow::default() };
            let html = view! { <WindowFields typed problems/> }.to_html();
            for part in ["value=\"2026-11-01T10:00\"", "datetime-local", "This is in the past."] {
                assert!(html.contains(part), "{part}: {html}");
            }
            assert_eq!((html.matches("In UTC.").count(), html.matches("your time zone").count()), (2, 0), "{html}");
        });
    }

    #[test]
    fn with_scripts_the_zone_of_the_chosen_time_is_named() {
        assert_eq!(hint(true, Some(120)), "In your time zone, UTC+02:00 then.");
        assert_eq!([hint(true, None), hint(false, None)], ["In your time zone.", "In UTC."]);
    }
}
