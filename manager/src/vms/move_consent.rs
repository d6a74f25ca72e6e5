//! Consent to a move that needs a restart: where the VM's node is to be emptied and the VM can't be moved while it runs,
//! whoever may act on it agrees to a window in which it may be shut down, carried over and started again.

use super::deploy::invalid;
use crate::accounts::Principal;
use crate::attempt::{Refused, accepted};
use crate::store::rows::AuditRow;
use crate::{Change, Manager, ManagerError, clock};
use grid::relocation::{MoveConsent, MoveGiven};
use grid::vm::VmState;
use grid::window::Window;
use grid::{RelocationId, VmId};

const ACTION: &str = "move_consent";

/// When a VM may be shut down for its move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveWhen {
    /// From now on, for a day at most.
    Now {
        force_off: bool,
    },
    Within {
        window: Window,
        force_off: bool,
    },
    /// What was agreed to is taken back.
    Never,
}

impl Manager {
    /// What is asked of the VM's owner; nothing where nobody asks, or the VM is off, is being moved or has moved by now.
    pub async fn vm_move_asked(&self, principal: &Principal, vm: VmId) -> Result<Option<MoveConsent>, ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        let store = &self.shared.store;
        let Some(asked) = store.consent_asked(vm.id).await? else { return Ok(None) };
        let drained = store.relocation_get(asked.relocation).await?.and_then(|drain| drain.kind.node());
        let moves = store.relocation_operations(asked.relocation).await?;
        let is_moved = moves.iter().any(|each| each.kind.vm() == vm.id && !each.state.is_over());
        Ok((vm.state == VmState::Running && drained == Some(vm.node) && !is_moved).then_some(asked))
    }

    /// Agrees to the move that this relocation asks for, anew where something was agreed to before.
    pub async fn vm_move_consent(
        &self,
        principal: &Principal,
        vm: VmId,
        relocation: RelocationId,
        when: MoveWhen,
    ) -> Result<(), ManagerError> {
        let done = self.move_consent(principal, vm, relocation, when).await;
        self.attempted(principal, ACTION, &vm.to_string(), done).await
    }

    async fn move_consent(
        &self,
        principal: &Principal,
        vm: VmId,
        relocation: RelocationId,
        when: MoveWhen,
    ) -> Result<(), Refused> {
        // What is taken back holds when it is answered: nothing begins meanwhile.
        let _turn = self.chooser.turn().await;
        let asked = self.vm_move_asked(principal, vm).await?.filter(|asked| asked.relocation == relocation);
        if asked.is_none() {
            let reason = "it is being moved already, or nobody asks for this move any more".to_owned();
            return Err(ManagerError::Unavailable { reason }.into());
        }
        let now = clock::now();
        let given = |window: Window, force_off: bool| {
            window.check(now).map_err(|error| invalid(error.field(), &error.to_string()))?;
            Ok::<_, ManagerError>(Some(MoveGiven { by: principal.user, at: now, window, force_off }))
        };
        let given = match when {
            MoveWhen::Now { force_off } => given(Window::from_now_on(now), force_off)?,
            MoveWhen::Within { window, force_off } => given(window, force_off)?,
            MoveWhen::Never => None,
        };
        let outcome = if given.is_some() { "accepted" } else { "accepted: taken back" };
        let row = AuditRow { outcome: outcome.to_owned(), ..accepted(principal, ACTION, &vm.to_string()) };
        let done = self.shared.store.consent_set((relocation, vm), given.as_ref(), &row).await;
        done.map_err(Refused::by_store)?;
        self.shared.tell(Change::Vm(vm));
        self.shared.tell(Change::Relocation(relocation));
        Ok(())
    }
}
