//! Changing a VM's size: the plan first, and the work only with the plan agreed to.

use super::deploy::invalid;
use crate::accounts::{Principal, Role};
use crate::attempt::Refused;
use crate::operations::{NOT_CONVERGING, Wanted, begin, quota_left};
use crate::store::rows::OperationFilter;
use crate::{Manager, ManagerError, admin_only, clock, relocations};
use grid::map::ResourceMap;
use grid::operation::OperationKind;
use grid::placement::{RejectedNode, place};
use grid::plan::{Choice, Plan, PlanAnswer, PlanKind, RefusalReason, choice, plan, plan_without_live_move};
use grid::vm::{Vm, VmState};
use grid::{OperationId, RelocationId, Size, VmId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::MutexGuard;
use tokio::task::spawn_blocking;

/// For so long a VM whose live move did not converge is offered a move with a restart.
const REMEMBERED_MS: u64 = 60 * 60 * 1000;

/// How many of the next best nodes an admin is shown.
const RUNNERS_UP: usize = 4;

/// The plan that the customer saw and agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    pub plan: Plan,
    /// Whether a guest that ignores the request to shut down may be forced off.
    pub force_off: bool,
    /// The caller's own: the same key is the same resize.
    pub idempotency_key: String,
}

/// How a change of size would be carried out, and what is behind that; for admins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub answer: PlanAnswer,
    /// None where no second node was looked for.
    pub choice: Option<Choice>,
    /// Every node that can't take it, with all its reasons; where one can, only if asked for.
    pub rejected: Vec<RejectedNode>,
}

impl Explained {
    /// What a customer is told.
    pub const fn without_choice(answer: PlanAnswer) -> Self {
        Self { answer, choice: None, rejected: Vec::new() }
    }
}

impl Manager {
    /// How a change of size would be carried out now, or why it can't be. While an operation works on the VM there is no
    /// plan: it would count what that operation holds.
    pub async fn vm_resize_preview(
        &self,
        principal: &Principal,
        vm: VmId,
        to: Size,
    ) -> Result<PlanAnswer, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        self.not_busy(vm.id).await?;
        let answer = self.plan_for(&vm, to).await?;
        Ok(for_principal(principal, answer))
    }

    /// The same for admins, with how a second node was looked for; and, where `listed`, with all nodes that it isn't.
    pub async fn vm_resize_preview_explained(
        &self,
        principal: &Principal,
        vm: VmId,
        to: Size,
        listed: bool,
    ) -> Result<Explained, ManagerError> {
        admin_only(principal)?;
        let vm = self.vm_allowed(principal, vm).await?;
        self.not_busy(vm.id).await?;
        let map = self.map();
        let mut answer = self.plan_in(Arc::clone(&map), &vm, to).await?;
        let pace = self.shared.pace.plans;
        // Counting the reasons looks at every node.
        let counted = spawn_blocking(move || {
            let choice = choice(&map, &vm, to, &answer, &pace, RUNNERS_UP);
            let rejected = match (&mut answer, &choice) {
                (PlanAnswer::Refused { refusal }, _) => std::mem::take(&mut refusal.nodes),
                (PlanAnswer::Planned { .. }, Some(choice)) if listed => place(&map, &choice.request).rejected,
                _ => Vec::new(),
            };
            Explained { answer, choice, rejected }
        });
        counted.await.map_err(|error| {
            tracing::error!(%error, "a plan could not be explained");
            ManagerError::Internal
        })
    }

    /// Starts the change that was agreed to, or one that disturbs no more; otherwise consent is asked again.
    pub async fn vm_resize(
        &self,
        principal: &Principal,
        vm: VmId,
        agreement: Agreement,
    ) -> Result<OperationId, ManagerError> {
        let begun = self.resize(principal, vm, &agreement).await;
        self.attempted(principal, "vm_resize", &vm.to_string(), begun).await
    }

    async fn resize(&self, principal: &Principal, vm: VmId, agreement: &Agreement) -> Result<OperationId, Refused> {
        if let Some(known) = self.known_resize(principal, vm, agreement).await? {
            return Ok(known);
        }
        let _turn = self.resize_turn(agreement.plan.kind).await;
        if let Some(known) = self.known_resize(principal, vm, agreement).await? {
            return Ok(known);
        }
        let (vm, plan) = self.still_agreed(principal, vm, &agreement.plan).await?;
        let kind = OperationKind::Resize { plan, force_off: agreement.force_off, not_after: None };
        self.resize_begin(principal, vm, kind, &agreement.idempotency_key).await
    }

    /// One chooses at a time, and the choice is in the store before the next one looks. What may wait for room takes none
    /// yet, and is looked for too long to have others wait.
    pub(super) async fn resize_turn(&self, most: PlanKind) -> Option<MutexGuard<'_, ()>> {
        match most {
            PlanKind::MakeRoom => None,
            _ => Some(self.chooser.turn().await),
        }
    }

    /// Begins what was planned and has it carried out.
    pub(super) async fn resize_begin(
        &self,
        principal: &Principal,
        vm: Vm,
        kind: OperationKind,
        key: &str,
    ) -> Result<OperationId, Refused> {
        let wanted = Wanted { principal, kind, key, vm, is_new: false, relocation: None };
        let waits_for_room = wanted.kind.waits_for_room();
        let operation = begin(&self.shared, &self.collector, wanted).await?;
        if waits_for_room {
            self.relocator.spawn(RelocationId(operation.0));
        } else {
            self.driver.spawn(operation);
        }
        Ok(operation)
    }

    async fn known_resize(
        &self,
        principal: &Principal,
        vm: VmId,
        agreement: &Agreement,
    ) -> Result<Option<OperationId>, ManagerError> {
        self.known_key(principal, &agreement.idempotency_key, "resize", Some(vm)).await
    }

    /// Plans anew; the plan that is carried out is the new one.
    async fn still_agreed(&self, principal: &Principal, vm: VmId, agreed: &Plan) -> Result<(Vm, Plan), ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        shown_of(principal, vm.id, agreed)?;
        self.not_busy(vm.id).await?;
        match self.plan_up_to(agreed.kind, &vm, agreed.to).await? {
            PlanAnswer::Planned { plan } if still_holds(principal, &plan, agreed) => Ok((vm, plan)),
            answer @ PlanAnswer::Refused { .. } => match for_principal(principal, answer) {
                PlanAnswer::Refused { refusal } => Err(ManagerError::Refused { refusal }),
                other => Err(ManagerError::PlanChanged { answer: Box::new(other) }),
            },
            answer => Err(ManagerError::PlanChanged { answer: Box::new(for_principal(principal, answer)) }),
        }
    }

    async fn plan_for(&self, vm: &Vm, to: Size) -> Result<PlanAnswer, ManagerError> {
        self.plan_in(self.map(), vm, to).await
    }

    /// Moves of others are looked for only where such a plan may be carried out.
    pub(super) async fn plan_up_to(&self, most: PlanKind, vm: &Vm, to: Size) -> Result<PlanAnswer, ManagerError> {
        match most {
            PlanKind::MakeRoom => self.plan_in(self.map(), vm, to).await,
            _ => self.plan_without_moves(&self.map(), vm, to).await,
        }
    }

    async fn plan_without_moves(&self, map: &ResourceMap, vm: &Vm, to: Size) -> Result<PlanAnswer, ManagerError> {
        let left = quota_left(&self.shared, vm.tenant).await?;
        let planned = if self.did_not_converge(vm).await? { plan_without_live_move } else { plan };
        Ok(planned(map, vm, to, Some(left), &self.shared.pace.plans))
    }

    /// Whether the last thing that was done to the VM, and lately, was a live move that had to be given up.
    async fn did_not_converge(&self, vm: &Vm) -> Result<bool, ManagerError> {
        if vm.state != VmState::Running || !vm.kind.moves_live() {
            return Ok(false);
        }
        let filter = OperationFilter { vm: Some(vm.id), limit: 1, ..OperationFilter::default() };
        let newest = self.shared.store.operation_list(&filter).await?.into_iter().next();
        Ok(newest.is_some_and(|it| {
            let lately = it.ended_at.is_some_and(|ended| clock::now().apart(ended) <= REMEMBERED_MS);
            lately && it.reason.as_deref().is_some_and(|reason| reason.starts_with(NOT_CONVERGING))
        }))
    }

    /// Where no node has room, by moving others away first if that is possible.
    async fn plan_in(&self, map: Arc<ResourceMap>, vm: &Vm, to: Size) -> Result<PlanAnswer, ManagerError> {
        let answer = self.plan_without_moves(&map, vm, to).await?;
        match &answer {
            PlanAnswer::Refused { refusal } if matches!(refusal.reason, RefusalReason::NoRoom { .. }) => {}
            _ => return Ok(answer),
        }
        let with_room = relocations::plan_with_room(&self.shared, map, vm, to, &[]).await?;
        Ok(with_room.map_or(answer, |plan| PlanAnswer::Planned { plan }))
    }
}

/// An error where this is no plan of this VM that this person has seen.
pub(super) fn shown_of(principal: &Principal, vm: VmId, plan: &Plan) -> Result<(), ManagerError> {
    if plan.vm != vm {
        return Err(invalid("plan", "This plan is another VM's, so nothing was started."));
    }
    if !was_shown(principal, plan) {
        return Err(invalid("plan", "This is not the plan that was shown, so nothing was started."));
    }
    Ok(())
}

/// Whether such a plan was ever shown to this person: a customer sees no nodes, and a plan that moves has a second one, and one
/// that makes room says how it goes on.
fn was_shown(principal: &Principal, agreed: &Plan) -> bool {
    let makes_room = agreed.kind == PlanKind::MakeRoom;
    let moves = agreed.kind.moves() && !makes_room;
    let is_whole = agreed.destination.is_some() == moves && agreed.room.is_some() == makes_room;
    is_whole && (principal.is_admin() || *agreed == agreed.clone().for_customer())
}

/// An admin who saw where the VM was agreed to no move from elsewhere.
fn still_holds(principal: &Principal, plan: &Plan, agreed: &Plan) -> bool {
    plan.is_no_more_disturbing_than(agreed) && (!principal.is_admin() || plan.source == agreed.source)
}

/// A customer sees no nodes, neither in a plan nor in a refusal.
fn for_principal(principal: &Principal, answer: PlanAnswer) -> PlanAnswer {
    match (answer, principal.role) {
        (PlanAnswer::Planned { plan }, Role::Customer) => PlanAnswer::Planned { plan: plan.for_customer() },
        (PlanAnswer::Refused { refusal }, Role::Customer) => {
            PlanAnswer::Refused { refusal: Box::new(refusal.for_customer()) }
        }
        (answer, _) => answer,
    }
}
