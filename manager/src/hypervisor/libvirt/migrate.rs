//! The live move: peer to peer, with the disk, persistent there, still defined (and off) here.
//!
//! The two daemons do it between themselves, so it goes on if the manager dies; what then came of it is seen by
//! looking at both nodes. Its progress and its abort have connections of
//! their own. How long the guest may stand still is raised in steps (`convergence`).

use super::convergence::{Advice, Convergence};
use super::errors::Failure;
use super::kind::Traits;
use super::lane::Lane;
use super::{CHANGE, LOOK, limit, lookup, raw};
use crate::hypervisor::{HypervisorError, Migrated, Progress};
use grid::VmId;
use std::time::Duration;
use virt::connect::Connect;
use virt::domain::MigrateParameters;
use virt::error::ErrorNumber;
use virt_sys as sys;

/// A move takes as long as whoever started it waits for it, by what is carried, and then aborts it: after this its thread is
/// taken to hang.
const LONGEST: Duration = Duration::from_hours(24 * 7);
const PROGRESS_EVERY: Duration = Duration::from_millis(300);
const FLAGS: sys::virDomainMigrateFlags = sys::VIR_MIGRATE_LIVE
    | sys::VIR_MIGRATE_PEER2PEER
    | sys::VIR_MIGRATE_PERSIST_DEST
    | sys::VIR_MIGRATE_NON_SHARED_DISK
    | sys::VIR_MIGRATE_ABORT_ON_ERROR
    | sys::VIR_MIGRATE_AUTO_CONVERGE
    | sys::VIR_MIGRATE_CHANGE_PROTECTION;

/// The node's connections that a move needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes<'a> {
    pub(super) moves: &'a Lane,
    pub(super) jobs: &'a Lane,
    pub(super) control: &'a Lane,
}

pub(super) async fn migrate(
    lanes: Lanes<'_>,
    traits: Traits,
    vm: VmId,
    uri: &str,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Migrated, HypervisorError> {
    let to = uri.to_owned();
    let moving = lanes.moves.call(LONGEST, move |connection| carry(connection, &traits, vm, &to));
    let (moved, given_up) = watched(lanes.control, vm, progress, moving).await;
    if moved.is_err() {
        // It may run on here, without the limit that was lifted for the move.
        let again = lanes.jobs.call(CHANGE, move |connection| limit::enforce(connection, &traits, vm)).await;
        if let Err(error) = again {
            tracing::warn!(%error, %vm, "no memory limit for the VM that did not move");
        }
    }
    if moved.is_err() && given_up { Err(HypervisorError::NotConverging) } else { moved }
}

/// The same for a move that goes on from before; whether there was one.
pub(super) async fn watch(
    control: &Lane,
    vm: VmId,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<bool, HypervisorError> {
    let is_moving = || control.call(LOOK, move |connection| has_job(connection, vm));
    if !is_moving().await? {
        return Ok(false);
    }
    let ended = async {
        loop {
            match is_moving().await {
                Ok(false) => return Ok(true),
                // Whoever waits has a deadline.
                Ok(true) | Err(HypervisorError::Deadline | HypervisorError::Unreachable(_)) => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(PROGRESS_EVERY).await;
        }
    };
    match watched(control, vm, progress, ended).await {
        (_, true) => Err(HypervisorError::NotConverging),
        (ended, false) => ended,
    }
}

/// Waits for the end of a move, tells how far it has come, and sees that it converges; whether it was given up.
async fn watched<T>(
    control: &Lane,
    vm: VmId,
    progress: &(dyn Fn(Progress) + Send + Sync),
    moving: impl Future<Output = Result<T, HypervisorError>>,
) -> (Result<T, HypervisorError>, bool) {
    tokio::pin!(moving);
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut convergence = Convergence::new();
    let mut given_up = false;
    loop {
        tokio::select! {
            moved = &mut moving => return (moved, given_up),
            _ = every.tick() => {
                // Before it begins and after it ended there is no job; that is no error.
                if let Ok(Some(now)) = control.call(LOOK, move |connection| look(connection, vm)).await {
                    progress(now.progress);
                    given_up |= advise(control, vm, convergence.look(now.round, now.memory_left)).await;
                }
            }
        }
    }
}

/// Follows the advice; whether it was to give up. What can't be followed now is advised again.
async fn advise(control: &Lane, vm: VmId, advice: Advice) -> bool {
    let followed = match advice {
        Advice::Wait => return false,
        Advice::Allow(time) => control.call(LOOK, move |connection| allow(connection, vm, time)).await,
        Advice::GiveUp => control.call(LOOK, move |connection| abort(connection, vm)).await,
    };
    match &followed {
        Ok(()) => tracing::info!(%vm, ?advice, "a live move does not converge"),
        Err(error) => tracing::warn!(%vm, ?advice, %error, "a live move does not converge"),
    }
    advice == Advice::GiveUp
}

fn allow(connection: &Connect, vm: VmId, time: Duration) -> Result<(), Failure> {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Ok(lookup::get_running(connection, vm)?.migrate_set_max_downtime(milliseconds, 0)?)
}

fn carry(connection: &Connect, traits: &Traits, vm: VmId, uri: &str) -> Result<Migrated, Failure> {
    let domain = lookup::get_running(connection, vm)?;
    domain.set_autostart(false)?;
    allow(connection, vm, Convergence::FIRST)?;
    limit::lift(&domain, traits)?;
    domain.migrate_to_uri3(Some(uri), MigrateParameters::default(), FLAGS)?;
    if domain.is_active()? {
        return Err(HypervisorError::Refused("the move ended and the VM still runs here".into()).into());
    }
    // How it went; what can't be told is no reason to say that it failed.
    let done = raw::job(&domain, sys::VIR_DOMAIN_JOB_STATS_COMPLETED).unwrap_or_default();
    let figure = |name: &str| done.get(name).copied().unwrap_or(0);
    Ok(Migrated { downtime_ms: figure("downtime"), bytes: figure("data_processed") })
}

/// What is seen of a move on its way.
struct Seen {
    progress: Progress,
    /// The round of its memory; 0 as long as only its disk is carried.
    round: u64,
    memory_left: u64,
}

fn look(connection: &Connect, vm: VmId) -> Result<Option<Seen>, Failure> {
    let now = raw::job(&lookup::get(connection, vm)?, 0)?;
    let figure = |name: &str| now.get(name).copied().unwrap_or(0);
    Ok(now.contains_key("data_processed").then(|| Seen {
        progress: Progress { bytes_done: figure("data_processed"), bytes_left: figure("data_remaining") },
        round: figure("memory_iteration"),
        memory_left: figure("memory_remaining"),
    }))
}

/// Fine where nothing moves.
pub(super) fn abort(connection: &Connect, vm: VmId) -> Result<(), Failure> {
    if !has_job(connection, vm)? {
        return Ok(());
    }
    match raw::abort_job(&lookup::get(connection, vm)?).map_err(Failure::from) {
        // It ended between the two questions, or has not begun to move anything.
        Err(failure) if failure.is(ErrorNumber::OperationInvalid) => Ok(()),
        aborted => aborted,
    }
}

/// Whether it runs here and a job of it is on its way.
fn has_job(connection: &Connect, vm: VmId) -> Result<bool, Failure> {
    let Some(domain) = lookup::find(connection, vm)? else { return Ok(false) };
    let none = i32::try_from(sys::VIR_DOMAIN_JOB_NONE).unwrap_or(0);
    Ok(domain.is_active()? && domain.job_info()?.r#type != none)
}
