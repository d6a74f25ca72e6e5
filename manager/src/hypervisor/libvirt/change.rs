//! Changes to a running VM within its maxima: live first, then the configuration, in calls of their own (libvirt 9.0
//! fails where one call shall do both for a memory device).

use super::errors::Failure;
use super::facts::Facts;
use super::kind::{Cpu, Guest, Memory, Traits};
use super::lane::Lane;
use super::resize::{PERIOD_US, is_virtio_mem, requested};
use super::xml::{Element, mib_of};
use super::{CHANGE, LOOK, limit, lookup};
use crate::hypervisor::HypervisorError;
use grid::{Gib, Mib, Vcpus, VmId};
use std::time::Duration;
use tokio::time::Instant;
use virt::connect::Connect;
use virt::domain::{Domain, MemoryParameters, SchedBandwidth, SchedulerInfo};
use virt::error::ErrorNumber;
use virt_sys as sys;

const LIVE: sys::virDomainModificationImpact = sys::VIR_DOMAIN_AFFECT_LIVE;
const CONFIGURATION: sys::virDomainModificationImpact = sys::VIR_DOMAIN_AFFECT_CONFIG;
/// How long a guest may take to plug or unplug its memory.
const GUEST: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(200);

fn refused(reason: &str) -> Failure {
    Failure::Ours(HypervisorError::Refused(reason.into()))
}

pub(super) fn set_vcpus(connection: &Connect, traits: &Traits, vm: VmId, vcpus: Vcpus) -> Result<(), Failure> {
    let domain = lookup::get_running(connection, vm)?;
    let facts = Facts::read(&lookup::xml(&domain, true)?, traits, true);
    if vcpus.0 == 0 || vcpus.0 > facts.vcpus_maximum {
        return Err(refused("the vCPUs are beyond the maximum"));
    }
    if vcpus.0 < facts.vcpus && !traits.unplugs_vcpus {
        return Err(HypervisorError::Unsupported("vCPUs are taken away while it is off").into());
    }
    match traits.cpu {
        Cpu::HotPlug => {
            if facts.vcpus != vcpus.0 {
                plug_vcpus(&domain, vcpus)?;
            }
            domain.set_vcpus_flags(vcpus.0, CONFIGURATION)?;
        }
        Cpu::Quota => {
            set_quota(&domain, vcpus, LIVE)?;
            set_quota(&domain, vcpus, CONFIGURATION)?;
        }
    }
    Ok(())
}

fn plug_vcpus(domain: &Domain, vcpus: Vcpus) -> Result<(), Failure> {
    let changed = domain.set_vcpus_flags(vcpus.0, LIVE).map_err(Failure::from);
    if changed.as_ref().is_err_and(|failure| failure.is(ErrorNumber::OperationTimeout)) {
        return Err(HypervisorError::Guest("it keeps a vCPU".into()).into());
    }
    changed?;
    let now = domain.vcpus_flags(LIVE)?;
    if now == vcpus.0 { Ok(()) } else { Err(HypervisorError::Guest(format!("it has {now} vCPUs")).into()) }
}

fn set_quota(domain: &Domain, vcpus: Vcpus, flags: sys::virDomainModificationImpact) -> Result<(), Failure> {
    let quota = u64::from(vcpus.0) * PERIOD_US;
    let mut scheduler = SchedulerInfo::from_vec(Vec::new(), String::new());
    scheduler.vcpu_bw = SchedBandwidth { period: Some(PERIOD_US), quota: i64::try_from(quota).ok() };
    domain.set_scheduler_parameters_flags(&scheduler, flags)?;
    Ok(())
}

pub(super) async fn set_memory(jobs: &Lane, traits: Traits, vm: VmId, memory: Mib) -> Result<(), HypervisorError> {
    match traits.memory {
        Memory::VirtioMem => {
            jobs.call(CHANGE, move |connection| ask_for_memory(connection, &traits, vm, memory)).await?;
            wait_for_guest(jobs, traits, vm, memory).await?;
            jobs.call(CHANGE, move |connection| record_memory(connection, &traits, vm, memory)).await
        }
        Memory::Limit => jobs.call(CHANGE, move |connection| limit_memory(connection, &traits, vm, memory)).await,
        Memory::Balloon => jobs.call(CHANGE, move |connection| inflate(connection, vm, memory)).await,
    }
}

/// The virtio-mem device of a domain's XML with the request that makes the whole `memory`.
fn device_for(domain: &Element, memory: Mib) -> Result<Element, Failure> {
    let total = domain.find(&["memory"]).and_then(mib_of).unwrap_or(0);
    let devices = domain.find(&["devices"]);
    let mut device = devices
        .and_then(|devices| devices.children().find(|it| is_virtio_mem(it)))
        .ok_or_else(|| refused("it was started without memory that can be plugged"))?
        .clone();
    let pluggable = device.find(&["target", "size"]).and_then(mib_of).unwrap_or(0);
    let base = total.saturating_sub(pluggable);
    if memory.0 < base {
        return Err(refused("less memory than it was started with needs a restart"));
    }
    if memory.0 > total {
        return Err(refused("the memory is beyond the maximum"));
    }
    device.entry("target").replace(Element::mib("requested", requested(memory, Mib(base))));
    Ok(device)
}

/// The same where there is anything to ask. A guest that has the whole `memory` may have been asked for another amount and
/// be about to follow.
fn request_for(domain: &Element, has: Mib, memory: Mib) -> Result<Option<Element>, Failure> {
    let device = match device_for(domain, memory) {
        Err(_) if has == memory => return Ok(None),
        device => device?,
    };
    let asked = |device: &Element| device.find(&["target", "requested"]).and_then(mib_of);
    let mut known = domain.find(&["devices"]).into_iter().flat_map(Element::children).filter(|it| is_virtio_mem(it));
    Ok((has != memory || known.any(|known| asked(known) != asked(&device))).then_some(device))
}

fn ask_for_memory(connection: &Connect, traits: &Traits, vm: VmId, memory: Mib) -> Result<(), Failure> {
    let domain = lookup::get_running(connection, vm)?;
    let xml = lookup::xml(&domain, true)?;
    let facts = Facts::read(&xml, traits, true);
    let Some(device) = request_for(&xml, Mib(facts.memory_mib), memory)? else { return Ok(()) };
    limit::set_process(&domain, traits, memory.max(Mib(facts.memory_mib)))?;
    domain.update_device_flags(&device.write()?, LIVE)?;
    Ok(())
}

/// Waits until the hypervisor says that the guest has plugged or given back all that it was asked for.
async fn wait_for_guest(jobs: &Lane, traits: Traits, vm: VmId, memory: Mib) -> Result<(), HypervisorError> {
    let end = Instant::now() + GUEST;
    loop {
        let looked = jobs.call(LOOK, move |connection| {
            let domain = lookup::get_running(connection, vm)?;
            Ok(Facts::read(&lookup::xml(&domain, true)?, &traits, true).memory_mib)
        });
        let now = looked.await?;
        // The blocks of the device are 2 MiB; the last one may be half needed.
        if now.abs_diff(memory.0) < super::resize::BLOCK_MIB {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(HypervisorError::Guest(format!("it has {now} MiB of memory, asked for {}", memory.0)));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn record_memory(connection: &Connect, traits: &Traits, vm: VmId, memory: Mib) -> Result<(), Failure> {
    let domain = lookup::get_running(connection, vm)?;
    let live = Facts::read(&lookup::xml(&domain, true)?, traits, true);
    limit::set_process(&domain, traits, Mib(live.memory_mib))?;
    let inactive = lookup::xml(&domain, false)?;
    if Facts::read(&inactive, traits, false).memory_mib != memory.0 {
        domain.update_device_flags(&device_for(&inactive, memory)?.write()?, CONFIGURATION)?;
    }
    Ok(())
}

fn limit_memory(connection: &Connect, traits: &Traits, vm: VmId, memory: Mib) -> Result<(), Failure> {
    let domain = lookup::get_running(connection, vm)?;
    let facts = Facts::read(&lookup::xml(&domain, true)?, traits, true);
    if memory.0 == 0 || memory.0 > facts.memory_maximum_mib {
        return Err(refused("the memory is beyond the maximum"));
    }
    let kib = memory.0.saturating_mul(1024);
    let shrinks = memory.0 < facts.memory_mib;
    if shrinks && !kernel_refuses(&domain) {
        squeeze(&domain, memory)?;
    } else if let Err(failure) = limit::set_hard(&domain, kib, LIVE) {
        if shrinks {
            fits(domain.info()?.memory, memory)?;
        }
        return Err(failure);
    } else if !kernel_refuses(&domain) {
        // One that was pressed may have been left so.
        limit::set_soft(&domain, MemoryParameters::VALUE_UNLIMITED)?;
    }
    // The control group has it; this is for the books, where the running domain's memory is told as well.
    domain.set_memory_flags(kib, LIVE)?;
    limit::set_hard(&domain, kib, CONFIGURATION)?;
    domain.set_memory_flags(kib, CONFIGURATION)?;
    Ok(())
}

/// Whether the node's kernel refuses a limit below what a container needs: version 1 of control groups does. Version 2 takes
/// it and kills in the container; it counts no CPU by itself, by which libvirt lets it be known.
fn kernel_refuses(domain: &Domain) -> bool {
    domain.cpu_stats(0, 1, 0).is_ok()
}

/// Takes memory from a container by version 2 of control groups, where it can do without. The soft limit comes first: what can
/// be reclaimed the kernel reclaims down to it, at once, and kills nothing.
fn squeeze(domain: &Domain, memory: Mib) -> Result<(), Failure> {
    let kib = memory.0.saturating_mul(1024);
    limit::set_soft(domain, kib)?;
    let used = domain.info().map_err(Failure::from);
    let limited =
        used.and_then(|info| Ok(fits(info.memory, memory)?)).and_then(|()| limit::set_hard(domain, kib, LIVE));
    limit::set_soft(domain, MemoryParameters::VALUE_UNLIMITED)?;
    limited
}

fn fits(used_kib: u64, memory: Mib) -> Result<(), HypervisorError> {
    if used_kib <= memory.0.saturating_mul(1024) {
        return Ok(());
    }
    Err(HypervisorError::Guest(format!("it uses {} MiB of memory", used_kib.div_ceil(1024))))
}

fn inflate(connection: &Connect, vm: VmId, memory: Mib) -> Result<(), Failure> {
    let domain = lookup::get_running(connection, vm)?;
    let kib = memory.0.saturating_mul(1024);
    domain.set_memory_flags(kib, LIVE)?;
    domain.set_memory_flags(kib, CONFIGURATION)?;
    Ok(())
}

pub(super) fn grow_disk(connection: &Connect, traits: &Traits, vm: VmId, disk: Gib) -> Result<(), Failure> {
    let Guest::Machine { disk: target, .. } = traits.guest else {
        return Err(HypervisorError::Unsupported("a container's disk grows while it is off").into());
    };
    if !traits.grows_disk_live {
        return Err(HypervisorError::Unsupported("its disks grow while it is off").into());
    }
    let domain = lookup::get_running(connection, vm)?;
    let has = domain.block_info(target, 0)?.capacity;
    if disk.bytes() < has {
        return Err(refused("a disk never shrinks"));
    }
    if disk.bytes() > has {
        domain.block_resize(target, disk.bytes(), sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_has_not_followed_is_asked_anew_for_what_it_still_has() {
        let asked_for = |requested: u64| {
            let text = format!(
                "<domain><memory unit='KiB'>1048576</memory><devices><memory model='virtio-mem'><target>\
                 <size unit='KiB'>786432</size><requested unit='KiB'>{}</requested><current unit='KiB'>262144</current>\
                 </target></memory></devices></domain>",
                requested * 1024
            );
            Element::parse(&text).unwrap()
        };
        let has = Mib(512);
        assert_eq!(request_for(&asked_for(256), has, has).unwrap(), None, "it has it, and nothing else was asked");
        for other in [0, 512] {
            let again = request_for(&asked_for(other), has, has).unwrap().unwrap();
            assert_eq!(again.find(&["target", "requested"]).and_then(mib_of), Some(256), "asked for {other} before");
        }
        assert!(request_for(&asked_for(256), has, Mib(256)).unwrap().is_some());
    }

    #[test]
    fn a_container_is_given_no_less_than_it_uses() {
        assert_eq!(fits(256 * 1024, Mib(256)), Ok(()));
        assert_eq!(fits(0, Mib(1)), Ok(()));
        assert_eq!(fits(256 * 1024 + 1, Mib(256)), Err(HypervisorError::Guest("it uses 257 MiB of memory".into())));
    }
}
