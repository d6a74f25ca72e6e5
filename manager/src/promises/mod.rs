//! The promises that Hostgrid keeps whatever dies (ARCHITECTURE.md says them in full), and what checks them: it reads
//! the hypervisors, the utility modules' lists of their pools and the store, and tells what is broken.
//!
//! It changes nothing, and can look while everything runs: what changes while it looks, and what an operation works
//! on, is not held against anybody.

mod checks;
mod facts;
mod moves;

pub(crate) use checks::other_size;
pub use facts::{Facts, SeenNode};

use crate::hypervisor::Hypervisor;
use crate::store::{Store, StoreError};
use grid::sample::DiskSample;
use grid::{NodeId, UnixMillis};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A promise of ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// I1: at most one copy of a VM executes.
    OneExecutes,
    /// I2: commitments and reservations never exceed what was usable when they were made.
    RoomIsThere,
    /// I3: every accepted operation ends as succeeded, undone or failed for a reason, or waits for the operator.
    NoneIsLost,
    /// I4: no source disk is removed before the VM is proven at its destination.
    DataIsKept,
    /// I5: one audit row for each attempt.
    AuditIsWhole,
    /// I6: the recorded size and home are what the hypervisor says.
    RecordIsTrue,
    /// I7: no work that is made of moves is lost, and no move of it is made twice.
    MovesAreMade,
}

impl Promise {
    pub const ALL: [Self; 7] = [
        Self::OneExecutes,
        Self::RoomIsThere,
        Self::NoneIsLost,
        Self::DataIsKept,
        Self::AuditIsWhole,
        Self::RecordIsTrue,
        Self::MovesAreMade,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneExecutes => "I1",
            Self::RoomIsThere => "I2",
            Self::NoneIsLost => "I3",
            Self::DataIsKept => "I4",
            Self::AuditIsWhole => "I5",
            Self::RecordIsTrue => "I6",
            Self::MovesAreMade => "I7",
        }
    }
}

/// A broken promise, and how it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub promise: Promise,
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.promise.as_str(), self.what)
    }
}

/// What a look at everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub broken: Vec<Broken>,
    /// What could not be looked at.
    pub unseen: Vec<String>,
}

/// What each node's utility module says is in its pool, and when it said so.
pub type PoolLists = BTreeMap<NodeId, (UnixMillis, Vec<DiskSample>)>;

/// Looks at everything once.
pub async fn check(
    store: &dyn Store,
    hypervisors: &[Arc<dyn Hypervisor>],
    pools: &PoolLists,
) -> Result<Report, StoreError> {
    let facts = Facts::gather(store, hypervisors, pools).await?;
    let mut report = Report { broken: Vec::new(), unseen: facts.unseen() };
    for check in [
        checks::one_executes,
        checks::room_is_there,
        checks::none_is_lost,
        checks::data_is_kept,
        checks::audit_is_whole,
        checks::record_is_true,
        moves::moves_are_made,
    ] {
        check(&facts, &mut report.broken);
    }
    Ok(report)
}
