//! What is not as it is recorded, found by comparing the map's samples with the store. Nothing is asked of a node here,
//! so that a hung one delays nothing.

use super::mend::is_worked_on;
use super::{Drift, DriftKind};
use crate::clock;
use crate::operations::was_rebuilt_from;
use crate::options::Pace;
use crate::store::rows::OperationFilter;
use crate::store::{Store, StoreError};
use grid::map::{Condition, MapNode, ResourceMap};
use grid::sample::{DomainSample, DomainState, UTILITY_DOMAIN};
use grid::vm::{Vm, VmState};
use grid::{Gib, Mib, Size, UnixMillis, VmId};
use std::collections::BTreeMap;

/// All that is found now.
pub(super) async fn find(map: &ResourceMap, store: &dyn Store, pace: &Pace) -> Result<Vec<Drift>, StoreError> {
    let now = clock::now();
    let vms: BTreeMap<VmId, Vm> = store.vm_list(None).await?.into_iter().map(|vm| (vm.id, vm)).collect();
    let is_fresh = |at: UnixMillis| pace.freshness.is_fresh(at, now);
    let mut found = Vec::new();
    for node in map.iter() {
        if let Some(reading) = node.hypervisor.as_ref().filter(|reading| is_fresh(reading.at)) {
            found.extend(domains(node, &reading.sample.domains, &vms).into_iter().map(|drift| (drift, reading.at)));
        }
        if let Some(reading) = node.utility.as_ref().filter(|reading| is_fresh(reading.at)) {
            let disks = reading.sample.disks.iter().map(|disk| (disk.vm, disk.real_bytes));
            found.extend(left_disks(node, disks, &vms).into_iter().map(|drift| (drift, reading.at)));
        }
    }
    let mut lasting = Vec::new();
    for (mut drift, at) in found {
        if touched_since(store, drift.vm, at).await? {
            continue;
        }
        if was_rebuilt_from(store, drift.vm, drift.node).await? {
            drift.what +=
                "; it was rebuilt there when this node was fenced, and its old data here is not removed by itself";
        }
        lasting.push(drift);
    }
    Ok(lasting)
}

/// Whether an operation works on the VM, or has since the sample was taken. One that ended at a time that is still to come did so
/// before the clock was set back.
async fn touched_since(store: &dyn Store, vm: VmId, at: UnixMillis) -> Result<bool, StoreError> {
    if is_worked_on(store, vm).await? {
        return Ok(true);
    }
    let filter = OperationFilter { vm: Some(vm), limit: 1, ..OperationFilter::default() };
    let newest = store.operation_list(&filter).await?.into_iter().next();
    let since = at..=clock::now();
    Ok(newest.is_some_and(|it| it.ended_at.is_none_or(|ended| since.contains(&ended))))
}

fn drift(kind: DriftKind, node: &MapNode, vm: VmId, vms: &BTreeMap<VmId, Vm>, what: String) -> Drift {
    let (node, node_name) = (node.node.id, node.node.name.clone());
    Drift { kind, node, node_name, vm, vm_name: vms.get(&vm).map(|vm| vm.name.clone()), what, since: UnixMillis(0) }
}

fn domains(node: &MapNode, domains: &[DomainSample], vms: &BTreeMap<VmId, Vm>) -> Vec<Drift> {
    // Of its own VMs nothing that a fenced node says is believed.
    let is_fenced = node.condition == Condition::Fenced;
    let is_off = |domain: &DomainSample| domain.state == DomainState::ShutOff;
    let mut found = Vec::new();
    for domain in domains.iter().filter(|domain| domain.name != UTILITY_DOMAIN) {
        let (kind, what) = match vms.get(&domain.id) {
            None => (DriftKind::Stranger, format!("nobody recorded the domain {}", domain.name)),
            Some(vm) if vm.node != node.node.id && is_off(domain) => {
                (DriftKind::LeftDefinition, "a definition that is off, and its home is another node".to_owned())
            }
            Some(vm) if vm.node != node.node.id => {
                (DriftKind::Elsewhere, "it runs here, and its home is another node".to_owned())
            }
            Some(_) if is_fenced => continue,
            Some(_) if domain.state == DomainState::Paused => (DriftKind::StandsStill, stands_still(node)),
            Some(vm) => match other_size(vm, domain) {
                Some(told) => (DriftKind::Size, format!("it is recorded with {} and has {told}", vm.size)),
                None => continue,
            },
        };
        found.push(drift(kind, node, domain.id, vms, what));
    }
    if is_fenced {
        return found;
    }
    let is_there = |vm: &Vm| domains.iter().any(|domain| domain.id == vm.id);
    let homely = vms.values().filter(|vm| vm.node == node.node.id && !is_there(vm));
    let lost = homely.filter(|vm| matches!(vm.state, VmState::Running | VmState::Stopped | VmState::Unknown));
    found.extend(lost.map(|vm| drift(DriftKind::Missing, node, vm.id, vms, "its home does not know it".to_owned())));
    found
}

fn stands_still(node: &MapNode) -> String {
    let pool = node.hypervisor.as_ref().and_then(|reading| reading.sample.pool);
    let room = pool.map_or_else(String::new, |pool| format!(", and the pool has {} MiB left", pool.free_mib));
    format!("it is paused: its disk could not be written, or somebody paused it{room}")
}

/// The size that a domain shows, where it is another than is recorded. A machine's memory may be plugged yet.
fn other_size(vm: &Vm, domain: &DomainSample) -> Option<Size> {
    if !matches!(vm.state, VmState::Running | VmState::Stopped) {
        return None;
    }
    let memory = Mib(domain.memory_current_mib);
    // Beside the disk there may be a seed; and where the driver tells no disk, nothing is told of it.
    let disk = Gib(domain.disk_capacity_mib >> 10).max(vm.size.disk);
    // A sample doesn't tell to what the interface is limited.
    let told = Size { vcpus: grid::Vcpus(domain.vcpus_current), memory, disk, ..vm.size };
    let more_memory = memory.0 >= vm.size.memory.0.saturating_add(Size::MEMORY_STEP.0);
    (told.vcpus != vm.size.vcpus || told.disk != vm.size.disk || more_memory).then_some(told)
}

fn left_disks(node: &MapNode, disks: impl Iterator<Item = (VmId, u64)>, vms: &BTreeMap<VmId, Vm>) -> Vec<Drift> {
    let left = disks.filter(|(vm, _)| vms.get(vm).is_none_or(|vm| vm.node != node.node.id));
    let told = left.map(|(vm, bytes)| {
        let whose = if vms.contains_key(&vm) { "its home is another node" } else { "nobody recorded the VM" };
        let what = format!("a disk of {} MiB is in the pool, and {whose}", bytes >> 20);
        drift(DriftKind::LeftDisk, node, vm, vms, what)
    });
    told.collect()
}
