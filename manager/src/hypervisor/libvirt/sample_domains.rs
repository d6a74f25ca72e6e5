//! The first set of statistics: every domain of the node, strangers too.
//!
//! States and counters come by one bulk call where the driver has it, domain by domain where not. A domain that is busy (a
//! migration, say) is not waited for. Sizes come from the XML: only there libvirt says what of a memory device is
//! really plugged. A domain that disappears while it is asked is left out.

use super::create::domain_name;
use super::errors::Failure;
use super::facts::Facts;
use super::kind::{Guest, Traits};
use super::raw::{self, DomainStatistics};
use super::sample::Known;
use super::{limit, lookup};
use grid::VmId;
use grid::sample::{DomainSample, DomainState};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

const GROUPS: u32 = sys::VIR_DOMAIN_STATS_STATE
    | sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_VCPU
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BLOCK;

/// What a domain has used since its start.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    cpu_time_ns: u64,
    memory_resident_mib: Option<u64>,
    block_read_bytes: Option<u64>,
    block_write_bytes: Option<u64>,
    network_receive_bytes: u64,
    network_transmit_bytes: u64,
    disk_bytes: u64,
}

pub(super) fn take(connection: &Connect, traits: &Traits, known: &Mutex<Known>) -> Result<Vec<DomainSample>, Failure> {
    let bulk: BTreeMap<Uuid, DomainStatistics> = if traits.bulk {
        let all = raw::all_domain_statistics(connection, GROUPS, sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)?;
        all.into_iter().map(|statistics| (statistics.uuid, statistics)).collect()
    } else {
        BTreeMap::new()
    };
    let mut samples = Vec::new();
    for domain in connection.list_all_domains(0)? {
        match one(connection, traits, known, &domain, &bulk) {
            Ok(sample) => samples.push(sample),
            Err(failure) => tracing::debug!(error = %failure.into_error(true), "a domain tells nothing"),
        }
    }
    forget_others(known, &samples);
    Ok(samples)
}

fn one(
    connection: &Connect,
    traits: &Traits,
    known: &Mutex<Known>,
    domain: &Domain,
    bulk: &BTreeMap<Uuid, DomainStatistics>,
) -> Result<DomainSample, Failure> {
    let (uuid, name) = (domain.uuid()?, domain.name()?);
    let statistics = bulk.get(&uuid);
    let (state, off_unexplained) = match statistics.and_then(state_by_bulk) {
        Some(told) => told,
        None => lookup::state(domain)?,
    };
    let active = state != DomainState::ShutOff;
    let xml = lookup::xml(domain, active)?;
    let facts = Facts::read(&xml, traits, active);
    // What a guest has been promised counts before it has plugged it, and what it has to give back until it has.
    let asked_mib = Facts::read(&xml, traits, false).memory_mib;
    let used = match statistics {
        Some(statistics) => used_by_bulk(statistics),
        None => used_one_by_one(connection, traits, domain, &facts, active),
    };
    let vm = VmId(uuid);
    if active && name == domain_name(vm) && facts.limit_mib.is_none() && statistics.is_some() {
        limit_again(connection, traits, domain, vm);
    }
    Ok(DomainSample {
        id: vm,
        state,
        off_unexplained,
        vcpus_current: facts.vcpus,
        vcpus_maximum: facts.vcpus_maximum,
        memory_current_mib: facts.memory_mib.max(asked_mib),
        memory_maximum_mib: facts.memory_maximum_mib,
        disk_capacity_mib: disk_of(known, uuid, used.disk_bytes) >> 20,
        cpu_time_ns: used.cpu_time_ns,
        memory_resident_mib: used.memory_resident_mib.filter(|_| active),
        block_read_bytes: used.block_read_bytes,
        block_write_bytes: used.block_write_bytes,
        network_receive_bytes: used.network_receive_bytes,
        network_transmit_bytes: used.network_transmit_bytes,
        name,
    })
}

fn state_by_bulk(statistics: &DomainStatistics) -> Option<(DomainState, bool)> {
    Some(lookup::state_in_numbers(statistics.get("state.state")?, statistics.get("state.reason")?))
}

fn used_by_bulk(statistics: &DomainStatistics) -> Used {
    Used {
        cpu_time_ns: statistics.get("cpu.time").unwrap_or(0),
        memory_resident_mib: statistics.get("balloon.rss").map(|kib| kib >> 10),
        // A domain that is busy tells its disks' sizes only.
        block_read_bytes: statistics.get("block.0.rd.bytes").map(|_| statistics.sum("block", "rd.bytes")),
        block_write_bytes: statistics.get("block.0.wr.bytes").map(|_| statistics.sum("block", "wr.bytes")),
        network_receive_bytes: statistics.sum("net", "rx.bytes"),
        network_transmit_bytes: statistics.sum("net", "tx.bytes"),
        // The first is the VM's disk; what follows is its seed.
        disk_bytes: statistics.get("block.0.capacity").unwrap_or(0),
    }
}

fn used_one_by_one(connection: &Connect, traits: &Traits, domain: &Domain, facts: &Facts, active: bool) -> Used {
    let mut used = Used::default();
    if traits.guest == Guest::Container
        && let Some(name) = facts.root.as_ref().and_then(|root| root.rsplit_once('/')).map(|(_, name)| name)
    {
        used.disk_bytes = connection
            .lookup_storage_vol_by_path(&super::create::in_pool(&format!("{name}.raw")))
            .and_then(|volume| volume.info())
            .map_or(0, |info| info.capacity);
    }
    if !active {
        return used;
    }
    let positive = |value: i64| u64::try_from(value).unwrap_or(0);
    if let Ok(info) = domain.info() {
        used.cpu_time_ns = info.cpu_time;
        used.memory_resident_mib = Some(info.memory >> 10);
    }
    // A kernel that counts nothing for the driver of containers says 0 of everything, and none has read nothing.
    if let Ok(blocks) = domain.block_stats("")
        && (blocks.rd_bytes > 0 || blocks.wr_bytes > 0)
    {
        used.block_read_bytes = Some(positive(blocks.rd_bytes));
        used.block_write_bytes = Some(positive(blocks.wr_bytes));
    }
    for interface in &facts.interfaces {
        if let Ok(network) = domain.interface_stats(interface) {
            used.network_receive_bytes = used.network_receive_bytes.saturating_add(positive(network.rx_bytes));
            used.network_transmit_bytes = used.network_transmit_bytes.saturating_add(positive(network.tx_bytes));
        }
    }
    used
}

/// A VM of ours that runs without its limit: it has just arrived, or the limit could not be set then. Not while it is
/// on the move, when the limit is lifted on purpose.
fn limit_again(connection: &Connect, traits: &Traits, domain: &Domain, vm: VmId) {
    let none = i32::try_from(sys::VIR_DOMAIN_JOB_NONE).unwrap_or(0);
    if domain.job_info().is_ok_and(|job| job.r#type == none)
        && let Err(failure) = limit::enforce(connection, traits, vm)
    {
        tracing::debug!(error = %failure.into_error(true), %vm, "no memory limit");
    }
}

/// The disk's size, or what it was when the domain last told it.
fn disk_of(known: &Mutex<Known>, uuid: Uuid, bytes: u64) -> u64 {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if bytes == 0 {
        return known.disks.get(&uuid).copied().unwrap_or(0);
    }
    known.disks.insert(uuid, bytes);
    bytes
}

fn forget_others(known: &Mutex<Known>, samples: &[DomainSample]) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known.disks.retain(|uuid, _| samples.iter().any(|sample| sample.id.0 == *uuid));
}
