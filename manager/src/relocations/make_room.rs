//! Making room for an operation that waits for it: other VMs move away one after the other, planned anew each time; when
//! the VM could get its size, and by nothing more disturbing than its owner agreed to, its operation gets that plan and
//! the room in one transaction, and goes on as any other.

use super::next::BUDGET;
use super::runner::{Look, Relocator, busy};
use crate::ManagerError;
use crate::clock;
use crate::operations::go_on_with;
use crate::shared::Shared;
use grid::map::ResourceMap;
use grid::operation::{Operation, OperationKind, OperationState};
use grid::plan::{Plan, PlanAnswer, plan};
use grid::relocation::{Relocation, RelocationState};
use grid::vm::Vm;
use grid::{Size, UnixMillis, VmId};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// So many other VMs are moved for one at most: twice what a plan may have.
const MOST_MOVES: usize = 2 * BUDGET.moves as usize;

/// How room could be made for this VM at this size, now, without moving those of `left_out` or any that an operation
/// works on.
pub(crate) async fn plan_with_room(
    shared: &Shared,
    map: Arc<ResourceMap>,
    vm: &Vm,
    to: Size,
    left_out: &[VmId],
) -> Result<Option<Plan>, ManagerError> {
    let stay: BTreeSet<VmId> = busy(shared).await?.into_keys().chain(left_out.iter().copied()).collect();
    let vms = shared.store.vm_list(None).await?;
    let (vm, pace) = (vm.clone(), shared.pace.plans);
    let task = spawn_blocking(move || {
        grid::plan::plan_with_room(&map, &vms, (&vm, to), BUDGET, &|each| stay.contains(&each), &pace)
    });
    task.await.map_err(|error| {
        tracing::error!(%error, "room could not be planned");
        ManagerError::Internal
    })
}

impl Relocator {
    pub(super) async fn look_at_room(
        &self,
        relocation: &Relocation,
        vm: VmId,
        moves: &[Operation],
    ) -> Result<Look, ManagerError> {
        let store = &self.shared.store;
        let waiting = match relocation.makes_room_for() {
            Some(operation) => store.operation_get(operation).await?,
            None => None,
        };
        let (agreed, force_off, not_after) = match waiting {
            Some(it) if matches!(it.kind, OperationKind::Unreadable { .. }) => {
                return self.over(relocation, RelocationState::Failed, Some("what it was for can't be read")).await;
            }
            Some(it) if it.kind.waits_for_room() && it.kind.is_too_late(clock::now()) => {
                return self.over(relocation, RelocationState::Failed, Some("its window was over")).await;
            }
            // It has its plan; only that this is over was not recorded yet.
            Some(it) if !it.kind.waits_for_room() => {
                return self.over(relocation, RelocationState::Succeeded, None).await;
            }
            Some(it) if it.state.is_over() || it.cancelled_by.is_some() => {
                return self.over(relocation, RelocationState::Cancelled, Some("what it was for was cancelled")).await;
            }
            Some(Operation { kind: OperationKind::Resize { plan, force_off, not_after }, .. }) => {
                (plan, force_off, not_after)
            }
            _ => return self.over(relocation, RelocationState::Failed, Some("what it was for is not there")).await,
        };
        let Some(vm) = store.vm_get(vm).await? else {
            return self.over(relocation, RelocationState::Failed, Some("the VM is not there any more")).await;
        };
        match self.hand_over(relocation, &vm, (&agreed, force_off, not_after)).await? {
            HandedOver::Yes => self.over(relocation, RelocationState::Succeeded, None).await,
            HandedOver::No(why) => Ok(Look::Stuck(why)),
            HandedOver::NoRoomYet(refused) => {
                // Each VM is moved once at most, so that this ends; and others may take what was made.
                if moves.len() >= MOST_MOVES {
                    return Ok(Look::Stuck(format!("{refused}; {MOST_MOVES} other VMs were moved for it in vain")));
                }
                let left_out: Vec<VmId> = moves.iter().map(|each| each.kind.vm()).collect();
                let found = plan_with_room(&self.shared, self.collector.map(), &vm, agreed.to, &left_out).await?;
                let found = found.filter(|plan| plan.is_no_more_disturbing_than(&agreed));
                let first = found.and_then(|plan| plan.room?.moves.into_iter().next());
                let Some(first) = first else { return Ok(Look::Stuck(why_not(&refused, moves))) };
                let Some(other) = store.vm_get(first.vm).await? else { return Ok(Look::Stuck(refused)) };
                self.begin(relocation, &other, &first, moves.len()).await
            }
        }
    }

    /// Gives the operation that waits its plan and its room, where there is some now.
    async fn hand_over(
        &self,
        relocation: &Relocation,
        vm: &Vm,
        (agreed, force_off, not_after): (&Plan, bool, Option<UnixMillis>),
    ) -> Result<HandedOver, ManagerError> {
        let Some(operation) = relocation.makes_room_for() else { return Ok(HandedOver::No("nothing waits".into())) };
        let _turn = self.chooser.turn().await;
        let answer = plan(&self.collector.map(), vm, agreed.to, None, &self.shared.pace.plans);
        match answer {
            PlanAnswer::Planned { plan } if plan.is_no_more_disturbing_than(agreed) => {
                let kind = OperationKind::Resize { plan, force_off, not_after };
                let goes_on = go_on_with(&self.shared, &self.collector, (operation, &kind), vm).await?;
                let taken = || HandedOver::No("the room was taken a moment ago".to_owned());
                Ok(if goes_on { HandedOver::Yes } else { taken() })
            }
            PlanAnswer::Planned { plan } => {
                let kind = plan.kind.as_str();
                Ok(HandedOver::No(format!("there is room now, but only by {kind}, to which nobody has agreed")))
            }
            PlanAnswer::Nothing => Ok(HandedOver::No("it has this size already".to_owned())),
            PlanAnswer::Refused { refusal } => Ok(HandedOver::NoRoomYet(refusal.reason.to_string())),
        }
    }
}

enum HandedOver {
    Yes,
    NoRoomYet(String),
    No(String),
}

fn why_not(refused: &str, moves: &[Operation]) -> String {
    let failed = moves.iter().filter(|each| each.state != OperationState::Succeeded).count();
    match (moves.len(), failed) {
        (0, _) => format!("{refused} No moves of other VMs make room any more."),
        (all, 0) => format!("{refused} No more moves of other VMs make room, after {all}."),
        (all, failed) => format!("{refused} No more moves of other VMs make room: of {all}, {failed} failed."),
    }
}
