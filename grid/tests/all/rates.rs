//! Rates: what two samples say per second.

use crate::fixture::*;
use grid::rates::{DomainRate, node_cpu_permille, rates};
use grid::sample::HypervisorSample;
use grid::{HypervisorKind, UnixMillis};
use proptest::prelude::*;

/// A sample of one domain with 2 vCPUs, and the next, two seconds later.
fn two() -> (HypervisorSample, HypervisorSample) {
    let mut before = hypervisor(amounts(4, 4096, 10_240));
    before.domains = vec![domain(&vm(1, 1, HypervisorKind::Qemu, size(2, 1024, 10)))];
    let mut now = before.clone();
    now.taken_at = UnixMillis(NOW.0 + 2_000);
    (before, now)
}

#[test]
fn a_domains_counters_become_shares_and_bytes_a_second() {
    let (before, mut now) = two();
    let domain = &mut now.domains[0];
    domain.cpu_time_ns = 1_000_000_000;
    domain.block_read_bytes = Some(4096);
    domain.block_write_bytes = Some(8192);
    domain.network_receive_bytes = 3;
    domain.network_transmit_bytes = 2;
    let told = DomainRate {
        id: vm_id(1),
        cpu_permille: 250,
        block_read: Some(2048),
        block_write: Some(4096),
        network_receive: 1,
        network_transmit: 1,
    };
    assert_eq!(rates(&before, &now), [told]);
}

#[test]
fn what_is_not_told_of_disks_is_no_rate_of_nothing_and_the_others_are_told() {
    let (before, mut now) = two();
    now.domains[0].cpu_time_ns = 1_000_000_000;
    now.domains[0].block_read_bytes = None;
    let told = rates(&before, &now);
    assert_eq!(
        told.iter().map(|it| (it.cpu_permille, it.block_read, it.block_write)).next(),
        Some((250, None, Some(0)))
    );
    let told = rates(&now, &HypervisorSample { taken_at: UnixMillis(NOW.0 + 4_000), ..now.clone() });
    assert_eq!(told.iter().map(|it| it.block_read).next(), Some(None));
}

#[test]
fn a_restarted_or_a_new_domain_has_no_rate_yet() {
    let (mut before, now) = two();
    before.domains[0].cpu_time_ns = 1;
    assert_eq!(rates(&before, &now), []);
    before.domains.clear();
    assert_eq!(rates(&before, &now), []);
}

#[test]
fn where_no_time_passed_nothing_is_told() {
    let (before, mut now) = two();
    now.taken_at = before.taken_at;
    assert_eq!(rates(&before, &now), []);
    now.taken_at = UnixMillis(NOW.0 - 1);
    assert_eq!(rates(&before, &now), []);
}

#[test]
fn a_node_is_as_busy_as_its_counters_say() {
    let (mut before, mut now) = two();
    assert_eq!(node_cpu_permille(&before, &now), None, "the driver doesn't tell");
    (before.cpu_busy_ns, before.cpu_idle_ns) = (Some(100), Some(100));
    (now.cpu_busy_ns, now.cpu_idle_ns) = (Some(400), Some(200));
    assert_eq!(node_cpu_permille(&before, &now), Some(750));
    assert_eq!(node_cpu_permille(&now, &before), None, "the node was restarted");
    assert_eq!(node_cpu_permille(&now, &now), None);
}

proptest! {
    #[test]
    fn any_counters_break_nothing(
        before in any::<[u64; 5]>(),
        after in any::<[u64; 5]>(),
        vcpus in any::<u32>(),
        at in any::<[i64; 2]>(),
    ) {
        let (mut first, mut second) = two();
        for (sample, numbers, at) in [(&mut first, before, at[0]), (&mut second, after, at[1])] {
            sample.taken_at = UnixMillis(at);
            (sample.cpu_busy_ns, sample.cpu_idle_ns) = (Some(numbers[0]), Some(numbers[1]));
            let domain = &mut sample.domains[0];
            domain.vcpus_current = vcpus;
            let blocks;
            [_, domain.cpu_time_ns, blocks, domain.network_transmit_bytes, domain.network_receive_bytes] = numbers;
            (domain.block_read_bytes, domain.block_write_bytes) = (Some(blocks), (blocks % 2 == 0).then_some(blocks));
        }
        for rate in rates(&first, &second) {
            prop_assert!(rate.cpu_permille <= 1000);
        }
        prop_assert!(node_cpu_permille(&first, &second).is_none_or(|permille| permille <= 1000));
    }
}
