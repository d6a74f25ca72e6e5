//! Carrying a disk from one node's pool to another's: two orders that belong together.
//!
//! When one side fails, the other is not left waiting; and of two failures the one that says why is told: a full pool
//! at the destination also breaks the source's connection, which is only its consequence. When nobody waits for the disk
//! any more, both sides stop.

use super::{UtilityError, UtilityHub};
use grid::identity::TransferId;
use grid::work::{Work, WorkDone, WorkFailure};
use grid::{NodeId, Size, VmId};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::time::timeout;

/// How long the other side may take to say what it saw of a failure.
const GRACE: Duration = Duration::from_secs(5);

/// A disk that has arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedDisk {
    /// What went over the network: holes are not counted.
    pub bytes: u64,
    /// The same on both sides.
    pub checksum: String,
}

/// Closes the transfer when it is over, also where whoever waited for it has gone.
struct Opened<'a> {
    hub: &'a UtilityHub,
    transfer: TransferId,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.hub.transfer_close(self.transfer);
    }
}

impl UtilityHub {
    /// Carries the disk of a stopped VM; at the destination it gets the size's disk. The source keeps its own. `carried`
    /// tells meanwhile how many bytes have gone over the network.
    pub async fn disk_carry(
        self: &Arc<Self>,
        vm: VmId,
        source: NodeId,
        destination: NodeId,
        size: Size,
        deadline: Duration,
        carried: &Arc<AtomicU64>,
    ) -> Result<CarriedDisk, UtilityError> {
        let transfer = self.transfer_open_counted(source, destination, Arc::clone(carried));
        let opened = Opened { hub: self, transfer };
        let (at_source, at_destination) = (self.module(source), self.module(destination));
        let mut sent = pin!(at_source.carry_out(Work::CopyOut { vm, transfer }, deadline));
        let mut received = pin!(at_destination.carry_out(Work::CopyIn { vm, transfer, size }, deadline));
        let both = tokio::select! {
            first = &mut sent => match first {
                Ok(sent) => received.await.map(|received| (sent, received)),
                Err(error) => {
                    drop(opened);
                    Err(plainer(error, timeout(GRACE, received).await.ok()))
                }
            },
            first = &mut received => match first {
                Ok(received) => sent.await.map(|sent| (sent, received)),
                Err(error) => {
                    drop(opened);
                    Err(plainer(error, timeout(GRACE, sent).await.ok()))
                }
            },
        };
        compare(both?)
    }
}

/// Of the two sides' failures the one that is more than a broken transfer.
fn plainer(first: UtilityError, second: Option<Result<WorkDone, UtilityError>>) -> UtilityError {
    match (&first, second) {
        (UtilityError::Failed(WorkFailure::Transfer { .. }), Some(Err(second))) => second,
        _ => first,
    }
}

fn compare(both: (WorkDone, WorkDone)) -> Result<CarriedDisk, UtilityError> {
    match both {
        (WorkDone::Copied { bytes, checksum }, WorkDone::Copied { checksum: found, .. }) if checksum == found => {
            Ok(CarriedDisk { bytes, checksum })
        }
        (WorkDone::Copied { checksum: expected, .. }, WorkDone::Copied { checksum: found, .. }) => {
            Err(WorkFailure::Checksum { expected, found }.into())
        }
        _ => Err(WorkFailure::Transfer { reason: "a module answered something else".to_owned() }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utility::MemoryKeys;
    use crate::utility::UtilityModule;
    use async_trait::async_trait;
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use tokio::time::{Instant, sleep};
    use uuid::Uuid;

    type Answer = (Duration, Result<WorkDone, WorkFailure>);

    /// Answers as told, after as long as told.
    #[derive(Debug)]
    struct Told(NodeId, Mutex<VecDeque<Answer>>);

    #[async_trait]
    impl UtilityModule for Told {
        fn node(&self) -> NodeId {
            self.0
        }

        async fn carry_out(&self, _: Work, deadline: Duration) -> Result<WorkDone, UtilityError> {
            let (after, answer) = self.1.lock().unwrap().pop_front().unwrap();
            sleep(after.min(deadline)).await;
            if after > deadline { Err(UtilityError::Deadline) } else { Ok(answer?) }
        }
    }

    fn node(number: u128) -> NodeId {
        NodeId(Uuid::from_u128(number))
    }

    fn copied(checksum: &str) -> WorkDone {
        WorkDone::Copied { bytes: 7, checksum: checksum.into() }
    }

    fn broken() -> WorkFailure {
        WorkFailure::Transfer { reason: "broken pipe".into() }
    }

    /// What comes of two answers, each after its seconds; and after how long.
    async fn carry(
        sent: (u64, Result<WorkDone, WorkFailure>),
        received: (u64, Result<WorkDone, WorkFailure>),
    ) -> (Result<CarriedDisk, UtilityError>, u64) {
        let hub = UtilityHub::new(Arc::new(MemoryKeys::default()));
        for (number, (seconds, answer)) in [(1, sent), (2, received)] {
            let answers = Mutex::new(VecDeque::from([(Duration::from_secs(seconds), answer)]));
            hub.simulate(Arc::new(Told(node(number), answers)));
        }
        let size = Size::new(grid::Vcpus(1), grid::Mib(1), grid::Gib(1));
        let begin = Instant::now();
        let carried =
            hub.disk_carry(VmId(Uuid::nil()), node(1), node(2), size, Duration::from_hours(1), &Arc::default()).await;
        (carried, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_has_arrived_when_both_sides_tell_the_same_checksum() {
        let arrived = Ok(CarriedDisk { bytes: 7, checksum: "a".into() });
        assert_eq!(carry((3, Ok(copied("a"))), (4, Ok(copied("a")))).await, (arrived.clone(), 4));
        assert_eq!(carry((4, Ok(copied("a"))), (3, Ok(copied("a")))).await, (arrived, 4));
        let different = WorkFailure::Checksum { expected: "a".into(), found: "b".into() };
        assert_eq!(carry((1, Ok(copied("a"))), (1, Ok(copied("b")))).await.0, Err(different.into()));
        assert!(carry((1, Ok(copied("a"))), (1, Ok(WorkDone::Done))).await.0.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_pool_is_told_whichever_side_ends_first() {
        let full = || Err(WorkFailure::PoolFull);
        assert_eq!(carry((1, Err(broken())), (2, full())).await, (Err(WorkFailure::PoolFull.into()), 2));
        assert_eq!(carry((2, Err(broken())), (1, full())).await, (Err(WorkFailure::PoolFull.into()), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_failed_does_not_leave_the_other_waiting() {
        let missing = || Err(WorkFailure::NoDisk);
        assert_eq!(carry((1, missing()), (3000, Ok(copied("a")))).await, (Err(WorkFailure::NoDisk.into()), 6));
        assert_eq!(carry((3000, Ok(copied("a"))), (1, missing())).await, (Err(WorkFailure::NoDisk.into()), 6));
    }
}
