//! The measured program: a manager over the store, and callers who ask it for VMs without a pause.

use crate::chance::Chance;
use crate::program::{Figures, TELL};
use crate::{Failure, given, ground};
use grid::Mib;
use grid::map::Freshness;
use manager::hypervisor::UtilityImages;
use manager::lease::Lease;
use manager::store::sqlite::SqliteStore;
use manager::utility::{ImageLibrary, MemoryKeys, UtilityHub};
use manager::vms::DeployRequest;
use manager::{Manager, ManagerOptions, NetworkOptions, Pace, UtilityOptions};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

/// Before anything is counted.
const WARM_UP: Duration = Duration::from_secs(2);

/// Clock ticks a second, in which Linux tells a process's CPU time to other programs.
const TICKS: f64 = 100.0;

/// Where the run is.
const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Asks for the time that is given, and tells the figures; or tells each answer, until it is killed.
pub(crate) fn run(store: &Path) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(ask(store))
}

async fn ask(store: &Path) -> Result<(), Failure> {
    let tells = std::env::var_os(TELL).is_some();
    let images = images()?;
    let manager = open(store, images.path()).await?;
    let phase = Arc::new(AtomicU8::new(if tells { COUNTING } else { WARMING }));
    let mut callers = JoinSet::new();
    for number in 0..given("HOSTGRID_CALLERS", 256) {
        callers.spawn(call(manager.clone(), number, Arc::clone(&phase), tells));
    }
    tokio::time::sleep(WARM_UP).await;
    let (began, before) = (Instant::now(), spent()?);
    phase.store(COUNTING, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(given("HOSTGRID_SECONDS", 10))).await;
    phase.store(OVER, Ordering::Relaxed);
    let (seconds, after) = (began.elapsed().as_secs_f64(), spent()?);
    let mut times = Vec::new();
    while let Some(done) = callers.join_next().await {
        times.extend(done??);
    }
    times.sort_unstable();
    let at = |permille: usize| times.get(times.len() * permille / 1000).map_or(f64::NAN, Duration::as_secs_f64);
    let figures = Figures {
        placed: times.len() as u64,
        seconds,
        p50_ms: at(500) * 1000.0,
        p99_ms: at(990) * 1000.0,
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        written_kib: after.written_kib - before.written_kib,
    };
    println!("{}", figures.line());
    Ok(())
}

/// One caller: the next request as soon as the last one is answered. How long each took that was answered while it
/// counted.
async fn call(manager: Manager, number: u64, phase: Arc<AtomicU8>, tells: bool) -> Result<Vec<Duration>, Failure> {
    let mut chance = Chance(number);
    let mut times = Vec::new();
    loop {
        let customer = ground::customer(chance.next());
        let began = Instant::now();
        let (_, operation) = manager.vm_deploy(&customer, request(&mut chance)).await?;
        let took = began.elapsed();
        match phase.load(Ordering::Relaxed) {
            WARMING => {}
            COUNTING => times.push(took),
            _ => return Ok(times),
        }
        if tells {
            println!("accepted {operation}");
        }
    }
}

fn request(chance: &mut Chance) -> DeployRequest {
    let name = Uuid::from_u64_pair(chance.next(), chance.next());
    DeployRequest {
        name: format!("vm-{}", name.simple()),
        image: chance.one_of(&ground::IMAGES).to_owned(),
        offer: chance.one_of(&ground::OFFERS).to_owned(),
        region: chance.one_of(&ground::REGIONS).to_owned(),
        keys: String::new(),
        idempotency_key: name.to_string(),
    }
}

/// A manager that carries nothing out: it is stopped before it was started, and accepts all the same.
async fn open(store: &Path, images: &Path) -> Result<Manager, Failure> {
    let nowhere = || PathBuf::from("/nonexistent");
    let manager = Manager::open(ManagerOptions {
        store: Arc::new(SqliteStore::open(store).await?),
        hypervisors: Vec::new(),
        hub: UtilityHub::new(Arc::new(MemoryKeys::default())),
        images: Arc::new(ImageLibrary::open(images.to_path_buf()).await?),
        utility: UtilityOptions {
            manager: "http://192.0.2.1:1".into(),
            memory: Mib(128),
            images: UtilityImages { kernel: nowhere(), initrd: nowhere(), root: nowhere() },
            addresses: BTreeMap::new(),
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
        // The samples are as old as the store that was prepared.
        pace: Pace { freshness: Freshness { stale_after_ms: u64::MAX }, ..Pace::default() },
    })
    .await?;
    manager.stop().await;
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

/// What this process has taken so far.
struct Spent {
    cpu_seconds: f64,
    written_kib: f64,
}

fn spent() -> Result<Spent, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may have anything in it: user and system time are the 12th and 13th from there.
    let words = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11);
    let ticks: f64 = words.take(2).filter_map(|word| word.parse::<f64>().ok()).sum();
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse::<f64>().ok());
    Ok(Spent { cpu_seconds: ticks / TICKS, written_kib: written.unwrap_or(0.0) / 1024.0 })
}
