//! What is there before anybody asks: nodes of two kinds in four regions, of several sizes and each with a part of it in
//! use, as their last samples have it; customers, and what is for sale.

use crate::Failure;
use crate::chance::Chance;
use futures::future::try_join_all;
use grid::node::{Administration, Node, NodeSettings, Overcommit};
use grid::offer::{Offer, Quota};
use grid::sample::{Compatibility, HypervisorSample, NumaCell, PoolSample, Source, UtilitySample};
use grid::{Gib, HypervisorKind, Mib, NodeId, Resource, Resources, Size, TenantId, UnixMillis, UserId, Vcpus};
use manager::accounts::{Principal, Role};
use manager::clock;
use manager::store::rows::NewUser;
use manager::store::sqlite::SqliteStore;
use manager::store::{AccountStore, HistoryStore, NodeStore};
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const REGIONS: [&str; 4] = ["east", "north", "south", "west"];

/// Each with its image; two nodes in three are of the first.
pub(crate) const IMAGES: [&str; 3] = ["disk-tiny", "disk-tiny", "root-tiny"];

const CUSTOMERS: u64 = 1_000;

/// So many nodes are put into the store at once.
const TOGETHER: usize = 1_000;

pub(crate) const OFFERS: [&str; 4] = ["small", "medium", "large", "huge"];
const SIZES: [Size; 4] = [size(1, 2, 10), size(2, 4, 20), size(2, 8, 40), size(8, 16, 80)];

/// So long one waits until the closed database has its journal folded in.
const PATIENCE: Duration = Duration::from_mins(1);

const fn size(vcpus: u32, gib: u64, disk: u64) -> Size {
    Size::new(Vcpus(vcpus), Mib(gib * 1024), Gib(disk))
}

/// Fills a store in this folder; with a last sample of each node where they were `heard`. It is made in memory, where that can be: what is measured comes later.
pub(crate) fn prepare(folder: &Path, nodes: usize, heard: bool) -> Result<(), Failure> {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let store = made.path().join("store");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(fill(&store, nodes, heard))?;
    drop(runtime);
    // Its connections close by themselves, each in its thread; the last one folds the journal in.
    let began = std::time::Instant::now();
    while ["hostgrid.db-wal", "history.db-wal"].iter().any(|wal| store.join(wal).exists()) {
        if began.elapsed() > PATIENCE {
            return Err("the prepared database does not close".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    crate::disk::copy(&store, folder)?;
    Ok(())
}

async fn fill(folder: &Path, nodes: usize, heard: bool) -> Result<(), Failure> {
    let store = SqliteStore::open(folder).await?;
    let mut chance = Chance(7);
    let numbers: Vec<usize> = (0..nodes).collect();
    for some in numbers.chunks(TOGETHER) {
        let draw = |number: &usize| {
            let hardware = Hardware::draw(&mut chance);
            (hardware, node(*number, hardware, &mut chance))
        };
        let (hardware, nodes): (Vec<_>, Vec<_>) = some.iter().map(draw).unzip();
        let nodes = store.nodes_put(&nodes).await?;
        if heard {
            try_join_all(nodes.iter().zip(hardware).map(|(node, hardware)| hear(&store, node, hardware))).await?;
        }
    }
    for number in 0..CUSTOMERS {
        let Principal { user, tenant, email, role } = customer(number);
        let limit = Resources::new(1 << 40, 1 << 40, 1 << 40);
        store.tenant_put(tenant, &email, Quota { limit, vms: 1 << 30 }).await?;
        store.user_create(&NewUser { id: user, tenant, email, password_hash: "none".into(), role }).await?;
    }
    for (name, size) in OFFERS.into_iter().zip(SIZES) {
        store.offer_put(&Offer { name: name.to_owned(), size }).await?;
    }
    Ok(())
}

async fn hear(store: &SqliteStore, node: &Node, hardware: Hardware) -> Result<(), Failure> {
    let now = clock::now();
    let first = serde_json::to_string(&hypervisor_says(node, hardware, now))?;
    let second = serde_json::to_string(&utility_says(hardware, now))?;
    store.sample_put(node.id, Source::Hypervisor, now, &first).await?;
    store.sample_put(node.id, Source::Utility, now, &second).await?;
    Ok(())
}

/// One of a thousand customers, each of another tenant.
pub(crate) fn customer(number: u64) -> Principal {
    let number = u128::from(number % CUSTOMERS);
    Principal {
        user: UserId(Uuid::from_u128(0x1_0000 + number)),
        tenant: TenantId(Uuid::from_u128(0x2_0000 + number)),
        email: format!("customer{number}@bench.example"),
        role: Role::Customer,
    }
}

#[derive(Clone, Copy)]
struct Hardware {
    cpus: u32,
    memory_mib: u64,
    pool_mib: u64,
}

impl Hardware {
    fn draw(chance: &mut Chance) -> Self {
        let (cpus, gib) = chance.one_of(&[(64, 256), (96, 384), (128, 512), (128, 768)]);
        Self { cpus, memory_mib: gib * 1024, pool_mib: chance.one_of(&[4, 8, 16]) * 1024 * 1024 }
    }
}

fn node(number: usize, hardware: Hardware, chance: &mut Chance) -> Node {
    let used = chance.next() % (hardware.memory_mib / 2);
    let kind = if number.is_multiple_of(3) { HypervisorKind::Lxc } else { HypervisorKind::Kvm };
    Node {
        // It grows, as those that a server gives its nodes do.
        id: NodeId(Uuid::from_u64_pair(number as u64, chance.next())),
        name: format!("node{number}"),
        kind,
        region: chance.one_of(&REGIONS).to_owned(),
        uri: format!("bench:///node{number}"),
        settings: NodeSettings {
            reserve: Resources::new(1, used, 1024),
            overcommit: Overcommit::default().with(Resource::Vcpus, 4_000),
            ..NodeSettings::default()
        },
        administration: Administration::Open,
        failure_domain: Some(format!("rack{}", number / 40)),
    }
}

fn hypervisor_says(node: &Node, hardware: Hardware, now: UnixMillis) -> HypervisorSample {
    let Hardware { cpus, memory_mib, pool_mib } = hardware;
    HypervisorSample {
        taken_at: now,
        library_version: 9_000_000,
        hypervisor_version: 7_002_000,
        domain_kinds: vec![node.kind],
        compatibility: Compatibility {
            cpu_model: "bench-v1".into(),
            cpu_features: Vec::new(),
            machine_types: vec!["pc-q35-7.2".into(), "q35".into()],
        },
        cpus,
        memory_total_mib: memory_mib,
        memory_free_mib: memory_mib / 2,
        numa_cells: vec![NumaCell { id: 0, memory_mib, free_mib: memory_mib / 2, cpus }],
        cpu_busy_ns: Some(1),
        cpu_idle_ns: Some(1_000),
        pool: Some(PoolSample { capacity_mib: pool_mib, free_mib: pool_mib }),
        pool_allocated_mib: Some(0),
        domains: Vec::new(),
    }
}

fn utility_says(hardware: Hardware, now: UnixMillis) -> UtilitySample {
    UtilitySample {
        taken_at: now,
        sequence: 1,
        boot_id: "bench".into(),
        process_namespace: "bench".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        uptime_seconds: 60,
        own_memory_total_mib: 128,
        own_memory_available_mib: 96,
        own_resident_mib: 4,
        load_permille: 120,
        steal_permille: 0,
        sees_node: false,
        node_memory_total_mib: None,
        node_memory_free_mib: None,
        node_memory_available_mib: None,
        pool: PoolSample { capacity_mib: hardware.pool_mib, free_mib: hardware.pool_mib },
        write_latency_us: 350,
        disks: Vec::new(),
        images: Vec::new(),
        deployed: Vec::new(),
    }
}
