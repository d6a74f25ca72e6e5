//! The hypervisor management module: all that touches the world.
//!
//! Use cases (`vms`, `nodes`, `operations`, `capacity`, one file a resource) call `operations`, `collector` and
//! `accounts`; these call `store`, `hypervisor` and `utility`, which don't know each other. Each use case takes the
//! signed-in [`accounts::Principal`] first and decides by itself whether that person may.

pub mod accounts;
mod attempt;
pub mod capacity;
pub mod catalogue;
pub mod clock;
mod collector;
pub mod drift;
pub mod error;
mod figures;
pub mod history;
pub mod hypervisor;
pub mod lease;
pub mod nodes;
pub mod operations;
pub mod options;
pub mod promises;
mod reconciler;
pub mod refusal_log;
pub mod relocations;
mod scheduler;
#[cfg(test)]
mod scheduler_tests;
mod shared;
pub mod simulation;
pub mod store;
#[cfg(test)]
mod test_log;
pub mod utility;
pub mod utility_keys;
pub mod vms;

pub use error::ManagerError;
pub use options::{ManagerOptions, MoveLimits, NetworkOptions, Pace, UtilityOptions};
pub use shared::Change;

use accounts::{Accounts, Principal, Role};
use collector::Collector;
use grid::map::{Freshness, ResourceMap};
use operations::{Chooser, Driver};
use reconciler::{Mending, Reconciler};
use relocations::Relocator;
use scheduler::Scheduler;
use shared::Shared;
use std::sync::Arc;
use store::StoreError;
use tokio::sync::broadcast;

/// How many changes a slow listener may lag behind before it misses some.
const CHANGES_KEPT: usize = 1024;

/// The hypervisor management module. Cheap to clone; clones are the same manager.
#[derive(Clone, Debug)]
pub struct Manager {
    shared: Arc<Shared>,
    collector: Arc<Collector>,
    driver: Driver,
    reconciler: Reconciler,
    relocator: Relocator,
    scheduler: Scheduler,
    chooser: Arc<Chooser>,
    accounts: Arc<Accounts>,
    answers: Arc<capacity::KeptAnswers>,
}

/// Why a manager could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the store could not be read: {0}")]
    Store(#[from] StoreError),
}

impl Manager {
    /// Reads what the store knows. Nothing runs before [`Self::start`].
    pub async fn open(options: ManagerOptions) -> Result<Self, OpenError> {
        figures::describe();
        let shared = Arc::new(Shared {
            store: options.store,
            hypervisors: options.hypervisors.into_iter().map(|each| (each.node(), each)).collect(),
            hub: options.hub,
            images: options.images,
            utility: options.utility,
            network: options.network,
            pace: options.pace,
            simulated: options.simulated,
            lease: options.lease,
            changes: broadcast::channel(CHANGES_KEPT).0,
            mending: Mending::default(),
            #[cfg(any(test, feature = "trial"))]
            trial: operations::trial::Trial::default(),
        });
        let collector = Arc::new(Collector::open(Arc::clone(&shared)).await?);
        let driver = Driver::new(Arc::clone(&shared), Arc::clone(&collector));
        let reconciler = Reconciler::new(Arc::clone(&shared), Arc::clone(&collector), driver.clone());
        let accounts = Arc::new(Accounts::new(Arc::clone(&shared.store)));
        let chooser = Arc::new(Chooser::default());
        let relocator =
            Relocator::new(Arc::clone(&shared), Arc::clone(&collector), driver.clone(), Arc::clone(&chooser));
        Ok(Self {
            shared,
            collector,
            driver,
            reconciler,
            relocator,
            scheduler: Scheduler::default(),
            chooser,
            accounts,
            answers: Arc::default(),
        })
    }

    /// Starts collecting, and goes on with the operations that an earlier run left.
    pub fn start(&self) {
        self.collector.start();
        self.driver.start();
        self.reconciler.start();
        self.relocator.start();
        self.scheduler.start(self.clone());
    }

    /// Stops the manager's own tasks. Operations stay where they are and go on at the next start.
    pub async fn stop(&self) {
        self.shared.hub.hang_up();
        self.scheduler.stop().await;
        self.relocator.stop().await;
        self.reconciler.stop().await;
        self.driver.stop().await;
        self.collector.stop().await;
    }

    /// The door at which utility modules call; to be served on an address that only their network reaches.
    pub fn utility_router(&self) -> axum::Router {
        utility::router(Arc::clone(&self.shared.hub), Arc::clone(&self.shared.images))
    }

    pub fn is_simulated(&self) -> bool {
        self.shared.simulated
    }

    /// Who may sign in.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Everything that changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.shared.changes.subscribe()
    }

    /// The current picture of all nodes.
    pub fn map(&self) -> Arc<ResourceMap> {
        self.collector.map()
    }

    /// How old a reading may be.
    pub fn freshness(&self) -> Freshness {
        self.shared.pace.freshness
    }
}

/// What only an admin may.
fn admin_only(principal: &Principal) -> Result<(), ManagerError> {
    match principal.role {
        Role::Admin => Ok(()),
        Role::Customer => Err(ManagerError::Forbidden),
    }
}
