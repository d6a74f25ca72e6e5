//! Operations in words.

use super::time;
use crate::AppError;
use crate::server_side::door::{Door, OperationFilter};
use crate::view::amounts;
use crate::view::operation::{OperationFigures, OperationLine, OperationListView, OperationPageView, StepView};
use grid::UnixMillis;
use grid::operation::{Operation, OperationKind, OperationStep, StepState};
use manager::operations::OperationView;

/// The page of one operation.
pub fn page(view: OperationView) -> OperationPageView {
    let operation = &view.operation;
    let plan = match &operation.kind {
        OperationKind::Resize { plan, .. } => Some(plan),
        _ => None,
    };
    OperationPageView {
        plan: plan.map(|plan| plan.kind.as_str().to_owned()),
        expected: plan
            .map(|plan| (amounts::expected(plan.estimate.duration_ms), amounts::expected(plan.estimate.downtime_ms))),
        reason: operation.reason.clone(),
        detail: operation.detail.clone(),
        steps: operation.steps.iter().map(step).collect(),
        // Counted at the end.
        called: operation.ended_at.map(|_| amounts::duration(operation.called_ms)),
        figures: OperationFigures {
            duration_ms: operation.ended_at.map(|ended| ended.since(operation.created_at)),
            called_ms: operation.called_ms,
            downtime_ms: operation.downtime_ms,
            source: view.source_name.clone(),
            destination: view.destination_name.clone(),
        },
        started_at: time::moment(operation.created_at),
        ended_at: operation.ended_at.map(time::moment),
        can_decide: view.can_decide,
        cannot_cancel: view.cannot_cancel.clone(),
        as_of: time::moment(time::now()),
        line: line_of_view(&view),
    }
}

/// The list of all that the person may see, newest first.
pub async fn list(door: &Door, limit: u32) -> Result<OperationListView, AppError> {
    Ok(OperationListView {
        operations: lines(door, OperationFilter { limit, ..OperationFilter::default() }).await?,
        as_of: time::moment(time::now()),
    })
}

/// The operations that pass the filter, as lines.
pub async fn lines(door: &Door, filter: OperationFilter) -> Result<Vec<OperationLine>, AppError> {
    let views = door.pass(door.manager.operation_list(&door.principal, filter).await)?;
    Ok(views.iter().map(line_of_view).collect())
}

/// An operation in one line, with where it happens if the reader may know.
pub fn line_of_view(view: &OperationView) -> OperationLine {
    let way = match (&view.source_name, &view.destination_name) {
        (Some(source), Some(destination)) => Some(format!("{source} → {destination}")),
        (None, Some(node)) | (Some(node), None) => Some(format!("on {node}")),
        (None, None) => None,
    };
    let name = view.vm_name.clone().unwrap_or_else(|| "a deleted VM".to_owned());
    OperationLine { way, ..line(&view.operation, &name) }
}

/// An operation in one line, without where it happens.
pub fn line(operation: &Operation, vm_name: &str) -> OperationLine {
    OperationLine {
        id: operation.id.to_string(),
        title: title(&operation.kind),
        vm_id: operation.kind.vm().to_string(),
        vm_name: vm_name.to_owned(),
        state: operation.state,
        started_at: time::short(operation.created_at),
        took: operation.ended_at.map(|ended| amounts::duration(ended.since(operation.created_at))),
        downtime: operation.downtime_ms.map(amounts::duration),
        way: None,
    }
}

fn title(kind: &OperationKind) -> String {
    match kind {
        OperationKind::Deploy { size, .. } => format!("Deploy {}", amounts::size(*size)),
        OperationKind::Start { .. } => "Start".to_owned(),
        OperationKind::Stop { force: false, .. } => "Stop".to_owned(),
        OperationKind::Stop { force: true, .. } => "Stop, forced if need be".to_owned(),
        OperationKind::Delete { .. } => "Delete".to_owned(),
        OperationKind::Rebuild { .. } => "Rebuild from its image".to_owned(),
        OperationKind::Unreadable { .. } => "Unknown to this version".to_owned(),
        OperationKind::Resize { plan, .. } if plan.to == plan.from => "Move".to_owned(),
        OperationKind::Resize { plan, .. } => format!("Resize to {}", amounts::size(plan.to)),
    }
}

fn step(step: &OperationStep) -> StepView {
    // The end of a step that is taken back is that of its undo, which began nobody knows when.
    let has_own_end = matches!(step.state, StepState::Done | StepState::Failed);
    let took = |from: UnixMillis| step.ended_at.map(|ended| amounts::duration(ended.since(from)));
    StepView {
        title: sentence(&step.name),
        name: step.name.clone(),
        state: step.state,
        took: step.started_at.filter(|_| has_own_end).and_then(took),
        note: step.note.clone(),
    }
}

/// `copy-disk` as `Copy disk`.
fn sentence(word: &str) -> String {
    let spaced = word.replace(['-', '_'], " ").replace("vcpus", "vCPUs").replace("vm", "VM");
    let mut letters = spaced.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_was_undone_tells_no_time_that_was_not_its_own() {
        let took = |state| {
            let (started_at, ended_at) = (Some(UnixMillis(1_000)), Some(UnixMillis(61_000)));
            let name = "reach-nodes".to_owned();
            step(&OperationStep { position: 0, name, state, started_at, ended_at, note: None }).took
        };
        assert_eq!(
            [StepState::Done, StepState::Failed].map(took),
            [Some("1 min".to_owned()), Some("1 min".to_owned())]
        );
        assert_eq!([StepState::UndoStarted, StepState::Undone, StepState::Started].map(took), [None, None, None]);
    }

    #[test]
    fn a_steps_word_becomes_a_sentence() {
        assert_eq!(sentence("copy-disk"), "Copy disk");
        assert_eq!(sentence(""), "");
    }
}
