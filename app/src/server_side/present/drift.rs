//! Drift in words.

use super::time;
use crate::view::drift::{DriftLine, DriftListView};
use manager::drift::{Drift, DriftKind};

pub fn list(drift: Vec<Drift>) -> DriftListView {
    DriftListView { drift: drift.into_iter().map(line).collect(), as_of: time::moment(time::now()) }
}

fn line(drift: Drift) -> DriftLine {
    let kind = match drift.kind {
        DriftKind::Stranger => "stranger",
        DriftKind::Elsewhere => "elsewhere",
        DriftKind::LeftDefinition => "left-definition",
        DriftKind::LeftDisk => "left-disk",
        DriftKind::Missing => "missing",
        DriftKind::Size => "size",
        DriftKind::StandsStill => "stands-still",
    };
    DriftLine {
        kind: kind.to_owned(),
        node: drift.node_name,
        vm_id: drift.vm.to_string(),
        can_record: matches!(drift.kind, DriftKind::Elsewhere | DriftKind::Missing | DriftKind::Size),
        vm_name: drift.vm_name,
        what: drift.what,
        since: time::short(drift.since),
    }
}
