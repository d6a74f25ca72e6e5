//! States as words with a colour; the word always says it, the colour helps.

use crate::view::node::Tone;
use crate::view::operation;
use grid::operation::OperationState;
use grid::relocation::RelocationState;
use grid::schedule::ScheduleState;
use grid::vm::VmState;
use leptos::prelude::*;

#[component]
pub fn Badge(tone: Tone, #[prop(into)] text: String) -> impl IntoView {
    view! { <span class=format!("badge badge-{}", tone.class())>{text}</span> }
}

#[component]
pub fn VmStateBadge(state: VmState, #[prop(optional)] stands_still: bool) -> impl IntoView {
    let (tone, text) = match state {
        VmState::Running if stands_still => (Tone::Bad, "Paused"),
        VmState::Running => (Tone::Good, "Running"),
        VmState::Stopped => (Tone::Neutral, "Stopped"),
        VmState::Deploying => (Tone::Warning, "Deploying"),
        VmState::Deleting => (Tone::Warning, "Deleting"),
        VmState::Unknown => (Tone::Bad, "Unknown"),
        VmState::Failed => (Tone::Bad, "Failed"),
    };
    view! { <Badge tone text/> }
}

#[component]
pub fn OperationBadge(state: OperationState) -> impl IntoView {
    let tone = match state {
        OperationState::Succeeded => Tone::Good,
        OperationState::Failed => Tone::Bad,
        OperationState::Undoing | OperationState::Waiting | OperationState::Undone => Tone::Warning,
        OperationState::Pending | OperationState::Running => Tone::Neutral,
    };
    view! { <Badge tone text=operation::state_word(state)/> }
}

#[component]
pub fn ScheduleBadge(state: ScheduleState) -> impl IntoView {
    let (tone, text) = match state {
        ScheduleState::Waiting => (Tone::Neutral, "Waiting"),
        ScheduleState::Started => (Tone::Good, "Started"),
        ScheduleState::Ended => (Tone::Bad, "Not done"),
        ScheduleState::Missed => (Tone::Bad, "Missed"),
        ScheduleState::Cancelled => (Tone::Warning, "Cancelled"),
    };
    view! { <Badge tone text/> }
}

#[component]
pub fn RelocationBadge(state: RelocationState) -> impl IntoView {
    let (tone, text) = match state {
        RelocationState::Running => (Tone::Neutral, "Running"),
        RelocationState::Succeeded => (Tone::Good, "Succeeded"),
        RelocationState::Failed => (Tone::Bad, "Failed"),
        RelocationState::Cancelled => (Tone::Warning, "Cancelled"),
    };
    view! { <Badge tone text/> }
}
