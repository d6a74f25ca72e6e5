//! Whose move goes next: so many at once on a node and altogether, and none of the customers waits behind all of
//! another's.
//!
//! A move waits in memory only: it has begun nothing, and is taken up afresh after a restart. One that was begun before a
//! restart goes on without waiting, and counts.

use crate::options::MoveLimits;
use grid::operation::{Operation, OperationKind, StepState};
use grid::{NodeId, TenantId};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What a move is limited by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) tenant: TenantId,
    pub(super) source: NodeId,
    pub(super) destination: NodeId,
}

impl Move {
    /// The move that an operation is, if it is one.
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        let OperationKind::Resize { plan, .. } = &operation.kind else { return None };
        let destination = plan.destination?;
        Some(Self { tenant: operation.tenant, source: plan.source, destination })
    }

    fn touches(&self, node: NodeId) -> bool {
        self.source == node || self.destination == node
    }
}

/// Whether any step was begun: such an operation holds more than its place in the line.
pub(super) fn has_begun(operation: &Operation) -> bool {
    operation.steps.iter().any(|step| step.state != StepState::Waiting)
}

/// All moves that go and that wait. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limits: MoveLimits,
    going: Vec<(u64, Move)>,
    /// In the order in which they came.
    waiting: Vec<(Move, oneshot::Sender<Turn>)>,
    next: u64,
}

/// Held while a move goes; the next one's turn comes when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().going.retain(|(number, _)| *number != self.number);
        self.turns.grant();
    }
}

impl Turns {
    pub(super) fn new(limits: MoveLimits) -> Self {
        Self(Arc::new(Mutex::new(State { limits, going: Vec::new(), waiting: Vec::new(), next: 0 })))
    }

    /// Waits for the move's turn. Whoever stops waiting leaves the line.
    pub(super) async fn take(&self, wanted: Move) -> Turn {
        let (sender, turn) = oneshot::channel();
        self.lock().waiting.push((wanted, sender));
        self.grant();
        match turn.await {
            Ok(turn) => turn,
            // The line is gone with the program.
            Err(_) => self.go(wanted),
        }
    }

    /// Goes without waiting.
    pub(super) fn go(&self, wanted: Move) -> Turn {
        let number = self.lock().begin(wanted);
        Turn { turns: self.clone(), number }
    }

    /// Lets go whoever can. The turns are handed out with the lock open: one that nobody takes any more is dropped.
    fn grant(&self) {
        let granted = self.lock().granted();
        for (number, sender) in granted {
            let _ = sender.send(Turn { turns: self.clone(), number });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, it: Move) -> u64 {
        self.next += 1;
        self.going.push((self.next, it));
        self.next
    }

    fn granted(&mut self) -> Vec<(u64, oneshot::Sender<Turn>)> {
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        let mut granted = Vec::new();
        while let Some(position) = self.first() {
            let (it, sender) = self.waiting.remove(position);
            granted.push((self.begin(it), sender));
        }
        granted
    }

    /// Of those that fit: of the customer with the fewest that go, the one that has waited longest.
    fn first(&self) -> Option<usize> {
        let fits = self.waiting.iter().enumerate().filter(|(_, (it, _))| self.fits(it));
        let goes = |tenant| self.going.iter().filter(|(_, it)| it.tenant == tenant).count();
        fits.min_by_key(|(position, (it, _))| (goes(it.tenant), *position)).map(|(position, _)| position)
    }

    fn fits(&self, it: &Move) -> bool {
        let on = |node| self.going.iter().filter(|(_, other)| other.touches(node)).count();
        self.going.len() < self.limits.altogether
            && on(it.source) < self.limits.per_node
            && on(it.destination) < self.limits.per_node
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::task::JoinHandle;
    use uuid::Uuid;

    fn a_move(tenant: u128, source: u128, destination: u128) -> Move {
        let node = |it| NodeId(Uuid::from_u128(it));
        Move { tenant: TenantId(Uuid::from_u128(tenant)), source: node(source), destination: node(destination) }
    }

    fn turns(per_node: usize, altogether: usize) -> Turns {
        Turns::new(MoveLimits { per_node, altogether })
    }

    /// Stands in line, and is there when this returns.
    async fn stand(turns: &Turns, wanted: Move) -> JoinHandle<Turn> {
        let line = turns.clone();
        let before = seen(turns);
        let task = tokio::spawn(async move { line.take(wanted).await });
        loop {
            if seen(turns) > before {
                return task;
            }
            tokio::task::yield_now().await;
        }
    }

    /// How many have come so far.
    fn seen(turns: &Turns) -> u64 {
        let state = turns.lock();
        state.next + u64::try_from(state.waiting.len()).unwrap()
    }

    async fn is_going(task: &mut JoinHandle<Turn>) -> Option<Turn> {
        tokio::time::timeout(Duration::from_millis(20), task).await.ok().map(Result::unwrap)
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_go_at_once_than_are_allowed_altogether_and_on_a_node() {
        let turns = turns(2, 3);
        let first = turns.take(a_move(1, 1, 2)).await;
        let _second = turns.take(a_move(1, 1, 3)).await;
        let mut same_source = stand(&turns, a_move(1, 1, 4)).await;
        assert!(is_going(&mut same_source).await.is_none(), "two already leave node 1");
        let _third = turns.take(a_move(1, 5, 6)).await;
        let mut too_many = stand(&turns, a_move(1, 7, 8)).await;
        assert!(is_going(&mut too_many).await.is_none(), "three go already");
        drop(first);
        assert!(is_going(&mut same_source).await.is_some(), "the first of the line goes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_customer_does_not_wait_behind_all_moves_of_another() {
        let turns = turns(9, 2);
        let going = turns.take(a_move(1, 1, 2)).await;
        let _other = turns.take(a_move(1, 3, 4)).await;
        let mut ones = stand(&turns, a_move(1, 5, 6)).await;
        let mut twos = stand(&turns, a_move(2, 7, 8)).await;
        drop(going);
        assert!(is_going(&mut twos).await.is_some(), "nothing of theirs goes yet");
        assert!(is_going(&mut ones).await.is_some(), "and when theirs has ended, the other's");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_leaves_the_line_and_holds_nothing() {
        let turns = turns(1, 1);
        let going = turns.take(a_move(1, 1, 2)).await;
        let gone = stand(&turns, a_move(1, 1, 2)).await;
        let mut next = stand(&turns, a_move(2, 1, 2)).await;
        gone.abort();
        assert!(gone.await.is_err());
        drop(going);
        let next = is_going(&mut next).await.expect("the next one goes");
        drop(next);
        assert_eq!(turns.lock().going, []);
        assert!(turns.lock().waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_begun_before_a_restart_goes_on_at_once_and_counts() {
        let turns = turns(1, 1);
        let (one, two) = (turns.go(a_move(1, 1, 2)), turns.go(a_move(1, 1, 2)));
        let mut next = stand(&turns, a_move(1, 1, 2)).await;
        drop(one);
        assert!(is_going(&mut next).await.is_none());
        drop(two);
        assert!(is_going(&mut next).await.is_some());
    }
}
