//! Simulated modules do what real ones do, and fail on order.

use super::*;
use crate::utility::MemoryKeys;
use grid::work::ImageFamily;
use grid::{Gib, Mib, Vcpus};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 5);
const DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Pool(Mutex<BTreeMap<VmId, u64>>);

impl SimulatedPool for Pool {
    fn runs(&self) -> bool {
        true
    }

    fn space(&self) -> PoolSample {
        let used: u64 = self.0.lock().unwrap().values().sum();
        PoolSample { capacity_mib: 4096, free_mib: 4096 - (used >> 20) }
    }

    fn disk(&self, vm: VmId) -> Option<u64> {
        self.0.lock().unwrap().get(&vm).copied()
    }

    fn disks(&self) -> BTreeMap<VmId, u64> {
        self.0.lock().unwrap().clone()
    }

    fn disk_put(&self, vm: VmId, bytes: u64) {
        self.0.lock().unwrap().insert(vm, bytes);
    }

    fn disk_remove(&self, vm: VmId) {
        self.0.lock().unwrap().remove(&vm);
    }

    /// Who has a disk answers, at the address of the test.
    fn answers(&self, address: Ipv4Addr) -> bool {
        address == ADDRESS && !self.0.lock().unwrap().is_empty()
    }

    fn contents(&self, _: VmId) -> u64 {
        0
    }

    fn contents_put(&self, _: VmId, _: u64) {}
}

struct Grid {
    hub: Arc<UtilityHub>,
    transfers: SimulatedTransfers,
}

impl Grid {
    fn new() -> Self {
        Self { hub: UtilityHub::new(Arc::new(MemoryKeys::default())), transfers: SimulatedTransfers::default() }
    }

    fn node(&self, number: u128) -> Arc<SimulatedUtility> {
        let node = NodeId(Uuid::from_u128(number));
        SimulatedUtility::install(&self.hub, node, Arc::new(Pool::default()), self.transfers.clone())
    }
}

fn vm() -> VmId {
    VmId(Uuid::from_u128(1))
}

fn size(disk: u64) -> Size {
    Size::new(Vcpus(1), Mib(256), Gib(disk))
}

fn image() -> Image {
    Image { name: "tiny".into(), family: ImageFamily::Disk, checksum: "a".repeat(64), bytes: 1 }
}

async fn deploy(module: &SimulatedUtility, disk: u64) -> Result<WorkDone, UtilityError> {
    module.carry_out(Work::FetchImage { image: image() }, DEADLINE).await?;
    module.carry_out(Work::CreateDisk { vm: vm(), image: image(), size: size(disk) }, DEADLINE).await
}

#[tokio::test]
async fn it_stands_in_the_hub_for_its_node_and_reports() {
    let grid = Grid::new();
    let module = grid.node(1);
    deploy(&module, 2).await.unwrap();
    let mut reports = grid.hub.reports();
    module.report(&grid.hub);
    let sample = reports.recv().await.unwrap().sample;
    assert_eq!(sample.pool, PoolSample { capacity_mib: 4096, free_mib: 2048 });
    assert_eq!((sample.disks[0].vm, sample.disks[0].virtual_bytes), (vm(), 2 << 30));
    assert_eq!((sample.deployed[0].size, sample.images[0].name.as_str()), (size(2), "tiny"));
    let by_hub = grid.hub.module(module.node());
    assert_eq!(by_hub.carry_out(Work::Delete { vm: vm() }, DEADLINE).await, Ok(WorkDone::Done));
    module.report(&grid.hub);
    assert!(reports.recv().await.unwrap().sample.deployed.is_empty());
}

#[tokio::test]
async fn a_disk_is_copied_with_one_checksum_whichever_side_comes_first() {
    let grid = Grid::new();
    let (source, destination) = (grid.node(1), grid.node(2));
    deploy(&source, 1).await.unwrap();
    let transfer = grid.hub.transfer_open(source.node(), destination.node());
    let (received, sent) = tokio::join!(
        destination.carry_out(Work::CopyIn { vm: vm(), transfer, size: size(3) }, DEADLINE),
        source.carry_out(Work::CopyOut { vm: vm(), transfer }, DEADLINE)
    );
    assert_eq!(received, sent);
    assert!(matches!(sent, Ok(WorkDone::Copied { .. })));
    assert_eq!(destination.pool.disk(vm()), Some(3 << 30));
    assert_eq!(source.pool.disk(vm()), Some(1 << 30), "the source is as it was");
}

#[tokio::test(start_paused = true)]
async fn it_is_silent_slow_failing_and_lying_on_order() {
    let grid = Grid::new();
    let module = grid.node(1);
    module.faults(|faults| faults.failures = vec![WorkFailure::PoolFull]);
    assert_eq!(deploy(&module, 1).await, Err(UtilityError::Failed(WorkFailure::PoolFull)));
    assert_eq!(deploy(&module, 1).await, Ok(WorkDone::Done), "only once");

    module.faults(|faults| faults.slow = DEADLINE * 2);
    assert_eq!(deploy(&module, 1).await, Err(UtilityError::Deadline));

    module.faults(|faults| faults.lie = Some(|sample| sample.pool.free_mib = u64::MAX));
    module.report(&grid.hub);
    assert_eq!(grid.hub.latest(module.node()).unwrap().sample.pool.free_mib, u64::MAX);

    let before = grid.hub.latest(module.node());
    module.faults(|faults| faults.silent = true);
    module.report(&grid.hub);
    assert_eq!(grid.hub.latest(module.node()), before);
    assert_eq!(deploy(&module, 1).await, Err(UtilityError::Silent));
}

#[tokio::test]
async fn it_refuses_what_a_real_one_refuses() {
    let module = Grid::new().node(1);
    let create = Work::CreateDisk { vm: vm(), image: image(), size: size(1) };
    assert_eq!(module.carry_out(create, DEADLINE).await, Err(WorkFailure::NoImage.into()));
    let grow = |disk| Work::GrowDisk { vm: vm(), disk: Gib(disk) };
    assert_eq!(module.carry_out(grow(1), DEADLINE).await, Err(WorkFailure::NoDisk.into()));
    deploy(&module, 2).await.unwrap();
    let shrunk = module.carry_out(grow(1), DEADLINE).await;
    assert!(matches!(shrunk, Err(UtilityError::Failed(WorkFailure::WouldShrink { .. }))), "{shrunk:?}");
    assert_eq!(module.carry_out(grow(9), DEADLINE).await, Err(WorkFailure::PoolFull.into()));
}

#[tokio::test(start_paused = true)]
async fn a_watch_waits_for_an_answer_and_tells_again_whether_it_came() {
    let module = Grid::new().node(1);
    let (watch, later) = (WorkId(Uuid::from_u128(7)), WorkId(Uuid::from_u128(8)));
    let stop = Work::WatchStop { watch, deadline_ms: 5_000 };
    let unknown = module.carry_out(stop.clone(), DEADLINE).await;
    assert!(matches!(unknown, Err(UtilityError::Failed(WorkFailure::Io { .. }))), "{unknown:?}");
    module.carry_out(Work::WatchStart { watch, address: ADDRESS, every_ms: 50 }, DEADLINE).await.unwrap();
    assert_eq!(module.carry_out(stop.clone(), DEADLINE).await, Err(WorkFailure::NoAnswer.into()));
    deploy(&module, 1).await.unwrap();
    assert_eq!(module.carry_out(stop, DEADLINE).await, Err(WorkFailure::NoAnswer.into()), "it has ended");
    module.carry_out(Work::WatchStart { watch: later, address: ADDRESS, every_ms: 50 }, DEADLINE).await.unwrap();
    let stop = Work::WatchStop { watch: later, deadline_ms: 5_000 };
    assert!(matches!(module.carry_out(stop.clone(), DEADLINE).await, Ok(WorkDone::Watched { .. })));
    module.carry_out(Work::Delete { vm: vm() }, DEADLINE).await.unwrap();
    assert!(matches!(module.carry_out(stop, DEADLINE).await, Ok(WorkDone::Watched { .. })), "it has ended");
}
