//! Nodes, VMs and maps that tests are made of.

use grid::map::{Freshness, MapNode, NodeInputs, Reading, ResourceMap};
use grid::node::{Administration, Node, NodeSettings};
use grid::sample::{
    Compatibility, DeployedVm, DomainSample, DomainState, HypervisorSample, PoolSample, UTILITY_DOMAIN, UtilitySample,
};
use grid::vm::{Maxima, Vm, VmState};
use grid::{Gib, HypervisorKind, Mib, NodeId, Resources, Size, TenantId, UnixMillis, UserId, Vcpus, VmId};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use uuid::Uuid;

pub(crate) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
/// No VM is in an operation's hands.
pub(crate) static NOBODY: BTreeSet<VmId> = BTreeSet::new();
pub(crate) const LIMITS: Freshness = Freshness { stale_after_ms: 15_000 };

pub(crate) fn size(vcpus: u32, memory_mib: u64, disk_gib: u64) -> Size {
    Size::new(Vcpus(vcpus), Mib(memory_mib), Gib(disk_gib))
}

pub(crate) fn amounts(vcpus: u64, memory_mib: u64, disk_mib: u64) -> Resources {
    Resources::new(vcpus, memory_mib, disk_mib)
}

pub(crate) fn node_id(number: u128) -> NodeId {
    NodeId(Uuid::from_u128(number))
}

pub(crate) fn vm_id(number: u128) -> VmId {
    VmId(Uuid::from_u128(number))
}

/// A node as the store has it, with nothing kept back.
pub(crate) fn node(number: u128, kind: HypervisorKind) -> Node {
    Node {
        id: node_id(number),
        name: format!("{kind}-{number}"),
        kind,
        region: "north".to_owned(),
        uri: format!("simulated:///{kind}-{number}"),
        settings: NodeSettings::default(),
        administration: Administration::Open,
        failure_domain: None,
    }
}

/// A running VM whose home is node `home`, with maxima of 8 vCPUs and 4,096 MiB.
pub(crate) fn vm(number: u128, home: u128, kind: HypervisorKind, size: Size) -> Vm {
    Vm {
        id: vm_id(number),
        name: format!("vm-{number}"),
        tenant: TenantId(Uuid::nil()),
        owner: UserId(Uuid::nil()),
        node: node_id(home),
        kind,
        region: "north".to_owned(),
        image: "tiny".to_owned(),
        size,
        maxima: Maxima { vcpus: Vcpus(8), memory: Mib(4096) },
        state: VmState::Running,
        mac: "52:54:00:00:00:01".to_owned(),
        address: Ipv4Addr::new(10, 0, 0, 1),
        keys: String::new(),
        created_at: NOW,
        generation: 7,
    }
}

pub(crate) fn domain(vm: &Vm) -> DomainSample {
    DomainSample {
        id: vm.id,
        name: vm.name.clone(),
        state: DomainState::Running,
        off_unexplained: false,
        vcpus_current: vm.size.vcpus.0,
        vcpus_maximum: vm.maxima.vcpus.0,
        memory_current_mib: vm.size.memory.0,
        memory_maximum_mib: vm.maxima.memory.0,
        disk_capacity_mib: if vm.kind.is_container() { 0 } else { vm.size.disk.to_mib().0 },
        cpu_time_ns: 0,
        memory_resident_mib: None,
        block_read_bytes: Some(0),
        block_write_bytes: Some(0),
        network_receive_bytes: 0,
        network_transmit_bytes: 0,
    }
}

/// The utility VM, running.
pub(crate) fn utility_domain() -> DomainSample {
    let mut domain = domain(&vm(0xfff, 1, HypervisorKind::Qemu, size(1, 128, 0)));
    UTILITY_DOMAIN.clone_into(&mut domain.name);
    domain
}

pub(crate) fn hypervisor(has: Resources) -> HypervisorSample {
    HypervisorSample {
        taken_at: NOW,
        library_version: 9_000_000,
        hypervisor_version: 7_002_000,
        domain_kinds: vec![HypervisorKind::Qemu],
        compatibility: Compatibility {
            cpu_model: "Skylake-Server".to_owned(),
            cpu_features: vec!["avx2".to_owned(), "sse4.2".to_owned()],
            machine_types: vec!["pc-q35-7.2".to_owned()],
        },
        cpus: u32::try_from(has.vcpus()).unwrap_or(u32::MAX),
        memory_total_mib: has.memory_mib(),
        memory_free_mib: has.memory_mib(),
        numa_cells: Vec::new(),
        cpu_busy_ns: None,
        cpu_idle_ns: None,
        pool: Some(PoolSample { capacity_mib: has.disk_mib(), free_mib: has.disk_mib() }),
        pool_allocated_mib: Some(0),
        domains: Vec::new(),
    }
}

pub(crate) fn utility(has: Resources) -> UtilitySample {
    UtilitySample {
        taken_at: NOW,
        sequence: 1,
        boot_id: "7a3c".to_owned(),
        process_namespace: "pid:[4026532000]".to_owned(),
        version: "0.1.0".to_owned(),
        uptime_seconds: 60,
        own_memory_total_mib: 128,
        own_memory_available_mib: 64,
        own_resident_mib: 4,
        load_permille: 0,
        steal_permille: 0,
        sees_node: false,
        node_memory_total_mib: None,
        node_memory_free_mib: None,
        node_memory_available_mib: None,
        pool: PoolSample { capacity_mib: has.disk_mib(), free_mib: has.disk_mib() },
        write_latency_us: 300,
        disks: Vec::new(),
        images: Vec::new(),
        deployed: Vec::new(),
    }
}

/// A fresh node with these resources and these VMs, whose utility VM takes nothing.
pub(crate) fn inputs(mut node: Node, has: Resources, vms: &[Vm]) -> NodeInputs<'_> {
    node.settings.network_mbit = has.network_mbit();
    let mut first = hypervisor(has);
    first.domains = vms.iter().map(domain).collect();
    let mut second = utility(has);
    second.deployed = vms.iter().map(|vm| DeployedVm { vm: vm.id, size: vm.size }).collect();
    NodeInputs {
        node,
        hypervisor: Some(Reading { at: NOW, sample: first }),
        previous: None,
        utility: Some(Reading { at: NOW, sample: second }),
        utility_off: None,
        vms,
        reserved: Resources::ZERO,
        held: &[],
        worked_on: &NOBODY,
        utility_vm: Resources::ZERO,
        now: NOW,
        limits: LIMITS,
    }
}

pub(crate) fn map_of(nodes: impl IntoIterator<Item = MapNode>) -> ResourceMap {
    nodes.into_iter().fold(ResourceMap::default(), |map, node| map.with_node(NOW, node))
}

/// A node number `number` that has these resources and these VMs of one kind.
pub(crate) fn built(number: u128, kind: HypervisorKind, has: Resources, vms: &[Vm]) -> MapNode {
    let home: Vec<Vm> = vms.iter().filter(|vm| vm.node == node_id(number)).cloned().collect();
    MapNode::build(inputs(node(number, kind), has, &home))
}
