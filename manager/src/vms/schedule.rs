//! Changing a VM's size later: the plan is agreed to now, and carried out in a window that the customer chose, as long as
//! it takes no more by then than was agreed to. [`crate::scheduler`] has the clock.

use super::change::SCHEDULE_KEY;
use super::deploy::invalid;
use crate::accounts::Principal;
use crate::attempt::{Refused, accepted};
use crate::store::StoreError;
use crate::store::rows::ScheduleEnd;
use crate::{Change, Manager, ManagerError, clock};
use grid::explain::explain_plan;
use grid::operation::OperationKind;
use grid::plan::{Consent, Plan, PlanAnswer};
use grid::schedule::{ResizeAgreed, ScheduleState, ScheduledResize};
use grid::vm::Vm;
use grid::window::Window;
use grid::{OperationId, ScheduleId, VmId};
use uuid::Uuid;

/// What the audit calls them.
const SCHEDULE: &str = "resize_schedule";
const CANCEL: &str = "resize_schedule_cancel";

/// A plan that was seen, and agreed to for later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleRequest {
    /// The form's own: the same id is the same schedule.
    pub id: Uuid,
    pub plan: Plan,
    pub window: Window,
    /// Whether a move or a restart is agreed to as well, should it take one by then.
    pub or_a_restart: bool,
    /// Whether a guest that ignores the request to shut down may be forced off.
    pub force_off: bool,
}

/// What came of a try to start one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    Started(OperationId),
    /// Perhaps later in its window.
    NotNow(String),
    Never(String),
}

impl Manager {
    /// Has the change that was agreed to carried out in its window. Nothing is held for it until then.
    pub async fn vm_schedule(
        &self,
        principal: &Principal,
        vm: VmId,
        request: ScheduleRequest,
    ) -> Result<ScheduleId, ManagerError> {
        let added = self.schedule(principal, vm, &request).await;
        self.attempted(principal, SCHEDULE, &vm.to_string(), added).await
    }

    async fn schedule(
        &self,
        principal: &Principal,
        vm: VmId,
        request: &ScheduleRequest,
    ) -> Result<ScheduleId, Refused> {
        let id = ScheduleId(request.id);
        if let Some(known) = self.shared.store.schedule_get(id).await? {
            let is_same = known.vm == vm && known.actor == principal.user;
            return if is_same { Ok(id) } else { Err(invalid("id", super::change::USED_FORM).into()) };
        }
        let vm = self.vm_allowed(principal, vm).await?;
        let plan = &request.plan;
        super::resize::shown_of(principal, vm.id, plan)?;
        if plan.from != vm.size || plan.from == plan.to {
            return Err(
                invalid("plan", "The VM's size has changed since this plan was shown. Ask for it again.").into()
            );
        }
        let now = clock::now();
        request.window.check(now).map_err(|error| invalid(error.field(), &error.to_string()))?;
        let shown = Consent::to(plan);
        let consent = if request.or_a_restart { shown.or_a_restart() } else { shown };
        let new = ScheduledResize {
            id,
            vm: vm.id,
            tenant: vm.tenant,
            actor: principal.user,
            window: request.window,
            agreed: ResizeAgreed { from: plan.from, to: plan.to, consent, force_off: request.force_off },
            state: ScheduleState::Waiting,
            reason: None,
            operation: None,
            created_at: now,
            ended_at: None,
        };
        let row = accepted(principal, SCHEDULE, &vm.id.to_string());
        self.shared.store.schedule_add(&new, &row).await.map_err(Refused::by_store)?;
        self.shared.tell(Change::Vm(vm.id));
        Ok(id)
    }

    /// It is not started any more. [`ManagerError::Unavailable`] where it was, or is over for another reason; once more, nothing.
    pub async fn vm_schedule_cancel(
        &self,
        principal: &Principal,
        vm: VmId,
        id: ScheduleId,
    ) -> Result<(), ManagerError> {
        let cancelled = self.schedule_cancel(principal, vm, id).await;
        self.attempted(principal, CANCEL, &vm.to_string(), cancelled).await
    }

    async fn schedule_cancel(&self, principal: &Principal, vm: VmId, id: ScheduleId) -> Result<(), Refused> {
        self.vm_allowed(principal, vm).await?;
        // Whoever starts it has marked it so by then.
        let _starting = self.scheduler.starting().await;
        let found = self.shared.store.schedule_get(id).await?.filter(|found| found.vm == vm);
        let found = found.ok_or(ManagerError::NotFound)?;
        if found.state == ScheduleState::Cancelled {
            return Ok(());
        }
        if self.scheduled_operation(&found).await?.is_some() {
            return Err(ManagerError::Unavailable { reason: "it has been started already".to_owned() }.into());
        }
        let end = ScheduleEnd { state: ScheduleState::Cancelled, reason: None, operation: None, now: clock::now() };
        let row = accepted(principal, CANCEL, &vm.to_string());
        self.shared.store.schedule_end(id, &end, &row).await.map_err(Refused::by_store)?;
        self.shared.tell(Change::Vm(vm));
        Ok(())
    }

    /// The VM's scheduled resizes, newest first: one may wait, the others are over.
    pub async fn vm_schedules(
        &self,
        principal: &Principal,
        vm: VmId,
        limit: u32,
    ) -> Result<Vec<ScheduledResize>, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        Ok(self.shared.store.schedule_list(vm.id, limit).await?)
    }

    /// The operation that it was started as: known by its key, so that there is never a second one.
    pub(crate) async fn scheduled_operation(&self, it: &ScheduledResize) -> Result<Option<OperationId>, StoreError> {
        self.shared.store.operation_by_key(it.actor, &key(it.id)).await
    }

    /// Plans anew, and starts it as who agreed to it, if it takes no more than that.
    pub(crate) async fn scheduled_start(&self, it: &ScheduledResize) -> Result<Tried, ManagerError> {
        let Some(user) = self.shared.store.user_get(it.actor).await? else {
            return Ok(Tried::Never("Who agreed to it is not there any more.".to_owned()));
        };
        let principal = Principal::from(user);
        let agreed = &it.agreed;
        let _turn = self.resize_turn(agreed.consent.most).await;
        let vm = match self.vm_allowed(&principal, it.vm).await {
            Ok(vm) => vm,
            Err(ManagerError::NotFound) => return Ok(Tried::Never("The VM is not there any more.".to_owned())),
            Err(error) => return Err(error),
        };
        let started = match self.plan_as_agreed(&vm, agreed).await? {
            Ok(plan) => {
                let (force_off, not_after) = (agreed.force_off, Some(it.window.closes));
                let kind = OperationKind::Resize { plan, force_off, not_after };
                self.resize_begin(&principal, vm, kind, &key(it.id)).await
            }
            Err(tried) => return Ok(tried),
        };
        match started.map_err(ManagerError::from) {
            Ok(operation) => Ok(Tried::Started(operation)),
            Err(ManagerError::Internal) => Err(ManagerError::Internal),
            Err(error) => Ok(Tried::NotNow(told(&error))),
        }
    }

    async fn plan_as_agreed(&self, vm: &Vm, agreed: &ResizeAgreed) -> Result<Result<Plan, Tried>, ManagerError> {
        if vm.size != agreed.from {
            let why = "The VM's size has been changed since it was agreed to.";
            return Ok(Err(Tried::Never(why.to_owned())));
        }
        match self.not_busy(vm.id).await {
            Ok(()) => {}
            Err(ManagerError::Internal) => return Err(ManagerError::Internal),
            Err(error) => return Ok(Err(Tried::NotNow(told(&error)))),
        }
        Ok(match self.plan_up_to(agreed.consent.most, vm, agreed.to).await? {
            PlanAnswer::Planned { plan } if agreed.consent.covers(&plan) => Ok(plan),
            PlanAnswer::Planned { plan } => {
                let how = explain_plan(&plan).title;
                Err(Tried::NotNow(format!("It would take more now than was agreed to: “{how}”.")))
            }
            PlanAnswer::Nothing => Err(Tried::Never("It has this size already.".to_owned())),
            PlanAnswer::Refused { refusal } => Err(Tried::NotNow(refusal.reason.to_string())),
        })
    }
}

/// Of the operation that it becomes. Nobody else's key begins so.
fn key(id: ScheduleId) -> String {
    format!("{SCHEDULE_KEY}{id}")
}

/// What the customer reads.
fn told(error: &ManagerError) -> String {
    match error {
        ManagerError::Busy { .. } => "Another operation was working on the VM.".to_owned(),
        ManagerError::Refused { refusal } => refusal.reason.to_string(),
        other => other.to_string(),
    }
}
