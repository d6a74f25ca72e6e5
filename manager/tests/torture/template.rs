//! The grid before anything goes wrong: two nodes of each of two kinds, a VM that runs on the first of each kind and one
//! that is off; kept as files, from which every trial starts.

use crate::database::Backstage;
use grid::UnixMillis;
use grid::node::{Administration, Node, NodeSettings};
use grid::offer::{Offer, Quota};
use grid::operation::{OperationKind, OperationState, StepState};
use grid::vm::{Maxima, Vm, VmState};
use grid::{Gib, HypervisorKind, Mib, NodeId, OperationId, Resource, Resources, Size, TenantId, UserId, Vcpus, VmId};
use manager::accounts::{Principal, Role};
use manager::hypervisor::simulated::{Hardware, SimulatedGrid};
use manager::hypervisor::{Definition, Hypervisor, UtilityConfiguration, UtilityImages};
use manager::store::rows::{AuditRow, NewOperation, NewUser, NewVm, OperationEnd};
use manager::store::sqlite::SqliteStore;
use manager::store::{AccountStore, NodeStore, OperationStore, VmStore};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub(crate) const TINY: Size = Size::new(Vcpus(1), Mib(128), Gib(1));
/// The machine where it can shrink while it runs.
const ROOMY: Size = Size::new(Vcpus(1), Mib(512), Gib(1));
const MAXIMA: Maxima = Maxima { vcpus: Vcpus(4), memory: Mib(640) };

/// Which node has no room for growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Full {
    Nobody,
    Qemu,
    Lxc,
    /// The first QEMU node has no room unless a VM leaves it, and the second just for that one.
    Tight,
    /// The first QEMU node has no vCPU left, and the machine there has memory to give back.
    Vcpus,
    /// The first QEMU node is dead and fenced; nothing is full.
    Fenced,
}

impl Full {
    pub(crate) const ALL: [Self; 6] = [Self::Nobody, Self::Qemu, Self::Lxc, Self::Tight, Self::Vcpus, Self::Fenced];
}

#[derive(Debug)]
pub(crate) struct Template {
    folder: tempfile::TempDir,
    pub(crate) nodes: Vec<Node>,
    pub(crate) customer: Principal,
    pub(crate) admin: Principal,
    /// Runs on the first QEMU node.
    pub(crate) machine: VmId,
    /// Runs on the first LXC node.
    pub(crate) container: VmId,
    /// Off, on the first QEMU node.
    pub(crate) stopped: VmId,
    /// The node that is dead and fenced, by its number.
    pub(crate) fenced: Option<usize>,
}

/// On tmpfs where there is one: what is tried here is not the disk.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(crate) fn hardware(name: &str) -> Hardware {
    if name == "lxc-b" { Hardware::new(12, 4096, 40 * 1024) } else { Hardware::new(6, 2048, 20 * 1024) }
}

impl Template {
    pub(crate) fn new(backstage: &Backstage, full: Full) -> Self {
        let folder = folder();
        let grid = SimulatedGrid::kept_at(folder.path().join("grid.json")).unwrap();
        let store = backstage.open(folder.path());
        let template = backstage.block_on(Self::fill(folder, &grid, &store, full));
        drop(store);
        // Its connections close by themselves, each in its thread; the last one folds the journal in.
        for _ in 0..500 {
            if !template.folder.path().join("hostgrid.db-wal").exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        template
    }

    async fn fill(folder: tempfile::TempDir, grid: &SimulatedGrid, store: &SqliteStore, full: Full) -> Self {
        let mut nodes = Vec::new();
        for (number, name) in ["qemu-a", "qemu-b", "lxc-a", "lxc-b"].into_iter().enumerate() {
            let node = store.node_put(&node(number, name, full)).await.unwrap();
            let hypervisor = grid.add(&node, hardware(name));
            hypervisor.utility_start(&utility()).await.unwrap();
            nodes.push(node);
        }
        for (name, size) in [("tiny", TINY)] {
            store.offer_put(&Offer { name: name.into(), size }).await.unwrap();
        }
        let customer = person(store, 1, Role::Customer).await;
        let admin = person(store, 2, Role::Admin).await;
        let mut vms = Vec::new();
        let machine = if full == Full::Vcpus { ROOMY } else { TINY };
        for (number, at, size, runs) in [(1, 0, machine, true), (2, 2, TINY, true), (3, 0, TINY, false)] {
            vms.push(deployed(store, grid, &nodes[at], &customer, number, size, runs).await);
        }
        let [machine, container, stopped] = vms[..] else { unreachable!() };
        let fenced = (full == Full::Fenced).then_some(0);
        if let Some(dead) = fenced {
            grid.power_fail(nodes[dead].id);
            store.node_fenced_set(nodes[dead].id, true, &said(&admin)).await.unwrap();
        }
        Self { folder, nodes, customer, admin, machine, container, stopped, fenced }
    }

    /// Copies it to another folder.
    pub(crate) fn copy(&self, to: &Path) -> PathBuf {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        to.join("grid.json")
    }
}

fn node(number: usize, name: &str, full: Full) -> Node {
    let kind = if name.starts_with("qemu") { HypervisorKind::Qemu } else { HypervisorKind::Lxc };
    // What is there already fits, and no growth does.
    let kept_mib = match (full, name) {
        (Full::Qemu | Full::Tight, "qemu-a") | (Full::Lxc, "lxc-a") => 1_400,
        (Full::Tight, "qemu-b") => 1_630,
        _ => 0,
    };
    let kept_vcpus = if (full, name) == (Full::Vcpus, "qemu-a") { 4 } else { 0 };
    let reserve = Resources::ZERO.with(Resource::Memory, kept_mib).with(Resource::Vcpus, kept_vcpus);
    Node {
        id: NodeId(Uuid::from_u128(0x1000 + number as u128 * 16)),
        name: name.into(),
        kind,
        region: "north".into(),
        uri: format!("simulated:///{name}"),
        settings: NodeSettings { reserve, ..NodeSettings::default() },
        administration: Administration::Open,
        failure_domain: None,
    }
}

fn said(admin: &Principal) -> AuditRow {
    AuditRow {
        at: UnixMillis(1_700_000_000_000),
        actor: Some(admin.user),
        tenant: Some(admin.tenant),
        action: "node_fence".into(),
        target: "qemu-a".into(),
        outcome: "accepted".into(),
    }
}

fn utility() -> UtilityConfiguration {
    let nowhere = || PathBuf::from("/nonexistent");
    UtilityConfiguration {
        manager: String::new(),
        token: String::new(),
        address: "192.0.2.2/24".into(),
        memory: Mib(64),
        images: UtilityImages { kernel: nowhere(), initrd: nowhere(), root: nowhere() },
    }
}

async fn person(store: &SqliteStore, number: u128, role: Role) -> Principal {
    let (tenant, user) = (TenantId(Uuid::from_u128(0x2000 + number)), UserId(Uuid::from_u128(0x3000 + number)));
    let email = format!("{number}@example.org");
    let quota = Quota { limit: Resources::new(64, 65_536, 400 * 1024), vms: 20 };
    store.tenant_put(tenant, &email, quota).await.unwrap();
    let row = NewUser { id: user, tenant, email: email.clone(), password_hash: "none".into(), role };
    store.user_create(&row).await.unwrap();
    Principal { user, tenant, email, role }
}

/// A VM as a deployment leaves it, in the store and on its node.
async fn deployed(
    store: &SqliteStore,
    grid: &SimulatedGrid,
    node: &Node,
    owner: &Principal,
    number: u128,
    size: Size,
    runs: bool,
) -> VmId {
    let id = VmId(Uuid::from_u128(0x4000 + number));
    let operation = OperationId(Uuid::from_u128(0x5000 + number));
    let now = UnixMillis(1_700_000_000_000);
    let mac = format!("52:54:00:00:00:{number:02x}");
    let vm = Vm {
        id,
        name: format!("vm-{number}"),
        tenant: owner.tenant,
        owner: owner.user,
        node: node.id,
        kind: node.kind,
        region: node.region.clone(),
        image: if node.kind.is_container() { "root-tiny".into() } else { "disk-tiny".into() },
        size,
        maxima: MAXIMA,
        state: VmState::Deploying,
        mac: mac.clone(),
        address: Ipv4Addr::UNSPECIFIED,
        keys: String::new(),
        created_at: now,
        generation: 0,
    };
    let new = NewOperation {
        id: operation,
        kind: OperationKind::Deploy { vm: id, node: node.id, size },
        tenant: owner.tenant,
        actor: owner.user,
        idempotency_key: format!("template-{number}"),
        generation: None,
        deploy: Some(NewVm { vm: vm.clone(), addresses: (Ipv4Addr::new(10, 77, 1, 1), Ipv4Addr::new(10, 77, 1, 99)) }),
        reservations: vec![(node.id, grid::vm::commitment(node.kind, size))],
        quota_delta: size.into(),
        steps: vec!["settle"],
        relocation: None,
        now,
    };
    store.operation_begin(&new, &[]).await.unwrap();
    let address = store.vm_get(id).await.unwrap().unwrap().address;
    let hypervisor = grid.hypervisor(node);
    grid.disk_put(node.id, id, size.disk.bytes());
    let definition = Definition { vm: id, title: vm.name, size, maxima: MAXIMA, mac, address };
    hypervisor.define(&definition).await.unwrap();
    if runs {
        hypervisor.start(id).await.unwrap();
    }
    store.vm_state_set(id, if runs { VmState::Running } else { VmState::Stopped }, None).await.unwrap();
    let epoch = store.operation_claim(operation).await.unwrap();
    store.step_set(operation, epoch, 0, StepState::Done, None, now).await.unwrap();
    let end = OperationEnd {
        state: OperationState::Succeeded,
        reason: None,
        detail: None,
        downtime_ms: None,
        called_ms: 0,
        given_up_by: None,
        now,
    };
    store.operation_end(operation, epoch, &end).await.unwrap();
    id
}
