//! How long the steps may take that carry a disk.

use super::rig::size;
use crate::operations::steps_of;
use crate::options::Pace;
use grid::operation::OperationKind;
use grid::plan::{Estimate, Plan, PlanKind};
use grid::{NodeId, VmId};
use std::time::Duration;
use uuid::Uuid;

/// The longest deadline of the steps of a move that is expected to take this long.
fn longest_deadline(kind: PlanKind, expected: Duration) -> Duration {
    let duration_ms = expected.as_millis().try_into().unwrap();
    let plan = Plan {
        vm: VmId(Uuid::from_u128(1)),
        kind,
        from: size(1, 512, 20_000),
        to: size(2, 1024, 20_000),
        source: NodeId(Uuid::from_u128(2)),
        destination: Some(NodeId(Uuid::from_u128(3))),
        running: true,
        estimate: Estimate { duration_ms, downtime_ms: 0 },
        generation: 1,
        room: None,
    };
    let steps = steps_of(&OperationKind::Resize { plan, force_off: false, not_after: None });
    steps.iter().map(|step| step.deadline(&Pace::default())).max().unwrap()
}

#[test]
fn a_move_that_is_expected_to_take_long_may_take_longer_still() {
    for kind in [PlanKind::MoveLive, PlanKind::MoveLiveRestart, PlanKind::MoveCold] {
        assert_eq!(longest_deadline(kind, Duration::from_mins(5)), Duration::from_hours(1), "{kind:?}");
        assert_eq!(longest_deadline(kind, Duration::from_hours(10)), Duration::from_hours(40), "{kind:?}");
        // A rate of nothing makes this of an estimate; it is no reason to fall over.
        assert!(longest_deadline(kind, Duration::from_millis(u64::MAX)) > Duration::from_hours(40), "{kind:?}");
    }
}
