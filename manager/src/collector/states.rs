//! The states of VMs follow what their homes' hypervisors say, as long as no operation works on them.

use super::{Back, Collector};
use crate::clock;
use crate::shared::Change;
use grid::map::{Condition, Freshness, MapNode, Reading};
use grid::sample::{DomainState, HypervisorSample};
use grid::vm::{Vm, VmState};
use grid::{NodeId, UnixMillis, VmId};

/// When a node was asked that this process has no answer from: before all else.
pub(super) const NOT_ASKED: UnixMillis = UnixMillis(0);

/// Records the states that have changed on a node.
///
/// `asked_at`: when the node was asked for the sample that is there now, which is an old one where it does not answer;
/// [`NOT_ASKED`] of what an earlier process heard.
pub(super) async fn follow(collector: &Collector, node: NodeId, asked_at: UnixMillis) {
    let map = collector.map();
    let Some(entry) = map.get(node) else { return };
    // Once for all: what is fresh for the one and stale for the other would be missed by both.
    let believed = believed(entry, clock::now(), collector.shared.pace.freshness);
    look(collector, node, believed, asked_at);
    let changed: Vec<(Vm, VmState)> = {
        let heard = collector.heard();
        let mut came_back = collector.came_back();
        let homely = heard.records.vms.get(&node).map_or(&[][..], Vec::as_slice);
        let mut changed = Vec::new();
        for vm in homely {
            match seen(vm, believed) {
                // One on which an operation still worked when the node was asked is shown as it was meanwhile.
                Some(state) if state != VmState::Unknown && heard.is_worked_on(vm.id, Some(asked_at)) => {}
                Some(state) if !heard.records.worked_on.contains(&vm.id) => changed.push((vm.clone(), state)),
                _ => came_back.is_decided(vm.id),
            }
        }
        changed
    };
    if changed.is_empty() {
        return;
    }
    for (vm, state) in &changed {
        // An operation is about to begin for it.
        if collector.came_back().is_starting(vm.id) {
            continue;
        }
        // The answer may be older than an operation that has just ended or begun: ask the store again.
        match collector.shared.store.vm_get(vm.id).await {
            Ok(Some(now)) if now.generation == vm.generation => {}
            _ => continue,
        }
        let went_down = collector.came_back().is_undecided(vm.id) || is_off_unexplained(vm, entry);
        if went_down && *state == VmState::Stopped {
            match collector.shared.store.vm_ran(vm.id).await {
                Ok(false) => {}
                // Its start says what becomes of it.
                Ok(true) => {
                    collector.returned(Back::Vm(vm.id));
                    continue;
                }
                // It is still undecided at the next look.
                Err(error) => {
                    tracing::warn!(%error, vm = %vm.id, "whether a VM ran can't be read");
                    continue;
                }
            }
        }
        collector.came_back().is_decided(vm.id);
        tracing::info!(vm = %vm.id, from = vm.state.as_str(), to = state.as_str(), "a VM's state");
        match collector.shared.store.vm_state_set(vm.id, *state, None).await {
            Ok(()) => collector.shared.tell(Change::Vm(vm.id)),
            Err(error) => tracing::warn!(%error, vm = %vm.id, "a VM's state was not recorded"),
        }
    }
    let vms: Vec<VmId> = changed.iter().map(|(vm, _)| vm.id).collect();
    if let Err(error) = collector.vms_changed(&vms).await {
        tracing::warn!(%error, "the store could not be read");
    }
}

/// Notes whether the node is being looked at, and for the first time since this process began or it was silent.
fn look(collector: &Collector, node: NodeId, believed: Option<&Reading<HypervisorSample>>, asked_at: UnixMillis) {
    let heard = collector.heard();
    let mut came_back = collector.came_back();
    match believed {
        None => came_back.is_silent(node),
        // What an earlier run heard says nothing of now.
        Some(_) if asked_at != NOT_ASKED => {
            let vms = heard.records.vms.get(&node).map_or(&[][..], Vec::as_slice);
            came_back.looks(node, vms.iter().map(|vm| vm.id));
        }
        Some(_) => {}
    }
}

/// What the hypervisor says, where it is fresh; nothing that a fenced node says is believed.
fn believed(entry: &MapNode, now: UnixMillis, limits: Freshness) -> Option<&Reading<HypervisorSample>> {
    let is_fresh = |reading: &&Reading<HypervisorSample>| limits.is_fresh(reading.at, now);
    entry.hypervisor.as_ref().filter(is_fresh).filter(|_| entry.condition != Condition::Fenced)
}

/// It went off with its node, which may be back before anybody has missed it.
fn is_off_unexplained(vm: &Vm, entry: &MapNode) -> bool {
    let domains = entry.hypervisor.iter().flat_map(|reading| &reading.sample.domains);
    domains.filter(|domain| domain.id == vm.id).any(|domain| domain.off_unexplained)
}

/// The state to record; none where it stays as it is.
fn seen(vm: &Vm, believed: Option<&Reading<HypervisorSample>>) -> Option<VmState> {
    if !matches!(vm.state, VmState::Running | VmState::Stopped | VmState::Unknown) {
        return None;
    }
    let domain = believed.map(|reading| reading.sample.domains.iter().find(|domain| domain.id == vm.id));
    let state = match domain.map(|found| found.map(|domain| domain.state)) {
        None | Some(None) => VmState::Unknown,
        Some(Some(DomainState::Running | DomainState::Paused)) => VmState::Running,
        Some(Some(DomainState::ShutOff)) => VmState::Stopped,
        Some(Some(DomainState::Other)) => return None,
    };
    (state != vm.state).then_some(state)
}
