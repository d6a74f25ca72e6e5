//! `/vms/{id}/move`: the node that the VM is on is to be emptied, and the VM can't be moved while it runs: its owner
//! agrees to a restart, now or in a window, or takes that back.

use super::address;
use super::session::flash_take;
use super::vm::vm_get;
use crate::AppError;
use crate::components::field::{FormProblems, TickField, problems};
use crate::components::loaded::loaded;
use crate::components::moment::Time;
use crate::components::window::WindowFields;
use crate::form::{Flash, FormReply, Problem};
use crate::view::schedule::{CLOSES, FORCE_OFF, OPENS, TypedWindow};
use crate::view::vm::{MoveAskedView, MoveGivenView};
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_meta::Title;

/// `when` is `now`, `within` the window, or `never`.
#[server(endpoint = "vm_move_consent")]
pub async fn vm_move_consent(
    #[server(default)] id: String,
    #[server(default)] drain: String,
    #[server(default)] when: String,
    #[server(default)] window: TypedWindow,
    #[server(default)] force_off: bool,
) -> Result<FormReply, AppError> {
    let door = crate::server_side::door::Door::open().await?;
    let vm = door.id(&id)?;
    crate::server_side::present::schedule::move_consent(&door, vm, &drain, (&when, &window), force_off).await
}

#[component]
pub fn VmMovePage() -> impl IntoView {
    let id = address::part("id");
    let consent = ServerAction::<VmMoveConsent>::new();
    // Drawn once, so that nothing takes the fields away under whoever fills them in.
    let vm = Resource::new(
        move || id.get(),
        |id| async move { Ok((vm_get(id).await?, flash_take("move".to_owned()).await?)) },
    );
    view! {
        <Title text="Move a VM"/>
        {loaded(vm, move |(view, flash)| {
            let problems = problems(move || consent.value().get(), flash.problems.clone());
            let (id, name) = (view.vm.id.clone(), view.vm.name.clone());
            let asked = match view.move_asked {
                Some(asked) => view! { <Asked id=id.clone() asked flash problems consent/> }.into_any(),
                None => view! { <p data-nothing-asked="">"Nobody asks for this VM to be moved."</p> }.into_any(),
            };
            view! {
                <section class="card narrow">
                    <p class="crumbs"><a href=format!("/vms/{id}")>{name.clone()}</a></p>
                    <h1>{format!("Move {name}")}</h1>
                    {asked}
                </section>
            }
        })}
    }
    .into_any()
}

/// What is asked and what was agreed to; also on the VM's page.
#[component]
pub fn MoveSentences(asked: MoveAskedView) -> impl IntoView {
    let given = asked.given.map(|given| view! { <Given given/> });
    view! {
        <p>
            "The node that this VM runs on is to be emptied. The VM can't be moved while it runs: it would be shut down, "
            "moved to another node with its data and its address, and started there. "
            <strong>{format!("Expected downtime: {}.", asked.downtime)}</strong>
            " Without your consent it stays as it is."
        </p>
        {given}
    }
    .into_any()
}

#[component]
fn Given(given: MoveGivenView) -> impl IntoView {
    let over = given.is_over.then_some(" That is over, and it was not moved: agree to another time.");
    let force_off = given.force_off.then_some(" It may be forced off.");
    view! {
        <p data-move-agreed="">
            "Agreed to: between " <Time at=given.opens/> " and " <Time at=given.closes/> "." {force_off} {over}
        </p>
    }
    .into_any()
}

#[component]
fn Asked(
    id: String,
    asked: MoveAskedView,
    flash: Flash,
    problems: Signal<Vec<Problem>>,
    consent: ServerAction<VmMoveConsent>,
) -> impl IntoView {
    let window = TypedWindow::of(&flash, &asked.proposed);
    let agreed = asked.given.as_ref().is_some_and(|given| given.force_off && !given.is_over);
    let force_off = RwSignal::new(flash.value_or(FORCE_OFF, &agreed.to_string()) == "true");
    let is_pending = move || consent.pending().get();
    let [never, within, now] =
        ["never", "within", "now"].map(|when| view! { <Carried id=id.clone() drain=asked.drain.clone() when/> });
    let take_back = asked.given.is_some().then(|| {
        view! {
            <ActionForm action=consent>
                {never}
                <button type="submit" class="button" disabled=is_pending>"Take it back"</button>
            </ActionForm>
        }
    });
    view! {
        <FormProblems problems fields=&[OPENS, CLOSES]/>
        <MoveSentences asked/>
        {take_back}
        <ActionForm action=consent>
            {within}
            <WindowFields typed=window problems/>
            <TickField label="Force off if the guest does not shut down in time" name=FORCE_OFF ticked=force_off/>
            <button type="submit" class="button button-main" disabled=is_pending>"Agree to this time"</button>
        </ActionForm>
        <ActionForm action=consent>
            {now}
            <button type="submit" class="button" disabled=is_pending>"Move it now"</button>
            <p class="field-hint">"As soon as it is its turn, within a day. It is not forced off."</p>
        </ActionForm>
    }
    .into_any()
}

/// What each of the forms says besides what is typed.
#[component]
fn Carried(id: String, drain: String, when: &'static str) -> impl IntoView {
    view! {
        <input type="hidden" name="id" value=id/>
        <input type="hidden" name="drain" value=drain/>
        <input type="hidden" name="when" value=when/>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::schedule::Moment;

    fn asked(given: Option<bool>) -> MoveAskedView {
        let at = |hour: u32| Moment { utc: format!("{hour}:00 UTC"), machine: format!("2026-12-24T{hour}:00:00Z") };
        let given = given.map(|is_over| MoveGivenView { opens: at(20), closes: at(22), is_over, force_off: true });
        MoveAskedView {
            drain: "a-drain".to_owned(),
            downtime: "about 12 s".to_owned(),
            given,
            proposed: TypedWindow::default(),
        }
    }

    #[test]
    fn what_may_be_forced_off_is_ticked_as_it_was_agreed_to_or_typed() {
        Owner::new().with(|| {
            let ticked = |given: Option<bool>, typed: Option<&str>| {
                let values = typed.map(|typed| (FORCE_OFF.to_owned(), typed.to_owned()));
                let flash = Flash { values: values.into_iter().collect(), ..Flash::default() };
                let (problems, consent) = (Signal::derive(Vec::new), ServerAction::new());
                let html = view! { <Asked id=String::new() asked=asked(given) flash problems consent/> }.to_html();
                let (_, tick) = html.split_once("type=\"checkbox\"").unwrap();
                tick.split('>').next().unwrap().contains("checked")
            };
            assert!(!ticked(None, None) && ticked(Some(false), None));
            assert!(!ticked(Some(true), None), "what was agreed to is over");
            assert!(ticked(None, Some("true")) && !ticked(Some(false), Some("false")), "typed without scripts");
        });
    }

    #[test]
    fn the_owner_reads_what_happens_and_how_long_it_is_down_and_what_was_agreed_to() {
        Owner::new().with(|| {
            let html = |given| view! { <MoveSentences asked=asked(given)/> }.to_html();
            let open = html(None);
            for part in ["is to be emptied", "Expected downtime: about 12 s.", "Without your consent it stays"] {
                assert!(open.contains(part), "{part}: {open}");
            }
            assert!(!open.contains("data-move-agreed"), "{open}");
            let agreed = html(Some(false));
            for part in ["data-move-agreed", "20:00 UTC", "22:00 UTC", "forced off"] {
                assert!(agreed.contains(part), "{part}: {agreed}");
            }
            assert!(!agreed.contains("That is over") && html(Some(true)).contains("That is over"));
        });
    }
}
