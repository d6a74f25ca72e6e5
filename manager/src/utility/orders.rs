//! The orders of one node: what waits to be sent, what was sent and has no answer yet.
//!
//! ```text
//!   waiting ──take──> sent ──answer──> gone
//!      ^                │  ╲
//!      └── enrolment, ──┘   given up (deadline, caller gone) ──> gone; a late answer is ignored
//!          or no answer for a while
//! ```

use grid::identity::WorkId;
use grid::work::{WorkAnswer, WorkDone, WorkFailure, WorkOrder};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// As many orders may wait at one node.
const MOST: usize = 256;

/// How an order ended.
pub(super) type Outcome = Result<WorkDone, WorkFailure>;

#[derive(Debug, Default)]
pub(super) struct Orders {
    pending: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    order: WorkOrder,
    caller: oneshot::Sender<Outcome>,
    sent_at: Option<Instant>,
}

impl Orders {
    /// Adds an order; `None` where too many wait.
    pub(super) fn add(&mut self, order: WorkOrder) -> Option<oneshot::Receiver<Outcome>> {
        if self.pending.len() >= MOST {
            return None;
        }
        let (caller, answer) = oneshot::channel();
        self.pending.push(Pending { order, caller, sent_at: None });
        Some(answer)
    }

    /// The orders that are to be sent now: new ones, and those sent `repeat` ago or longer.
    pub(super) fn take(&mut self, now: Instant, repeat: Duration) -> Vec<WorkOrder> {
        let due = |sent_at: Option<Instant>| sent_at.is_none_or(|sent_at| now.duration_since(sent_at) >= repeat);
        let due = self.pending.iter_mut().filter(|pending| due(pending.sent_at));
        due.map(|pending| {
            pending.sent_at = Some(now);
            pending.order.clone()
        })
        .collect()
    }

    /// Hands answers to those who wait for them. One that nobody waits for is late or repeated.
    pub(super) fn answer(&mut self, answers: Vec<WorkAnswer>) {
        for answer in answers {
            if let Some(pending) = self.remove(answer.id) {
                // The caller may have given up just now.
                let _ = pending.caller.send(answer.outcome);
            }
        }
    }

    pub(super) fn give_up(&mut self, id: WorkId) {
        self.remove(id);
    }

    /// The module began anew and knows of no order.
    pub(super) fn forget_sent(&mut self) {
        self.pending.iter_mut().for_each(|pending| pending.sent_at = None);
    }

    fn remove(&mut self, id: WorkId) -> Option<Pending> {
        let position = self.pending.iter().position(|pending| pending.order.id == id)?;
        Some(self.pending.remove(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::VmId;
    use grid::work::Work;
    use uuid::Uuid;

    const REPEAT: Duration = Duration::from_secs(10);

    fn order(number: u128) -> WorkOrder {
        WorkOrder { id: WorkId(Uuid::from_u128(number)), work: Work::Delete { vm: VmId(Uuid::nil()) } }
    }

    #[test]
    fn an_order_is_sent_once_then_again_after_a_while_or_after_an_enrolment() {
        let (mut orders, now) = (Orders::default(), Instant::now());
        let _caller = orders.add(order(1)).unwrap();
        assert_eq!(orders.take(now, REPEAT), [order(1)]);
        assert!(orders.take(now, REPEAT).is_empty());
        assert_eq!(orders.take(now + REPEAT, REPEAT), [order(1)]);
        orders.forget_sent();
        assert_eq!(orders.take(now + REPEAT, REPEAT), [order(1)]);
    }

    #[test]
    fn an_answer_reaches_its_caller_once_and_a_second_one_nobody() {
        let mut orders = Orders::default();
        let mut caller = orders.add(order(1)).unwrap();
        let answer = WorkAnswer { id: order(1).id, outcome: Err(WorkFailure::PoolFull), took_ms: 3 };
        orders.answer(vec![answer.clone(), answer]);
        assert_eq!(caller.try_recv(), Ok(Err(WorkFailure::PoolFull)));
        assert!(orders.take(Instant::now(), REPEAT).is_empty());
    }

    #[test]
    fn what_was_given_up_is_not_sent_any_more() {
        let mut orders = Orders::default();
        let _caller = orders.add(order(1)).unwrap();
        orders.give_up(order(1).id);
        assert!(orders.take(Instant::now(), REPEAT).is_empty());
    }

    #[test]
    fn there_is_a_limit_to_what_waits() {
        let mut orders = Orders::default();
        let callers: Vec<_> = (0..300).filter_map(|number| orders.add(order(number))).collect();
        assert_eq!(callers.len(), MOST);
    }
}
