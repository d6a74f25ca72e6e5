//! What a customer has agreed to: how far a plan may go that is made later.

use super::{Plan, PlanKind};
use serde::{Deserialize, Serialize};

/// To plans up to this kind in the order of disturbance, and to those that cut the guest's work off or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    pub most: PlanKind,
    pub interrupts: bool,
}

impl Consent {
    /// To this plan as it was shown.
    pub const fn to(plan: &Plan) -> Self {
        Self { most: plan.kind, interrupts: plan.interrupts() }
    }

    /// The same, and to a move or a restart besides, should it take one by then.
    #[must_use]
    pub fn or_a_restart(self) -> Self {
        Self { most: self.most.max(PlanKind::MoveCold), interrupts: true }
    }

    /// Whether this plan takes no more. A VM that is off notices no restart: in place it is as if it were changed while it
    /// runs, and a move is as one that it does not notice.
    pub fn covers(self, plan: &Plan) -> bool {
        let kind = match plan.kind {
            PlanKind::InPlaceRestart if !plan.running => PlanKind::InPlaceLive,
            PlanKind::MoveLiveRestart | PlanKind::MoveCold if !plan.running => PlanKind::MoveLive,
            kind => kind,
        };
        kind <= self.most && (self.interrupts || !plan.interrupts())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Estimate, RoomFirst};
    use super::*;
    use crate::{NodeId, Size, VmId};
    use uuid::Uuid;

    fn plan(kind: PlanKind, running: bool) -> Plan {
        Plan {
            vm: VmId(Uuid::nil()),
            kind,
            from: Size::SMALLEST,
            to: Size::LARGEST,
            source: NodeId(Uuid::nil()),
            destination: None,
            running,
            estimate: Estimate { duration_ms: 1, downtime_ms: 1 },
            generation: 1,
            room: None,
        }
    }

    #[test]
    fn who_agreed_to_a_live_move_agreed_to_no_restart_unless_that_was_said() {
        use PlanKind::{InPlaceLive, InPlaceRestart, MakeRoom, MoveCold, MoveLive, MoveLiveRestart};
        let live = Consent::to(&plan(MoveLive, true));
        let covered = |consent: Consent, running: bool| -> Vec<PlanKind> {
            let all = [InPlaceLive, InPlaceRestart, MoveLive, MoveLiveRestart, MoveCold];
            all.into_iter().filter(|kind| consent.covers(&plan(*kind, running))).collect()
        };
        assert_eq!(covered(live, true), [InPlaceLive, MoveLive]);
        assert_eq!(covered(live, false).len(), 5, "it is off: nothing is interrupted");
        let in_place = Consent::to(&plan(InPlaceLive, true));
        assert_eq!(covered(in_place, false), [InPlaceLive, InPlaceRestart], "a move is a move");
        let more = live.or_a_restart();
        assert_eq!(covered(more, true), [InPlaceLive, InPlaceRestart, MoveLive, MoveLiveRestart, MoveCold]);
        assert!(!more.covers(&plan(MakeRoom, true)), "others move only where that was shown");
        let room = Plan { room: Some(RoomFirst { then: MoveLive, moves: Vec::new() }), ..plan(MakeRoom, true) };
        let consent = Consent::to(&room);
        assert_eq!((consent.covers(&room), consent.covers(&plan(MoveCold, true))), (true, false));
        assert_eq!(consent.or_a_restart().most, MakeRoom);
    }
}
