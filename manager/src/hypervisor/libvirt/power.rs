//! Install, change the configuration, start, stop, remove.

use super::errors::Failure;
use super::kind::{Guest, Traits};
use super::lane::Lane;
use super::lookup::Standing;
use super::{CHANGE, LOOK, limit, lookup, raw, resize};
use crate::hypervisor::HypervisorError;
use grid::vm::Maxima;
use grid::{Size, VmId};
use std::time::Duration;
use tokio::time::Instant;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::ErrorNumber;
use virt_sys as sys;

/// How often a VM that shall shut down is looked at, and asked again.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const ASK_EVERY: Duration = Duration::from_secs(3);

/// After so long a VM that was let go on goes on.
const STANDS_STILL_WITHIN: Duration = Duration::from_millis(500);

/// How often a container is started, how long its init process may remain unknown, and how often that is looked at.
const STARTS: usize = 3;
const INIT_IS_TOLD: Duration = Duration::from_secs(2);
const LOOK_FOR_INIT_EVERY: Duration = Duration::from_millis(20);

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
    if !domain.is_active()? {
        match traits.guest {
            Guest::Machine { .. } => create(&domain)?,
            Guest::Container => create_container(&domain)?,
        }
    }
    // The VM runs: a limit that can't be set is no reason to say that it doesn't. Each sample tries again.
    if let Err(failure) = limit::enforce(connection, traits, vm) {
        tracing::warn!(error = %failure.into_error(true), %vm, "no memory limit for the VM that was started");
    }
    Ok(())
}

fn create(domain: &Domain) -> Result<(), Failure> {
    match domain.create() {
        Err(error) if !domain.is_active()? => Err(error.into()),
        _ => Ok(()),
    }
}

/// libvirt listens to a container's controller before it knows what to listen for, and misses now and then which process
/// is the container's init. It could never ask that container to shut down: better it is started once more, while it has
/// not begun anything.
fn create_container(domain: &Domain) -> Result<(), Failure> {
    for _ in 0..STARTS {
        create(domain)?;
        let end = std::time::Instant::now() + INIT_IS_TOLD;
        while std::time::Instant::now() < end {
            if is_init_known(domain)? {
                return Ok(());
            }
            std::thread::sleep(LOOK_FOR_INIT_EVERY);
        }
        tracing::warn!(domain = %domain.name()?, "libvirt does not know the container's init process; started once more");
        destroy(domain)?;
    }
    Err(HypervisorError::Refused("libvirt does not know the container's init process".into()).into())
}

/// Whether libvirt knows the init process of a container, which can only be asked to shut down then. What it takes for it may
/// be the one before, of a container that was started again: then there is no such process. One that ended already has
/// none to be known.
fn is_init_known(domain: &Domain) -> Result<bool, Failure> {
    match raw::touch_init(domain).map_err(Failure::from) {
        Err(failure) if failure.is(ErrorNumber::OperationInvalid) || failure.is(ErrorNumber::SystemError) => {
            Ok(!domain.is_active()?)
        }
        _ => Ok(true),
    }
}

fn destroy(domain: &Domain) -> Result<(), Failure> {
    match domain.destroy() {
        Err(error) if domain.is_active().unwrap_or(false) => Err(error.into()),
        _ => Ok(()),
    }
}

/// QEMU writes again what it could not write, and where it still can't it stands still again at once.
pub(super) fn resume(connection: &Connect, vm: VmId) -> Result<(), Failure> {
    let domain = lookup::get(connection, vm)?;
    match lookup::standing(&domain)? {
        Standing::Runs => return Ok(()),
        Standing::CouldNotWrite => {}
        Standing::Otherwise => {
            return Err(HypervisorError::Refused("it was not paused because of its disk".into()).into());
        }
    }
    domain.resume()?;
    std::thread::sleep(STANDS_STILL_WITHIN);
    match lookup::standing(&domain)? {
        Standing::CouldNotWrite => Err(HypervisorError::PoolFull.into()),
        Standing::Runs | Standing::Otherwise => Ok(()),
    }
}

pub(super) fn force_off(connection: &Connect, vm: VmId) -> Result<(), Failure> {
    destroy(&lookup::get(connection, vm)?)
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

/// Asks in the way whose turn it is, or in the next where that is not possible. That it ended meanwhile is fine; that it
/// can't be asked as it is now is as if it had not heard.
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
    let Err(error) = last else { return Ok(()) };
    let failure = Failure::from(error);
    if !domain.is_active()? {
        Ok(())
    } else if failure.is(ErrorNumber::OperationInvalid) {
        tracing::warn!(error = %failure.into_error(true), %vm, "the VM can't be asked to shut down now");
        Ok(())
    } else {
        Err(failure)
    }
}
