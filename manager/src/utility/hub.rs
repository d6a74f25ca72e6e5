//! All utility modules: who they are, what they said last, what they are to do.
//!
//! A node's module is silent when nothing was heard of it for [`UtilityPace::silent_after`]; work for it then ends at
//! once. After a start of the manager everybody has that long to be heard.

use super::UtilityModule;
use super::keys::{self, KeyStore, KeyStoreError};
use super::orders::{Orders, Outcome};
use super::remote::RemoteModule;
use super::transfers::{TransferError, Transfers};
use axum::body::Body;
use grid::identity::{TransferId, WorkId};
use grid::sample::UtilitySample;
use grid::work::{Enrolled, Enrolment, WorkAnswer, WorkOrder};
use grid::{NodeId, UnixMillis};
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, broadcast, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Reports that a slow listener may lag behind.
const REPORTS: usize = 4096;

/// How long everything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtilityPace {
    /// Without a word for this long a module counts as silent.
    pub silent_after: Duration,
    /// An order without an answer is sent again after this.
    pub repeat_after: Duration,
    /// The longest that a poll for work is kept waiting, whatever it asks.
    pub longest_poll: Duration,
    /// How long one side of a transfer waits for the other.
    pub transfer: Duration,
    /// How long a one-time token can be used.
    pub token: Duration,
}

impl Default for UtilityPace {
    fn default() -> Self {
        Self {
            silent_after: Duration::from_secs(20),
            repeat_after: Duration::from_secs(10),
            longest_poll: Duration::from_secs(25),
            transfer: Duration::from_mins(1),
            token: Duration::from_mins(15),
        }
    }
}

/// A module's report, with the manager's time of its arrival.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub node: NodeId,
    pub at: UnixMillis,
    pub sample: Arc<UtilitySample>,
}

/// Why a report is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error("the report's sequence goes backwards")]
    Backwards,
    #[error("a text in the report is too long")]
    TooLong,
}

/// What is known of all nodes' modules.
#[derive(Debug)]
pub struct UtilityHub {
    keys: Arc<dyn KeyStore>,
    pace: UtilityPace,
    opened_at: Instant,
    transfers: Transfers,
    reports: broadcast::Sender<Report>,
    hung_up: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    desks: HashMap<NodeId, Desk>,
    /// Hashes of keys that were seen, to spare the store.
    known: HashMap<String, NodeId>,
    /// Tokens that were taken, by whom: an enrolment whose answer was lost is repeated with the same boot id. Forgotten
    /// when the node's key was first used: its answer has arrived, and whoever can read the token has no use for it.
    taken: HashMap<String, (NodeId, String, Instant)>,
    /// Modules that live in this process.
    simulated: HashMap<NodeId, Arc<dyn UtilityModule>>,
}

/// One node's.
#[derive(Debug, Default)]
struct Desk {
    heard_at: Option<Instant>,
    boot_id: Option<String>,
    report: Option<Report>,
    orders: Orders,
    wake: Arc<Notify>,
}

impl UtilityHub {
    pub fn new(keys: Arc<dyn KeyStore>) -> Arc<Self> {
        Self::with_pace(keys, UtilityPace::default())
    }

    pub fn with_pace(keys: Arc<dyn KeyStore>, pace: UtilityPace) -> Arc<Self> {
        Arc::new(Self {
            keys,
            pace,
            opened_at: Instant::now(),
            transfers: Transfers::new(pace.transfer),
            reports: broadcast::channel(REPORTS).0,
            hung_up: CancellationToken::new(),
            state: Mutex::default(),
        })
    }

    /// Ends the polls and transfers that are going on: the manager stops.
    pub fn hang_up(&self) {
        self.hung_up.cancel();
    }

    /// The module of a node, whether it was ever heard or not.
    pub fn module(self: &Arc<Self>, node: NodeId) -> Arc<dyn UtilityModule> {
        let simulated = self.with(|state| state.simulated.get(&node).cloned());
        simulated.unwrap_or_else(|| Arc::new(RemoteModule::new(Arc::clone(self), node)))
    }

    /// Puts a module of this process in a node's place.
    pub fn simulate(&self, module: Arc<dyn UtilityModule>) {
        self.with(|state| state.simulated.insert(module.node(), module));
    }

    /// A one-time token for the next start of the node's module.
    pub async fn token_issue(&self, node: NodeId) -> Result<String, KeyStoreError> {
        let token = keys::secret()?;
        let lifetime = i64::try_from(self.pace.token.as_millis()).unwrap_or(i64::MAX);
        let expires = UnixMillis(now().0.saturating_add(lifetime));
        self.keys.utility_token_put(node, &keys::hash(&token), expires).await?;
        Ok(token)
    }

    /// Opens a way for one disk; only these two modules can use it, each once.
    pub fn transfer_open(&self, source: NodeId, destination: NodeId) -> TransferId {
        self.transfer_open_counted(source, destination, Arc::default())
    }

    /// The same, and counts the bytes that go it.
    pub(super) fn transfer_open_counted(
        &self,
        source: NodeId,
        destination: NodeId,
        carried: Arc<AtomicU64>,
    ) -> TransferId {
        self.transfers.open(source, destination, carried)
    }

    /// Ends a transfer and forgets it: a side that is not through yet is told at once.
    pub fn transfer_close(&self, id: TransferId) {
        self.transfers.close(id);
    }

    /// All reports from now on.
    pub fn reports(&self) -> broadcast::Receiver<Report> {
        self.reports.subscribe()
    }

    /// The last report of a node's module.
    pub fn latest(&self, node: NodeId) -> Option<Report> {
        self.with(|state| state.desks.get(&node)?.report.clone())
    }

    /// Gives a module its key for its token; `None` where the token isn't good.
    pub(super) async fn enrol(&self, enrolment: &Enrolment) -> Result<Option<Enrolled>, KeyStoreError> {
        let hash = keys::hash(&enrolment.token);
        let Some(node) = self.token_take(&hash, &enrolment.boot_id).await? else { return Ok(None) };
        let key = keys::secret()?;
        let key_hash = keys::hash(&key);
        self.keys.utility_key_put(node, &key_hash, now()).await?;
        self.with(|state| {
            state.known.retain(|_, known| *known != node);
            state.known.insert(key_hash, node);
            let desk = state.desks.entry(node).or_default();
            desk.heard_at = Some(Instant::now());
            desk.boot_id = Some(enrolment.boot_id.clone());
            desk.report = None;
            desk.orders.forget_sent();
            desk.wake.notify_waiters();
        });
        Ok(Some(Enrolled { key, node }))
    }

    async fn token_take(&self, hash: &str, boot_id: &str) -> Result<Option<NodeId>, KeyStoreError> {
        let again = self.with(|state| {
            state.taken.retain(|_, (_, _, taken_at)| taken_at.elapsed() < self.pace.token);
            state.taken.get(hash).filter(|(_, first, _)| first == boot_id).map(|(node, _, _)| *node)
        });
        if again.is_some() {
            return Ok(again);
        }
        let node = self.keys.utility_token_take(hash, now()).await?;
        if let Some(node) = node {
            self.with(|state| state.taken.insert(hash.to_owned(), (node, boot_id.to_owned(), Instant::now())));
        }
        Ok(node)
    }

    /// Whose key it is. Asking uses it.
    pub(super) async fn node_of_key(&self, key: &str) -> Result<Option<NodeId>, KeyStoreError> {
        let hash = keys::hash(key);
        let known = self.with(|state| state.known.get(&hash).copied());
        let found = match known {
            Some(node) => Some(node),
            None => self.keys.utility_key_find(&hash).await?,
        };
        if let Some(node) = found {
            self.with(|state| {
                state.known.insert(hash, node);
                state.taken.retain(|_, (of, _, _)| *of != node);
            });
        }
        Ok(found)
    }

    /// Takes a report. Its numbers are as hostile as they came; the collector clamps them. Its time too: what counts is when
    /// it came, and a clock that is wrong, the module's or the manager's own, is no reason to call a module silent.
    pub fn report(&self, node: NodeId, sample: UtilitySample) -> Result<(), ReportError> {
        let at = now();
        let texts = [&sample.boot_id, &sample.process_namespace, &sample.version];
        let names = sample.images.iter().flat_map(|image| [&image.name, &image.checksum]);
        if texts.into_iter().chain(names).any(|text| text.len() > 200) {
            return Err(ReportError::TooLong);
        }
        let report = Report { node, at, sample: Arc::new(sample) };
        self.with(|state| {
            let desk = state.desks.entry(node).or_default();
            let last = desk.report.as_ref().map(|last| &last.sample);
            let backwards = last
                .is_some_and(|last| last.boot_id == report.sample.boot_id && last.sequence >= report.sample.sequence);
            if backwards {
                return Err(ReportError::Backwards);
            }
            desk.heard_at = Some(Instant::now());
            desk.report = Some(report.clone());
            Ok(())
        })?;
        // Nobody has to listen.
        let _ = self.reports.send(report);
        Ok(())
    }

    /// Takes answers, and gives orders as soon as there are some, or none after `wait`.
    pub(super) async fn exchange(&self, node: NodeId, answers: Vec<WorkAnswer>, wait: Duration) -> Vec<WorkOrder> {
        let until = Instant::now() + wait.min(self.pace.longest_poll);
        let wake = self.with(|state| {
            let desk = state.desks.entry(node).or_default();
            desk.heard_at = Some(Instant::now());
            desk.orders.answer(answers);
            Arc::clone(&desk.wake)
        });
        loop {
            let woken = wake.notified();
            let now = Instant::now();
            let orders =
                self.with(|state| state.desks.entry(node).or_default().orders.take(now, self.pace.repeat_after));
            if !orders.is_empty() || now >= until {
                return orders;
            }
            // Wakes without a new order too, to look for one that is due again.
            let wait = timeout_at(until.min(now + self.pace.repeat_after), woken);
            if self.hung_up.run_until_cancelled(wait).await.is_none() {
                return Vec::new();
            }
        }
    }

    pub(super) async fn transfer_send(&self, id: TransferId, node: NodeId, body: Body) -> Result<(), TransferError> {
        let sent = self.hung_up.run_until_cancelled(self.transfers.send(id, node, body)).await;
        sent.unwrap_or(Err(TransferError::BrokenOff))
    }

    pub(super) async fn transfer_receive(&self, id: TransferId, node: NodeId) -> Result<Body, TransferError> {
        let received = self.hung_up.run_until_cancelled(self.transfers.receive(id, node)).await;
        received.unwrap_or(Err(TransferError::BrokenOff))
    }

    /// Adds an order; `None` where too many wait.
    pub(super) fn order_add(&self, node: NodeId, order: WorkOrder) -> Option<oneshot::Receiver<Outcome>> {
        self.with(|state| {
            let desk = state.desks.entry(node).or_default();
            let answer = desk.orders.add(order);
            desk.wake.notify_waiters();
            answer
        })
    }

    /// Takes an order back; fine where it is answered.
    pub(super) fn order_give_up(&self, node: NodeId, id: WorkId) {
        self.with(|state| {
            if let Some(desk) = state.desks.get_mut(&node) {
                desk.orders.give_up(id);
            }
        });
    }

    /// When the node's module counts as silent if nothing more is heard.
    pub(super) fn silent_at(&self, node: NodeId) -> Instant {
        let heard = self.with(|state| state.desks.get(&node).and_then(|desk| desk.heard_at));
        heard.map_or(self.opened_at, |heard| heard.max(self.opened_at)) + self.pace.silent_after
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn now() -> UnixMillis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
