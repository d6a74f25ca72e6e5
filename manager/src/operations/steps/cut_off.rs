//! A look at the nodes before a VM is rebuilt. That its home is cut off is an admin's word, and stands against its
//! silence; it does not stand against the hypervisor's own word that the VM runs there.

use crate::hypervisor::Observation;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::store::rows::OperationFilter;
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use grid::operation::{Operation, OperationKind, OperationState};
use grid::sample::DomainState;
use grid::vm::Vm;
use grid::{NodeId, OperationId};
use std::time::Duration;
use tokio::time::timeout;

/// How long a node that is cut off is listened to.
const LISTEN: Duration = Duration::from_secs(5);

/// The VM executes nowhere, as far as anybody can say, and nothing of it is where it shall begin anew.
pub(in crate::operations) struct LookAtNodes;

#[async_trait]
impl Step for LookAtNodes {
    fn name(&self) -> &'static str {
        "look-at-nodes"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        must_be_cut_off(run, run.vm().await?.node).await?;
        runs_nowhere_else(run).await?;
        match run.observe(run.place().await?).await? {
            None => Ok(None),
            Some(_) => Err(StepError::new("something of the VM is left at the other node")),
        }
    }
}

/// The VM's home is fenced, and does not say that the VM runs there.
pub(in crate::operations) async fn must_be_cut_off(run: &Run, home: NodeId) -> Result<(), StepError> {
    if !run.is_fenced(home) {
        return Err(StepError::new("the VM's node is not out of service any more"));
    }
    match listen(run, home).await? {
        Some(seen) if seen.state != DomainState::ShutOff => {
            Err(StepError::new("the VM still runs where it was: its node is not cut off"))
        }
        _ => Ok(()),
    }
}

/// The node to which an operation that was given up may have brought the VM has nothing of it: also a copy that is off may
/// have run there, and then its disk has the newer data. That an admin has said that the node is cut off stands against
/// its silence, not against its own word.
pub(in crate::operations) async fn runs_nowhere_else(run: &Run) -> Result<(), StepError> {
    let perhaps = perhaps_at(run.shared.store.as_ref(), &run.vm().await?, Some(run.operation.id)).await?;
    let Some(node) = perhaps else { return Ok(()) };
    let seen = if run.is_fenced(node) { listen(run, node).await? } else { run.observe(node).await? };
    match seen.map(|seen| seen.state) {
        None => Ok(()),
        Some(DomainState::ShutOff) => {
            let reason = "a copy of the VM is where an earlier operation had brought it: an administrator must remove one of \
                          the two";
            Err(StepError::new(reason).detail(node))
        }
        Some(_) => Err(StepError::new("the VM runs where an earlier operation had brought it").detail(node)),
    }
}

/// What a node that is cut off says of the VM, should it say anything.
async fn listen(run: &Run, node: NodeId) -> Result<Option<Observation>, StepError> {
    let Some(hypervisor) = run.shared.hypervisor(node) else { return Ok(None) };
    let listened = async { Ok::<_, StepError>(timeout(LISTEN, hypervisor.observe(run.vm_id())).await) };
    Ok(run.call(listened).await?.ok().and_then(Result::ok).flatten())
}

/// Where the VM may execute besides its home, because an operator gave up the operation that would have brought it there.
pub(crate) async fn perhaps_at(
    store: &dyn Store,
    vm: &Vm,
    except: Option<OperationId>,
) -> Result<Option<NodeId>, StoreError> {
    let filter = OperationFilter { vm: Some(vm.id), limit: u32::MAX, ..OperationFilter::default() };
    let known = store.operation_list(&filter).await?;
    // What was undone has brought it nowhere, and says nothing of what was given up before.
    let brought = |it: &Operation| match &it.kind {
        _ if it.state == OperationState::Undone => None,
        OperationKind::Rebuild { node, .. } => Some((it.state, *node)),
        OperationKind::Unreadable { to, .. } => Some((it.state, (*to)?)),
        // Each of these has asked there before it did anything.
        OperationKind::Start { .. } if it.state == OperationState::Succeeded => Some((it.state, vm.node)),
        OperationKind::Resize { plan, .. } if plan.destination.is_none() && it.state == OperationState::Succeeded => {
            Some((it.state, vm.node))
        }
        OperationKind::Resize { plan, .. } => Some((it.state, plan.destination?)),
        _ => None,
    };
    let last = known.iter().filter(|it| Some(it.id) != except).find_map(brought);
    Ok(last.filter(|(state, node)| *state == OperationState::Failed && *node != vm.node).map(|(_, node)| node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::operations::rig::{Rig, size};
    use crate::store::rows::{NewOperation, OperationEnd};
    use grid::{Resources, UnixMillis};
    use uuid::Uuid;

    /// An operation of this VM that ended so, begun by a clock that was so many milliseconds ahead.
    async fn ended(rig: &Rig, vm: &Vm, to: NodeId, ahead: i64, state: OperationState) {
        let plan = rig.plan_as(&rig.admin, vm.id, size(2, 512, 2)).await;
        let now = UnixMillis(clock::now().0 + ahead);
        let new = NewOperation {
            id: OperationId(Uuid::now_v7()),
            kind: OperationKind::Resize {
                plan: grid::plan::Plan { destination: Some(to), ..plan },
                force_off: false,
                not_after: None,
            },
            tenant: vm.tenant,
            actor: vm.owner,
            idempotency_key: Uuid::new_v4().to_string(),
            generation: None,
            deploy: None,
            reservations: vec![],
            quota_delta: Resources::ZERO,
            steps: vec!["another version's"],
            relocation: None,
            now,
        };
        rig.store.operation_begin(&new, &[]).await.unwrap();
        let epoch = rig.store.operation_claim(new.id).await.unwrap();
        let reason = (state == OperationState::Failed).then(|| "given up".to_owned());
        let end = OperationEnd { state, reason, detail: None, downtime_ms: None, called_ms: 0, given_up_by: None, now };
        rig.store.operation_end(new.id, epoch, &end).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn where_it_may_be_is_known_though_the_clock_was_set_back() {
        let rig = Rig::new().await;
        let id = rig.vm_on("qemu-a").await;
        let vm = rig.vm(id).await;
        ended(&rig, &vm, rig.id("qemu-a"), 24 * 60 * 60 * 1000, OperationState::Succeeded).await;
        ended(&rig, &vm, rig.id("qemu-b"), 0, OperationState::Failed).await;
        let found = perhaps_at(rig.store.as_ref(), &vm, None).await.unwrap();
        assert_eq!(found, Some(rig.id("qemu-b")));
    }
}
