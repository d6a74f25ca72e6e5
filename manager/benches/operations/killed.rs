//! Killing the program in the middle, and looking for all that it had answered.

use crate::{Failure, program};
use grid::OperationId;
use grid::operation::Operation;
use manager::store::rows::OperationFilter;
use manager::store::sqlite::SqliteStore;
use manager::store::{AccountStore, NodeStore, OperationStore, VmStore};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// From its first answer until it is killed.
const ALIVE: Duration = Duration::from_secs(3);

/// What was answered, and how many of these are in the database with all that belongs to them.
pub(crate) struct Found {
    pub(crate) answered: usize,
    pub(crate) whole: usize,
}

impl Found {
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench stay far below 2^53")]
    pub(crate) fn share(&self) -> f64 {
        self.whole as f64 / self.answered.max(1) as f64
    }
}

/// Runs the program over this store, kills it, and looks. An error where anything is missing, or not whole.
pub(crate) fn kill(store: &Path) -> Result<Found, Failure> {
    let (mut child, mut lines) = program::start(store, Some(program::TELL))?;
    let mut answered: BTreeSet<OperationId> = BTreeSet::new();
    let mut began = None;
    while let Some(Ok(line)) = lines.next() {
        answered.extend(accepted(&line));
        if began.get_or_insert_with(Instant::now).elapsed() >= ALIVE {
            break;
        }
    }
    // SIGKILL. What it has told by then is still in the pipe.
    child.kill()?;
    answered.extend(lines.map_while(Result::ok).filter_map(|line| accepted(&line)));
    child.wait()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let whole = runtime.block_on(look(store, &answered))?;
    let found = Found { answered: answered.len(), whole };
    if found.answered == 0 || found.whole < found.answered {
        return Err(format!("answered: {}, found whole: {}", found.answered, found.whole).into());
    }
    Ok(found)
}

/// A line that the pipe has whole.
fn accepted(line: &str) -> Option<OperationId> {
    line.strip_prefix("accepted ")?.parse().ok()
}

/// How many of these are there with their VM, its own address, their steps, their room and one row of the audit; an error
/// where what was not answered is there in part.
async fn look(folder: &Path, answered: &BTreeSet<OperationId>) -> Result<usize, Failure> {
    let store = SqliteStore::open(folder).await?;
    let every = OperationFilter { limit: u32::MAX, ..OperationFilter::default() };
    let operations = store.operation_list(&every).await?;
    let vms: BTreeMap<_, _> = store.vm_list(None).await?.into_iter().map(|vm| (vm.id, vm)).collect();
    let addresses: BTreeSet<_> = vms.values().map(|vm| vm.address).collect();
    let holders: BTreeSet<_> = store.reservation_list().await?.into_iter().map(|(_, operation, _)| operation).collect();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    for row in store.audit_list(u32::MAX).await?.into_iter().filter(|row| row.outcome == "accepted") {
        *accepted.entry(row.target).or_default() += 1;
    }
    let is_whole = |operation: &&Operation| {
        let vm = operation.kind.vm();
        let in_audit = accepted.get(&vm.to_string()) == Some(&1);
        vms.contains_key(&vm) && in_audit && !operation.steps.is_empty() && holders.contains(&operation.id)
    };
    let whole: BTreeSet<_> = operations.iter().filter(is_whole).map(|operation| operation.id).collect();
    let counts = [operations.len(), vms.len(), addresses.len(), holders.len(), accepted.len()];
    if counts.iter().any(|count| *count != whole.len()) {
        return Err(format!("operations, VMs, addresses, reservations, audit rows: {counts:?}").into());
    }
    Ok(answered.intersection(&whole).count())
}
