//! One thread with one connection, and a short queue of work for it.
//!
//! A call waits no longer than its deadline. Work that its caller has given up before it began is dropped; work that
//! hangs in libvirt is the thread's one abandoned call: until it returns, every new call is answered at once. Then
//! the connection is closed and opened afresh.
//!
//! ```text
//!   idle ──work──▶ busy ──answer──▶ idle
//!                   │
//!               deadline passed                  call returns, connection is closed
//!                   └────────────▶ hung (answers at once) ──────────▶ idle
//! ```

use super::connection::Connection;
use super::errors::Failure;
use crate::hypervisor::HypervisorError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};
use virt::connect::Connect;

/// How much work may wait for one thread.
const QUEUE: usize = 32;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

struct Item {
    work: Work,
    deadline: Instant,
    given_up: Arc<AtomicBool>,
}

/// The handle of the thread; the thread ends when it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    queue: SyncSender<Item>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Work in the queue and under way.
    pending: AtomicUsize,
    /// When the work under way should have been done.
    due: Mutex<Option<Instant>>,
}

impl State {
    fn set_due(&self, due: Option<Instant>) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
    }

    fn overdue(&self) -> bool {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|due| Instant::now() > due)
    }
}

/// Says that a call was given up, if its future is dropped before the answer is there.
struct GiveUp(Arc<AtomicBool>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Worker {
    /// `changed` is woken by the events of its connection, where it shall listen for them.
    pub(super) fn start(name: &str, uri: &str, changed: Option<Arc<Notify>>) -> std::io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE);
        let state = Arc::new(State::default());
        let (shared, connection) = (state.clone(), Connection::new(uri.to_owned(), changed));
        std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&items, &shared, connection))?;
        Ok(Self { queue, state })
    }

    /// How much is before a new call.
    pub(super) fn pending(&self) -> usize {
        self.state.pending.load(Ordering::Acquire)
    }

    pub(super) fn is_hung(&self) -> bool {
        self.state.overdue()
    }

    /// Takes a place in the queue; [`Worker::call`] must follow, and gives it back.
    pub(super) fn reserve(&self) {
        self.state.pending.fetch_add(1, Ordering::AcqRel);
    }

    /// Does `work` on the thread, in the reserved place, and waits for its answer, at most this long.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&Connect) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, HypervisorError> {
        if self.is_hung() {
            self.state.pending.fetch_sub(1, Ordering::AcqRel);
            return Err(HypervisorError::Unreachable("an earlier call has had no answer yet".into()));
        }
        let (answer, answered) = oneshot::channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let item = Item {
            deadline: Instant::now() + deadline,
            given_up: given_up.clone(),
            work: Box::new(move |connection| {
                let result = match connection.get() {
                    Ok(open) => work(open),
                    Err(error) => Err(Failure::Ours(error)),
                };
                // A caller that has gone wants no answer.
                let _ = answer.send(result.map_err(|failure| failure.into_error(connection.is_alive())));
            }),
        };
        let _give_up = GiveUp(given_up);
        if let Err(refused) = self.queue.try_send(item) {
            self.state.pending.fetch_sub(1, Ordering::AcqRel);
            return Err(match refused {
                TrySendError::Full(_) => HypervisorError::Deadline,
                TrySendError::Disconnected(_) => HypervisorError::Unreachable("its thread has ended".into()),
            });
        }
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(HypervisorError::Unreachable("the call broke off".into())),
            Err(_) => Err(HypervisorError::Deadline),
        }
    }
}

fn run(items: &Receiver<Item>, state: &State, mut connection: Connection) {
    while let Ok(item) = items.recv() {
        if !item.given_up.load(Ordering::Acquire) {
            state.set_due(Some(item.deadline));
            // `virt` panics where libvirt can't free something; that must not take the thread.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (item.work)(&mut connection)));
            if done.is_err() || state.overdue() {
                connection.drop_open();
            }
            state.set_due(None);
        }
        state.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::super::lane::Lane;
    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    fn worker() -> Lane {
        Lane::new("test".into(), "test:///default".into(), 1)
    }

    #[tokio::test]
    async fn a_call_answers_with_what_libvirt_says() {
        let name = worker().call(Duration::from_secs(5), |connection| Ok(connection.driver_type()?)).await;
        assert_eq!(name.as_deref(), Ok("TEST"));
    }

    #[tokio::test]
    async fn a_hanging_call_is_answered_by_its_deadline_and_later_ones_at_once_until_it_returns() {
        let worker = worker();
        let hanging = worker.call(SOON, |_| {
            std::thread::sleep(SOON * 5);
            Ok(())
        });
        assert_eq!(hanging.await, Err(HypervisorError::Deadline));
        let begin = Instant::now();
        assert!(matches!(worker.call(SOON * 50, |_| Ok(())).await, Err(HypervisorError::Unreachable(_))));
        assert!(begin.elapsed() < SOON);
        tokio::time::sleep(SOON * 6).await;
        assert_eq!(worker.call(SOON * 50, |_| Ok(())).await, Ok(()));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_not_begun() {
        let worker = worker();
        let ran = Arc::new(AtomicBool::new(false));
        let seen = ran.clone();
        let first = worker.call(Duration::from_secs(5), |_| {
            std::thread::sleep(SOON * 3);
            Ok(())
        });
        let second = worker.call(SOON, move |_| {
            seen.store(true, Ordering::SeqCst);
            Ok(())
        });
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first, second), (Ok(()), Err(HypervisorError::Deadline)));
        worker.call(Duration::from_secs(5), |_| Ok(())).await.unwrap();
        assert!(!ran.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_costs_one_call_and_not_the_thread() {
        let worker = worker();
        let broken = worker.call(Duration::from_secs(5), |_| -> Result<(), Failure> { panic!("on purpose") });
        assert!(matches!(broken.await, Err(HypervisorError::Unreachable(_))));
        assert_eq!(worker.call(Duration::from_secs(5), |_| Ok(())).await, Ok(()));
    }
}
