//! Moves that would be made, and how work that is made of moves goes.

use crate::components::badge::RelocationBadge;
use crate::components::operation_table::OperationTable;
use crate::view::relocation::{MoveLine, RelocationRun};
use leptos::prelude::*;

#[component]
pub fn PlannedMoves(moves: Vec<MoveLine>) -> impl IntoView {
    let is_empty = moves.is_empty();
    let moves = moves
        .into_iter()
        .map(|each| {
            view! {
                <tr data-move=each.vm.clone()>
                    <td data-label="VM">{each.vm.clone()}</td>
                    <td data-label="Nodes">{each.way}</td>
                    <td data-label="How">{each.manner}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        {is_empty.then(|| view! { <p class="empty">"There is nothing to move."</p> })}
        <div class="table-scroll" hidden=is_empty>
            <table class="stacking">
                <thead>
                    <tr><th scope="col">"VM"</th><th scope="col">"Nodes"</th><th scope="col">"How"</th></tr>
                </thead>
                <tbody>{moves}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The newest, with its moves; `children` is the form that cancels it. `titles` say that it goes on, and that it is
/// over.
#[component]
pub fn Run(newest: RelocationRun, titles: (&'static str, &'static str), children: Children) -> impl IntoView {
    let state = newest.state;
    let can_cancel = !state.is_over() && !newest.is_cancelled;
    let cancelled = !state.is_over() && newest.is_cancelled;
    let none = if state.is_over() { "Nothing was moved." } else { "Nothing was moved yet." };
    view! {
        <section class="card" data-relocation=newest.id data-state=state.as_str()>
            <h2>{if state.is_over() { titles.1 } else { titles.0 }}</h2>
            <p role="status"><RelocationBadge state/> " " {newest.reason}</p>
            {cancelled.then(|| view! { <p>"It ends after the move at hand."</p> })}
            {can_cancel.then(children)}
            <div class="card-table"><OperationTable operations=newest.moves with_vm=true none/></div>
        </section>
    }
    .into_any()
}

/// What a press on cancel does.
pub const CANCEL_HINT: &str = "It ends after the move at hand; what has moved stays where it is.";

#[cfg(test)]
mod tests {
    use super::*;
    use grid::relocation::RelocationState;

    #[test]
    fn what_is_over_and_moved_nothing_says_so_and_what_goes_on_says_not_yet() {
        Owner::new().with(|| {
            let html = |state: RelocationState| {
                let newest =
                    RelocationRun { id: String::new(), state, reason: None, is_cancelled: false, moves: Vec::new() };
                view! { <Run newest titles=("Being drained", "The last drain")>"Cancel"</Run> }.to_html()
            };
            let goes_on = html(RelocationState::Running);
            assert!(goes_on.contains("Being drained") && goes_on.contains("Nothing was moved yet."), "{goes_on}");
            for state in [RelocationState::Succeeded, RelocationState::Failed, RelocationState::Cancelled] {
                let over = html(state);
                assert!(over.contains("The last drain") && over.contains("Nothing was moved."), "{over}");
                assert!(!over.contains("Cancel<") && !over.contains("yet"), "{over}");
            }
        });
    }
}
