//! Consent to being interrupted: owners of VMs that a drain could only move cold are asked, and what they have agreed to is
//! looked at again in the turn in which the move begins.

use super::next::Drawn;
use super::runner::Relocator;
use crate::shared::Change;
use crate::{Manager, ManagerError, clock};
use grid::plan::relocate;
use grid::relocation::{MoveConsent, MoveGiven};
use grid::vm::Vm;
use grid::{RelocationId, UnixMillis, VmId};
use serde::{Deserialize, Serialize};

/// An owner who was asked, as the drain's page lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentLine {
    pub vm: String,
    pub asked_at: UnixMillis,
    /// What was agreed to, and by whom.
    pub given: Option<(MoveGiven, String)>,
}

impl Relocator {
    /// Asks the owners of what waits for them, each once.
    pub(super) async fn ask_owners(
        &self,
        id: RelocationId,
        drawn: &Drawn,
        known: &[MoveConsent],
    ) -> Result<(), ManagerError> {
        for (vm, each) in drawn.waiting() {
            let expected = relocate(&self.collector.map(), vm, each, &self.shared.pace.plans);
            let Some(plan) = expected.filter(|_| known.iter().all(|it| it.vm != vm.id)) else { continue };
            self.shared.store.consent_ask(id, vm.id, plan.estimate, clock::now()).await?;
            self.shared.tell(Change::Vm(vm.id));
        }
        Ok(())
    }

    /// What allows the VM to be shut down for its move now.
    pub(super) async fn agreed_now(&self, id: RelocationId, vm: VmId) -> Result<Option<MoveGiven>, ManagerError> {
        let asked = self.shared.store.consent_list(id).await?;
        Ok(asked.into_iter().find(|it| it.vm == vm).and_then(|it| it.agreed(clock::now())))
    }
}

impl Manager {
    /// The owners who were asked, and what they have agreed to.
    pub(super) async fn consent_lines(&self, id: RelocationId, vms: &[Vm]) -> Result<Vec<ConsentLine>, ManagerError> {
        let mut lines = Vec::new();
        for it in self.shared.store.consent_list(id).await? {
            let vm = vms.iter().find(|vm| vm.id == it.vm).map_or_else(|| it.vm.to_string(), |vm| vm.name.clone());
            let given = match it.given {
                None => None,
                Some(given) => {
                    let by = self.shared.store.user_get(given.by).await?.map(|user| user.email);
                    Some((given, by.unwrap_or_default()))
                }
            };
            lines.push(ConsentLine { vm, asked_at: it.asked_at, given });
        }
        Ok(lines)
    }
}
