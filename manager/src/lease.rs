//! The lease: of all servers that share a database, one carries operations out.
//!
//! ```text
//!   nobody's ── taken ──> held <── renewed, every third of the time that it lasts
//!      ^                   │ not renewed in time, by the holder's own clock
//!      │ given back        v
//!      └─ at the end ── paused: nothing is begun ──┬─ renewed: held again
//!                                                  └─ another has it: lost, for good
//! ```
//!
//! No wall clock takes part, so none that jumps can end a lease or keep one alive. Who holds it counts its own time from
//! before it asked for the renewal; who wants it watches until it has not been renewed for as long as it lasts, counted
//! from after it was last seen: so the holder's end comes first. A holder that was a process of this machine, and is no
//! more, is not waited for. Whatever a holder still does after its end is refused by the operations' epochs.

use crate::store::rows::LeaseRow;
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How long a lease lasts that is not renewed.
pub const LASTS: Duration = Duration::from_secs(10);
/// A lease that nobody can take lasts for longer than any program runs.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 10);

/// This server's right to carry operations out. Cheap to clone; clones are the same lease.
#[derive(Clone, Debug)]
pub struct Lease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// None where nobody else can reach the store.
    store: Option<Arc<dyn Store>>,
    holder: String,
    lasts: Duration,
    /// Until when it is held unless it is renewed.
    until: watch::Sender<Instant>,
    lost: CancellationToken,
    given_back: CancellationToken,
}

impl Lease {
    /// Waits until the lease is this server's, and keeps it so from then on.
    ///
    /// # Errors
    ///
    /// Where the store can't be asked.
    pub async fn take(store: Arc<dyn Store>, lasts: Duration) -> Result<Self, StoreError> {
        let lease = Self::of(Some(store), identity(), lasts);
        lease.wait_for_it().await?;
        tokio::spawn(lease.clone().keep());
        Ok(lease)
    }

    /// The lease of who has the store for itself.
    pub fn sole() -> Self {
        Self::of(None, String::new(), FOR_EVER)
    }

    fn of(store: Option<Arc<dyn Store>>, holder: String, lasts: Duration) -> Self {
        let held_for = if store.is_some() { Duration::ZERO } else { lasts };
        let until = watch::Sender::new(Instant::now() + held_for);
        let (lost, given_back) = (CancellationToken::new(), CancellationToken::new());
        Self(Arc::new(Inner { store, holder, lasts, until, lost, given_back }))
    }

    pub fn is_held(&self) -> bool {
        Instant::now() < *self.0.until.borrow() && !self.0.lost.is_cancelled()
    }

    /// Returns at once where it is held, else when it is again; never once it is lost.
    pub async fn until_held(&self) {
        let mut renewed = self.0.until.subscribe();
        while !self.is_held() {
            if self.0.lost.is_cancelled() || renewed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Returns when another server has taken it.
    pub async fn lost(&self) {
        self.0.lost.cancelled().await;
    }

    /// The next server need not wait.
    pub async fn give_back(&self) {
        self.0.given_back.cancel();
        let Some(store) = &self.0.store else { return };
        if let Err(error) = store.lease_give_back(&self.0.holder).await {
            tracing::warn!(%error, "the lease was not given back: the next server waits for its end");
        }
    }

    /// Takes or renews it where it is nobody else's, or where the one who has it is known to be over.
    async fn ask(&self, over: Option<&LeaseRow>) -> Result<Option<LeaseRow>, StoreError> {
        let Some(store) = &self.0.store else { return Ok(None) };
        // Before it is asked for: who watches counts from after it was written.
        let asked_at = Instant::now();
        let held = store.lease_take(&self.0.holder, over).await?;
        if held.is_none() {
            self.0.until.send_replace(asked_at + self.0.lasts);
        }
        Ok(held)
    }

    async fn wait_for_it(&self) -> Result<(), StoreError> {
        let mut watched: Option<(LeaseRow, Instant)> = None;
        loop {
            let over = watched
                .as_ref()
                .filter(|(row, since)| since.elapsed() >= self.0.lasts || is_gone(&row.holder))
                .map(|(row, _)| row);
            let Some(held) = self.ask(over).await? else { return Ok(()) };
            if watched.as_ref().is_none_or(|(row, _)| *row != held) {
                if watched.as_ref().is_none_or(|(row, _)| row.holder != held.holder) {
                    let holder = &held.holder;
                    tracing::warn!(%holder, "another server carries operations out: waiting until it stops or gives no sign");
                }
                watched = Some((held, Instant::now()));
                continue;
            }
            sleep(self.0.lasts / 20).await;
        }
    }

    async fn keep(self) {
        loop {
            tokio::select! {
                () = self.0.given_back.cancelled() => return,
                () = sleep(self.0.lasts / 3) => {}
            }
            match self.ask(None).await {
                // It was given back while it was asked for.
                Ok(None) if self.0.given_back.is_cancelled() => return self.give_back().await,
                Ok(None) => {}
                Ok(Some(LeaseRow { holder, .. })) => {
                    tracing::error!(%holder, "another server carries operations out now: this one ends");
                    self.0.lost.cancel();
                    return;
                }
                Err(error) => tracing::warn!(%error, "the lease was not renewed"),
            }
        }
    }
}

/// `boot-id pid:[namespace] pid start uuid`: which process this is, of all machines'.
fn identity() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let pid = std::process::id();
    let started = started_at(pid).unwrap_or_default();
    format!("{} {} {pid} {started} {}", read("/proc/sys/kernel/random/boot_id"), pid_namespace(), uuid::Uuid::new_v4())
}

fn pid_namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid").unwrap_or_default().to_string_lossy().into_owned()
}

/// When a process was started, in the kernel's ticks since the machine's; none where it is over.
fn started_at(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // What comes before may hold anything: it is the program's name, in brackets.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then(|| fields.nth(18).map(str::to_owned))?
}

/// Whether the holder was a process of this machine, and is none any more.
fn is_gone(holder: &str) -> bool {
    let mine = identity();
    let place = |holder: &str| holder.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let mut process = holder.split(' ').skip(2);
    let (Some(pid), Some(started)) = (process.next().and_then(|pid| pid.parse().ok()), process.next()) else {
        return false;
    };
    // Where the system doesn't say who runs, nobody is known to be gone.
    let is_told = started_at(std::process::id()).is_some() && started_at(1).is_some();
    is_told && place(holder) == place(&mine) && started_at(pid).as_deref() != Some(started)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::SqliteStore;

    const SHORT: Duration = Duration::from_millis(300);

    async fn store() -> Arc<dyn Store> {
        Arc::new(SqliteStore::open_temporary().await.unwrap())
    }

    /// As of another machine, which nobody here can see.
    fn elsewhere(store: &Arc<dyn Store>, name: &str) -> Lease {
        Lease::of(Some(Arc::clone(store)), format!("{name} elsewhere 1 1"), SHORT)
    }

    #[tokio::test]
    async fn who_does_not_renew_holds_nothing_before_another_can_have_it() {
        let store = store().await;
        let (first, second) = (elsewhere(&store, "a"), elsewhere(&store, "b"));
        assert!(!first.is_held());
        assert_eq!(first.ask(None).await.unwrap(), None);
        assert!(first.is_held());
        let began = Instant::now();
        second.wait_for_it().await.unwrap();
        assert!(began.elapsed() >= SHORT, "{:?}", began.elapsed());
        assert!(second.is_held() && !first.is_held());
        assert!(first.ask(None).await.unwrap().is_some(), "what is another's is not renewed");
        assert!(!first.is_held());
    }

    #[tokio::test]
    async fn as_long_as_it_is_renewed_nobody_else_has_it() {
        let store = store().await;
        let first = elsewhere(&store, "a");
        first.ask(None).await.unwrap();
        tokio::spawn(first.clone().keep());
        let second = elsewhere(&store, "b");
        let waited = tokio::time::timeout(SHORT * 4, second.wait_for_it()).await;
        assert!(waited.is_err() && first.is_held() && !second.is_held());
        first.give_back().await;
        tokio::time::timeout(SHORT / 2, second.wait_for_it()).await.expect("given back").unwrap();
    }

    #[tokio::test]
    async fn a_holder_that_slept_ends_when_another_has_it_and_what_waits_for_it_never_goes_on() {
        let store = store().await;
        let (first, second) = (elsewhere(&store, "a"), elsewhere(&store, "b"));
        first.ask(None).await.unwrap();
        second.wait_for_it().await.unwrap();
        let goes_on = tokio::spawn({
            let first = first.clone();
            async move { first.until_held().await }
        });
        tokio::spawn(first.clone().keep());
        tokio::time::timeout(SHORT * 2, first.lost()).await.expect("it is told");
        sleep(SHORT).await;
        assert!(!goes_on.is_finished());
    }

    #[tokio::test]
    async fn what_waits_goes_on_when_the_lease_is_renewed_in_the_end() {
        let store = store().await;
        let lease = elsewhere(&store, "a");
        lease.ask(None).await.unwrap();
        lease.until_held().await;
        sleep(SHORT).await;
        assert!(tokio::time::timeout(SHORT / 3, lease.until_held()).await.is_err());
        lease.ask(None).await.unwrap();
        tokio::time::timeout(SHORT / 3, lease.until_held()).await.expect("held again");
    }

    #[tokio::test]
    async fn a_process_of_this_machine_that_is_no_more_is_not_waited_for() {
        let store = store().await;
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let mine = identity();
        let place = mine.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let gone = format!("{place} {} 1 x", child.id());
        child.wait().unwrap();
        assert!(is_gone(&gone) && !is_gone(&mine));
        assert!(!is_gone(&format!("elsewhere pid:[1] {} 1 x", child.id())), "nobody knows");
        store.lease_take(&gone, None).await.unwrap();
        let lease = Lease::of(Some(store), mine, Duration::from_mins(1));
        tokio::time::timeout(Duration::from_secs(5), lease.wait_for_it()).await.expect("at once").unwrap();
    }

    #[tokio::test]
    async fn who_has_the_store_for_itself_holds_it_always() {
        let lease = Lease::sole();
        assert!(lease.is_held());
        lease.until_held().await;
        lease.give_back().await;
    }
}
