//! The measured program: a manager over the store, and callers who ask it for VMs without a pause.

use crate::chance::Chance;
use crate::measured::{Phase, measured};
use crate::program::{Figures, RESIZES, TELL};
use crate::{Failure, given, ground, resizes};
use grid::Mib;
use grid::map::Freshness;
use manager::hypervisor::{Hypervisor, UtilityImages};
use manager::lease::Lease;
use manager::store::sqlite::SqliteStore;
use manager::utility::{ImageLibrary, MemoryKeys, UtilityHub};
use manager::vms::DeployRequest;
use manager::{Manager, ManagerOptions, NetworkOptions, Pace, UtilityOptions};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Asks for the time that is given, and tells the figures; or tells each answer, until it is killed.
pub(crate) fn run(store: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let images = images()?;
    let figures = match std::env::var_os(RESIZES) {
        Some(_) => runtime.block_on(resizes::ask(store, images.path())),
        None => runtime.block_on(ask(store, images.path())),
    };
    println!("{}", figures?.line());
    Ok(())
}

async fn ask(store: &Path, images: &Path) -> Result<Figures, Failure> {
    let tells = std::env::var_os(TELL).is_some();
    let hub = UtilityHub::new(Arc::new(MemoryKeys::default()));
    // The samples are as old as the store that was prepared.
    let pace = Pace { freshness: Freshness { stale_after_ms: u64::MAX }, ..Pace::default() };
    let began = Instant::now();
    let manager = open(SqliteStore::open(store).await?, images, hub, Default::default(), &pace).await?;
    // It carries nothing out: it is stopped before it was started, and accepts all the same.
    manager.stop().await;
    let opened_seconds = began.elapsed().as_secs_f64();
    let phase = Phase::warming();
    let mut callers = JoinSet::new();
    for number in 0..given("HOSTGRID_CALLERS", 256) {
        callers.spawn(call(manager.clone(), number, phase.clone(), tells));
    }
    Ok(Figures { opened_seconds, ..measured(callers, &phase).await? })
}

/// One caller: the next request as soon as the last one is answered. How long each took that was answered while it
/// counted.
async fn call(manager: Manager, number: u64, phase: Phase, tells: bool) -> Result<Vec<Duration>, Failure> {
    let mut chance = Chance(number);
    let mut times = Vec::new();
    loop {
        let customer = ground::customer(chance.next());
        let name = Uuid::from_u64_pair(chance.next(), chance.next());
        let (image, offer) = (chance.one_of(&ground::IMAGES), chance.one_of(&ground::OFFERS));
        let request = request(format!("vm-{}", name.simple()), image, offer, chance.one_of(&ground::REGIONS));
        let began = Instant::now();
        let (_, operation) = manager.vm_deploy(&customer, request).await?;
        let took = began.elapsed();
        if tells {
            println!("accepted {operation}");
        }
        if !phase.is_on(took, &mut times) {
            return Ok(times);
        }
    }
}

pub(crate) fn request(name: String, image: &str, offer: &str, region: &str) -> DeployRequest {
    DeployRequest {
        idempotency_key: name.clone(),
        name,
        image: image.to_owned(),
        offer: offer.to_owned(),
        region: region.to_owned(),
        keys: String::new(),
    }
}

/// The hypervisors, and the addresses of the utility VMs that the manager cares for.
type Nodes = (Vec<Arc<dyn Hypervisor>>, BTreeMap<String, String>);

/// A manager that was not started.
pub(crate) async fn open(
    store: SqliteStore,
    images: &Path,
    hub: Arc<UtilityHub>,
    (hypervisors, addresses): Nodes,
    pace: &Pace,
) -> Result<Manager, Failure> {
    let nowhere = || PathBuf::from("/nonexistent");
    let manager = Manager::open(ManagerOptions {
        store: Arc::new(store),
        hypervisors,
        hub,
        images: Arc::new(ImageLibrary::open(images.to_path_buf()).await?),
        utility: UtilityOptions {
            manager: "http://192.0.2.1:1".into(),
            memory: Mib(128),
            images: UtilityImages { kernel: nowhere(), initrd: nowhere(), root: nowhere() },
            addresses,
        },
        network: NetworkOptions {
            first: Ipv4Addr::new(10, 0, 0, 10),
            last: Ipv4Addr::new(10, 255, 255, 250),
            prefix_length: 8,
            gateway: None,
            name_servers: Vec::new(),
        },
        simulated: true,
        lease: Lease::sole(),
        pace: *pace,
    })
    .await?;
    Ok(manager)
}

fn images() -> Result<tempfile::TempDir, Failure> {
    let folder = tempfile::tempdir()?;
    for family in ["disk", "root"] {
        std::fs::create_dir(folder.path().join(family))?;
        std::fs::write(folder.path().join(family).join(format!("{family}-tiny.raw")), family)?;
    }
    Ok(folder)
}
