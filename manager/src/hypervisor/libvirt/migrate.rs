//! The live move: peer to peer, with the disk, persistent there, still defined (and off) here.
//!
//! The two daemons do it between themselves, so it goes on if the manager dies; what then came of it is seen by
//! looking at both nodes. Its progress and its abort have connections of
//! their own.

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

/// Longest move; whoever started it aborts it sooner where it has to.
const LONGEST: Duration = Duration::from_hours(6);
const PROGRESS_EVERY: Duration = Duration::from_millis(300);
const FLAGS: sys::virDomainMigrateFlags = sys::VIR_MIGRATE_LIVE
    | sys::VIR_MIGRATE_PEER2PEER
    | sys::VIR_MIGRATE_PERSIST_DEST
    | sys::VIR_MIGRATE_NON_SHARED_DISK
    | sys::VIR_MIGRATE_ABORT_ON_ERROR
    | sys::VIR_MIGRATE_AUTO_CONVERGE;

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
    tokio::pin!(moving);
    let mut every = tokio::time::interval(PROGRESS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let moved = loop {
        tokio::select! {
            moved = &mut moving => break moved,
            _ = every.tick() => {
                // Before it begins and after it ended there is no job; that is no error.
                if let Ok(Some(now)) = lanes.control.call(LOOK, move |connection| look(connection, vm)).await {
                    progress(now);
                }
            }
        }
    };
    if moved.is_err() {
        // It may run on here, without the limit that was lifted for the move.
        let again = lanes.jobs.call(CHANGE, move |connection| limit::enforce(connection, &traits, vm)).await;
        if let Err(error) = again {
            tracing::warn!(%error, %vm, "no memory limit for the VM that did not move");
        }
    }
    moved
}

fn carry(connection: &Connect, traits: &Traits, vm: VmId, uri: &str) -> Result<Migrated, Failure> {
    let domain = lookup::get_running(connection, vm)?;
    domain.set_autostart(false)?;
    limit::lift(&domain, traits)?;
    domain.migrate_to_uri3(Some(uri), MigrateParameters::default(), FLAGS)?;
    if domain.is_active()? {
        return Err(HypervisorError::Refused("the move ended and the VM still runs here".into()).into());
    }
    // How it went; what can't be told is no reason to say that it failed.
    let statistics = domain.job_stats(sys::VIR_DOMAIN_JOB_STATS_COMPLETED).ok();
    let downtime_ms = statistics.as_ref().and_then(|it| it.downtime).unwrap_or(0);
    let bytes = statistics.as_ref().and_then(|it| it.data_processed).unwrap_or(0);
    Ok(Migrated { downtime_ms, bytes })
}

fn look(connection: &Connect, vm: VmId) -> Result<Option<Progress>, Failure> {
    let domain = lookup::get(connection, vm)?;
    let now = domain.job_info()?;
    let running = now.r#type == i32::try_from(sys::VIR_DOMAIN_JOB_UNBOUNDED).unwrap_or(0);
    Ok(running
        .then(|| Progress { bytes_done: now.data_processed.unwrap_or(0), bytes_left: now.data_remaining.unwrap_or(0) }))
}

/// Fine where nothing moves.
pub(super) fn abort(connection: &Connect, vm: VmId) -> Result<(), Failure> {
    let Some(domain) = lookup::find(connection, vm)? else { return Ok(()) };
    let none = i32::try_from(sys::VIR_DOMAIN_JOB_NONE).unwrap_or(0);
    if !domain.is_active()? || domain.job_info()?.r#type == none {
        return Ok(());
    }
    match raw::abort_job(&domain).map_err(Failure::from) {
        // It ended between the two questions, or has not begun to move anything.
        Err(failure) if failure.is(ErrorNumber::OperationInvalid) => Ok(()),
        aborted => aborted,
    }
}
