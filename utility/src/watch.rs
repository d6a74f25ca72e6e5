//! Watching whether an address answers while its VM moves: how long it gave no answer is the move's downtime as the
//! network saw it.

use crate::kernel::arp::ArpSocket;
use crate::lock;
use grid::identity::WorkId;
use grid::work::{WorkDone, WorkFailure};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const MOST: usize = 64;
/// A watch that nobody stops ends by itself.
const LONGEST: Duration = Duration::from_hours(2);

/// Where the watches ask: the real thing is an ARP socket.
pub trait Asker: Send + 'static {
    fn ask(&self, address: Ipv4Addr) -> std::io::Result<()>;
    /// Waits a moment for an answer; `None` when there was none.
    fn receive(&self) -> std::io::Result<Option<Ipv4Addr>>;
}

impl Asker for ArpSocket {
    fn ask(&self, address: Ipv4Addr) -> std::io::Result<()> {
        Self::ask(self, address)
    }

    fn receive(&self) -> std::io::Result<Option<Ipv4Addr>> {
        Self::receive(self)
    }
}

/// All watches of this module.
#[derive(Debug, Default)]
pub struct Watches {
    by_id: Mutex<HashMap<WorkId, Arc<Watch>>>,
}

#[derive(Debug, Default)]
struct Watch {
    seen: Mutex<Seen>,
    answered: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    asked: u64,
    answered: u64,
    last_answer: Option<Instant>,
    longest_gap: Duration,
    stopped: bool,
    /// Stopped, and waited for an answer in vain.
    silent: bool,
}

impl Watches {
    /// Begins a watch; one that runs, or has run, under this id is left as it is.
    pub fn start(
        &self,
        id: WorkId,
        address: Ipv4Addr,
        every: Duration,
        open: impl FnOnce() -> std::io::Result<Box<dyn Asker>>,
    ) -> Result<(), WorkFailure> {
        let mut watches = lock(&self.by_id);
        if watches.contains_key(&id) {
            return Ok(());
        }
        if watches.len() >= MOST {
            watches.retain(|_, watch| !lock(&watch.seen).stopped);
        }
        if watches.len() >= MOST {
            return Err(WorkFailure::Io { reason: "too many addresses are watched".to_owned() });
        }
        let asker = open().map_err(crate::files::failure)?;
        let watch = Arc::new(Watch::default());
        watches.insert(id, Arc::clone(&watch));
        let every = every.clamp(Duration::from_millis(10), Duration::from_mins(1));
        thread::spawn(move || watch.run(asker.as_ref(), address, every));
        Ok(())
    }

    /// Waits for one more answer, ends the watch whether it came or not, and tells what was seen. Asked again, it says the
    /// same.
    pub fn stop(&self, id: WorkId, deadline: Duration) -> Result<WorkDone, WorkFailure> {
        let watch = lock(&self.by_id).get(&id).cloned();
        let watch = watch.ok_or_else(|| WorkFailure::Io { reason: "the address isn't watched".to_owned() })?;
        let seen = lock(&watch.seen);
        let before = seen.answered;
        let waited = watch.answered.wait_timeout_while(seen, deadline, |seen| !seen.stopped && seen.answered == before);
        let (mut seen, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.silent |= !seen.stopped && seen.answered == before;
        seen.stopped = true;
        if seen.silent {
            return Err(WorkFailure::NoAnswer);
        }
        Ok(WorkDone::Watched {
            longest_gap_ms: u64::try_from(seen.longest_gap.as_millis()).unwrap_or(u64::MAX),
            asked: seen.asked,
            answered: seen.answered,
        })
    }
}

impl Watch {
    fn run(&self, asker: &dyn Asker, address: Ipv4Addr, every: Duration) {
        let begin = Instant::now();
        let mut next = begin;
        while begin.elapsed() < LONGEST && !lock(&self.seen).stopped {
            let now = Instant::now();
            if now >= next {
                next = now + every;
                // A failed ask is an ask without an answer.
                let _ = asker.ask(address);
                lock(&self.seen).asked += 1;
            }
            match asker.receive() {
                Ok(Some(sender)) if sender == address => {
                    lock(&self.seen).note_answer(Instant::now());
                    self.answered.notify_all();
                }
                Ok(_) => {}
                Err(_) => thread::sleep(every),
            }
        }
        lock(&self.seen).stopped = true;
        self.answered.notify_all();
    }
}

impl Seen {
    fn note_answer(&mut self, now: Instant) {
        if self.stopped {
            return;
        }
        self.answered += 1;
        if let Some(last) = self.last_answer.replace(now) {
            self.longest_gap = self.longest_gap.max(now.duration_since(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use uuid::Uuid;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 5);

    /// Answers each ask while it is up.
    #[derive(Default)]
    struct Guest {
        up: Arc<AtomicBool>,
        asked: AtomicBool,
    }

    impl Asker for Guest {
        fn ask(&self, _: Ipv4Addr) -> std::io::Result<()> {
            self.asked.store(true, Ordering::SeqCst);
            Ok(())
        }

        fn receive(&self) -> std::io::Result<Option<Ipv4Addr>> {
            thread::sleep(Duration::from_millis(2));
            let answers = self.asked.swap(false, Ordering::SeqCst) && self.up.load(Ordering::SeqCst);
            Ok(Some(if answers { ADDRESS } else { Ipv4Addr::new(10, 77, 9, 9) }))
        }
    }

    fn watch(watches: &Watches, id: WorkId, up: bool) -> Arc<AtomicBool> {
        let switch = Arc::new(AtomicBool::new(up));
        let guest = Guest { up: Arc::clone(&switch), ..Guest::default() };
        watches.start(id, ADDRESS, Duration::from_millis(10), || Ok(Box::new(guest))).unwrap();
        switch
    }

    #[test]
    fn the_longest_gap_is_told_and_told_again() {
        let (watches, id) = (Watches::default(), WorkId(Uuid::nil()));
        let up = watch(&watches, id, true);
        thread::sleep(Duration::from_millis(60));
        up.store(false, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(300));
        up.store(true, Ordering::SeqCst);
        let told = watches.stop(id, Duration::from_secs(5)).unwrap();
        let WorkDone::Watched { longest_gap_ms, asked, answered } = told else { panic!("{told:?}") };
        assert!((280..2000).contains(&longest_gap_ms), "{longest_gap_ms}");
        assert!(answered >= 2 && asked > answered, "{asked} {answered}");
        assert_eq!(watches.stop(id, Duration::ZERO).unwrap(), told);
    }

    #[test]
    fn an_address_that_stays_silent_is_no_answer_and_is_watched_no_longer() {
        let watches = Watches::default();
        let up = watch(&watches, WorkId(Uuid::nil()), false);
        assert_eq!(watches.stop(WorkId(Uuid::nil()), Duration::from_millis(50)), Err(WorkFailure::NoAnswer));
        up.store(true, Ordering::SeqCst);
        assert_eq!(watches.stop(WorkId(Uuid::nil()), Duration::from_secs(5)), Err(WorkFailure::NoAnswer));
        // As many silent addresses as there is room for take it from nobody.
        for number in 1..=MOST {
            let id = WorkId(Uuid::from_u128(number as u128));
            watch(&watches, id, false);
            assert_eq!(watches.stop(id, Duration::ZERO), Err(WorkFailure::NoAnswer));
        }
        watch(&watches, WorkId(Uuid::max()), true);
        assert!(watches.stop(WorkId(Uuid::max()), Duration::from_secs(5)).is_ok());
    }

    #[test]
    fn what_is_not_watched_cannot_be_stopped_and_starting_twice_is_once() {
        let (watches, id) = (Watches::default(), WorkId(Uuid::nil()));
        assert!(matches!(watches.stop(id, Duration::ZERO), Err(WorkFailure::Io { .. })));
        watch(&watches, id, true);
        watches.start(id, ADDRESS, Duration::from_millis(10), || panic!("opened again")).unwrap();
    }
}
