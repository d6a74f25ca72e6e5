//! Resizes that were agreed to for later: the one that waits, and what became of the others.

use crate::components::badge::ScheduleBadge;
use crate::components::moment::Time;
use crate::pages::vm_resize_later::VmScheduleCancel;
use crate::view::schedule::ScheduleView;
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn Scheduled(schedule: ScheduleView, cancel: ServerAction<VmScheduleCancel>) -> impl IntoView {
    let tried = schedule.reason.map(|reason| {
        view! { <p>"Not yet: " {reason} " It is tried again until the window closes."</p> }
    });
    let id = schedule.id.clone();
    view! {
        <section class="card" data-schedule=id>
            <h2>{format!("Changes to {}", schedule.to)}</h2>
            <p>"Between " <Time at=schedule.opens/> " and " <Time at=schedule.closes/> "."</p>
            <p class="field-hint">{schedule.consent}</p>
            {tried}
            <ActionForm action=cancel>
                <input type="hidden" name="id" value=schedule.vm/>
                <input type="hidden" name="schedule" value=schedule.id/>
                <button type="submit" class="button" disabled=move || cancel.pending().get()>"Cancel the change"</button>
            </ActionForm>
        </section>
    }
    .into_any()
}

/// Those that are over, newest first.
#[component]
pub fn PastSchedules(schedules: Vec<ScheduleView>) -> impl IntoView {
    let is_empty = schedules.is_empty();
    let lines = schedules
        .into_iter()
        .map(|it| {
            let state = it.state;
            let operation = it.operation.map(|id| view! { <a href=format!("/operations/{id}")>"its operation"</a> });
            view! {
                <li data-schedule-over=state.as_str()>
                    {format!("To {}, ", it.to)} <Time at=it.opens/> " to " <Time at=it.closes/> " "
                    <ScheduleBadge state/> " " {it.reason} {operation}
                </li>
            }
        })
        .collect_view();
    view! {
        <div hidden=is_empty>
            <h3>"Scheduled changes"</h3>
            <ul class="schedules">{lines}</ul>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::schedule::Moment;
    use grid::schedule::ScheduleState;

    fn schedule(state: ScheduleState, reason: Option<&str>) -> ScheduleView {
        let at = |hour: u32| Moment {
            utc: format!("2026-12-24 {hour}:00:00 UTC"),
            machine: format!("2026-12-24T{hour}:00:00Z"),
        };
        ScheduleView {
            id: "an-id".to_owned(),
            vm: "a-vm".to_owned(),
            to: "2 vCPUs".to_owned(),
            opens: at(20),
            closes: at(22),
            consent: "Agreed to: a restart.".to_owned(),
            state,
            reason: reason.map(ToOwned::to_owned),
            operation: None,
        }
    }

    #[test]
    fn the_one_that_waits_says_when_and_why_not_yet_and_can_be_cancelled() {
        Owner::new().with(|| {
            let cancel = ServerAction::<VmScheduleCancel>::new();
            let waiting = schedule(ScheduleState::Waiting, Some("Another operation was working on the VM."));
            let html = view! { <Scheduled schedule=waiting cancel/> }.to_html();
            for part in [
                "data-schedule=\"an-id\"",
                "2026-12-24 20:00:00 UTC",
                "datetime=\"2026-12-24T22:00:00Z\"",
                "Agreed to: a restart.",
                "Another operation was working",
                "/api/vm_schedule_cancel",
                "name=\"schedule\"",
                "Cancel the change",
            ] {
                assert!(html.contains(part), "{part}: {html}");
            }
        });
    }

    #[test]
    fn what_became_of_the_others_is_told_with_the_reason() {
        Owner::new().with(|| {
            let missed = schedule(ScheduleState::Missed, Some("Hostgrid was not running"));
            let html = view! { <PastSchedules schedules=vec![missed]/> }.to_html();
            for part in ["data-schedule-over=\"missed\"", "Missed", "Hostgrid was not running"] {
                assert!(html.contains(part), "{part}: {html}");
            }
            assert!(view! { <PastSchedules schedules=Vec::new()/> }.to_html().contains("hidden"));
        });
    }
}
