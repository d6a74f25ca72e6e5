//! The fields of a window of time.

use crate::components::field::TimeField;
use crate::form::Problem;
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
}
