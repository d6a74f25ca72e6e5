//! The memory limit of a running VM.
//!
//! A guest can take back memory that was taken from it, so the node limits the process as well. The limit is not in
//! the configuration of a machine: there libvirt would lock memory for it at the start, which needs a right that
//! not every node's libvirtd has. So it is set live, after each start and after each move.

use super::errors::Failure;
use super::facts::Facts;
use super::kind::{Memory, Traits};
use super::lookup;
use grid::{Mib, VmId};
use virt::connect::Connect;
use virt::domain::{Domain, MemoryParameters};
use virt_sys as sys;

/// Sets a running VM's limit by what its memory now is. Fine where it is off or has that limit.
pub(super) fn enforce(connection: &Connect, traits: &Traits, vm: VmId) -> Result<(), Failure> {
    let Some(domain) = lookup::find(connection, vm)? else { return Ok(()) };
    if !domain.is_active()? {
        return Ok(());
    }
    let facts = Facts::read(&lookup::xml(&domain, true)?, traits, true);
    match traits.memory {
        Memory::VirtioMem => {
            // What was asked for and has not been plugged yet must have room, too.
            let asked = Facts::read(&lookup::xml(&domain, true)?, traits, false).memory_mib;
            set_process(&domain, traits, Mib(facts.memory_mib.max(asked)))
        }
        Memory::Limit => Ok(domain.set_memory_flags(facts.memory_mib * 1024, sys::VIR_DOMAIN_AFFECT_LIVE).map(drop)?),
        Memory::Balloon => Ok(()),
    }
}

/// Limits a machine's process to what a guest of this memory may take.
pub(super) fn set_process(domain: &Domain, traits: &Traits, memory: Mib) -> Result<(), Failure> {
    match traits.process_limit_kib(memory) {
        Some(kib) => set_hard(domain, kib, sys::VIR_DOMAIN_AFFECT_LIVE),
        None => Ok(()),
    }
}

/// Takes the limit away, for a migration: it would travel in the XML and stop the start at the destination.
pub(super) fn lift(domain: &Domain, traits: &Traits) -> Result<(), Failure> {
    if traits.memory == Memory::VirtioMem {
        set_hard(domain, MemoryParameters::VALUE_UNLIMITED, sys::VIR_DOMAIN_AFFECT_LIVE)?;
    }
    Ok(())
}

/// What a running domain's memory is reclaimed down to, where version 2 of control groups is in charge.
pub(super) fn set_soft(domain: &Domain, kib: u64) -> Result<(), Failure> {
    let parameters = MemoryParameters { soft_limit: Some(kib), ..MemoryParameters::default() };
    Ok(domain.set_memory_parameters(parameters, sys::VIR_DOMAIN_AFFECT_LIVE)?)
}

pub(super) fn set_hard(domain: &Domain, kib: u64, flags: sys::virDomainModificationImpact) -> Result<(), Failure> {
    let parameters = MemoryParameters { hard_limit: Some(kib), ..MemoryParameters::default() };
    Ok(domain.set_memory_parameters(parameters, flags)?)
}
