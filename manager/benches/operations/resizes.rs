//! Whole resizes: from the agreement to the operation's end, through the driver and simulated hypervisors that take no
//! time, so that what is measured is ours. Each caller has a running VM of its own, which grows and shrinks in place.

use crate::measured::{Phase, measured};
use crate::program::Figures;
use crate::{Failure, callers, given, ground};
use grid::map::Condition;
use grid::operation::OperationState;
use grid::plan::PlanAnswer;
use grid::{Gib, Mib, OperationId, Size, Vcpus, VmId};
use manager::hypervisor::simulated::{Hardware, SimulatedGrid};
use manager::store::NodeStore;
use manager::store::sqlite::SqliteStore;
use manager::utility::simulated::SimulatedTransfers;
use manager::utility::{MemoryKeys, UtilityHub};
use manager::vms::Agreement;
use manager::{Change, Manager, Pace, simulation};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;

/// Nodes of the grid.
pub(crate) const NODES: usize = 16;

const REPORT_EVERY: Duration = Duration::from_secs(2);
/// So long the grid may take to be ready, and an operation to end.
const PATIENCE: Duration = Duration::from_mins(5);

const SMALL: Size = Size::new(Vcpus(1), Mib(2048), Gib(10));
const LARGE: Size = Size { vcpus: Vcpus(2), ..SMALL };

/// Callers, at most: each is a VM that has to be deployed first.
const MOST_CALLERS: u64 = 64;

/// Those who wait for an operation's end.
type Waiting = Arc<Mutex<HashMap<OperationId, oneshot::Sender<()>>>>;

pub(crate) async fn ask(folder: &Path, images: &Path) -> Result<Figures, Failure> {
    let store = SqliteStore::open(folder).await?;
    let (grid, transfers) = (SimulatedGrid::new(), SimulatedTransfers::default());
    let hub = UtilityHub::new(Arc::new(MemoryKeys::default()));
    let nodes = store.node_list().await?;
    let mut hypervisors = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let hardware = Hardware::new(256, 1 << 20, 1 << 24);
        let (hypervisor, module) = simulation::add_node(&grid, &hub, &transfers, node, hardware, &[]);
        tokio::spawn(module.report_for_ever(Arc::clone(&hub), REPORT_EVERY));
        hypervisors.push(hypervisor);
    }
    let addresses = nodes.iter().map(|node| (node.name.clone(), "192.0.2.2/24".to_owned())).collect();
    let manager = callers::open(store, images, hub, (hypervisors, addresses), &Pace::default()).await?;
    manager.start();
    until_ready(&manager).await?;
    let waiting = Waiting::default();
    let listening = tokio::spawn(listen(manager.changes(), Arc::clone(&waiting)));
    let vms = deploy(&manager, &waiting).await?;
    let phase = Phase::warming();
    let mut callers = JoinSet::new();
    for (number, vm) in vms {
        callers.spawn(call(manager.clone(), (number, vm), phase.clone(), Arc::clone(&waiting)));
    }
    let figures = measured(callers, &phase).await?;
    listening.abort();
    manager.stop().await;
    Ok(figures)
}

async fn until_ready(manager: &Manager) -> Result<(), Failure> {
    let began = Instant::now();
    while manager.map().iter().any(|node| node.condition != Condition::Ready) {
        if began.elapsed() > PATIENCE {
            return Err("the simulated grid is not ready".into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn listen(mut changes: broadcast::Receiver<Change>, waiting: Waiting) {
    loop {
        match changes.recv().await {
            Ok(Change::Ended(id)) => {
                let ended = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                // Nobody waits for what was not measured.
                ended.map(|ended| ended.send(()));
            }
            Err(broadcast::error::RecvError::Closed) => return,
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
        }
    }
}

/// Until it has succeeded.
async fn ended(manager: &Manager, number: u64, id: OperationId, waiting: &Waiting) -> Result<(), Failure> {
    let (over, is_over) = oneshot::channel();
    waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, over);
    let began = Instant::now();
    let customer = ground::customer(number);
    // It may have ended before anybody waited for it.
    let mut state = manager.operation_get(&customer, id).await?.operation.state;
    let mut is_over = Some(is_over);
    while !state.is_over() {
        match is_over.take() {
            Some(is_over) => drop(tokio::time::timeout(Duration::from_secs(1), is_over).await),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("operation {id} does not end").into());
        }
        state = manager.operation_get(&customer, id).await?.operation.state;
    }
    if state == OperationState::Succeeded { Ok(()) } else { Err(format!("operation {id} ended as {state:?}").into()) }
}

async fn deploy(manager: &Manager, waiting: &Waiting) -> Result<Vec<(u64, VmId)>, Failure> {
    let mut all = JoinSet::new();
    for number in 0..given("HOSTGRID_CALLERS", 256).min(MOST_CALLERS) {
        let (manager, waiting) = (manager.clone(), Arc::clone(waiting));
        all.spawn(async move {
            let request = callers::request(format!("vm-{number}"), "disk-tiny", "small", ground::REGIONS[0]);
            let (vm, id) = manager.vm_deploy(&ground::customer(number), request).await?;
            ended(&manager, number, id, &waiting).await?;
            Ok::<_, Failure>((number, vm))
        });
    }
    let mut vms = Vec::new();
    while let Some(done) = all.join_next().await {
        vms.push(done??);
    }
    Ok(vms)
}

/// One caller: the next resize as soon as the last one has ended.
async fn call(
    manager: Manager,
    (number, vm): (u64, VmId),
    phase: Phase,
    waiting: Waiting,
) -> Result<Vec<Duration>, Failure> {
    let customer = ground::customer(number);
    let mut times = Vec::new();
    for round in 0_u64.. {
        let to = if round.is_multiple_of(2) { LARGE } else { SMALL };
        let plan = match manager.vm_resize_preview(&customer, vm, to).await? {
            PlanAnswer::Planned { plan } => plan,
            other => return Err(format!("no plan: {other:?}").into()),
        };
        let began = Instant::now();
        let agreement = Agreement { plan, force_off: false, idempotency_key: format!("resize {round}") };
        let id = manager.vm_resize(&customer, vm, agreement).await?;
        ended(&manager, number, id, &waiting).await?;
        if !phase.is_on(began.elapsed(), &mut times) {
            break;
        }
    }
    Ok(times)
}
