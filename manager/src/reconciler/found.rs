//! What is not as it is recorded, found by comparing the map's samples with the store. Of a node nothing is asked here but how
//! those VMs are configured that show less memory than is recorded, of all nodes at once, and none is waited for for long.

use super::mend::{is_worked_on, observe};
use super::{Drift, DriftKind};
use crate::clock;
use crate::operations::was_rebuilt_from;
use crate::promises::other_size;
use crate::shared::Shared;
use crate::store::rows::OperationFilter;
use crate::store::{Store, StoreError};
use futures::future::join_all;
use grid::map::{Condition, MapNode, ResourceMap};
use grid::sample::{DomainSample, DomainState, UTILITY_DOMAIN};
use grid::vm::{Vm, VmState};
use grid::{Gib, Mib, Size, UnixMillis, VmId};
use std::collections::BTreeMap;

/// All that is found now.
pub(super) async fn find(shared: &Shared, map: &ResourceMap) -> Result<Vec<Drift>, StoreError> {
    let (store, now) = (shared.store.as_ref(), clock::now());
    let vms: BTreeMap<VmId, Vm> = store.vm_list(None).await?.into_iter().map(|vm| (vm.id, vm)).collect();
    let is_fresh = |at: UnixMillis| shared.pace.freshness.is_fresh(at, now);
    let (mut found, mut doubtful) = (Vec::new(), Vec::new());
    for node in map.iter() {
        if let Some(reading) = node.hypervisor.as_ref().filter(|reading| is_fresh(reading.at)) {
            found.extend(domains(node, &reading.sample.domains, &vms).into_iter().map(|drift| (drift, reading.at)));
            doubtful.extend(with_less_memory(node, &reading.sample.domains, &vms).map(|vm| (node, vm, reading.at)));
        }
        if let Some(reading) = node.utility.as_ref().filter(|reading| is_fresh(reading.at)) {
            let disks = reading.sample.disks.iter().map(|disk| (disk.vm, disk.real_bytes));
            found.extend(left_disks(node, disks, &vms).into_iter().map(|drift| (drift, reading.at)));
        }
    }
    let asked = doubtful.into_iter().map(async |(node, vm, at)| {
        let seen = observe(shared, node.node.id, vm.id).await.ok()??;
        Some((drift(DriftKind::Size, node, vm.id, &vms, in_words(vm, other_size(vm, &seen)?)), at))
    });
    found.extend(join_all(asked).await.into_iter().flatten());
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
            Some(vm) => match shown_size(vm, domain) {
                Some(told) => (DriftKind::Size, in_words(vm, told)),
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

fn in_words(vm: &Vm, told: Size) -> String {
    format!("it is recorded with {} and has {told}", vm.size)
}

/// VMs at home here that show less memory than is recorded, and else what is: after a start it may be plugged yet, which only
/// their configuration tells.
fn with_less_memory<'a>(
    node: &MapNode,
    domains: &[DomainSample],
    vms: &'a BTreeMap<VmId, Vm>,
) -> impl Iterator<Item = &'a Vm> {
    let is_believed = node.condition != Condition::Fenced;
    let has_less = move |vm: &Vm, domain: &DomainSample| {
        let less = domain.memory_current_mib.saturating_add(Size::MEMORY_STEP.0) <= vm.size.memory.0;
        is_believed && vm.node == node.node.id && domain.state == DomainState::Running && less
    };
    domains.iter().filter_map(move |domain| {
        vms.get(&domain.id).filter(|vm| has_less(vm, domain) && shown_size(vm, domain).is_none())
    })
}

/// The size that a domain shows, where it is another than is recorded. Less memory is looked into: [`with_less_memory`].
fn shown_size(vm: &Vm, domain: &DomainSample) -> Option<Size> {
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
