//! Mending what is safe to mend: what is left of a VM on a node that is not its home, once the VM is seen running at its
//! home, and not there; and a VM that stands still where its disk could not be written, once it can be.

use super::{Drift, DriftKind};
use crate::clock;
use crate::hypervisor::{HypervisorError, Observation};
use crate::operations::{perhaps_at, was_rebuilt_from};
use crate::shared::Shared;
use crate::store::rows::AuditRow;
use crate::store::{Store, StoreError};
use crate::utility::UtilityError;
use grid::sample::DomainState;
use grid::vm::VmState;
use grid::work::{Work, WorkFailure};
use grid::{NodeId, VmId};
use std::time::Duration;
use tokio::time::timeout;

/// No call is waited for longer: operations on the VM wait meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// Mends it where that is safe; answers whether something was done.
pub(super) async fn mend(shared: &Shared, drift: &Drift) -> bool {
    let mended = match drift.kind {
        DriftKind::LeftDefinition | DriftKind::LeftDisk if drift.vm_name.is_some() => {
            remove_what_is_left(shared, drift).await
        }
        DriftKind::StandsStill => let_go_on(shared, drift).await,
        _ => return false,
    };
    match mended {
        Ok(done) => done,
        Err(why) => {
            tracing::info!(vm = %drift.vm, node = drift.node_name, kind = ?drift.kind, why, "it stays for now");
            false
        }
    }
}

/// Its hypervisor decides whether it can.
async fn let_go_on(shared: &Shared, drift: &Drift) -> Result<bool, String> {
    let (node, id) = (drift.node, drift.vm);
    let Some(_turn) = shared.mending.enter(id) else { return Ok(false) };
    if is_worked_on(shared.store.as_ref(), id).await.map_err(|error| error.to_string())? {
        return Ok(false);
    }
    let hypervisor = shared.hypervisor(node).ok_or("the node is not connected")?;
    match timeout(PATIENCE, hypervisor.resume(id)).await {
        Ok(resumed) => resumed.map_err(|error| error.to_string())?,
        Err(_) => return Err("its hypervisor does not answer".into()),
    }
    tracing::info!(vm = %id, node = drift.node_name, "a VM that stood still goes on");
    told(shared, drift, format!("succeeded: it stood still on {}, and goes on", drift.node_name)).await;
    Ok(true)
}

/// Everything is looked at again, while no operation can begin to work on the VM.
async fn remove_what_is_left(shared: &Shared, drift: &Drift) -> Result<bool, String> {
    let (node, id) = (drift.node, drift.vm);
    let Some(_turn) = shared.mending.enter(id) else { return Ok(false) };
    if is_worked_on(shared.store.as_ref(), id).await.map_err(|error| error.to_string())? {
        return Ok(false);
    }
    if was_rebuilt_from(shared.store.as_ref(), id, node).await.map_err(|error| error.to_string())? {
        return Err("it was rebuilt elsewhere, and this is all that there is of its old data".into());
    }
    let vm = shared.store.vm_get(id).await.map_err(|error| error.to_string())?;
    if let Some(vm) = &vm
        && perhaps_at(shared.store.as_ref(), vm, None).await.map_err(|error| error.to_string())? == Some(node)
    {
        return Err(
            "an operation that was given up may have brought it there, and its data may be the newer ones".into()
        );
    }
    let Some(vm) = vm.filter(|vm| vm.node != node && vm.state == VmState::Running) else {
        return Err("its VM is not recorded as running at another node".into());
    };
    let home = observe(shared, vm.node, id).await?;
    if home.is_none_or(|seen| seen.state != DomainState::Running) {
        return Err("its VM is not seen running at its home".into());
    }
    match observe(shared, node, id).await? {
        None => {}
        Some(seen) if seen.state == DomainState::ShutOff => undefine(shared, node, id).await?,
        Some(_) => return Err("it runs there".into()),
    }
    let deleted = shared.hub.module(node).carry_out(Work::Delete { vm: id }, PATIENCE).await;
    match deleted {
        Ok(_) | Err(UtilityError::Failed(WorkFailure::NoDisk)) => {}
        Err(error) => return Err(error.to_string()),
    }
    tracing::info!(vm = %id, node = drift.node_name, "what was left of a VM was removed");
    told(shared, drift, format!("succeeded: what was left on {} was removed", drift.node_name)).await;
    Ok(true)
}

/// Whether an operation works on the VM now.
pub(super) async fn is_worked_on(store: &dyn Store, vm: VmId) -> Result<bool, StoreError> {
    Ok(store.vm_record(vm).await?.operation.is_some())
}

/// What the node's hypervisor says of the VM; an error where it gives no answer.
pub(super) async fn observe(shared: &Shared, node: NodeId, vm: VmId) -> Result<Option<Observation>, String> {
    let hypervisor = shared.hypervisor(node).ok_or("the node is not connected")?;
    match timeout(PATIENCE, hypervisor.observe(vm)).await {
        Ok(seen) => seen.map_err(|error| error.to_string()),
        Err(_) => Err("its hypervisor does not answer".into()),
    }
}

async fn undefine(shared: &Shared, node: NodeId, vm: VmId) -> Result<(), String> {
    let hypervisor = shared.hypervisor(node).ok_or("the node is not connected")?;
    match timeout(PATIENCE, hypervisor.undefine(vm)).await {
        Ok(Ok(()) | Err(HypervisorError::NoSuchVm)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its hypervisor does not answer".into()),
    }
}

/// What every node says of a VM; an error where one that could have it does not answer.
pub(crate) async fn observe_everywhere(shared: &Shared, vm: VmId) -> Result<Vec<(NodeId, Observation)>, String> {
    let asked = shared.hypervisors.keys().map(|node| async move { (*node, observe(shared, *node, vm).await) });
    let mut seen = Vec::new();
    for (node, answer) in futures::future::join_all(asked).await {
        seen.extend(answer?.map(|observation| (node, observation)));
    }
    Ok(seen)
}

async fn told(shared: &Shared, drift: &Drift, outcome: String) {
    let row = AuditRow {
        at: clock::now(),
        actor: None,
        tenant: None,
        action: "drift_mend".into(),
        target: drift.vm.to_string(),
        outcome,
    };
    if let Err(error) = shared.store.audit_add(&row).await {
        tracing::error!(%error, "a mending is missing in the audit");
    }
}
