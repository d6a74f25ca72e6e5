//! The manager alone on a lab of real nodes, without pages: deploys VMs and changes their sizes in every way that
//! there is, and prints what each operation did.
//!
//! ```text
//!   lab/lab up --name op --index 249 --dir LAB
//!   cargo run -p manager --example story -- LAB/nodes.json IMAGES STORE
//! ```

use grid::node::{Administration, Node, NodeSettings, Overcommit};
use grid::offer::{Offer, Quota};
use grid::plan::PlanAnswer;
use grid::{Gib, Mib, NodeId, Resources, Size, TenantId, UserId, Vcpus, VmId};
use manager::accounts::{Principal, Role};
use manager::hypervisor::UtilityImages;
use manager::hypervisor::directory::Directory;
use manager::store::Store;
use manager::store::rows::NewUser;
use manager::store::sqlite::SqliteStore;
use manager::utility::{ImageLibrary, UtilityHub};
use manager::utility_keys::StoreKeys;
use manager::vms::{Agreement, DeployRequest};
use manager::{Manager, ManagerOptions, NetworkOptions, Pace, UtilityOptions};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(serde::Deserialize)]
struct Lab {
    manager_address: String,
    nodes: Vec<LabNode>,
}

#[derive(serde::Deserialize)]
struct LabNode {
    name: String,
    kind: String,
    uri: String,
    utility_address: String,
}

struct Story {
    manager: Manager,
    store: Arc<dyn Store>,
    owner: Principal,
    admin: Principal,
}

impl Story {
    async fn ended(&self, what: &str, id: grid::OperationId) -> Result<()> {
        loop {
            let operation = self.store.operation_get(id).await?.ok_or("no operation")?;
            if operation.state.is_over() {
                let took = operation.ended_at.map_or(0, |ended| ended.since(operation.created_at));
                let (state, called, down) = (operation.state.as_str(), operation.called_ms, operation.downtime_ms);
                println!("{what}: {state} in {took} ms, {called} ms in calls, down {down:?} ms");
                for step in &operation.steps {
                    let took = step.ended_at.zip(step.started_at).map_or(0, |(ended, started)| ended.since(started));
                    println!(
                        "    {:<18}{:<9}{took:>7} ms  {}",
                        step.name,
                        step.state.as_str(),
                        step.note.as_deref().unwrap_or("")
                    );
                }
                if let Some(detail) = operation.detail {
                    println!("    {detail}");
                }
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn only(&self, node: &str) -> Result<()> {
        for entry in self.manager.node_list(&self.admin).await? {
            let to = if entry.node.name == node { Administration::Open } else { Administration::Cordoned };
            self.manager.node_administration_set(&self.admin, &entry.node.name, to).await?;
        }
        Ok(())
    }

    async fn open(&self) -> Result<()> {
        for entry in self.manager.node_list(&self.admin).await? {
            self.manager.node_administration_set(&self.admin, &entry.node.name, Administration::Open).await?;
        }
        Ok(())
    }

    async fn deploy(&self, name: &str, image: &str, node: &str) -> Result<VmId> {
        self.only(node).await?;
        let request = DeployRequest {
            name: name.into(),
            image: image.into(),
            offer: "small".into(),
            region: "north".into(),
            keys: String::new(),
            idempotency_key: Uuid::new_v4().to_string(),
        };
        let (vm, operation) = self.manager.vm_deploy(&self.owner, request).await?;
        self.ended(&format!("deploy {name} on {node}"), operation).await?;
        self.open().await?;
        Ok(vm)
    }

    async fn resize(&self, what: &str, vm: VmId, (vcpus, memory, disk): (u32, u64, u64)) -> Result<()> {
        let to = Size { vcpus: Vcpus(vcpus), memory: Mib(memory), disk: Gib(disk) };
        let plan = match self.manager.vm_resize_preview(&self.admin, vm, to).await? {
            PlanAnswer::Planned { plan } => plan,
            other => {
                println!("{what}: {other:?}");
                return Ok(());
            }
        };
        let what = format!("{what}: {} to {to}", plan.kind.as_str());
        let agreement = Agreement { plan, force_off: false, idempotency_key: Uuid::new_v4().to_string() };
        let operation = self.manager.vm_resize(&self.owner, vm, agreement).await?;
        self.ended(&what, operation).await?;
        let vm = self.manager.vm_get(&self.admin, vm).await?;
        println!("    now {} on {:?}, {}", vm.vm.size, vm.node_name, vm.vm.state.as_str());
        Ok(())
    }

    /// Leaves a node this much memory.
    async fn fill(&self, node: &str, free_mib: u64) -> Result<()> {
        let entry = self.manager.node_get(&self.admin, node).await?;
        let memory_mib = entry.physical.memory_mib.saturating_sub(entry.committed.memory_mib + free_mib);
        let reserve = Resources { memory_mib, ..Resources::ZERO };
        let overcommit = Overcommit { vcpus_permille: 4000, ..Overcommit::default() };
        Ok(self.manager.node_settings_set(&self.admin, node, NodeSettings { reserve, overcommit }).await?)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt().with_env_filter("warn,manager=info").with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: story NODES.JSON IMAGES STORE");
    let lab: Lab = serde_json::from_slice(&std::fs::read(next()?)?)?;
    let (images, directory) = (PathBuf::from(next()?), PathBuf::from(next()?));
    let story = open(&lab, images, directory).await?;
    tell(&story).await?;
    story.manager.stop().await;
    Ok(())
}

async fn tell(story: &Story) -> Result<()> {
    println!("waiting for both sets of statistics");
    while story.manager.map().iter().any(|node| node.condition != grid::map::Condition::Ready) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let web = story.deploy("web", "tiny", "qemu-a").await?;
    story.resize("in place live", web, (2, 512, 2)).await?;
    story.resize("shrinks", web, (2, 384, 2)).await?;
    story.resize("in place, restarted", web, (3, 1024, 2)).await?;
    let shop = story.deploy("shop", "tiny", "qemu-a").await?;
    story.fill("qemu-a", 64).await?;
    story.resize("moves live", shop, (2, 512, 2)).await?;
    story.resize("moves live and restarts", web, (5, 1280, 2)).await?;
    let box_ = story.deploy("box", "tiny-container", "lxc-a").await?;
    story.resize("in place live", box_, (2, 512, 1)).await?;
    story.resize("in place, restarted", box_, (2, 512, 2)).await?;
    story.fill("lxc-a", 64).await?;
    story.resize("moves cold", box_, (3, 1024, 2)).await?;
    let stopping = story.manager.vm_stop(&story.owner, shop, false, "stop").await?;
    story.ended("stop", stopping).await?;
    story.fill("qemu-b", 64).await?;
    story.fill("qemu-a", 4096).await?;
    story.resize("stopped, moves cold", shop, (1, 640, 2)).await?;
    let starting = story.manager.vm_start(&story.owner, shop, "start").await?;
    story.ended("start", starting).await?;
    for (name, vm) in [("web", web), ("shop", shop), ("box", box_)] {
        let delete = story.manager.vm_delete(&story.owner, vm, &format!("delete {name}")).await?;
        story.ended(&format!("delete {name}"), delete).await?;
    }
    Ok(())
}

async fn open(lab: &Lab, images: PathBuf, directory: PathBuf) -> Result<Story> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&directory).await?);
    let (mut nodes, mut addresses) = (Vec::new(), BTreeMap::new());
    for node in &lab.nodes {
        let settings = NodeSettings {
            reserve: Resources::ZERO,
            overcommit: Overcommit { vcpus_permille: 4000, ..Overcommit::default() },
        };
        let node_row = Node {
            id: NodeId(Uuid::new_v4()),
            name: node.name.clone(),
            kind: node.kind.parse()?,
            region: "north".into(),
            uri: node.uri.clone(),
            settings,
            administration: Administration::Open,
            failure_domain: None,
        };
        nodes.push(store.node_put(&node_row).await?);
        addresses.insert(node.name.clone(), node.utility_address.clone());
    }
    let small = Size { vcpus: Vcpus(1), memory: Mib(256), disk: Gib(1) };
    store.offer_put(&Offer { name: "small".into(), size: small }).await?;
    let owner = person(&store, Role::Customer).await?;
    let admin = person(&store, Role::Admin).await?;
    let images = ImageLibrary::open(images).await?;
    let files = images.utility_files();
    let directory = Directory::default();
    let hypervisors = nodes.iter().map(|node| directory.connect(node)).collect::<std::result::Result<_, _>>()?;
    let address = format!("{}:7600", lab.manager_address);
    let manager = Manager::open(ManagerOptions {
        store: Arc::clone(&store),
        hypervisors,
        hub: UtilityHub::new(Arc::new(StoreKeys(Arc::clone(&store)))),
        images: Arc::new(images),
        utility: UtilityOptions {
            manager: format!("http://{address}"),
            memory: Mib(128),
            images: UtilityImages { kernel: files.kernel, initrd: files.initrd, root: files.root },
            addresses,
        },
        network: NetworkOptions {
            first: Ipv4Addr::new(10, 77, 1, 1),
            last: Ipv4Addr::new(10, 77, 1, 99),
            prefix_length: 16,
            gateway: None,
        },
        simulated: false,
        pace: Pace::default(),
    })
    .await?;
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let router = manager.utility_router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    manager.start();
    Ok(Story { manager, store, owner, admin })
}

async fn person(store: &Arc<dyn Store>, role: Role) -> Result<Principal> {
    let tenant = TenantId(Uuid::new_v4());
    let limit = Resources { vcpus: 64, memory_mib: 65_536, disk_mib: 65_536 };
    store.tenant_put(tenant, "story", Quota { limit, vms: 10 }).await?;
    let user = UserId(Uuid::new_v4());
    let email = format!("{user}@story.example");
    let row = NewUser { id: user, tenant, email: email.clone(), password_hash: "none".into(), role };
    store.user_create(&row).await?;
    Ok(Principal { user, tenant, email, role })
}
