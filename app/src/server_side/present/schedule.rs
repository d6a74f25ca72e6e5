//! Work that was agreed to for later, in words; and what was typed about its window, read and handed on.

use super::time;
use crate::AppError;
use crate::form::{FormReply, Problem};
use crate::server_side::door::{Door, refuse};
use crate::view::amounts;
use crate::view::plan::Typed;
use crate::view::schedule::{CLOSES, FORCE_OFF, Moment, OPENS, ScheduleView, TypedWindow};
use grid::plan::{Plan, PlanKind};
use grid::schedule::{ResizeAgreed, ScheduledResize};
use grid::window::Window;
use grid::{UnixMillis, VmId};
use manager::ManagerError;
use manager::vms::{MoveWhen, ScheduleRequest};

/// How many a VM's page tells of.
const KEPT: u32 = 10;

/// A VM's, newest first.
pub async fn list(door: &Door, vm: VmId) -> Result<Vec<ScheduleView>, AppError> {
    let found = door.pass(door.manager.vm_schedules(&door.principal, vm, KEPT).await)?;
    Ok(found.into_iter().map(view).collect())
}

fn view(it: ScheduledResize) -> ScheduleView {
    ScheduleView {
        id: it.id.to_string(),
        vm: it.vm.to_string(),
        to: amounts::size(it.agreed.to),
        opens: moment(it.window.opens),
        closes: moment(it.window.closes),
        consent: consent(&it.agreed),
        state: it.state,
        reason: it.reason,
        operation: it.operation.map(|operation| operation.to_string()),
    }
}

pub fn moment(at: UnixMillis) -> Moment {
    Moment { utc: time::moment(at), machine: time::machine(at) }
}

/// What may happen on the way.
fn consent(agreed: &ResizeAgreed) -> String {
    let most = agreed.consent.most;
    let parts = [
        (most == PlanKind::MakeRoom).then_some("moves of other VMs first"),
        (most > PlanKind::InPlaceRestart).then_some("a move"),
        agreed.consent.interrupts.then_some("a restart"),
        agreed.force_off.then_some("forcing it off"),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return "Agreed to: no move and no restart.".to_owned();
    }
    format!("Agreed to, should it take that: {}.", parts.join(", "))
}

/// Schedules the plan as it came back from the page.
pub async fn agree(
    door: &Door,
    id: VmId,
    (plan, key): (&str, &str),
    typed: &TypedWindow,
    (or_a_restart, force_off): (bool, bool),
) -> Result<FormReply, AppError> {
    let (Ok(plan), Ok(key)) = (serde_json::from_str::<Plan>(plan), key.parse()) else {
        door.pass(door.manager.vm_get(&door.principal, id).await)?;
        let problem = Problem::whole("This plan can't be read, so nothing was scheduled. Ask for it again.");
        return door.reply_problems(vec![problem], "resize", &format!("/vms/{id}/resize"), &[]).await;
    };
    let page = format!("/vms/{id}/resize/later{}", Typed::query(plan.to));
    let window = match window(typed) {
        Ok(window) => window,
        Err(problems) => {
            door.pass(door.manager.vm_get(&door.principal, id).await)?;
            return door.reply_problems(problems, "later", &page, &typed.typed()).await;
        }
    };
    let request = ScheduleRequest { id: key, plan, window, or_a_restart, force_off };
    let done = door.manager.vm_schedule(&door.principal, id, request).await.map_err(in_form);
    door.reply(done.map(|_| format!("/vms/{id}")), "later", &page, &typed.typed()).await
}

/// What is scheduled is not started any more.
pub async fn cancel(door: &Door, id: VmId, schedule: &str) -> Result<FormReply, AppError> {
    let schedule = door.id(schedule)?;
    let page = format!("/vms/{id}");
    let done = door.manager.vm_schedule_cancel(&door.principal, id, schedule).await;
    door.reply(done.map(|()| page.clone()), "vm", &page, &[]).await
}

/// Consent to a move with a restart, now, within the window, or taken back.
pub async fn move_consent(
    door: &Door,
    id: VmId,
    drain: &str,
    (when, typed): (&str, &TypedWindow),
    force_off: bool,
) -> Result<FormReply, AppError> {
    let drain = door.id(drain)?;
    let (vm_page, page) = (format!("/vms/{id}"), format!("/vms/{id}/move"));
    let typed_again = [&typed.typed()[..], &[(FORCE_OFF, force_off.to_string())]].concat();
    let when = match when {
        "now" => MoveWhen::Now { force_off },
        "never" => MoveWhen::Never,
        "within" => match window(typed) {
            Ok(window) => MoveWhen::Within { window, force_off },
            Err(problems) => {
                door.pass(door.manager.vm_get(&door.principal, id).await)?;
                return door.reply_problems(problems, "move", &page, &typed_again).await;
            }
        },
        _ => {
            door.pass(door.manager.vm_get(&door.principal, id).await)?;
            return Err(refuse(AppError::BadRequest));
        }
    };
    let done = door.manager.vm_move_consent(&door.principal, id, drain, when).await.map_err(in_form);
    door.reply(done.map(|()| vm_page), "move", &page, &typed_again).await
}

/// A window to begin with: from the next full hour, for four hours.
pub fn proposed(now: UnixMillis) -> TypedWindow {
    const HOUR: i64 = 60 * 60 * 1000;
    let opens = now.0.div_euclid(HOUR).saturating_add(1).saturating_mul(HOUR);
    let at = |after: i64| time::in_field(UnixMillis(opens.saturating_add(after)));
    TypedWindow { opens: at(0), closes: at(4 * HOUR), ..TypedWindow::default() }
}

/// The window that was agreed to, as far as it is still to come, for whoever changes it; else one to begin with.
pub fn proposed_instead(agreed: Option<Window>, now: UnixMillis) -> TypedWindow {
    match agreed.filter(|agreed| !agreed.is_over(now)) {
        Some(Window { opens, closes }) => TypedWindow {
            opens: time::in_field(opens.max(now)),
            closes: time::in_field(closes),
            ..TypedWindow::default()
        },
        None => proposed(now),
    }
}

/// What was typed as a window, or what is wrong with each field.
pub fn window(typed: &TypedWindow) -> Result<Window, Vec<Problem>> {
    match (time::read(&typed.opens, &typed.opens_zone), time::read(&typed.closes, &typed.closes_zone)) {
        (Ok(opens), Ok(closes)) => Ok(Window { opens, closes }),
        (opens, closes) => {
            let problems = [(OPENS, opens.err()), (CLOSES, closes.err())];
            Err(problems.into_iter().filter_map(|(field, wrong)| Some(Problem::of(field, wrong?))).collect())
        }
    }
}

/// The manager's refusal of a window beside the form's field.
pub fn in_form(error: ManagerError) -> ManagerError {
    match error {
        ManagerError::Invalid { field: "opens", message } => ManagerError::Invalid { field: OPENS, message },
        ManagerError::Invalid { field: "closes", message } => ManagerError::Invalid { field: CLOSES, message },
        ManagerError::Invalid { field: "plan" | "id", message } => ManagerError::Unavailable { reason: message },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::Size;
    use grid::plan::Consent;

    #[test]
    fn what_was_agreed_to_is_said_in_words() {
        let said = |most, interrupts, force_off| {
            let consent = Consent { most, interrupts };
            super::consent(&ResizeAgreed { from: Size::SMALLEST, to: Size::LARGEST, consent, force_off })
        };
        assert_eq!(said(PlanKind::InPlaceLive, false, false), "Agreed to: no move and no restart.");
        assert_eq!(said(PlanKind::InPlaceRestart, true, false), "Agreed to, should it take that: a restart.");
        assert_eq!(
            said(PlanKind::MakeRoom, true, true),
            "Agreed to, should it take that: moves of other VMs first, a move, a restart, forcing it off."
        );
    }

    #[test]
    fn a_window_of_four_hours_from_the_next_full_hour_is_proposed_and_can_be_chosen() {
        let now = UnixMillis(1_790_163_727_000);
        let proposed = proposed(now);
        assert_eq!([&*proposed.opens, &*proposed.closes], ["2026-09-23T12:00", "2026-09-23T16:00"]);
        assert_eq!(window(&proposed).unwrap().check(now), Ok(()));
    }

    #[test]
    fn the_window_that_was_agreed_to_is_proposed_until_it_is_over_and_can_be_chosen_again() {
        const HOUR: i64 = 60 * 60 * 1000;
        let now = UnixMillis(1_790_163_727_000);
        let proposed = |opens: i64, closes: i64| {
            let agreed = Window { opens: UnixMillis(now.0 + opens), closes: UnixMillis(now.0 + closes) };
            proposed_instead(Some(agreed), now)
        };
        let later = proposed(24 * HOUR, 26 * HOUR);
        assert_eq!([&*later.opens, &*later.closes], ["2026-09-24T11:42", "2026-09-24T13:42"]);
        let open = proposed(-HOUR, HOUR);
        assert_eq!([&*open.opens, &*open.closes], ["2026-09-23T11:42", "2026-09-23T12:42"]);
        for typed in [later, open] {
            assert_eq!(window(&typed).unwrap().check(now), Ok(()), "{typed:?}");
        }
        for other in [proposed(-2 * HOUR, -HOUR), proposed_instead(None, now)] {
            assert_eq!(other, super::proposed(now));
        }
    }

    #[test]
    fn each_time_is_read_in_its_own_zone_and_nonsense_is_told_beside_its_field() {
        let typed = |opens: &str, opens_zone: &str, closes: &str| TypedWindow {
            opens: opens.to_owned(),
            opens_zone: opens_zone.to_owned(),
            closes: closes.to_owned(),
            closes_zone: "60".to_owned(),
        };
        let read = window(&typed("2026-10-24T12:00", "120", "2026-10-26T12:00")).unwrap();
        assert_eq!(read.closes.0 - read.opens.0, 49 * 60 * 60 * 1000, "summer time ends on the way");
        let wrong = window(&typed("tomorrow", "120", "")).unwrap_err();
        assert_eq!(wrong.iter().map(|each| each.field.as_str()).collect::<Vec<_>>(), [OPENS, CLOSES]);
    }
}
