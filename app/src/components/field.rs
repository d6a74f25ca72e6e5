//! A labelled field with its hint and with what is wrong with what was typed.

use crate::AppError;
use crate::form::{self, FormReply, Problem};
use crate::live::zone;
use leptos::prelude::*;
use std::sync::Arc;

/// The problems of a form: those of the last answer of its door, else those that came back without scripts.
pub fn problems(
    reply: impl Fn() -> Option<Result<FormReply, AppError>> + Send + Sync + 'static,
    flash: Vec<Problem>,
) -> Signal<Vec<Problem>> {
    Signal::derive(move || match reply() {
        Some(Ok(reply)) => reply.problems,
        Some(Err(error)) => vec![Problem::whole(error.to_string())],
        None => flash.clone(),
    })
}

/// What is wrong with the form as a whole, and with fields that it doesn't show.
#[component]
pub fn FormProblems(problems: Signal<Vec<Problem>>, fields: &'static [&'static str]) -> impl IntoView {
    view! {
        <div class="form-problems" role="alert">
            {move || {
                form::others(&problems.get(), fields)
                    .into_iter()
                    .map(|message| view! { <p>{message}</p> })
                    .collect_view()
            }}
        </div>
    }
    .into_any()
}

/// What is wrong with one field.
#[component]
pub fn FieldProblems(problems: Signal<Vec<Problem>>, field: &'static str) -> impl IntoView {
    view! {
        <div class="field-problems" id=format!("{field}-problems")>
            {move || {
                form::messages(&problems.get(), field)
                    .into_iter()
                    .map(|message| view! { <p>{message}</p> })
                    .collect_view()
            }}
        </div>
    }
    .into_any()
}

/// What a form's address says is its fields: the router's form would add the button, which has no name, as `&=`.
pub fn without_button() -> Arc<dyn Fn(&leptos::web_sys::FormData)> {
    Arc::new(|fields| fields.delete(""))
}

/// What every field has around what is typed or chosen: its label, its hint, and what is wrong with it.
#[component]
fn Labelled(
    #[prop(into)] label: String,
    name: &'static str,
    hint: AnyView,
    problems: Signal<Vec<Problem>>,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="field" class:field-wrong=move || is_wrong(problems, name)>
            <label for=name>{label}</label>
            {children()}
            <p class="field-hint" id=format!("{name}-hint")>{hint}</p>
            <FieldProblems problems field=name/>
        </div>
    }
    .into_any()
}

fn is_wrong(problems: Signal<Vec<Problem>>, name: &str) -> bool {
    !form::messages(&problems.get(), name).is_empty()
}

/// Where a field's hint and its problems are found.
fn described_by(name: &str) -> String {
    format!("{name}-hint {name}-problems")
}

/// A line of text.
#[component]
pub fn Field(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(into)] value: String,
    #[prop(optional)] kind: Option<&'static str>,
    #[prop(optional, into)] hint: String,
    #[prop(optional)] autocomplete: Option<&'static str>,
    /// `numeric` brings up digits on a phone.
    #[prop(optional)]
    input_mode: Option<&'static str>,
    /// What is to stand in it whenever this changes, whatever was typed meanwhile.
    #[prop(optional)]
    follows: Option<Signal<String>>,
    #[prop(into)] problems: Signal<Vec<Problem>>,
) -> impl IntoView {
    let input = NodeRef::<leptos::html::Input>::new();
    if let Some(follows) = follows {
        Effect::new(move |before: Option<()>| {
            let wanted = follows.get();
            if let (Some(()), Some(input)) = (before, input.get_untracked()) {
                input.set_value(&wanted);
            }
        });
    }
    view! {
        <Labelled label name hint=hint.into_any() problems>
            <input
                node_ref=input
                id=name
                name=name
                type=kind.unwrap_or("text")
                value=value
                autocomplete=autocomplete.unwrap_or("off")
                inputmode=input_mode
                aria-invalid=move || is_wrong(problems, name).then_some("true")
                aria-describedby=described_by(name)
            />
        </Labelled>
    }
    .into_any()
}

/// A time, in the reader's own time zone where scripts run, else in UTC. `value` is UTC; `zone_name` is the field that says
/// by how many minutes what is typed is ahead of it.
#[component]
pub fn TimeField(
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
    let given = value.clone();
    // A browser may have put back what was typed before the page was loaded again.
    Effect::new(move |_| {
        if let Some(input) = input.get()
            && input.value() == given
            && let Some(here) = zone::local(&given)
        {
            input.set_value(&here);
        }
        with_scripts.set(true);
        look();
    });
    let minutes = move || ahead.get().map(|ahead| ahead.to_string()).unwrap_or_default();
    let hint = move || zone::hint(with_scripts.get(), ahead.get());
    view! {
        <Labelled label name hint=hint.into_any() problems>
            <input
                node_ref=input
                id=name
                name=name
                type="datetime-local"
                value=value
                autocomplete="off"
                on:input=move |_| look()
                aria-invalid=move || is_wrong(problems, name).then_some("true")
                aria-describedby=described_by(name)
            />
            <input type="hidden" name=zone_name value="" prop:value=minutes/>
        </Labelled>
    }
    .into_any()
}

/// Several lines of text.
///
/// The framework writes the children of a `<textarea>` as they are, so the text is given as HTML that stands for it: the
/// browser reads the same text back, and coming alive has no children to walk.
#[component]
pub fn TextField(
    label: &'static str,
    name: &'static str,
    #[prop(into)] value: String,
    #[prop(optional, into)] hint: String,
    #[prop(into)] problems: Signal<Vec<Problem>>,
) -> impl IntoView {
    view! {
        <Labelled label name hint=hint.into_any() problems>
            <textarea
                id=name
                name=name
                rows="4"
                spellcheck="false"
                autocomplete="off"
                aria-describedby=described_by(name)
                inner_html=form::escaped(&value)
            ></textarea>
        </Labelled>
    }
    .into_any()
}

/// One of several. Each choice is its value and what is shown.
#[component]
pub fn SelectField(
    label: &'static str,
    name: &'static str,
    #[prop(into)] value: String,
    choices: Vec<(String, String)>,
    #[prop(optional, into)] hint: String,
    #[prop(into)] problems: Signal<Vec<Problem>>,
) -> impl IntoView {
    let choices = choices
        .into_iter()
        .map(|(choice, text)| {
            let is_chosen = choice == value;
            view! { <option value=choice selected=is_chosen>{text}</option> }
        })
        .collect_view();
    view! {
        <Labelled label name hint=hint.into_any() problems>
            <select id=name name=name aria-describedby=described_by(name)>
                {choices}
            </select>
        </Labelled>
    }
    .into_any()
}

/// A tick. Whether it is ticked belongs to the page: a view that is made anew by news from the grid keeps it.
#[component]
pub fn TickField(label: &'static str, name: &'static str, ticked: RwSignal<bool>) -> impl IntoView {
    // What is bound is set by scripts; the attribute says it where there are none.
    let at_first = ticked.get_untracked();
    view! {
        <label class="tick">
            <input type="checkbox" name=name value="true" checked=at_first bind:checked=ticked/>
            <span>{label}</span>
        </label>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_into_several_lines_is_text_in_the_servers_page_and_never_markup() {
        Owner::new().with(|| {
            let value = "</textarea><h1>Injected</h1>&amp;\n<script>";
            let problems = Signal::derive(Vec::new);
            let html = view! { <TextField label="SSH keys" name="keys" value problems/> }.to_html();
            let text = "&lt;/textarea&gt;&lt;h1&gt;Injected&lt;/h1&gt;&amp;amp;\n&lt;script&gt;</textarea>";
            assert!(html.contains(text), "{html}");
            assert!(!html.contains("<h1>") && !html.contains("<script"), "{html}");
        });
    }
}
