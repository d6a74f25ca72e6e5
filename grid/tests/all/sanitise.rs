//! Sanitising: what hostile samples become, and that nothing they say breaks the map.

use crate::any;
use crate::fixture::*;
use grid::map::{MapNode, Reading};
use grid::node::Overcommit;
use grid::sample::{DeployedVm, DiskSample, HypervisorSample, ImageSample, PoolSample, UtilitySample};
use grid::sanitise::{Flag, Problem, sanitise_hypervisor, sanitise_utility};
use grid::{HypervisorKind, Resource, Resources, UnixMillis};
use proptest::prelude::*;

const HAS: Resources = Resources::new(16, 32_768, 102_400);
const MOST_MIB: u64 = 1 << 40;

fn first(change: impl Fn(&mut HypervisorSample)) -> (HypervisorSample, Vec<Flag>) {
    let before = with_domain();
    let mut raw = before.clone();
    change(&mut raw);
    sanitise_hypervisor(raw, Some(&before), NOW)
}

fn with_domain() -> HypervisorSample {
    let mut sample = hypervisor(HAS);
    sample.domains = vec![domain(&vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10)))];
    sample.domains[0].cpu_time_ns = 1_000;
    sample
}

fn second(change: impl Fn(&mut UtilitySample)) -> (UtilitySample, Vec<Flag>) {
    let before = utility(HAS);
    let mut raw = before.clone();
    change(&mut raw);
    sanitise_utility(raw, Some(&before), NOW)
}

fn fields(flags: &[Flag]) -> Vec<&str> {
    flags.iter().map(|flag| flag.field.as_str()).collect()
}

#[test]
fn an_honest_sample_stays_as_it_is() {
    assert_eq!(first(|_| {}), (with_domain(), Vec::new()));
    assert_eq!(second(|_| {}), (utility(HAS), Vec::new()));
}

#[test]
fn absurd_capacity_is_not_known_and_so_not_there() {
    let (sample, flags) = first(|sample| {
        sample.cpus = u32::MAX;
        sample.memory_total_mib = u64::MAX;
        sample.memory_free_mib = u64::MAX;
        sample.pool = Some(PoolSample { capacity_mib: u64::MAX, free_mib: u64::MAX });
    });
    assert_eq!((sample.cpus, sample.memory_total_mib, sample.memory_free_mib), (0, 0, 0));
    assert_eq!(sample.pool, Some(PoolSample { capacity_mib: 0, free_mib: 0 }));
    let expected = ["cpus", "memory_total_mib", "memory_free_mib", "pool.capacity_mib", "pool.free_mib"];
    assert_eq!(fields(&flags), expected);
}

#[test]
fn more_free_than_there_is_counts_as_nothing_free() {
    for lie in [102_401, 1 << 63, u64::MAX] {
        let (sample, flags) = second(|sample| sample.pool.free_mib = lie);
        assert_eq!((sample.pool.free_mib, fields(&flags)), (0, vec!["pool.free_mib"]));
        let (sample, flags) = first(|sample| sample.pool = Some(PoolSample { capacity_mib: 102_400, free_mib: lie }));
        assert_eq!((sample.pool.map(|pool| pool.free_mib), fields(&flags)), (Some(0), vec!["pool.free_mib"]));
    }
    let (_, flags) = second(|sample| sample.pool.free_mib = 200_000);
    assert_eq!(flags[0].to_string(), "pool.free_mib: 200,000 is more than the whole of 102,400, 0 counts");
}

#[test]
fn more_taken_than_there_is_counts_as_all_taken() {
    let (sample, flags) = second(|sample| {
        sample.own_resident_mib = 1 << 63;
        sample.steal_permille = 2_000;
    });
    assert_eq!((sample.own_resident_mib, sample.steal_permille), (128, 1000));
    assert_eq!(fields(&flags), ["own_resident_mib", "steal_permille"]);
}

#[test]
fn a_node_whose_module_claims_an_absurd_free_pool_takes_no_new_disk() {
    let honest = inputs(node(1, HypervisorKind::Qemu), HAS, &[]);
    assert_eq!(MapNode::build(honest).available().disk_mib(), HAS.disk_mib());
    let (sample, _) = second(|sample| sample.pool.free_mib = 1 << 63);
    let mut lying = inputs(node(1, HypervisorKind::Qemu), HAS, &[]);
    lying.utility = Some(Reading { at: NOW, sample });
    assert_eq!(MapNode::build(lying).available().disk_mib(), 0);
}

#[test]
fn an_absurd_domain_counts_at_the_limit() {
    let (sample, flags) = first(|sample| {
        sample.domains[0].memory_current_mib = u64::MAX;
        sample.domains[0].vcpus_current = u32::MAX;
    });
    assert_eq!((sample.domains[0].memory_current_mib, sample.domains[0].vcpus_current), (MOST_MIB, 65_536));
    assert_eq!(flags.len(), 2);
}

#[test]
fn counters_that_went_backwards_are_flagged_and_kept() {
    let (sample, flags) = first(|sample| sample.domains[0].cpu_time_ns = 1);
    assert_eq!(sample.domains[0].cpu_time_ns, 1);
    assert_eq!(flags[0].problem, Problem::Backwards { before: 1_000, given: 1 });
    let (_, flags) = second(|sample| sample.sequence = 0);
    assert_eq!(fields(&flags), ["sequence"]);
    let (_, flags) = second(|sample| {
        sample.sequence = 0;
        sample.uptime_seconds = 0;
        sample.boot_id = "another".to_owned();
    });
    assert_eq!(flags, [], "a new boot begins anew");
}

#[test]
fn a_report_that_is_repeated_is_no_lie() {
    assert_eq!(second(|sample| sample.sequence = 1).1, []);
}

#[test]
fn times_years_old_or_ahead_become_the_managers() {
    let hour = 60 * 60 * 1000;
    for at in [UnixMillis(0), UnixMillis(i64::MIN), UnixMillis(i64::MAX), UnixMillis(NOW.0 + hour)] {
        let (sample, flags) = second(|sample| sample.taken_at = at);
        assert_eq!((sample.taken_at, fields(&flags)), (NOW, vec!["taken_at"]));
    }
    let late = UnixMillis(NOW.0 - hour);
    let (sample, flags) = second(|sample| sample.taken_at = late);
    assert_eq!((sample.taken_at, flags), (late, Vec::new()));
}

#[test]
fn long_lists_are_cut_and_repeated_ids_count_once() {
    let (sample, flags) = second(|sample| {
        let disk = |number| DiskSample { vm: vm_id(number), virtual_bytes: 1, real_bytes: 1 };
        sample.disks = (0..20_000).map(disk).collect();
        sample.deployed =
            vec![DeployedVm { vm: vm_id(1), size: size(1, 64, 1) }, DeployedVm { vm: vm_id(1), size: size(9, 64, 1) }];
    });
    assert_eq!((sample.disks.len(), sample.deployed.len()), (10_000, 1));
    assert_eq!(sample.deployed[0].size, size(1, 64, 1));
    let problems: Vec<Problem> = flags.iter().map(|flag| flag.problem).collect();
    assert_eq!(problems, [Problem::TooMany { given: 20_000, kept: 10_000 }, Problem::Repeated { times: 1 }]);
}

#[test]
fn texts_lose_what_deceives_and_what_is_too_much() {
    let (sample, flags) = first(|sample| {
        sample.domains[0].name = format!("a\0b\n\u{202e}c{}", "d".repeat(10_000));
        sample.compatibility.cpu_features = vec!["b".to_owned(), "a\u{7}".to_owned(), "b".to_owned()];
    });
    assert_eq!(sample.domains[0].name, format!("abc{}", "d".repeat(253)));
    assert_eq!(sample.compatibility.cpu_features, ["a", "b"]);
    assert_eq!(flags.len(), 2);
}

#[test]
fn images_without_a_true_checksum_are_left_out() {
    let image = |checksum: &str| ImageSample { name: "tiny".to_owned(), checksum: checksum.to_owned(), bytes: 1 };
    let (sample, flags) = second(|sample| {
        sample.images = vec![image(&"a1".repeat(32)), image(&"A1".repeat(32)), image("../../etc"), image("")];
    });
    assert_eq!((sample.images.len(), flags.len()), (1, 3));
}

#[test]
fn a_flood_of_lies_leaves_a_hundred_flags() {
    let (_, flags) = second(|sample| {
        let disk = |number| DiskSample { vm: vm_id(number), virtual_bytes: u64::MAX, real_bytes: u64::MAX };
        sample.disks = (0..5_000).map(disk).collect();
    });
    assert_eq!(flags.len(), 100);
}

proptest! {
    #[test]
    fn whatever_a_node_says_breaks_neither_the_checks_nor_the_map(
        numbers in prop::collection::vec(any::absurd(), 24),
        texts in prop::collection::vec(proptest::prelude::any::<String>(), 5),
        (cpus, vcpus) in proptest::prelude::any::<(u32, u32)>(),
        at in proptest::prelude::any::<i64>(),
        (reserved, utility_vm) in (any::absurd_resources(), any::absurd_resources()),
        permille in proptest::prelude::any::<[u32; Resource::COUNT]>(),
    ) {
        let mut first = with_domain();
        let mut next = {
            let mut at = 0;
            let numbers = &numbers;
            move || { at += 1; numbers[at % numbers.len()] }
        };
        first.cpus = cpus;
        first.taken_at = UnixMillis(at);
        first.memory_total_mib = next();
        first.memory_free_mib = next();
        (first.cpu_busy_ns, first.cpu_idle_ns) = (Some(next()), Some(next()));
        first.pool = Some(PoolSample { capacity_mib: next(), free_mib: next() });
        texts[0].clone_into(&mut first.compatibility.cpu_model);
        first.compatibility.cpu_features = texts.clone();
        let mut stranger = first.domains[0].clone();
        stranger.id = vm_id(99);
        first.domains.push(stranger);
        for domain in &mut first.domains {
            texts[1].clone_into(&mut domain.name);
            (domain.vcpus_current, domain.vcpus_maximum) = (vcpus, cpus);
            (domain.memory_current_mib, domain.memory_maximum_mib, domain.disk_capacity_mib) = (next(), next(), next());
        }
        let mut second = utility(HAS);
        second.taken_at = UnixMillis(at);
        second.pool = PoolSample { capacity_mib: next(), free_mib: next() };
        (second.sees_node, second.node_memory_total_mib) = (true, Some(next()));
        (second.load_permille, second.steal_permille) = (next(), next());
        second.disks = vec![DiskSample { vm: vm_id(1), virtual_bytes: next(), real_bytes: next() }];
        second.deployed = vec![DeployedVm { vm: vm_id(1), size: size(vcpus, next(), next()) }];
        texts[2].clone_into(&mut second.boot_id);

        let vms = [vm(1, 1, HypervisorKind::Qemu, size(vcpus, next(), next()))];
        let build = |first: &HypervisorSample, second: &UtilitySample| {
            let mut inputs = inputs(node(1, HypervisorKind::Qemu), HAS, &vms);
            inputs.hypervisor = Some(Reading { at: UnixMillis(at), sample: first.clone() });
            inputs.utility = Some(Reading { at: UnixMillis(at), sample: second.clone() });
            inputs.previous = Some(first);
            (inputs.reserved, inputs.utility_vm) = (reserved, utility_vm);
            inputs.node.settings.reserve = utility_vm;
            inputs.node.settings.overcommit = Overcommit(permille.into());
            MapNode::build(inputs)
        };
        // Even without the checks nothing breaks; with them, what is left is within the limits and stays so.
        let _ = build(&first, &second);
        let (clean_first, _) = sanitise_hypervisor(first, None, NOW);
        let (clean_second, _) = sanitise_utility(second, None, NOW);
        let built = build(&clean_first, &clean_second);
        prop_assert!(built.physical.memory_mib() <= MOST_MIB && built.physical.disk_mib() <= MOST_MIB);
        prop_assert!(built.usable.covers(&built.available()));
        prop_assert_eq!(sanitise_hypervisor(clean_first.clone(), Some(&clean_first), NOW), (clean_first, Vec::new()));
        prop_assert_eq!(sanitise_utility(clean_second.clone(), Some(&clean_second), NOW), (clean_second, Vec::new()));
    }
}
