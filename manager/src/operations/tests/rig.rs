//! A grid to try things on: two nodes of each of two kinds, simulated; a store in a temporary file; a manager that is
//! quick about everything. It can be stopped in the middle and opened again over the same grid and store.

use crate::accounts::{Principal, Role};
use crate::drift::Drift;
use crate::hypervisor::simulated::{Hardware, SimulatedGrid};
use crate::hypervisor::{Hypervisor, UtilityImages};
use crate::lease::Lease;
use crate::operations::trial::Orders;
use crate::store::Store;
use crate::store::rows::NewUser;
use crate::store::sqlite::SqliteStore;
use crate::utility::simulated::{SimulatedTransfers, SimulatedUtility};
use crate::utility::{ImageLibrary, MemoryKeys, UtilityHub};
use crate::vms::{Agreement, DeployRequest};
use crate::{Manager, ManagerOptions, NetworkOptions, Pace, UtilityOptions, clock, simulation};
use grid::map::{Condition, Freshness};
use grid::node::{Administration, Node, NodeSettings};
use grid::offer::{Offer, Quota};
use grid::operation::{Operation, OperationState};
use grid::plan::{Plan, PlanAnswer};
use grid::vm::{Vm, VmState};
use grid::{
    Gib, HypervisorKind, Mib, NodeId, OperationId, Resource, Resources, Size, TenantId, UnixMillis, UserId, Vcpus, VmId,
};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const TINY: Size = Size::new(Vcpus(1), Mib(128), Gib(1));

pub(crate) struct Rig {
    pub(crate) grid: SimulatedGrid,
    pub(crate) hub: Arc<UtilityHub>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) nodes: BTreeMap<&'static str, Node>,
    pub(crate) hypervisors: BTreeMap<&'static str, Arc<dyn Hypervisor>>,
    pub(crate) modules: BTreeMap<&'static str, Arc<SimulatedUtility>>,
    pub(crate) manager: Manager,
    pub(crate) customer: Principal,
    pub(crate) stranger: Principal,
    pub(crate) admin: Principal,
    /// What the manager is opened with the next time.
    pub(crate) lease: Lease,
    images: tempfile::TempDir,
}

pub(crate) const fn size(vcpus: u32, memory: u64, disk: u64) -> Size {
    Size::new(Vcpus(vcpus), Mib(memory), Gib(disk))
}

fn pace() -> Pace {
    Pace {
        sample_every: Duration::from_millis(40),
        sample_deadline: Duration::from_millis(300),
        history_every: Duration::from_secs(1),
        freshness: Freshness { stale_after_ms: 3_000 },
        utility_dead_after: Duration::from_millis(2_500),
        utility_back_off: Duration::from_millis(100),
        shut_down: Duration::from_millis(200),
        short_step: Duration::from_secs(5),
        long_step: Duration::from_secs(5),
        verify: Duration::from_millis(500),
        answer: Duration::from_millis(200),
        retry_first: Duration::from_millis(5),
        tries: 3,
        unknown: Duration::from_millis(200),
        schedule_every: Duration::from_millis(100),
        ..Pace::default()
    }
}

/// Six vCPUs, 2 GiB and a pool of 20 GiB each; the second LXC node has more.
fn hardware(name: &str) -> Hardware {
    if name == "lxc-b" { Hardware::new(12, 4096, 40 * 1024) } else { Hardware::new(6, 2048, 20 * 1024) }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_temporary().await.unwrap());
        let grid = SimulatedGrid::new();
        let hub = UtilityHub::new(Arc::new(MemoryKeys::default()));
        let transfers = SimulatedTransfers::default();
        let (mut nodes, mut hypervisors, mut modules) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (name, kind) in [
            ("qemu-a", HypervisorKind::Qemu),
            ("qemu-b", HypervisorKind::Qemu),
            ("lxc-a", HypervisorKind::Lxc),
            ("lxc-b", HypervisorKind::Lxc),
        ] {
            let node = store.node_put(&node(name, kind)).await.unwrap();
            let (hypervisor, module) = simulation::add_node(&grid, &hub, &transfers, &node, hardware(name), &[]);
            tokio::spawn(Arc::clone(&module).report_for_ever(Arc::clone(&hub), Duration::from_millis(40)));
            nodes.insert(name, node);
            hypervisors.insert(name, hypervisor);
            modules.insert(name, module);
        }
        for (name, size) in [("tiny", TINY), ("large", size(4, 1024, 2)), ("huge", size(100, 1024, 2))] {
            store.offer_put(&Offer { name: name.into(), size }).await.unwrap();
        }
        let customer = person(store.as_ref(), "ann@one.example", Role::Customer).await;
        let stranger = person(store.as_ref(), "bob@two.example", Role::Customer).await;
        let admin = person(store.as_ref(), "eve@host.example", Role::Admin).await;
        let images = images();
        let lease = Lease::sole();
        let manager = open(&store, &hub, &hypervisors, &images, lease.clone()).await;
        let rig =
            Self { grid, hub, store, nodes, hypervisors, modules, manager, customer, stranger, admin, lease, images };
        rig.manager.start();
        rig.until_ready().await;
        rig
    }

    /// Stops the manager where it stands and opens another over the same store and grid.
    pub(crate) async fn reopen(&mut self) {
        self.manager.stop().await;
        self.manager = open(&self.store, &self.hub, &self.hypervisors, &self.images, self.lease.clone()).await;
        self.manager.start();
    }

    pub(crate) fn order(&self, orders: Orders) {
        self.manager.shared.trial.order(orders);
    }

    pub(crate) fn id(&self, node: &str) -> NodeId {
        self.nodes[node].id
    }

    pub(crate) async fn until_ready(&self) {
        self.until("all nodes are ready", || {
            let map = self.manager.map();
            map.nodes().len() == 4 && map.iter().all(|node| node.condition == Condition::Ready)
        })
        .await;
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..1_500 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not so: {what}");
    }

    pub(crate) fn request(name: &str, image: &str) -> DeployRequest {
        DeployRequest {
            name: name.into(),
            image: image.into(),
            offer: "tiny".into(),
            region: "north".into(),
            keys: String::new(),
            idempotency_key: Uuid::new_v4().to_string(),
        }
    }

    /// Waits until the operation is over.
    pub(crate) async fn ended(&self, id: OperationId) -> Operation {
        for _ in 0..1000 {
            let operation = self.store.operation_get(id).await.unwrap().unwrap();
            if operation.state.is_over() {
                return operation;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not over: {:#?}", self.store.operation_get(id).await);
    }

    /// Waits until the step at this position has been begun; with `undoing`, until its undo has.
    pub(crate) async fn reached(&self, id: OperationId, position: u32, undoing: bool) {
        use grid::operation::StepState::{Started, UndoStarted};
        let wanted = if undoing { UndoStarted } else { Started };
        for _ in 0..1000 {
            let operation = self.store.operation_get(id).await.unwrap().unwrap();
            if operation.steps.iter().any(|step| step.position == position && step.state == wanted) {
                tokio::time::sleep(Duration::from_millis(40)).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("step {position} was not reached: {:#?}", self.store.operation_get(id).await);
    }

    /// The reconciler looks twice, each time at samples that are younger than this call; of a node that is silent there are
    /// none, and nobody waits for it for long.
    pub(crate) async fn looks(&self) -> Vec<Drift> {
        for _ in 0..2 {
            let began = clock::now();
            tokio::time::sleep(Duration::from_millis(120)).await;
            for _ in 0..100 {
                let map = self.manager.map();
                let is_young = |at: Option<UnixMillis>| at > Some(began);
                let mut ready = map.iter().filter(|node| node.condition == Condition::Ready);
                if ready.all(|node| {
                    let utility = node.utility.as_ref().map(|it| it.at);
                    is_young(node.hypervisor.as_ref().map(|it| it.at)) && is_young(utility)
                }) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.manager.reconciler.look().await.unwrap();
        }
        self.manager.drift_list(&self.admin).await.unwrap()
    }

    pub(crate) async fn succeeded(&self, id: OperationId) -> Operation {
        let operation = self.ended(id).await;
        assert_eq!(operation.state, OperationState::Succeeded, "{operation:#?}");
        operation
    }

    /// A running tiny VM of this image's kind on this node.
    pub(crate) async fn vm_on(&self, node: &str) -> VmId {
        let others: Vec<&str> = self.nodes.keys().copied().filter(|name| *name != node).collect();
        for other in &others {
            self.manager.node_administration_set(&self.admin, other, Administration::Cordoned).await.unwrap();
        }
        let image = if node.starts_with("lxc") { "root-tiny" } else { "disk-tiny" };
        let name = format!("vm-{}", &Uuid::new_v4().simple().to_string()[..8]);
        let (vm, operation) = self.manager.vm_deploy(&self.customer, Self::request(&name, image)).await.unwrap();
        self.succeeded(operation).await;
        for other in &others {
            self.manager.node_administration_set(&self.admin, other, Administration::Open).await.unwrap();
        }
        assert_eq!(self.vm(vm).await.node, self.id(node));
        vm
    }

    /// Leaves no room for growth on a node, by keeping its memory back for the host.
    pub(crate) async fn fill(&self, node: &str, free_mib: u64) {
        self.fill_up(node, Resource::Memory, free_mib).await;
    }

    /// The same for any resource, of which so much is left.
    pub(crate) async fn fill_up(&self, node: &str, resource: Resource, free: u64) {
        let entry = self.manager.node_get(&self.admin, node).await.unwrap();
        let kept = entry.physical.get(resource) - entry.committed.get(resource) - free;
        let reserve = Resources::ZERO.with(resource, kept);
        let settings = NodeSettings { reserve, ..NodeSettings::default() };
        self.manager.node_settings_set(&self.admin, node, settings).await.unwrap();
    }

    pub(crate) async fn vm(&self, vm: VmId) -> Vm {
        self.store.vm_get(vm).await.unwrap().unwrap()
    }

    pub(crate) async fn plan(&self, vm: VmId, to: Size) -> Plan {
        self.plan_as(&self.customer, vm, to).await
    }

    pub(crate) async fn plan_as(&self, principal: &Principal, vm: VmId, to: Size) -> Plan {
        match self.manager.vm_resize_preview(principal, vm, to).await.unwrap() {
            PlanAnswer::Planned { plan } => plan,
            other => panic!("no plan: {other:#?}"),
        }
    }

    pub(crate) fn agree(plan: &Plan) -> Agreement {
        Agreement { plan: plan.clone(), force_off: false, idempotency_key: Uuid::new_v4().to_string() }
    }

    pub(crate) async fn resize(&self, vm: VmId, to: Size) -> OperationId {
        let plan = self.plan(vm, to).await;
        self.manager.vm_resize(&self.customer, vm, Self::agree(&plan)).await.unwrap()
    }

    /// What must be true whenever no operation runs.
    pub(crate) async fn check(&self) {
        assert_eq!(self.store.reservation_list().await.unwrap(), [], "reservations leak");
        let vms = self.store.vm_list(None).await.unwrap();
        for vm in &vms {
            self.check_vm(vm).await;
        }
        for tenant in [&self.customer, &self.stranger] {
            let standing = self.store.tenant_standing(tenant.tenant).await.unwrap();
            let mine = vms.iter().filter(|vm| vm.tenant == tenant.tenant);
            let there = mine.clone().filter(|vm| vm.state != VmState::Failed);
            let sum = there.map(|vm| Resources::from(vm.size)).fold(Resources::ZERO, Resources::plus);
            assert_eq!(
                (standing.used, standing.vms),
                (sum, u32::try_from(mine.count()).unwrap()),
                "the quota is charged wrongly"
            );
        }
    }

    async fn check_vm(&self, vm: &Vm) {
        let runs = vm.state == VmState::Running;
        assert_eq!(self.grid.executing(vm.id), if runs { vec![vm.node] } else { vec![] }, "{vm:?}");
        for (name, node) in &self.nodes {
            let home = node.id == vm.node && vm.state != VmState::Failed;
            let seen = self.hypervisors[name].observe(vm.id).await.unwrap();
            assert_eq!(seen.is_some(), home, "{name} defines it: {vm:?}");
            assert_eq!(self.grid.disk(node.id, vm.id).is_some(), home, "{name} has its disk: {vm:?}");
            let Some(seen) = seen else { continue };
            assert_eq!(seen.persistent, Some(vm.size), "{name}: {vm:?}");
            assert_eq!(seen.live, runs.then_some(vm.size), "{name}: {vm:?}");
            assert_eq!(self.grid.disk(node.id, vm.id), Some(vm.size.disk.bytes()), "{name}: {vm:?}");
            assert_eq!(seen.mac, vm.mac);
        }
    }
}

async fn open(
    store: &Arc<dyn Store>,
    hub: &Arc<UtilityHub>,
    hypervisors: &BTreeMap<&'static str, Arc<dyn Hypervisor>>,
    images: &tempfile::TempDir,
    lease: Lease,
) -> Manager {
    let nowhere = || std::path::PathBuf::from("/nonexistent");
    Manager::open(ManagerOptions {
        store: Arc::clone(store),
        hypervisors: hypervisors.values().cloned().collect(),
        hub: Arc::clone(hub),
        images: Arc::new(ImageLibrary::open(images.path().to_path_buf()).await.unwrap()),
        utility: UtilityOptions {
            manager: "http://192.0.2.1:1".into(),
            memory: Mib(64),
            images: UtilityImages { kernel: nowhere(), initrd: nowhere(), root: nowhere() },
            addresses: hypervisors.keys().map(|name| ((*name).to_owned(), "192.0.2.2/24".to_owned())).collect(),
        },
        network: NetworkOptions {
            first: Ipv4Addr::new(10, 77, 1, 1),
            last: Ipv4Addr::new(10, 77, 1, 99),
            prefix_length: 16,
            gateway: None,
            name_servers: Vec::new(),
        },
        simulated: true,
        lease,
        pace: pace(),
    })
    .await
    .unwrap()
}

fn node(name: &str, kind: HypervisorKind) -> Node {
    Node {
        id: NodeId(Uuid::new_v4()),
        name: name.into(),
        kind,
        region: "north".into(),
        uri: format!("simulated:///{name}"),
        settings: NodeSettings::default(),
        administration: Administration::Open,
        failure_domain: None,
    }
}

fn images() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for family in ["disk", "root"] {
        std::fs::create_dir(folder.path().join(family)).unwrap();
        std::fs::write(folder.path().join(family).join(format!("{family}-tiny.raw")), family).unwrap();
    }
    folder
}

async fn person(store: &dyn Store, email: &str, role: Role) -> Principal {
    let tenant = TenantId(Uuid::new_v4());
    let quota = Quota { limit: Resources::new(24, 8192, 40 * 1024).with(Resource::Network, Quota::NO_LIMIT), vms: 8 };
    store.tenant_put(tenant, email, quota).await.unwrap();
    let user = UserId(Uuid::new_v4());
    let row = NewUser { id: user, tenant, email: email.into(), password_hash: "none".into(), role };
    store.user_create(&row).await.unwrap();
    Principal { user, tenant, email: email.into(), role }
}
