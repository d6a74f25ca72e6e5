//! The hypervisor's sample.

use super::Flag;
use super::checks::{Checks, MOST_BYTES, MOST_CPUS, MOST_ENTRIES, MOST_MIB};
use crate::sample::{DomainSample, HypervisorSample};
use crate::{UnixMillis, VmId};
use std::collections::BTreeMap;

/// The sample without what can't be true, and what that was. `previous` is the last sanitised one of the same node.
pub fn sanitise_hypervisor(
    raw: HypervisorSample,
    previous: Option<&HypervisorSample>,
    now: UnixMillis,
) -> (HypervisorSample, Vec<Flag>) {
    let mut sample = raw;
    let mut checks = Checks::default();
    checks.time(format_args!("taken_at"), &mut sample.taken_at, now);
    node(&mut checks, &mut sample, previous);
    checks.list(format_args!("domain_kinds"), &mut sample.domain_kinds, 16);
    let compatibility = &mut sample.compatibility;
    checks.text(format_args!("compatibility.cpu_model"), &mut compatibility.cpu_model, 64);
    checks.names(format_args!("compatibility.cpu_features"), &mut compatibility.cpu_features, 2_000);
    checks.names(format_args!("compatibility.machine_types"), &mut compatibility.machine_types, 1_000);

    checks.list(format_args!("domains"), &mut sample.domains, MOST_ENTRIES);
    checks.unique(format_args!("domains"), &mut sample.domains, |domain| domain.id);
    let before: BTreeMap<VmId, &DomainSample> =
        previous.into_iter().flat_map(|sample| &sample.domains).map(|domain| (domain.id, domain)).collect();
    for each in &mut sample.domains {
        domain(&mut checks, each, before.get(&each.id).copied());
    }
    (sample, checks.flags)
}

fn node(checks: &mut Checks, sample: &mut HypervisorSample, previous: Option<&HypervisorSample>) {
    let mut cpus = u64::from(sample.cpus);
    checks.has(format_args!("cpus"), &mut cpus, u64::from(MOST_CPUS));
    sample.cpus = u32::try_from(cpus).unwrap_or(0);
    checks.has(format_args!("memory_total_mib"), &mut sample.memory_total_mib, MOST_MIB);
    checks.free(format_args!("memory_free_mib"), &mut sample.memory_free_mib, sample.memory_total_mib);
    checks.list(format_args!("numa_cells"), &mut sample.numa_cells, 1_024);
    for cell in &mut sample.numa_cells {
        checks.has(format_args!("numa_cells.{}.memory_mib", cell.id), &mut cell.memory_mib, MOST_MIB);
        checks.free(format_args!("numa_cells.{}.free_mib", cell.id), &mut cell.free_mib, cell.memory_mib);
        checks.taken_vcpus(format_args!("numa_cells.{}.cpus", cell.id), &mut cell.cpus);
    }
    if let Some(pool) = &mut sample.pool {
        checks.has(format_args!("pool.capacity_mib"), &mut pool.capacity_mib, MOST_MIB);
        checks.free(format_args!("pool.free_mib"), &mut pool.free_mib, pool.capacity_mib);
    }
    if let Some(allocated) = &mut sample.pool_allocated_mib {
        checks.taken(format_args!("pool_allocated_mib"), allocated, MOST_MIB);
    }
    if let Some(before) = previous {
        let pairs = [
            ("cpu_busy_ns", before.cpu_busy_ns, sample.cpu_busy_ns),
            ("cpu_idle_ns", before.cpu_idle_ns, sample.cpu_idle_ns),
        ];
        for (field, before, given) in pairs {
            if let (Some(before), Some(given)) = (before, given) {
                checks.counter(format_args!("{field}"), before, given);
            }
        }
    }
}

fn domain(checks: &mut Checks, domain: &mut DomainSample, before: Option<&DomainSample>) {
    let id = domain.id;
    checks.text(format_args!("domains.{id}.name"), &mut domain.name, 256);
    checks.taken_vcpus(format_args!("domains.{id}.vcpus_current"), &mut domain.vcpus_current);
    checks.taken_vcpus(format_args!("domains.{id}.vcpus_maximum"), &mut domain.vcpus_maximum);
    checks.taken(format_args!("domains.{id}.memory_current_mib"), &mut domain.memory_current_mib, MOST_MIB);
    checks.taken(format_args!("domains.{id}.memory_maximum_mib"), &mut domain.memory_maximum_mib, MOST_MIB);
    checks.taken(format_args!("domains.{id}.disk_capacity_mib"), &mut domain.disk_capacity_mib, MOST_MIB);
    if let Some(resident) = &mut domain.memory_resident_mib {
        checks.taken(format_args!("domains.{id}.memory_resident_mib"), resident, MOST_MIB);
    }
    let counters = [
        ("block_read_bytes", domain.block_read_bytes.as_mut()),
        ("block_write_bytes", domain.block_write_bytes.as_mut()),
        ("network_receive_bytes", Some(&mut domain.network_receive_bytes)),
        ("network_transmit_bytes", Some(&mut domain.network_transmit_bytes)),
    ];
    for (name, bytes) in counters.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))) {
        checks.taken(format_args!("domains.{id}.{name}"), bytes, MOST_BYTES);
    }
    // All of a domain's counters start anew together, so that one of them tells it.
    if let Some(before) = before {
        checks.counter(format_args!("domains.{id}.cpu_time_ns"), before.cpu_time_ns, domain.cpu_time_ns);
    }
}
