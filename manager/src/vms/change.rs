//! Starting, stopping and deleting a VM.

use super::deploy::invalid;
use crate::accounts::Principal;
use crate::attempt::Refused;
use crate::operations::{Wanted, begin, perhaps_at};
use crate::{Manager, ManagerError, clock};
use grid::operation::OperationKind;
use grid::vm::{Vm, VmState};
use grid::{OperationId, VmId};

/// A caller's key is at most this long.
const LONGEST_KEY: usize = 100;
/// What the keys of our own moves begin with, which nobody else's may.
pub(crate) const RELOCATION_KEY: &str = "relocation ";
/// What the keys of scheduled resizes begin with, which nobody else's may either.
pub(super) const SCHEDULE_KEY: &str = "scheduled ";
/// What a person is told whose form lost its key: only pages write it.
const STALE_FORM: &str =
    "This form was incomplete, so nothing was started. Load the page again, then send it once more.";

/// What a person is told whose form's key already stands for something else.
pub(super) const USED_FORM: &str = "This form was used for another operation already, so nothing was started. Load the page again, then send it once \
     more.";

/// Whether a caller's key is one.
pub(super) fn key_is_sound(key: &str) -> Result<(), ManagerError> {
    let is_ours = key.starts_with(RELOCATION_KEY) || key.starts_with(SCHEDULE_KEY);
    if is_ours || key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
        return Err(invalid("idempotency_key", STALE_FORM));
    }
    Ok(())
}

impl Manager {
    pub async fn vm_start(&self, principal: &Principal, vm: VmId, key: &str) -> Result<OperationId, ManagerError> {
        self.vm_power(principal, OperationKind::Start { vm }, key).await
    }

    /// Asks the guest to shut down; with `force` it is forced off where it doesn't in time.
    pub async fn vm_stop(
        &self,
        principal: &Principal,
        vm: VmId,
        force: bool,
        key: &str,
    ) -> Result<OperationId, ManagerError> {
        self.vm_power(principal, OperationKind::Stop { vm, force }, key).await
    }

    /// Removes the VM and its disk for good.
    pub async fn vm_delete(&self, principal: &Principal, vm: VmId, key: &str) -> Result<OperationId, ManagerError> {
        self.vm_power(principal, OperationKind::Delete { vm }, key).await
    }

    async fn vm_power(
        &self,
        principal: &Principal,
        kind: OperationKind,
        key: &str,
    ) -> Result<OperationId, ManagerError> {
        let (action, target) = (format!("vm_{}", kind.as_str()), kind.vm().to_string());
        let begun = self.power(principal, kind, key).await;
        self.attempted(principal, &action, &target, begun).await
    }

    async fn power(&self, principal: &Principal, kind: OperationKind, key: &str) -> Result<OperationId, Refused> {
        if let Some(known) = self.known_key(principal, key, kind.as_str(), Some(kind.vm())).await? {
            return Ok(known);
        }
        let vm = self.vm_allowed(principal, kind.vm()).await?;
        self.may_now(&vm, &kind).await?;
        let wanted = Wanted { principal, kind, key, vm, is_new: false, relocation: None };
        let id = begin(&self.shared, &self.collector, wanted).await?;
        self.driver.spawn(id);
        Ok(id)
    }

    /// What makes no sense in the VM's state is refused; an operation that works on it says so first.
    async fn may_now(&self, vm: &Vm, kind: &OperationKind) -> Result<(), ManagerError> {
        if self.is_fenced(vm.node) {
            return Err(ManagerError::Unavailable { reason: "the VM's node is out of service".to_owned() });
        }
        let starts_or_goes = matches!(kind, OperationKind::Start { .. } | OperationKind::Delete { .. });
        if starts_or_goes && self.is_seen_elsewhere(vm).await? {
            let reason = "the VM is on another node than is recorded; an administrator has to look at it".to_owned();
            return Err(ManagerError::Unavailable { reason });
        }
        let fits = match kind {
            OperationKind::Start { .. } => matches!(vm.state, VmState::Stopped),
            OperationKind::Stop { .. } => matches!(vm.state, VmState::Running),
            _ => true,
        };
        if fits {
            return Ok(());
        }
        self.not_busy(vm.id).await?;
        Err(ManagerError::Unavailable { reason: format!("the VM is {}", vm.state.as_str()) })
    }

    /// Whether the node to which an operation that was given up may have brought the VM was lately seen to have it.
    async fn is_seen_elsewhere(&self, vm: &Vm) -> Result<bool, ManagerError> {
        let Some(node) = perhaps_at(self.shared.store.as_ref(), vm, None).await? else { return Ok(false) };
        let now = clock::now();
        let map = self.map();
        let reading = map.get(node).and_then(|entry| entry.hypervisor.as_ref());
        let believed = reading.filter(|reading| self.shared.pace.freshness.is_fresh(reading.at, now));
        Ok(believed.is_some_and(|reading| reading.sample.domains.iter().any(|domain| domain.id == vm.id)))
    }

    /// An error where an operation works on the VM.
    pub(super) async fn not_busy(&self, vm: VmId) -> Result<(), ManagerError> {
        let working = self.shared.store.vm_record(vm).await?.operation;
        working.map_or(Ok(()), |(operation, _)| Err(ManagerError::Busy { operation }))
    }

    /// The operation that the caller's key already stands for: of this kind and, where it is known, of this VM.
    pub(super) async fn known_key(
        &self,
        principal: &Principal,
        key: &str,
        kind: &str,
        vm: Option<VmId>,
    ) -> Result<Option<OperationId>, ManagerError> {
        key_is_sound(key)?;
        let Some(known) = self.shared.store.operation_by_key(principal.user, key).await? else { return Ok(None) };
        let operation = self.shared.store.operation_get(known).await?.ok_or(ManagerError::NotFound)?;
        let is_same = operation.kind.as_str() == kind && vm.is_none_or(|vm| operation.kind.vm() == vm);
        if is_same { Ok(Some(known)) } else { Err(invalid("idempotency_key", USED_FORM)) }
    }
}
