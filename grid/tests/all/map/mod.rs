//! The map: what counts, what is compared, when a node takes nothing.

mod capacity;

use crate::fixture::*;
use grid::map::{Condition, Disagreement, Fact, Holder, MapNode, Reading, how_many_fit, largest_fit};
use grid::node::{Administration, Overcommit};
use grid::offer::Offer;
use grid::sample::{DeployedVm, DiskSample, PoolSample, Source};
use grid::vm::{VmState, commitment};
use grid::{HypervisorKind, Mbit, Resource, Resources, Size, UnixMillis};

const HAS: Resources = Resources::new(16, 32_768, 102_400);

fn qemu(vms: &[grid::vm::Vm]) -> grid::map::NodeInputs<'_> {
    inputs(node(1, HypervisorKind::Qemu), HAS, vms)
}

#[test]
fn available_is_usable_less_committed_less_reserved() {
    let vms = [vm(1, 1, HypervisorKind::Qemu, size(4, 8192, 20))];
    let mut inputs = qemu(&vms);
    inputs.node.settings.reserve = amounts(2, 1024, 10_240);
    inputs.node.settings.overcommit = Overcommit::default().with(Resource::Vcpus, 2000);
    inputs.reserved = amounts(1, 512, 1024);
    inputs.utility_vm = amounts(1, 194, 0);
    let node = MapNode::build(inputs);
    assert_eq!(node.usable, amounts(28, 31_744, 92_160));
    // A QEMU VM's overhead is 64 MiB and a 64th of its memory, and 2 MiB of disk.
    assert_eq!(node.committed, amounts(5, 8192 + 64 + 128 + 194, 20_482));
    assert_eq!(node.available(), amounts(22, 31_744 - 8578 - 512, 92_160 - 20_482 - 1024));
    assert_eq!(node.condition, Condition::Ready);
}

#[test]
fn bandwidth_is_what_the_settings_say_and_measured_is_each_vms_busier_way() {
    let vms = [1, 2].map(|number| vm(number, 1, HypervisorKind::Qemu, Size { network: Mbit(100), ..size(1, 64, 1) }));
    let mut inputs = inputs(node(1, HypervisorKind::Qemu), HAS.with(Resource::Network, 1000), &vms);
    let previous = inputs.hypervisor.clone().unwrap().sample;
    inputs.previous = Some(&previous);
    inputs.node.settings.reserve = Resources::ZERO.with(Resource::Network, 100);
    inputs.node.settings.overcommit = Overcommit::default().with(Resource::Network, 2000);
    let now = &mut inputs.hypervisor.as_mut().unwrap().sample;
    now.taken_at = UnixMillis(NOW.0 + 1000);
    (now.domains[0].network_receive_bytes, now.domains[0].network_transmit_bytes) = (1_250_000, 125_000);
    now.domains[1].network_transmit_bytes = 1_250_001;
    let node = MapNode::build(inputs);
    let network = [node.physical, node.usable, node.committed, node.available(), node.measured];
    assert_eq!(network.map(|amounts| amounts.network_mbit()), [1000, 1800, 200, 1600, 21]);
}

#[test]
fn a_node_with_more_committed_than_usable_has_nothing_left() {
    let vms = [vm(1, 1, HypervisorKind::Qemu, size(64, 65_536, 200))];
    let node = MapNode::build(qemu(&vms));
    assert_eq!(node.available(), Resources::ZERO);
    assert!(node.committed.vcpus() > node.usable.vcpus());
}

#[test]
fn the_pool_counts_by_its_worse_side() {
    let mut inputs = qemu(&[]);
    inputs.utility.as_mut().unwrap().sample.pool = PoolSample { capacity_mib: 92_160, free_mib: 51_200 };
    let node = MapNode::build(inputs);
    assert_eq!(node.physical.disk_mib(), 92_160);
    assert_eq!(node.available().disk_mib(), 51_200);
    let told: Vec<(Fact, Source)> = node.disagreements.iter().map(|each| (each.fact, each.counted)).collect();
    assert_eq!(told, [(Fact::PoolCapacity, Source::Utility), (Fact::PoolFree, Source::Utility)]);
    assert_eq!(
        node.disagreements[0].to_string(),
        "pool capacity: 102,400 MiB by the hypervisor, 92,160 MiB by the utility module, whose word counts"
    );
    assert_eq!(node.condition, Condition::Ready);
}

#[test]
fn readings_that_are_seconds_apart_do_not_disagree() {
    let mut inputs = qemu(&[]);
    inputs.utility.as_mut().unwrap().sample.pool = PoolSample { capacity_mib: 102_000, free_mib: 98_000 };
    assert_eq!(MapNode::build(inputs).disagreements, []);
}

#[test]
fn room_that_thin_disks_can_still_grow_into_is_not_available() {
    let vms = [vm(1, 1, HypervisorKind::Qemu, size(1, 512, 40))];
    let mut inputs = qemu(&vms);
    // 10 GiB of images are in the pool, and 5 GiB of the VM's disk.
    let free = HAS.disk_mib() - 15 * 1024;
    inputs.hypervisor.as_mut().unwrap().sample.pool = Some(PoolSample { capacity_mib: HAS.disk_mib(), free_mib: free });
    let second = &mut inputs.utility.as_mut().unwrap().sample;
    second.pool.free_mib = free;
    second.disks = vec![DiskSample { vm: vm_id(1), virtual_bytes: 40 << 30, real_bytes: 5 << 30 }];
    assert_eq!(MapNode::build(inputs).available().disk_mib(), HAS.disk_mib() - 10 * 1024 - 40 * 1024 - 2);
}

#[test]
fn a_disk_that_moves_in_is_counted_once_while_it_is_copied() {
    let mut inputs = qemu(&[]);
    inputs.reserved = amounts(1, 576, 40 * 1024);
    inputs.held = &[];
    let arriving = [vm_id(9)];
    inputs.held = &arriving;
    let free = HAS.disk_mib() - 30 * 1024;
    inputs.hypervisor.as_mut().unwrap().sample.pool = Some(PoolSample { capacity_mib: HAS.disk_mib(), free_mib: free });
    let second = &mut inputs.utility.as_mut().unwrap().sample;
    second.pool.free_mib = free;
    second.disks = vec![DiskSample { vm: vm_id(9), virtual_bytes: 40 << 30, real_bytes: 30 << 30 }];
    assert_eq!(MapNode::build(inputs).available().disk_mib(), HAS.disk_mib() - 40 * 1024);
}

#[test]
fn a_vm_counts_at_the_larger_of_what_is_recorded_and_what_runs() {
    let vms = [vm(1, 1, HypervisorKind::Qemu, size(2, 2048, 10))];
    let mut inputs = qemu(&vms);
    let domain = &mut inputs.hypervisor.as_mut().unwrap().sample.domains[0];
    domain.vcpus_current = 1;
    domain.memory_current_mib = 4096;
    domain.disk_capacity_mib += 2;
    let node = MapNode::build(inputs);
    assert_eq!(node.committed_to(vm_id(1)), commitment(HypervisorKind::Qemu, size(2, 4096, 10)));
}

#[test]
fn a_vm_that_grows_counts_by_its_record_and_its_reservation() {
    let vms = [vm(1, 1, HypervisorKind::Qemu, size(2, 2048, 10))];
    let mut inputs = qemu(&vms);
    inputs.hypervisor.as_mut().unwrap().sample.domains[0].memory_current_mib = 4096;
    let held = [vm_id(1)];
    inputs.held = &held;
    assert_eq!(MapNode::build(inputs).committed_to(vm_id(1)), commitment(HypervisorKind::Qemu, size(2, 2048, 10)));
}

#[test]
fn strangers_count_at_their_maxima_and_the_utility_vm_is_none() {
    let stranger = vm(5, 1, HypervisorKind::Qemu, size(1, 1024, 5));
    let mut inputs = qemu(&[]);
    inputs.utility_vm = amounts(1, 194, 0);
    inputs.hypervisor.as_mut().unwrap().sample.domains = vec![domain(&stranger), utility_domain()];
    let node = MapNode::build(inputs);
    let holders: Vec<Holder> = node.commitments.iter().map(|each| each.holder).collect();
    assert_eq!(holders, [Holder::Utility, Holder::Stranger(vm_id(5))]);
    assert_eq!(node.committed, amounts(9, 194 + 4096 + 64 + 64, 5 * 1024 + 2));
}

#[test]
fn a_domain_that_moves_in_is_no_stranger() {
    let arriving = vm(5, 2, HypervisorKind::Qemu, size(1, 1024, 5));
    let mut inputs = qemu(&[]);
    inputs.hypervisor.as_mut().unwrap().sample.domains = vec![domain(&arriving)];
    let held = [arriving.id];
    inputs.held = &held;
    assert_eq!(MapNode::build(inputs).committed, Resources::ZERO);
}

#[test]
fn a_vm_being_deployed_counts_once_and_a_failed_one_by_what_is_left_of_it() {
    let mut deploying = vm(1, 1, HypervisorKind::Qemu, size(2, 2048, 10));
    deploying.state = VmState::Deploying;
    let mut failed = vm(2, 1, HypervisorKind::Qemu, size(2, 2048, 10));
    failed.state = VmState::Failed;
    let vms = [deploying, failed];
    let held = [vm_id(1)];
    let mut with_reservation = qemu(&vms);
    with_reservation.held = &held;
    with_reservation.hypervisor.as_mut().unwrap().sample.domains.clear();
    assert_eq!(MapNode::build(with_reservation).committed, Resources::ZERO);
    let without = MapNode::build(qemu(&vms));
    assert_eq!(without.committed.vcpus(), 4);
}

#[test]
fn a_stopped_vm_keeps_its_room() {
    let mut stopped = vm(1, 1, HypervisorKind::Qemu, size(2, 2048, 10));
    stopped.state = VmState::Stopped;
    let vms = [stopped];
    assert_eq!(MapNode::build(qemu(&vms)).committed.vcpus(), 2);
}

#[test]
fn sizes_that_differ_between_the_sources_are_named_with_what_counts() {
    let vms = [vm(1, 1, HypervisorKind::Qemu, size(2, 2048, 10))];
    let mut inputs = qemu(&vms);
    let told = DeployedVm { vm: vm_id(1), size: size(3, 2060, 10) };
    inputs.utility.as_mut().unwrap().sample.deployed = vec![told];
    let node = MapNode::build(inputs);
    let [only] = node.disagreements.as_slice() else { panic!("{:?}", node.disagreements) };
    assert_eq!(only.fact, Fact::VmSize { vm: vm_id(1), resource: Resource::Vcpus });
    assert_eq!((only.hypervisor, only.utility, only.counted), (2, 3, Source::Utility));
}

#[test]
fn a_vm_that_only_one_source_lists_is_a_disagreement_but_no_contradiction() {
    let vms = [1, 2, 3].map(|number| vm(number, 1, HypervisorKind::Qemu, size(2, 2048, 10)));
    let mut inputs = qemu(&vms);
    inputs.utility.as_mut().unwrap().sample.deployed.retain(|deployed| deployed.vm != vm_id(1));
    inputs.hypervisor.as_mut().unwrap().sample.domains.retain(|domain| domain.id != vm_id(2));
    let node = MapNode::build(inputs);
    let told: Vec<(Fact, Source)> = node.disagreements.iter().map(|each| (each.fact, each.counted)).collect();
    let there = |number| Fact::VmThere { vm: vm_id(number) };
    assert_eq!(told, [(there(1), Source::Hypervisor), (there(2), Source::Utility)]);
    assert_eq!(
        node.disagreements[0].to_string(),
        format!("VM {}: listed by the hypervisor and not by the utility module", vm_id(1))
    );
    assert_eq!(node.condition, Condition::Ready);
    assert_eq!(node.committed, MapNode::build(qemu(&vms)).committed, "both count, whoever lists them");
}

#[test]
fn a_vm_in_an_operations_hands_may_be_listed_by_one_source_only() {
    let mut vms = [1, 2, 3, 4].map(|number| vm(number, 1, HypervisorKind::Qemu, size(1, 512, 10)));
    (vms[2].state, vms[3].state) = (VmState::Deploying, VmState::Deleting);
    let (held, worked_on) = ([vm_id(1)], [vm_id(2)].into());
    let mut inputs = qemu(&vms);
    (inputs.held, inputs.worked_on) = (&held, &worked_on);
    inputs.utility.as_mut().unwrap().sample.deployed.clear();
    assert_eq!(MapNode::build(inputs.clone()).disagreements, []);
    // One that is at home elsewhere is the hypervisor's stranger, and no disagreement.
    inputs.vms = &[];
    assert_eq!(MapNode::build(inputs).disagreements, []);
}

#[test]
fn the_first_condition_that_applies_is_told() {
    let condition = |change: &dyn Fn(&mut grid::map::NodeInputs<'_>)| {
        let mut inputs = qemu(&[]);
        inputs.node.administration = Administration::Draining;
        change(&mut inputs);
        MapNode::build(inputs).condition
    };
    assert_eq!(condition(&|_| {}), Condition::Draining);
    assert_eq!(condition(&|inputs| inputs.node.administration = Administration::Cordoned), Condition::Cordoned);
    assert_eq!(condition(&|inputs| inputs.utility = None), Condition::Silent { source: Source::Utility });
    assert_eq!(
        condition(&|inputs| {
            inputs.utility = None;
            inputs.now = UnixMillis(NOW.0 + 15_001);
        }),
        Condition::Stale { source: Source::Hypervisor, age_ms: 15_001 }
    );
    assert_eq!(
        condition(&|inputs| {
            inputs.now = UnixMillis(NOW.0 + 15_001);
            inputs.hypervisor.as_mut().unwrap().at = inputs.now;
        }),
        Condition::Stale { source: Source::Utility, age_ms: 15_001 }
    );
    // Both were heard before the clock was set back.
    assert_eq!(
        condition(&|inputs| inputs.now = UnixMillis(NOW.0 - 15_001)),
        Condition::Stale { source: Source::Hypervisor, age_ms: 15_001 }
    );
    for now in [NOW.0 + 15_000, NOW.0 - 15_000] {
        assert_eq!(condition(&|inputs| inputs.now = UnixMillis(now)), Condition::Draining);
    }
    // Whether it says something or not.
    for now in [NOW, UnixMillis(NOW.0 + 15_001)] {
        let fenced = condition(&|inputs| {
            inputs.node.administration = Administration::Fenced;
            inputs.now = now;
        });
        assert_eq!(fenced, Condition::Fenced);
        assert!(!fenced.hypervisor_answers() && !fenced.utility_answers() && !fenced.can_grow_in_place());
    }
}

#[test]
fn the_utility_set_is_stale_as_soon_as_its_vm_is_seen_off() {
    let mut inputs = qemu(&[]);
    inputs.utility_off = Some(NOW);
    let off = MapNode::build(inputs.clone()).condition;
    assert_eq!(off, Condition::UtilityOff);
    assert!(off.hypervisor_answers() && !off.utility_answers());
    // It was started afresh since, and reported.
    inputs.utility.as_mut().unwrap().at = UnixMillis(NOW.0 + 1);
    assert_eq!(MapNode::build(inputs.clone()).condition, Condition::Ready);
    // Seen off before the clock was set back, which says nothing of now.
    inputs.utility_off = Some(UnixMillis(NOW.0 + 24 * 60 * 60 * 1000));
    assert_eq!(MapNode::build(inputs).condition, Condition::Ready);
}

#[test]
fn a_twofold_difference_about_what_the_node_has_is_a_contradiction() {
    let with_pool = |capacity_mib: u64| {
        let mut inputs = qemu(&[]);
        inputs.utility.as_mut().unwrap().sample.pool = PoolSample { capacity_mib, free_mib: capacity_mib };
        MapNode::build(inputs).condition
    };
    assert_eq!(with_pool(HAS.disk_mib() / 2), Condition::Ready);
    assert_eq!(with_pool(HAS.disk_mib() / 2 - 1), Condition::Contradicting);
    assert_eq!(with_pool(HAS.disk_mib() * 2 + 1), Condition::Contradicting);
    let mut inputs = qemu(&[]);
    let second = &mut inputs.utility.as_mut().unwrap().sample;
    second.node_memory_total_mib = Some(4096);
    assert_eq!(MapNode::build(inputs.clone()).condition, Condition::Ready, "the module sees only itself");
    inputs.utility.as_mut().unwrap().sample.sees_node = true;
    assert_eq!(MapNode::build(inputs).condition, Condition::Contradicting);
}

#[test]
fn free_memory_is_compared_where_the_module_sees_the_node() {
    let told = |free: Option<u64>, sees_node: bool| {
        let mut inputs = qemu(&[]);
        let second = &mut inputs.utility.as_mut().unwrap().sample;
        (second.node_memory_free_mib, second.sees_node) = (free, sees_node);
        MapNode::build(inputs).disagreements
    };
    let free = qemu(&[]).hypervisor.unwrap().sample.memory_free_mib;
    let least = free - HAS.memory_mib() / 4;
    assert_eq!(told(Some(least), true), [], "caches come and go between two readings");
    let worse =
        Disagreement { fact: Fact::NodeMemoryFree, hypervisor: free, utility: least - 1, counted: Source::Utility };
    assert!(!worse.is_contradiction());
    assert_eq!(told(Some(least - 1), true), [worse]);
    assert_eq!(told(Some(0), false), [], "the module sees only itself");
    assert_eq!(told(None, true), [], "an older module doesn't tell it");
}

#[test]
fn readings_that_are_not_fresh_are_not_compared() {
    let mut inputs = qemu(&[]);
    let second = inputs.utility.as_mut().unwrap();
    second.sample.pool.free_mib = 0;
    second.at = UnixMillis(NOW.0 - 60_000);
    let node = MapNode::build(inputs);
    assert_eq!(node.disagreements, []);
    assert_eq!(node.available().disk_mib(), 0, "the worse side counts all the same");
}

#[test]
fn what_nobody_told_is_nothing() {
    let mut inputs = qemu(&[]);
    inputs.hypervisor = None;
    inputs.utility = None;
    let node = MapNode::build(inputs);
    assert_eq!((node.physical, node.available()), (Resources::ZERO, Resources::ZERO));
}

#[test]
fn measured_is_what_the_counters_say() {
    let mut before = hypervisor(HAS);
    (before.cpu_busy_ns, before.cpu_idle_ns) = (Some(1_000), Some(1_000));
    let mut now = before.clone();
    (now.cpu_busy_ns, now.cpu_idle_ns) = (Some(1_250), Some(1_750));
    now.memory_free_mib = 30_000;
    let mut inputs = qemu(&[]);
    inputs.hypervisor = Some(Reading { at: NOW, sample: now });
    inputs.previous = Some(&before);
    inputs.utility.as_mut().unwrap().sample.pool.free_mib = 100_000;
    assert_eq!(MapNode::build(inputs).measured, amounts(4, 2768, 2400));
}

#[test]
fn a_reservation_counts_at_once_and_can_be_taken_back() {
    let map = map_of([built(1, HypervisorKind::Qemu, HAS, &[])]);
    let asked = amounts(4, 4096, 10_240);
    let reserved = map.with_reservation(NOW, node_id(1), asked);
    assert_eq!(reserved.get(node_id(1)).unwrap().available(), HAS.minus(asked));
    assert_eq!(map.get(node_id(1)).unwrap().available(), HAS, "readers keep the old one");
    let back = reserved.without_reservation(NOW, node_id(1), asked);
    assert_eq!(back.get(node_id(1)), map.get(node_id(1)));
    assert!(back.version > reserved.version && reserved.version > map.version);
    assert_eq!(back.without_node(NOW, node_id(1)).nodes().len(), 0);
}
