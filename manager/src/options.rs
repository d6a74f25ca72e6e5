//! What a manager is opened with: its store, its hypervisors, its network, and how patient it is.

use crate::hypervisor::{Hypervisor, UtilityImages};
use crate::lease::Lease;
use crate::store::Store;
use crate::utility::{ImageLibrary, UtilityHub};
use grid::Mib;
use grid::map::Freshness;
use grid::plan::Estimate;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// All that [`crate::Manager::open`] needs. The nodes are in the store already; a node without a hypervisor here is
/// silent.
#[derive(Clone, Debug)]
pub struct ManagerOptions {
    pub store: Arc<dyn Store>,
    /// Known by [`Hypervisor::node`].
    pub hypervisors: Vec<Arc<dyn Hypervisor>>,
    /// The utility modules of all nodes.
    pub hub: Arc<UtilityHub>,
    pub images: Arc<ImageLibrary>,
    pub utility: UtilityOptions,
    pub network: NetworkOptions,
    /// Whether the grid is simulated; every page says so.
    pub simulated: bool,
    /// This server's right to carry operations out.
    pub lease: Lease,
    pub pace: Pace,
}

/// How utility VMs are started.
#[derive(Clone, Debug)]
pub struct UtilityOptions {
    /// The manager's address as utility modules reach it, `http://IP:PORT`.
    pub manager: String,
    pub memory: Mib,
    pub images: UtilityImages,
    /// Each node's utility VM's own address with prefix length, by the node's name. A node that isn't here is left
    /// alone: somebody else runs its utility module.
    pub addresses: BTreeMap<String, String>,
}

/// The customers' network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkOptions {
    /// The first and the last address that VMs are given.
    pub first: Ipv4Addr,
    pub last: Ipv4Addr,
    pub prefix_length: u8,
    pub gateway: Option<Ipv4Addr>,
    /// Whom the guests ask for names.
    pub name_servers: Vec<Ipv4Addr>,
}

/// How many moves go at once; the others wait for their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoveLimits {
    /// That leave a node or arrive there. At least 1.
    pub per_node: usize,
    /// On all nodes together. At least 1.
    pub altogether: usize,
}

impl Default for MoveLimits {
    fn default() -> Self {
        Self { per_node: 2, altogether: 16 }
    }
}

/// A step that carries a disk may take this many times what its plan was expected to take.
const MUCH_LONGER: u32 = 4;

/// How often, how long, how many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two samples of a node.
    pub sample_every: Duration,
    /// After this, a sample that did not come is given up.
    pub sample_deadline: Duration,
    /// Between two points of the history.
    pub history_every: Duration,
    /// How long the history is kept.
    pub history_kept: Duration,
    /// After this, a reading is stale.
    pub freshness: Freshness,
    /// A utility VM whose last report is older than this is brought back.
    pub utility_dead_after: Duration,
    /// The first wait before a utility VM is started again; doubles up to thirty times as much.
    pub utility_back_off: Duration,
    /// What plans are expected to take.
    pub plans: grid::plan::Pace,
    /// How long a guest may take to shut down.
    pub shut_down: Duration,
    /// How long a step may take that only changes configuration.
    pub short_step: Duration,
    /// How long a step may take that carries bytes. One whose plan says how long that takes: see [`Pace::carrying`].
    pub long_step: Duration,
    /// How long the hypervisors may take to show what was asked of them.
    pub verify: Duration,
    /// How long a guest may take to answer on its address again.
    pub answer: Duration,
    /// How often its address is asked meanwhile.
    pub ask_every: Duration,
    /// The first wait before a failed call is tried again; doubles.
    pub retry_first: Duration,
    /// How many times a call is tried that failed in a way that can pass.
    pub tries: u32,
    /// How long both ends of a move are looked at before what happened is called unknown.
    pub unknown: Duration,
    /// Between two looks at what is not as it is recorded, and at operations that nobody carries out.
    pub reconcile_every: Duration,
    pub moves: MoveLimits,
    /// Between two looks at what is to be started at its time.
    pub schedule_every: Duration,
    /// For how long after a resize the way back is offered.
    pub revert_window: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            sample_every: Duration::from_secs(2),
            sample_deadline: Duration::from_secs(10),
            history_every: Duration::from_secs(10),
            history_kept: Duration::from_hours(30 * 24),
            freshness: Freshness { stale_after_ms: 20_000 },
            utility_dead_after: Duration::from_secs(30),
            utility_back_off: Duration::from_secs(10),
            plans: grid::plan::Pace::default(),
            shut_down: Duration::from_mins(1),
            short_step: Duration::from_mins(1),
            long_step: Duration::from_hours(1),
            verify: Duration::from_mins(2),
            answer: Duration::from_secs(90),
            ask_every: Duration::from_millis(50),
            retry_first: Duration::from_millis(500),
            tries: 4,
            unknown: Duration::from_mins(2),
            reconcile_every: Duration::from_secs(30),
            moves: MoveLimits::default(),
            schedule_every: Duration::from_secs(5),
            revert_window: Duration::from_hours(24),
        }
    }
}

impl Pace {
    /// How long a step may take that carries what a plan moves: an hour is not enough for every disk.
    pub(crate) fn carrying(&self, expected: Estimate) -> Duration {
        self.long_step.max(Duration::from_millis(expected.duration_ms).saturating_mul(MUCH_LONGER))
    }
}
