//! Install, change the configuration, start, stop, remove.

use super::errors::Failure;
use super::kind::Traits;
use super::lane::Lane;
use super::{CHANGE, LOOK, limit, lookup, resize};
use crate::hypervisor::HypervisorError;
use grid::vm::Maxima;
use grid::{Size, VmId};
use std::time::Duration;
use tokio::time::Instant;
use virt::connect::Connect;
use virt::error::ErrorNumber;
use virt_sys as sys;

/// How often a VM that shall shut down is looked at, and asked again.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const ASK_EVERY: Duration = Duration::from_secs(3);

pub(super) fn define(connection: &Connect, xml: &str) -> Result<(), Failure> {
    let domain = connection.define_domain_xml(xml)?;
    // A driver without autostart has none to switch off.
    match domain.set_autostart(false).map_err(Failure::from) {
        Err(failure) if !failure.is(ErrorNumber::NoSupport) => Err(failure),
        _ => Ok(()),
    }
}

pub(super) fn redefine(
    connection: &Connect,
    traits: &Traits,
    vm: VmId,
    size: Size,
    maxima: Maxima,
) -> Result<(), Failure> {
    let domain = lookup::get(connection, vm)?;
    let mut xml = lookup::xml(&domain, false)?;
    resize::apply_size(&mut xml, traits, size, maxima);
    define(connection, &xml.write()?)
}

/// Fine where there is none; refused while it runs, as that would leave a domain that nobody can start again.
pub(super) fn undefine(connection: &Connect, vm: VmId) -> Result<(), Failure> {
    let Some(domain) = lookup::find(connection, vm)? else { return Ok(()) };
    if domain.is_active()? {
        return Err(HypervisorError::Refused("the domain is running".into()).into());
    }
    let everything = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
    // Not every driver knows these flags, or needs them.
    domain.undefine_flags(everything).or_else(|_| domain.undefine())?;
    Ok(())
}

pub(super) fn start(connection: &Connect, traits: &Traits, vm: VmId) -> Result<(), Failure> {
    let domain = lookup::get(connection, vm)?;
    if !domain.is_active()?
        && let Err(error) = domain.create()
        && !domain.is_active()?
    {
        return Err(error.into());
    }
    // The VM runs: a limit that can't be set is no reason to say that it doesn't. Each sample tries again.
    if let Err(failure) = limit::enforce(connection, traits, vm) {
        tracing::warn!(error = %failure.into_error(true), %vm, "no memory limit for the VM that was started");
    }
    Ok(())
}

pub(super) fn force_off(connection: &Connect, vm: VmId) -> Result<(), Failure> {
    let domain = lookup::get(connection, vm)?;
    if let Err(error) = domain.destroy()
        && domain.is_active().unwrap_or(false)
    {
        return Err(error.into());
    }
    Ok(())
}

/// Asks by the kind's ways, each in its turn and again, until the VM is off or the deadline has come: a guest that is
/// still booting hears nothing, and a way may be taken and lead nowhere.
pub(super) async fn shut_down(
    jobs: &Lane,
    traits: Traits,
    vm: VmId,
    deadline: Duration,
) -> Result<(), HypervisorError> {
    let end = Instant::now() + deadline;
    let mut ask_at = Instant::now();
    let mut turn = 0;
    loop {
        if Instant::now() >= ask_at {
            jobs.call(CHANGE, move |connection| ask_to_shut_down(connection, &traits, vm, turn)).await?;
            turn += 1;
            ask_at = Instant::now() + ASK_EVERY;
        }
        if is_off(jobs, vm).await? {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(HypervisorError::Deadline);
        }
        tokio::time::sleep(LOOK_EVERY.min(end.saturating_duration_since(Instant::now()))).await;
    }
}

async fn is_off(jobs: &Lane, vm: VmId) -> Result<bool, HypervisorError> {
    let looked = jobs.call(LOOK, move |connection| match lookup::find(connection, vm)? {
        Some(domain) => Ok(!domain.is_active()?),
        None => Ok(true),
    });
    looked.await
}

/// Asks in the way whose turn it is, or in the next where that is not possible. That it ended meanwhile is fine.
fn ask_to_shut_down(connection: &Connect, traits: &Traits, vm: VmId, turn: usize) -> Result<(), Failure> {
    let domain = lookup::get(connection, vm)?;
    let mut last = Ok(());
    for way in traits.shutdown.iter().cycle().skip(turn % traits.shutdown.len()).take(traits.shutdown.len()) {
        if !domain.is_active()? {
            return Ok(());
        }
        last = domain.shutdown_flags(*way).map(drop);
        if last.is_ok() {
            return Ok(());
        }
    }
    match last {
        Err(error) if domain.is_active()? => Err(error.into()),
        _ => Ok(()),
    }
}
