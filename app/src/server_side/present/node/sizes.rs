//! The VMs of a node: the recorded size of each, and what each source says of it.

use crate::view::amounts;
use crate::view::node::NodeVmView;
use grid::map::{Fact, Holder, MapNode};
use grid::sample::{DomainSample, DomainState, UTILITY_DOMAIN};
use grid::vm::Vm;
use grid::{Resources, VmId};

/// Every holder of something on the node: recorded VMs by name, then the utility VM and strangers.
pub(super) fn vms(node: &MapNode, recorded: &[Vm]) -> Vec<NodeVmView> {
    let mut views: Vec<NodeVmView> = recorded.iter().map(|vm| of_record(node, vm)).collect();
    for commitment in &node.commitments {
        match commitment.holder {
            Holder::Vm(id) if recorded.iter().any(|vm| vm.id == id) => {}
            Holder::Vm(id) => views.push(of_other(node, id, "on its way")),
            Holder::Stranger(id) => views.push(of_other(node, id, "not recorded")),
            Holder::Utility => views.push(NodeVmView {
                id: None,
                name: "utility VM".to_owned(),
                state: if node.utility.is_some() { "heard" } else { "not heard" }.to_owned(),
                // All that it takes: a disk of its own it has none.
                recorded: Some(amounts::all(commitment.resources)),
                hypervisor: utility_domain(node).map(reported),
                utility: None,
                differs: false,
            }),
        }
    }
    views
}

fn of_record(node: &MapNode, vm: &Vm) -> NodeVmView {
    NodeVmView {
        id: Some(vm.id.to_string()),
        name: vm.name.clone(),
        state: vm.state.as_str().to_owned(),
        recorded: Some(amounts::size(vm.size)),
        hypervisor: domain(node, vm.id).map(reported),
        utility: deployed(node, vm.id),
        differs: differs(node, vm.id),
    }
}

fn of_other(node: &MapNode, id: VmId, name: &str) -> NodeVmView {
    let domain = domain(node, id);
    NodeVmView {
        id: None,
        name: format!("{name}: {}", domain.map_or_else(|| id.to_string(), |domain| domain.name.clone())),
        state: domain.map_or("–", |domain| state(domain.state)).to_owned(),
        recorded: None,
        hypervisor: domain.map(reported),
        utility: deployed(node, id),
        differs: differs(node, id),
    }
}

fn utility_domain(node: &MapNode) -> Option<&DomainSample> {
    node.hypervisor.as_ref()?.sample.domains.iter().find(|domain| domain.name == UTILITY_DOMAIN)
}

fn domain(node: &MapNode, id: VmId) -> Option<&DomainSample> {
    node.hypervisor.as_ref()?.sample.domains.iter().find(|domain| domain.id == id)
}

fn deployed(node: &MapNode, id: VmId) -> Option<String> {
    let sample = &node.utility.as_ref()?.sample;
    let size = amounts::size(sample.deployed.iter().find(|deployed| deployed.vm == id)?.size);
    Some(match sample.disks.iter().find(|disk| disk.vm == id) {
        Some(disk) => {
            let (long, taken) = (amounts::bytes(disk.virtual_bytes), amounts::bytes(disk.real_bytes));
            format!("{size}; its disk is {long} long and takes {taken}")
        }
        None => size,
    })
}

fn reported(domain: &DomainSample) -> String {
    let amounts = Resources::new(domain.vcpus_current.into(), domain.memory_current_mib, domain.disk_capacity_mib);
    amounts::all(amounts)
}

fn differs(node: &MapNode, id: VmId) -> bool {
    node.disagreements
        .iter()
        .any(|each| matches!(each.fact, Fact::VmSize { vm, .. } | Fact::VmThere { vm } if vm == id))
}

const fn state(state: DomainState) -> &'static str {
    match state {
        DomainState::Running => "running",
        DomainState::Paused => "paused",
        DomainState::ShutOff => "stopped",
        DomainState::Other => "other",
    }
}
