//! Evening nodes out: an admin reviews the moves and has just these carried out, running VMs live and nothing else. A
//! move that is no longer possible when its turn comes is left out.

use super::next::named;
use super::runner::{Look, Relocator, busy};
use super::{PlannedMove, unavailable};
use crate::accounts::Principal;
use crate::attempt::Refused;
use crate::operations::OperationView;
use crate::{Manager, ManagerError, admin_only};
use grid::moves::{Budget, Goal, Layout, Manner, Move, rebalance};
use grid::operation::{Operation, OperationKind, OperationState};
use grid::relocation::{Relocation, RelocationKind, RelocationState};
use grid::vm::{Vm, VmState};
use grid::{RelocationId, VmId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// A move is worth it where it lowers the fuller of its two nodes by at least so many thousandths, and so many moves are
/// planned at once.
const GOAL: Goal = Goal::EvenOut { least_gain_permille: 50 };
const MOST: usize = 20;
const REBALANCE_CANCEL: &str = "rebalance_cancel";
const NO_SEARCH: Budget = Budget { moves: 1, work: 0 };

/// How nodes would be evened out now, and how that goes or went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalanceView {
    /// What an admin agrees to.
    pub plan: Vec<Move>,
    /// The same by name.
    pub moves: Vec<PlannedMove>,
    /// The newest, running or over, with its moves.
    pub newest: Option<(Relocation, Vec<OperationView>)>,
}

impl Manager {
    /// What the admin reviews before nodes are evened out, and what became of it.
    pub async fn rebalance_get(&self, principal: &Principal) -> Result<RebalanceView, ManagerError> {
        admin_only(principal)?;
        let newest = self.relocation_newest(principal, None).await?;
        let (plan, vms) = self.rebalance_plan().await?;
        Ok(RebalanceView { moves: named(&self.map(), &vms, &plan), plan, newest })
    }

    /// Carries out the moves that were reviewed, one after the other, if they are still what would be planned.
    /// `id` is the form's own: the same id is the same rebalance.
    pub async fn rebalance(
        &self,
        principal: &Principal,
        id: Uuid,
        reviewed: Vec<Move>,
    ) -> Result<RelocationId, ManagerError> {
        let begun = self.rebalance_begin(principal, RelocationId(id), reviewed).await;
        self.attempted(principal, "rebalance", "", begun).await
    }

    async fn rebalance_begin(
        &self,
        principal: &Principal,
        id: RelocationId,
        reviewed: Vec<Move>,
    ) -> Result<RelocationId, Refused> {
        admin_only(principal)?;
        let is_known = self.shared.store.relocation_get(id).await?.is_some();
        if !is_known && (reviewed.is_empty() || self.rebalance_plan().await?.0 != reviewed) {
            return Err(unavailable(
                "the plan has changed since it was shown, so nothing was started: look at it again",
            )
            .into());
        }
        self.relocation_begin(principal, id, RelocationKind::Rebalance { moves: reviewed }, "").await
    }

    /// No move is begun any more; the one at hand goes on.
    pub async fn rebalance_cancel(&self, principal: &Principal) -> Result<(), ManagerError> {
        let cancelled = match admin_only(principal) {
            Ok(()) => self.relocation_cancel(principal, None, REBALANCE_CANCEL, "").await,
            Err(error) => Err(error.into()),
        };
        self.attempted(principal, REBALANCE_CANCEL, "", cancelled).await
    }

    async fn rebalance_plan(&self) -> Result<(Vec<Move>, BTreeMap<VmId, Vm>), ManagerError> {
        let working: BTreeSet<VmId> = busy(&self.shared).await?.into_keys().collect();
        let vms = self.shared.store.vm_list(None).await?;
        let map = self.map();
        let planning = spawn_blocking(move || {
            let stays: BTreeSet<VmId> =
                vms.iter().filter(|vm| vm.state != VmState::Running).map(|vm| vm.id).chain(working).collect();
            let layout = Layout::of(&map, &vms, &|vm| stays.contains(&vm));
            let moves = rebalance(&layout, GOAL, MOST, NO_SEARCH).moves;
            (moves, vms.into_iter().map(|vm| (vm.id, vm)).collect())
        });
        planning.await.map_err(|error| {
            tracing::error!(%error, "a rebalance could not be planned");
            ManagerError::Internal
        })
    }
}

impl Relocator {
    pub(super) async fn look_at_rebalance(
        &self,
        relocation: &Relocation,
        reviewed: &[Move],
        moves: &[Operation],
    ) -> Result<Look, ManagerError> {
        let left: Vec<(usize, Move)> =
            reviewed.iter().copied().enumerate().filter(|(_, each)| !moves.iter().any(|it| is_of(it, each))).collect();
        if left.is_empty() {
            let failed = moves.iter().filter(|each| each.state != OperationState::Succeeded).count();
            let why = (failed > 0).then(|| format!("{failed} of {} moves failed", reviewed.len()));
            let state = if failed > 0 { RelocationState::Failed } else { RelocationState::Succeeded };
            return self.over(relocation, state, why.as_deref()).await;
        }
        let vms = self.shared.store.vm_list(None).await?;
        let working = busy(&self.shared).await?;
        let map = self.collector.map();
        let layout = Layout::of(&map, &vms, &|vm| working.contains_key(&vm));
        let possible = left.iter().find(|(_, each)| layout.can(each) == Some(Manner::Live));
        let found = possible.and_then(|(at, each)| Some((at, each, vms.iter().find(|vm| vm.id == each.vm)?)));
        if let Some((number, each, vm)) = found {
            return self.begin(relocation, vm, each, *number).await;
        }
        let (left, all) = (left.len(), reviewed.len());
        Ok(Look::Stuck(format!("{left} of {all} moves are no longer possible while their VMs run")))
    }
}

/// Whether an operation is this move.
fn is_of(operation: &Operation, each: &Move) -> bool {
    let OperationKind::Resize { plan, .. } = &operation.kind else { return false };
    plan.vm == each.vm && plan.source == each.from && plan.destination == Some(each.to)
}
