//! The first set of statistics: the node itself. Its domains are in `sample_domains`.
//!
//! What rarely changes (CPU model, machine types, cells) is asked for once in a while and kept; what a driver does
//! not tell is left out rather than guessed.

use super::create::POOL;
use super::errors::Failure;
use super::kind::Traits;
use super::xml::{Element, mib_of};
use super::{raw, sample_domains};
use grid::sample::{Compatibility, HypervisorSample, NumaCell, PoolSample};
use grid::{HypervisorKind, UnixMillis};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use uuid::Uuid;
use virt::connect::Connect;

/// How long what rarely changes is believed.
const KEEP: Duration = Duration::from_mins(2);

/// What a node said earlier and need not say again.
#[derive(Debug, Default)]
pub(super) struct Known {
    host: Option<(Instant, Arc<Host>)>,
    /// The disks of domains that are busy and tell nothing now, in bytes.
    pub(super) disks: BTreeMap<Uuid, u64>,
}

/// What rarely changes of a node.
#[derive(Debug, Default)]
struct Host {
    library_version: u64,
    hypervisor_version: u64,
    domain_kinds: Vec<HypervisorKind>,
    compatibility: Compatibility,
    cells: Vec<NumaCell>,
}

pub(super) fn take(connection: &Connect, traits: &Traits, known: &Mutex<Known>) -> Result<HypervisorSample, Failure> {
    let host = host(connection, traits, known)?;
    let node = connection.node_info()?;
    let (memory_total_mib, memory_free_mib) = memory(connection, node.memory);
    let times = raw::node_cpu_times(connection).unwrap_or_default();
    let busy = ["kernel", "user", "intr"].iter().filter_map(|name| times.get(*name));
    let pool = pool(connection);
    let domains = sample_domains::take(connection, traits, known)?;
    Ok(HypervisorSample {
        taken_at: now(),
        library_version: host.library_version,
        hypervisor_version: host.hypervisor_version,
        domain_kinds: host.domain_kinds.clone(),
        compatibility: host.compatibility.clone(),
        cpus: node.cpus,
        memory_total_mib,
        memory_free_mib,
        numa_cells: cells(connection, &host.cells, memory_free_mib),
        cpu_busy_ns: times.get("idle").map(|_| busy.fold(0, |sum: u64, ns| sum.saturating_add(*ns))),
        cpu_idle_ns: times.get("idle").copied(),
        pool: pool.map(|(pool, _)| pool),
        pool_allocated_mib: pool.map(|(_, allocated)| allocated),
        domains,
    })
}

/// The node's memory and what is free of it, in MiB. The statistics come before `nodeinfo` and the sum of the cells'
/// free memory: these two leave out what a kernel has not taken into use yet, and grow while it runs.
fn memory(connection: &Connect, nodeinfo_kib: u64) -> (u64, u64) {
    let told = raw::node_memory(connection).unwrap_or_default();
    match (told.get("total"), told.get("free")) {
        (Some(total), Some(free)) => (total >> 10, free >> 10),
        _ => (nodeinfo_kib >> 10, connection.free_memory().map_or(0, |bytes| bytes >> 20)),
    }
}

fn host(connection: &Connect, traits: &Traits, known: &Mutex<Known>) -> Result<Arc<Host>, Failure> {
    let kept = known.lock().unwrap_or_else(PoisonError::into_inner).host.clone();
    if let Some((at, host)) = kept
        && at.elapsed() < KEEP
    {
        return Ok(host);
    }
    let host = Arc::new(ask_host(connection, traits)?);
    known.lock().unwrap_or_else(PoisonError::into_inner).host = Some((Instant::now(), host.clone()));
    Ok(host)
}

fn ask_host(connection: &Connect, traits: &Traits) -> Result<Host, Failure> {
    let capabilities = Element::parse(&connection.capabilities()?)?;
    // Containers have no CPU model of their own: their driver doesn't know the call.
    let domain_capabilities = connection
        .domain_capabilities(None, None, None, Some(traits.domain_type), 0)
        .ok()
        .and_then(|text| Element::parse(&text).ok());
    let (cpu_model, cpu_features) = domain_capabilities.as_ref().map(cpu).unwrap_or_default();
    Ok(Host {
        library_version: connection.lib_version()?.into(),
        hypervisor_version: connection.hyp_version()?.into(),
        domain_kinds: domain_kinds(&capabilities),
        compatibility: Compatibility { cpu_model, cpu_features, machine_types: machine_types(&capabilities, traits) },
        cells: cells_of(&capabilities),
    })
}

/// The model and the features that a guest gets which asks for the host's.
fn cpu(domain_capabilities: &Element) -> (String, Vec<String>) {
    let modes = domain_capabilities.find(&["cpu"]);
    let host_model = modes
        .iter()
        .flat_map(|it| it.named("mode"))
        .find(|mode| mode.get("name") == Some("host-model") && mode.get("supported") == Some("yes"));
    let Some(host_model) = host_model else { return Default::default() };
    let required = host_model.named("feature").filter(|it| it.get("policy") == Some("require"));
    let features: BTreeSet<String> = required.filter_map(|it| it.get("name")).map(str::to_owned).collect();
    (host_model.find(&["model"]).map(Element::text_of).unwrap_or_default(), features.into_iter().collect())
}

fn architectures(capabilities: &Element) -> impl Iterator<Item = &Element> {
    capabilities.named("guest").filter_map(|guest| guest.find(&["arch"]))
}

fn domain_kinds(capabilities: &Element) -> Vec<HypervisorKind> {
    let types = architectures(capabilities).flat_map(|arch| arch.named("domain")).filter_map(|it| it.get("type"));
    let kinds: BTreeSet<HypervisorKind> = types.filter_map(|name| name.parse().ok()).collect();
    kinds.into_iter().collect()
}

/// Machine types of the architecture that we define, by both their names; none for containers.
fn machine_types(capabilities: &Element, traits: &Traits) -> Vec<String> {
    let ours = architectures(capabilities).filter(|arch| {
        arch.get("name") == Some("x86_64") && arch.named("domain").any(|it| it.get("type") == Some(traits.domain_type))
    });
    let machines = ours.flat_map(|arch| arch.named("machine").collect::<Vec<_>>());
    let names = machines.flat_map(|it| [Some(it.text_of()), it.get("canonical").map(str::to_owned)]);
    names.flatten().collect::<BTreeSet<String>>().into_iter().collect()
}

/// The NUMA cells, without what is free in them.
fn cells_of(capabilities: &Element) -> Vec<NumaCell> {
    let cells = capabilities.find(&["host", "topology", "cells"]);
    let number = |text: Option<&str>| text.and_then(|it| it.parse::<u32>().ok()).unwrap_or(0);
    let cells = cells.iter().flat_map(|it| it.named("cell")).map(|cell| NumaCell {
        id: number(cell.get("id")),
        memory_mib: cell.find(&["memory"]).and_then(mib_of).unwrap_or(0),
        free_mib: 0,
        cpus: number(cell.find(&["cpus"]).and_then(|it| it.get("num"))),
    });
    cells.take(1024).collect()
}

fn cells(connection: &Connect, known: &[NumaCell], free_of_node: u64) -> Vec<NumaCell> {
    let count = i32::try_from(known.len()).unwrap_or(0);
    let free = if count > 0 { connection.cells_free_memory(0, count).unwrap_or_default() } else { Vec::new() };
    let of = |index: usize, cell: &NumaCell| {
        let bytes = free.get(index).map(|bytes| bytes >> 20);
        let free_mib = bytes.or_else(|| (known.len() == 1).then_some(free_of_node)).unwrap_or(0);
        NumaCell { free_mib: free_mib.min(cell.memory_mib), ..*cell }
    };
    known.iter().enumerate().map(|(index, cell)| of(index, cell)).collect()
}

/// The pool's figures and what of it is allocated, read afresh; `None` where there is no such pool or it is not active.
fn pool(connection: &Connect) -> Option<(PoolSample, u64)> {
    let pool = connection.lookup_storage_pool_by_name(POOL).ok()?;
    if let Err(error) = pool.refresh(0) {
        // A volume that is being written keeps the pool from a refresh; the old figures are near enough.
        tracing::debug!(%error, "the pool was not refreshed");
        if !pool.is_active().unwrap_or(true) {
            pool.create(0).ok()?;
        }
    }
    let info = pool.info().ok()?;
    let pool = PoolSample { capacity_mib: info.capacity >> 20, free_mib: info.available >> 20 };
    Some((pool, info.allocation >> 20))
}

fn now() -> UnixMillis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPABILITIES: &str = "<capabilities><host><topology><cells num='2'>\
        <cell id='0'><memory unit='KiB'>1048576</memory><cpus num='2'/></cell>\
        <cell id='1'><memory unit='KiB'>2097152</memory><cpus num='x'/></cell></cells></topology></host>\
        <guest><arch name='x86_64'><machine canonical='pc-q35-7.2'>q35</machine><machine>pc-q35-7.1</machine>\
        <domain type='qemu'/><domain type='kvm'/><domain type='vz'/></arch></guest>\
        <guest><arch name='arm'><machine>virt</machine><domain type='qemu'/></arch></guest></capabilities>";

    #[test]
    fn capabilities_tell_kinds_machine_types_and_cells() {
        let capabilities = Element::parse(CAPABILITIES).unwrap();
        let traits = Traits::of(HypervisorKind::Qemu).unwrap();
        assert_eq!(domain_kinds(&capabilities), [HypervisorKind::Kvm, HypervisorKind::Qemu]);
        assert_eq!(machine_types(&capabilities, &traits), ["pc-q35-7.1", "pc-q35-7.2", "q35"]);
        let cells = cells_of(&capabilities);
        assert_eq!(cells.iter().map(|cell| (cell.memory_mib, cell.cpus)).collect::<Vec<_>>(), [(1024, 2), (2048, 0)]);
    }

    #[test]
    fn the_cpu_is_the_one_that_host_model_gives() {
        let text = "<domainCapabilities><cpu><mode name='maximum' supported='yes'/>\
            <mode name='host-model' supported='yes'><model>EPYC</model><feature policy='require' name='b'/>\
            <feature policy='disable' name='c'/><feature policy='require' name='a'/></mode></cpu></domainCapabilities>";
        let (model, features) = cpu(&Element::parse(text).unwrap());
        assert_eq!((model.as_str(), features), ("EPYC", vec!["a".to_owned(), "b".to_owned()]));
    }
}
