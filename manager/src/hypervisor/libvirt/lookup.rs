//! Finding a domain, and what it says of itself.

use super::create::{POOL, in_pool};
use super::errors::Failure;
use super::facts::Facts;
use super::kind::{Guest, Traits};
use super::xml::Element;
use crate::hypervisor::{HypervisorError, Observation};
use grid::sample::DomainState;
use grid::vm::Maxima;
use grid::{Gib, Mbit, Mib, Size, Vcpus, VmId};
use virt::connect::Connect;
use virt::domain::{Domain, DomainPausedReason, DomainShutoffReason, DomainStateReason, DomainStateReasonEnum};
use virt::error::ErrorNumber;

/// The domain of this UUID, where there is one.
pub(super) fn find(connection: &Connect, vm: VmId) -> Result<Option<Domain>, Failure> {
    match connection.lookup_domain_by_uuid(vm.0).map_err(Failure::from) {
        Ok(domain) => Ok(Some(domain)),
        Err(failure) if failure.is(ErrorNumber::NoDomain) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The domain of this UUID; [`HypervisorError::NoSuchVm`] where there is none.
pub(super) fn get(connection: &Connect, vm: VmId) -> Result<Domain, Failure> {
    find(connection, vm)?.ok_or(Failure::Ours(HypervisorError::NoSuchVm))
}

/// A domain that runs.
pub(super) fn get_running(connection: &Connect, vm: VmId) -> Result<Domain, Failure> {
    let domain = get(connection, vm)?;
    if domain.is_active()? {
        Ok(domain)
    } else {
        Err(HypervisorError::Refused("the domain is not running".into()).into())
    }
}

/// What is (`live`) or what will be after the next start.
pub(super) fn xml(domain: &Domain, live: bool) -> Result<Element, Failure> {
    let flags = if live { 0 } else { virt_sys::VIR_DOMAIN_XML_INACTIVE };
    Ok(Element::parse(&domain.xml_desc(flags)?)?)
}

/// Its state, and whether it is off and libvirtd knows no reason: it was off when libvirtd found it.
pub(super) fn state(domain: &Domain) -> Result<(DomainState, bool), Failure> {
    let (state, reason) = domain.state()?;
    let is_unexplained = match reason {
        DomainStateReasonEnum::Known(DomainStateReason::Shutoff(reason)) => {
            reason.is_known_and(|reason| reason == DomainShutoffReason::Unknown)
        }
        _ => false,
    };
    Ok((state_of(state.to_raw()), is_unexplained))
}

/// The same by the numbers of the bulk statistics.
pub(super) fn state_in_numbers(state: u64, reason: u64) -> (DomainState, bool) {
    let state = state_of(state.try_into().unwrap_or(virt_sys::VIR_DOMAIN_NOSTATE));
    (state, state == DomainState::ShutOff && reason == u64::from(virt_sys::VIR_DOMAIN_SHUTOFF_UNKNOWN))
}

/// Whether a domain executes, and why it does not.
pub(super) enum Standing {
    Runs,
    /// Its hypervisor paused it: its disk could not be written.
    CouldNotWrite,
    /// Paused by somebody, off, or in between.
    Otherwise,
}

pub(super) fn standing(domain: &Domain) -> Result<Standing, Failure> {
    let (state, reason) = domain.state()?;
    let could_not_write = match reason {
        DomainStateReasonEnum::Known(DomainStateReason::Paused(reason)) => {
            reason.is_known_and(|reason| reason == DomainPausedReason::IOError)
        }
        _ => false,
    };
    Ok(match state_of(state.to_raw()) {
        DomainState::Running => Standing::Runs,
        DomainState::Paused if could_not_write => Standing::CouldNotWrite,
        _ => Standing::Otherwise,
    })
}

/// `virDomainState` in our words.
pub(super) fn state_of(raw: virt_sys::virDomainState) -> DomainState {
    match raw {
        virt_sys::VIR_DOMAIN_RUNNING | virt_sys::VIR_DOMAIN_BLOCKED => DomainState::Running,
        virt_sys::VIR_DOMAIN_PAUSED => DomainState::Paused,
        virt_sys::VIR_DOMAIN_SHUTOFF => DomainState::ShutOff,
        _ => DomainState::Other,
    }
}

pub(super) fn observe(connection: &Connect, traits: &Traits, vm: VmId) -> Result<Option<Observation>, Failure> {
    let Some(domain) = find(connection, vm)? else { return Ok(None) };
    let (state, off_unexplained) = state(&domain)?;
    let disk = Gib(disk_bytes(connection, &domain, traits, vm) >> 30);
    let read = |live| -> Result<Facts, Failure> { Ok(Facts::read(&xml(&domain, live)?, traits, live)) };
    let live = if domain.is_active()? { Some(read(true)?) } else { None };
    let persistent = if domain.is_persistent()? { Some(read(false)?) } else { None };
    let size = |facts: &Facts| Size {
        network: Mbit(facts.network_mbit),
        ..Size::new(Vcpus(facts.vcpus), Mib(facts.memory_mib), disk)
    };
    let Some(now) = live.as_ref().or(persistent.as_ref()) else { return Ok(None) };
    Ok(Some(Observation {
        state,
        off_unexplained,
        live: live.as_ref().map(size),
        persistent: persistent.as_ref().map(size),
        maxima: Maxima { vcpus: Vcpus(now.vcpus_maximum), memory: Mib(now.memory_maximum_mib) },
        mac: now.mac.clone(),
    }))
}

/// The virtual size of a VM's disk; 0 where it is not there.
fn disk_bytes(connection: &Connect, domain: &Domain, traits: &Traits, vm: VmId) -> u64 {
    match traits.guest {
        Guest::Machine { disk, .. } => domain.block_info(disk, 0).map_or(0, |info| info.capacity),
        Guest::Container => volume_bytes(connection, &format!("{vm}.raw")).unwrap_or(0),
    }
}

/// The length of a file in the pool. A file that a utility module has just made is not known before a refresh.
pub(super) fn volume_bytes(connection: &Connect, name: &str) -> Result<u64, Failure> {
    let volume = connection.lookup_storage_vol_by_path(&in_pool(name)).or_else(|_| {
        let pool = connection.lookup_storage_pool_by_name(POOL)?;
        pool.refresh(0)?;
        pool.lookup_storage_vol_by_name(name)
    })?;
    Ok(volume.info()?.capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_the_state_and_that_nobody_knows_why_a_domain_is_off() {
        let (running, off) = (u64::from(virt_sys::VIR_DOMAIN_RUNNING), u64::from(virt_sys::VIR_DOMAIN_SHUTOFF));
        assert_eq!(state_in_numbers(running, 0), (DomainState::Running, false));
        assert_eq!(state_in_numbers(off, 0), (DomainState::ShutOff, true));
        assert_eq!(
            state_in_numbers(off, u64::from(virt_sys::VIR_DOMAIN_SHUTOFF_SHUTDOWN)),
            (DomainState::ShutOff, false)
        );
        assert_eq!(state_in_numbers(1 << 40, 0), (DomainState::Other, false));
    }
}
