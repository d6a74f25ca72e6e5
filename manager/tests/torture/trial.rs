//! One trial: a copy of the template, some operations, a script of what goes wrong; programs that die and are started
//! again; then nothing goes wrong any more, an operator decides what waits, and every promise is looked at.

use crate::database::{Backstage, TorturedStore};
use crate::ground::Ground;
use crate::layers::{TorturedHypervisor, TorturedModule};
use crate::script::{Fault, Script, Site};
use crate::template::{Template, folder, hardware};
use grid::map::Condition;
use grid::operation::{Operation, OperationState};
use grid::plan::PlanAnswer;
use grid::{Gib, Mib, Size, Vcpus, VmId};
use manager::hypervisor::simulated::SimulatedGrid;
use manager::hypervisor::{Hypervisor, UtilityImages};
use manager::lease::Lease;
use manager::store::sqlite::SqliteStore;
use manager::store::{OperationStore, VmStore};
use manager::utility::simulated::{SimulatedTransfers, SimulatedUtility};
use manager::utility::{ImageLibrary, MemoryKeys, UtilityHub, UtilityModule};
use manager::vms::{Agreement, DeployRequest};
use manager::{Manager, ManagerError, ManagerOptions, NetworkOptions, Pace, UtilityOptions, simulation};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ask {
    Deploy,
    Start(VmId),
    Stop(VmId, bool),
    Delete(VmId),
    Resize(VmId, Size),
    Rebuild(VmId),
    Drain(&'static str),
    Rebalance,
}

pub(crate) const fn size(vcpus: u32, memory: u64, disk: u64) -> Size {
    Size::new(Vcpus(vcpus), Mib(memory), Gib(disk))
}

/// What came of a trial.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) met: Vec<(Site, &'static str, Fault)>,
    pub(crate) sites: Vec<(Site, &'static str)>,
    /// How the operations ended.
    pub(crate) ends: Vec<OperationState>,
    /// What came of what people said in the middle of it.
    pub(crate) answers: Vec<&'static str>,
    pub(crate) given_up: u64,
    pub(crate) broken: Vec<String>,
}

/// How long, by the paused clock, everything may take to come to rest.
const REST: Duration = Duration::from_hours(3);
/// And the promises to be true again, when it has, and what was left behind to be gone.
const SETTLE: Duration = Duration::from_mins(5);

pub(crate) struct Stage<'a> {
    pub(crate) backstage: &'a Backstage,
    pub(crate) images: &'a Arc<ImageLibrary>,
    pub(crate) template: &'a Template,
}

pub(crate) struct Trial<'a> {
    pub(crate) stage: &'a Stage<'a>,
    pub(crate) script: Arc<Script>,
    pub(crate) store: Arc<SqliteStore>,
    given_up: u64,
}

/// Tries it.
pub(crate) fn run(stage: &Stage<'_>, asks: &[Ask], faults: &[(u64, Fault)]) -> Tried {
    let folder = folder();
    let grid = SimulatedGrid::copy_of(stage.template.copy(folder.path())).unwrap();
    let store = stage.backstage.open(folder.path());
    let ground = Arc::new(ground(stage, grid, &store));
    let script = Script::new(ground, faults);
    let mut trial = Trial { stage, script, store, given_up: 0 };
    let mut broken = Vec::new();
    // Each death is one more program.
    let mut rested = false;
    for _ in 0..faults.len() + 2 {
        if let Some(ended) = trial.program(async |trial, manager| trial.ask(&manager, asks).await) {
            broken.extend(ended.err());
            rested = true;
            break;
        }
    }
    if !rested {
        broken.push("it died more often than it was told to".into());
    }
    trial.script.clear();
    let settled = trial.program(async |trial, manager| trial.settle(&manager).await);
    broken.extend(settled.unwrap_or_else(|| vec!["it died when nothing went wrong".into()]));
    let given_up = trial.given_up;
    broken.extend(trial.script.ground.broken());
    broken.extend(trial.script.all_unexpected());
    let every = manager::store::rows::OperationFilter { limit: 100, ..Default::default() };
    let operations = stage.backstage.block_on(trial.store.operation_list(&every)).unwrap();
    // The template's own have one step.
    let ends = operations.iter().filter(|it| it.steps.len() > 1).map(|it| it.state).collect();
    let (met, sites, answers) = (trial.script.met(), trial.script.sites(), trial.script.answers());
    Tried { met, sites, ends, answers, given_up, broken }
}

fn ground(stage: &Stage<'_>, grid: SimulatedGrid, store: &SqliteStore) -> Ground {
    let hub = UtilityHub::new(Arc::new(MemoryKeys::default()));
    let transfers = SimulatedTransfers::default();
    let vms = stage.backstage.block_on(store.vm_list(None)).unwrap();
    let add =
        |node: &grid::node::Node| simulation::add_node(&grid, &hub, &transfers, node, hardware(&node.name), &vms).1;
    let modules: Vec<Arc<SimulatedUtility>> = stage.template.nodes.iter().map(add).collect();
    let ground = Ground::new(grid, stage.template.nodes.clone(), modules);
    if let Some(dead) = stage.template.fenced {
        ground.begin(Fault::Silent { node: dead, lasting: u64::MAX });
        ground.begin(Fault::ModuleSilent { node: dead, lasting: u64::MAX });
    }
    ground
}

impl Trial<'_> {
    /// One program, from its start to its end or its death: then `None`.
    fn program<T>(&mut self, body: impl AsyncFnOnce(&mut Self, Manager) -> T) -> Option<T> {
        self.script.begin_anew();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let script = Arc::clone(&self.script);
        let ended = runtime.block_on(async {
            tokio::select! {
                biased;
                () = script.died() => None,
                ended = async {
                    let manager = self.open().await;
                    manager.start();
                    until_ready(&manager).await;
                    body(self, manager).await
                } => Some(ended),
            }
        });
        // Whatever its tasks were doing, they do no more.
        drop(runtime);
        ended
    }

    async fn open(&self) -> Manager {
        let (script, stage) = (&self.script, self.stage);
        let hub = UtilityHub::new(Arc::new(MemoryKeys::default()));
        let mut hypervisors: Vec<Arc<dyn Hypervisor>> = Vec::new();
        for (node, module) in script.ground.nodes.iter().zip(&script.ground.modules) {
            let inner = script.ground.grid.hypervisor(node);
            hypervisors.push(Arc::new(TorturedHypervisor { inner, script: Arc::clone(script) }));
            let inner = Arc::clone(module) as Arc<dyn UtilityModule>;
            hub.simulate(Arc::new(TorturedModule { inner, script: Arc::clone(script) }));
            tokio::spawn(Arc::clone(module).report_for_ever(Arc::clone(&hub), Duration::from_secs(10)));
        }
        let (inner, backstage) = (Arc::clone(&self.store), stage.backstage.handle());
        let store = Arc::new(TorturedStore { inner, backstage, script: Arc::clone(script) });
        let nowhere = || PathBuf::from("/nonexistent");
        let names = script.ground.nodes.iter().map(|node| (node.name.clone(), "192.0.2.2/24".to_owned()));
        let options = ManagerOptions {
            store,
            hypervisors,
            hub,
            images: Arc::clone(stage.images),
            utility: UtilityOptions {
                manager: "http://192.0.2.1:1".into(),
                memory: Mib(64),
                images: UtilityImages { kernel: nowhere(), initrd: nowhere(), root: nowhere() },
                addresses: names.collect(),
            },
            network: NetworkOptions {
                first: Ipv4Addr::new(10, 77, 1, 1),
                last: Ipv4Addr::new(10, 77, 1, 99),
                prefix_length: 16,
                gateway: None,
                name_servers: Vec::new(),
            },
            simulated: true,
            lease: Lease::sole(),
            pace: pace(),
        };
        Manager::open(options).await.unwrap()
    }

    /// Asks for everything, and waits until nothing goes on any more; people say what they have to say meanwhile.
    async fn ask(&self, manager: &Manager, asks: &[Ask]) -> Result<(), String> {
        let asked = async {
            for (number, ask) in asks.iter().enumerate() {
                // An answer that was lost is asked for again, with the same key.
                for _ in 0..3 {
                    match self.begin(manager, *ask, &format!("key-{number}")).await {
                        Err(ManagerError::Internal) => sleep(Duration::from_secs(1)).await,
                        _ => break,
                    }
                }
            }
            self.rest(manager).await
        };
        tokio::select! {
            biased;
            () = self.listen(manager) => Ok(()),
            rested = asked => rested,
        }
    }

    async fn begin(&self, manager: &Manager, ask: Ask, key: &str) -> Result<(), ManagerError> {
        let (customer, admin) = (&self.stage.template.customer, &self.stage.template.admin);
        // The same for the same key.
        let id = uuid::Uuid::from_u128(key.bytes().fold(0x6000, |sum, byte| sum * 31 + u128::from(byte)));
        match ask {
            Ask::Deploy => {
                let request = DeployRequest {
                    name: "new".into(),
                    image: "disk-tiny".into(),
                    offer: "tiny".into(),
                    region: "north".into(),
                    keys: String::new(),
                    idempotency_key: key.into(),
                };
                manager.vm_deploy(customer, request).await.map(drop)
            }
            Ask::Start(vm) => manager.vm_start(customer, vm, key).await.map(drop),
            Ask::Stop(vm, force) => manager.vm_stop(customer, vm, force, key).await.map(drop),
            Ask::Delete(vm) => manager.vm_delete(customer, vm, key).await.map(drop),
            Ask::Rebuild(vm) => manager.vm_rebuild(customer, vm, "vm-1", key).await.map(drop),
            Ask::Drain(node) => manager.node_drain(admin, node, id).await.map(drop),
            Ask::Rebalance => {
                let plan = manager.rebalance_get(admin).await?.plan;
                manager.rebalance(admin, id, plan).await.map(drop)
            }
            Ask::Resize(vm, to) => match manager.vm_resize_preview(customer, vm, to).await? {
                PlanAnswer::Planned { plan } => {
                    let agreement = Agreement { plan, force_off: false, idempotency_key: key.into() };
                    manager.vm_resize(customer, vm, agreement).await.map(drop)
                }
                PlanAnswer::Nothing => Ok(()),
                PlanAnswer::Refused { refusal } => Err(ManagerError::Refused { refusal }),
            },
        }
    }

    /// Until every operation has ended or waits, and all work that is made of them has ended or waits for one that does.
    async fn rest(&self, manager: &Manager) -> Result<(), String> {
        let until = Instant::now() + REST;
        loop {
            self.agree(manager).await;
            let waits = !self.unfinished(|it| it.state == OperationState::Waiting).is_empty();
            let waits_for_it = |it: &Operation| waits && it.kind.waits_for_room();
            let going_on = self.unfinished(|it| it.state != OperationState::Waiting && !waits_for_it(it));
            let moving = if waits { Vec::new() } else { self.relocations() };
            // Who has said that something is to be decided decides it.
            let is_decided = !waits || !self.script.has_words();
            if going_on.is_empty() && moving.is_empty() && is_decided {
                return Ok(());
            }
            if Instant::now() > until {
                let hours = REST.as_secs() / 3600;
                return Err(format!("I3, I7: still going on after {hours} h: {going_on:?} {moving:?}"));
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Nothing goes wrong any more: what waits is tried again, and given up where that does not help; then all promises
    /// must come to be true.
    async fn settle(&mut self, manager: &Manager) -> Vec<String> {
        let admin = &self.stage.template.admin;
        for tries in 0..4 {
            if let Err(broken) = self.rest(manager).await {
                return vec![broken];
            }
            for (id, _) in self.unfinished(|it| it.state == OperationState::Waiting) {
                let decided = if tries < 3 {
                    manager.operation_retry(admin, id).await
                } else {
                    self.given_up += 1;
                    manager.operation_give_up(admin, id).await
                };
                if let Err(error) = decided {
                    return vec![format!("I3: the operator could not decide about {id}: {error}")];
                }
            }
        }
        if let Err(broken) = self.rest(manager).await {
            return vec![broken];
        }
        let until = Instant::now() + SETTLE;
        loop {
            let broken = self.promises();
            if broken.is_empty() || Instant::now() > until {
                return broken;
            }
            sleep(Duration::from_secs(2)).await;
        }
    }
}

async fn until_ready(manager: &Manager) {
    for _ in 0..200 {
        let map = manager.map();
        if map.iter().filter(|node| node.condition == Condition::Ready).count() == 4 {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// As in life, on a clock that is paused whenever there is something to do.
fn pace() -> Pace {
    Pace {
        sample_every: Duration::from_secs(10),
        history_every: Duration::from_hours(24),
        utility_dead_after: Duration::from_secs(10),
        ..Pace::default()
    }
}

/// A size that a tiny VM can grow to live.
pub(crate) const LIVE: Size = size(2, 256, 2);
/// One beyond its maxima.
pub(crate) const BEYOND: Size = size(5, 1024, 2);
/// One that a full node has no room for, within the maxima.
pub(crate) const MORE: Size = size(2, 512, 2);
/// One for which a VM must leave the first node of [`crate::template::Full::Tight`].
pub(crate) const TIGHT: Size = size(2, 400, 2);
/// And for a container.
pub(crate) const CONTAINER: Size = size(2, 1024, 2);
