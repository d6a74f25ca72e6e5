//! Where a story takes place: two nodes of one kind, simulated or real, and what a utility module would do there.

use grid::node::{Administration, Node, NodeSettings};
use grid::vm::Maxima;
use grid::{Gib, HypervisorKind, Mib, NodeId, Size, Vcpus, VmId};
use manager::hypervisor::directory::Directory;
use manager::hypervisor::simulated::{Hardware, SimulatedGrid};
use manager::hypervisor::{Definition, Hypervisor};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit};
use uuid::Uuid;

/// A test that hurts a node has the lab for itself.
static LAB: RwLock<()> = RwLock::const_new(());

/// Guests are emulated: more of them at once would only wait for each other, beyond what each test allows.
static TURNS: Semaphore = Semaphore::const_new(2);

pub(crate) struct Ground {
    pub(crate) kind: HypervisorKind,
    pub(crate) nodes: Vec<Node>,
    pub(crate) hypervisors: Vec<Arc<dyn Hypervisor>>,
    lab: Option<Lab>,
    made: Mutex<Vec<VmId>>,
    simulated: Option<SimulatedGrid>,
    /// A real lab's, let go of when the test is over.
    _turn: Option<Turn>,
}

#[expect(dead_code, reason = "they are held, not read")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>, SemaphorePermit<'static>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Turn {
    async fn shared() -> Self {
        let permit = TURNS.acquire().await.expect("nobody closes it");
        Self::Shared(LAB.read().await, permit)
    }
}

#[derive(Clone, serde::Deserialize)]
struct LabFile {
    name: String,
    index: u32,
    manager_address: String,
    customers_netns: String,
    nodes: Vec<LabNode>,
}

#[derive(Clone, serde::Deserialize)]
pub(crate) struct LabNode {
    pub(crate) name: String,
    kind: String,
    uri: String,
    pub(crate) utility_address: String,
}

/// The lab that `HOSTGRID_LAB` names.
#[derive(Clone)]
pub(crate) struct Lab {
    file: LabFile,
    directory: PathBuf,
}

impl Lab {
    pub(crate) fn open() -> Self {
        let path = std::env::var("HOSTGRID_LAB")
            .expect("HOSTGRID_LAB must name the nodes.json of a running lab (`lab/lab up`; `make test` does it)");
        let path = PathBuf::from(path);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { file, directory: path.parent().map(Path::to_owned).unwrap_or_default() }
    }

    pub(crate) fn manager_address(&self) -> &str {
        &self.file.manager_address
    }

    pub(crate) fn node(&self, name: &str) -> &LabNode {
        self.file.nodes.iter().find(|node| node.name == name).expect("a node of the lab")
    }

    /// The images that `make images` built: in the repository's `var/`, or where `HOSTGRID_IMAGES` says.
    pub(crate) fn image(name: &str) -> PathBuf {
        let directory = std::env::var_os("HOSTGRID_IMAGES")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../var/images"), PathBuf::from);
        let file = directory.join(name);
        std::fs::canonicalize(&file)
            .unwrap_or_else(|error| panic!("{}: {error}; `make images` builds it", file.display()))
    }

    /// `lab COMMAND NODE`, with what follows.
    pub(crate) fn run(&self, command: &str, node: &str, rest: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/lab");
        let mut line = Command::new(script);
        line.args([command, node, "--name", &self.file.name, "--index", &self.file.index.to_string(), "--dir"]);
        line.arg(&self.directory);
        if !rest.is_empty() {
            line.arg("--").args(rest);
        }
        let output = line.output().expect("lab/lab can be run");
        assert!(output.status.success(), "lab {command} {node} {rest:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A shell's line, run in the customers' network.
    pub(crate) fn among_customers(&self, script: &str) {
        let mut line = Command::new("ip");
        line.args(["netns", "exec", &self.file.customers_netns, "bash", "-c", script]);
        let output = line.output().expect("ip can be run");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A shell's line, run inside a node.
    pub(crate) fn inside(&self, node: &str, script: &str) -> String {
        self.run("exec", node, &["sh", "-c", script])
    }
}

fn node(name: &str, kind: HypervisorKind, uri: &str) -> Node {
    Node {
        id: NodeId(Uuid::new_v4()),
        name: name.into(),
        kind,
        region: "north".into(),
        uri: uri.into(),
        settings: NodeSettings::default(),
        administration: Administration::Open,
        failure_domain: None,
    }
}

pub(crate) fn size(vcpus: u32, memory: u64, disk: u64) -> Size {
    Size::new(Vcpus(vcpus), Mib(memory), Gib(disk))
}

impl Ground {
    pub(crate) fn simulated(kind: HypervisorKind) -> Self {
        let grid = SimulatedGrid::new();
        let nodes = ["a", "b"].map(|name| node(name, kind, &format!("simulated:///{name}"))).to_vec();
        for node in &nodes {
            grid.add(node, Hardware::new(8, 16_384, 102_400));
        }
        let directory = Directory::new(grid.clone());
        let hypervisors = nodes.iter().map(|node| directory.connect(node).unwrap()).collect();
        Self { kind, nodes, hypervisors, lab: None, made: Mutex::default(), simulated: Some(grid), _turn: None }
    }

    pub(crate) async fn machines() -> Self {
        Self::real_nodes(false).await
    }

    pub(crate) async fn containers() -> Self {
        Self::real_nodes(true).await
    }

    /// The lab's nodes for containers, or for machines. A test has one ground at a time: it would wait for its own turn.
    pub(crate) async fn real_nodes(containers: bool) -> Self {
        Self::real(Turn::shared().await, |kind| kind.is_container() == containers)
    }

    /// All nodes of the lab, and nobody else on it.
    pub(crate) async fn alone() -> Self {
        Self::real(Turn::Alone(LAB.write().await), |_| true)
    }

    fn real(turn: Turn, wanted: impl Fn(HypervisorKind) -> bool) -> Self {
        let lab = Lab::open();
        let all = lab.file.nodes.iter().map(|it| node(&it.name, it.kind.parse().unwrap(), &it.uri));
        let nodes: Vec<Node> = all.filter(|node| wanted(node.kind)).collect();
        assert!(nodes.len() >= 2, "the lab has too few nodes");
        let directory = Directory::default();
        let hypervisors = nodes.iter().map(|node| directory.connect(node).unwrap()).collect();
        Self {
            kind: nodes[0].kind,
            nodes,
            hypervisors,
            lab: Some(lab),
            made: Mutex::default(),
            simulated: None,
            _turn: Some(turn),
        }
    }

    pub(crate) fn lab(&self) -> &Lab {
        self.lab.as_ref().expect("a real lab")
    }

    pub(crate) fn is_real(&self) -> bool {
        self.lab.is_some()
    }

    /// A VM that does not exist yet.
    pub(crate) fn definition(&self, size: Size, maxima: Size) -> Definition {
        let vm = VmId(Uuid::new_v4());
        self.made.lock().unwrap().push(vm);
        let bytes = vm.0.as_bytes();
        Definition {
            vm,
            title: "web".into(),
            size,
            maxima: Maxima { vcpus: maxima.vcpus, memory: maxima.memory },
            mac: format!("52:54:00:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2]),
            address: Ipv4Addr::new(10, 77, 200, bytes[3]),
        }
    }

    /// Puts a disk of this size and a seed into a node's pool, as a utility module does.
    pub(crate) fn prepare(&self, node: usize, vm: VmId, disk: Gib) {
        let pool = "/var/lib/hostgrid/pool";
        let Some(lab) = &self.lab else {
            self.simulated.as_ref().expect("a grid").disk_put(self.nodes[node].id, vm, disk.bytes());
            return;
        };
        let container = self.nodes[node].kind.is_container();
        let image = Lab::image(if container { "root/tiny-container.raw" } else { "disk/tiny.raw" });
        let seed =
            if container { format!("mkdir -p {pool}/seeds/{vm}") } else { format!("truncate -s 1M {pool}/{vm}.seed") };
        let disk = format!(
            "cp --sparse=always {} {pool}/{vm}.raw && truncate -s {}G {pool}/{vm}.raw",
            image.display(),
            disk.0
        );
        lab.inside(&self.nodes[node].name, &format!("{disk} && {seed}"));
    }

    /// An empty disk for a move to fill, and the seed.
    pub(crate) fn prepare_empty(&self, node: usize, vm: VmId, disk: Gib) {
        match &self.lab {
            None => self.prepare(node, vm, disk),
            Some(lab) => {
                let file = format!("/var/lib/hostgrid/pool/{vm}");
                let script = format!("truncate -s {}G {file}.raw && truncate -s 1M {file}.seed", disk.0);
                lab.inside(&self.nodes[node].name, &script);
            }
        }
    }

    /// What the guest says that it has: its last heartbeat, key by key. Simulated guests say nothing.
    pub(crate) async fn guest(&self, node: usize, vm: VmId) -> Option<BTreeMap<String, String>> {
        let lab = self.lab.as_ref()?;
        let script = if self.nodes[node].kind.is_container() {
            format!("tail -n 1 /var/lib/hostgrid/pool/roots/{vm}/data/heartbeat")
        } else {
            format!(
                "tail -c 4096 /var/lib/hostgrid/pool/{vm}.console | tr -d '\\r' | grep '^hostgrid-guest.*seq=' | tail -n 1"
            )
        };
        // The machine may be busy with a build, and a guest's code is emulated.
        for _ in 0..240 {
            let line = lab.inside(&self.nodes[node].name, &format!("{script} || true"));
            if line.contains(" seq=") {
                let pairs = line.split_whitespace().filter_map(|word| word.split_once('='));
                return Some(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        panic!("no heartbeat of {vm} on {}", self.nodes[node].name);
    }

    /// Waits until the guest sees this value.
    pub(crate) async fn guest_sees(&self, node: usize, vm: VmId, key: &str, value: &str) {
        let mut last = String::new();
        for _ in 0..120 {
            let Some(seen) = self.guest(node, vm).await else { return };
            last = seen.get(key).cloned().unwrap_or_default();
            if last == value {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        panic!("the guest sees {key}={last}, not {value}");
    }

    /// The node's control groups let the VM's process have this much memory and little more.
    pub(crate) fn is_limited_to(&self, node: usize, vm: VmId, mib: u64) {
        let Some(lab) = &self.lab else { return };
        let driver = if self.nodes[node].kind.is_container() { "lxc" } else { "qemu" };
        let script = format!("virsh -c {driver}:///system memtune vm-{vm} --live");
        let line = lab.inside(&self.nodes[node].name, &script);
        let limit = line.lines().find_map(|line| line.strip_prefix("hard_limit")).unwrap_or_default();
        let kib: u64 = limit.trim_matches([' ', ':']).parse().unwrap_or(u64::MAX);
        assert!((mib..mib + 1024).contains(&(kib / 1024)), "{mib} MiB are limited by {line}");
    }

    /// The VM's interface is limited to this many kilobytes a second each way, running or by its configuration.
    pub(crate) fn is_limited_to_kilobytes(&self, node: usize, vm: &Definition, kilobytes: u64, live: bool) {
        let Some(lab) = &self.lab else { return };
        let Definition { vm, mac, .. } = vm;
        // The driver of containers answers no such question.
        let script = match (self.nodes[node].kind.is_container(), live) {
            (true, true) => format!("virsh -c lxc:///system dumpxml vm-{vm}"),
            (true, false) => format!("virsh -c lxc:///system dumpxml --inactive vm-{vm}"),
            (false, true) => format!("virsh -c qemu:///system domiftune vm-{vm} {mac} --live"),
            (false, false) => format!("virsh -c qemu:///system domiftune vm-{vm} {mac} --config"),
        };
        let told = lab.inside(&self.nodes[node].name, &script);
        for way in ["inbound.average", "outbound.average", "<inbound average=", "<outbound average="] {
            if way.starts_with('<') != self.nodes[node].kind.is_container() {
                continue;
            }
            let average = told.lines().find_map(|line| line.trim().strip_prefix(way)).unwrap_or("0");
            assert_eq!(average.trim_matches([' ', ':', '\'', '/', '>']).parse(), Ok(kilobytes), "{way}: {told}");
        }
    }

    /// Whether the node's kernel has what libvirt limits interfaces with: a queue, a filter and a policer.
    pub(crate) fn can_limit_interfaces(&self, node: usize) -> bool {
        let Some(lab) = &self.lab else { return true };
        let script = "ip link add hgtry type veth peer name hgtried && tc qdisc add dev hgtry root handle 1: htb default 1 \
            && tc class add dev hgtry parent 1: classid 1:1 htb rate 8mbit \
            && tc qdisc add dev hgtry parent 1:1 handle 2: sfq perturb 10 \
            && tc filter add dev hgtry parent 1:0 protocol all prio 1 handle 1 fw flowid 1 \
            && tc qdisc add dev hgtry ingress \
            && tc filter add dev hgtry parent ffff: protocol all u32 match u32 0 0 \
                police rate 8mbit burst 64kb mtu 64kb drop flowid :1 && echo can; ip link del hgtry";
        lab.inside(&self.nodes[node].name, &format!("({script}) 2>/dev/null; true")).contains("can")
    }

    /// How long the VM may stand still at the end of its live move, in milliseconds; what nobody asks of a simulated one.
    pub(crate) fn allowed_downtime_ms(&self, node: usize, vm: VmId) -> Option<u64> {
        let script = format!("virsh -q -c qemu:///system migrate-getmaxdowntime vm-{vm}");
        self.lab.as_ref().map(|lab| lab.inside(&self.nodes[node].name, &script).trim().parse().expect("a number"))
    }

    /// Makes a move of the VM take long enough to be stopped.
    pub(crate) fn slow_down(&self, node: usize, vm: VmId) {
        match &self.lab {
            None => self.simulated.as_ref().expect("a grid").set_pace(std::time::Duration::from_millis(50)),
            Some(lab) => {
                let script = format!("virsh -c qemu:///system migrate-setspeed vm-{vm} 1");
                lab.inside(&self.nodes[node].name, &script);
            }
        }
    }

    /// Leaves nothing of the VM anywhere.
    pub(crate) async fn clean(&self, vm: VmId) {
        for (node, hypervisor) in self.nodes.iter().zip(&self.hypervisors) {
            let _ = hypervisor.force_off(vm).await;
            hypervisor.undefine(vm).await.unwrap();
            assert_eq!(hypervisor.observe(vm).await, Ok(None));
            if let Some(lab) = &self.lab {
                let pool = "/var/lib/hostgrid/pool";
                lab.inside(&node.name, &format!("rm -rf {pool}/{vm}.* {pool}/seeds/{vm}"));
            }
        }
    }
}

/// A story that failed leaves nothing that eats the machine.
impl Drop for Ground {
    fn drop(&mut self) {
        let (true, Some(lab)) = (std::thread::panicking(), &self.lab) else { return };
        for vm in self.made.lock().unwrap().iter() {
            for node in &self.nodes {
                let virsh = format!("virsh -q -c {}:///system", if node.kind.is_container() { "lxc" } else { "qemu" });
                let files = format!("rm -rf /var/lib/hostgrid/pool/{vm}.*");
                let script =
                    format!("({virsh} destroy vm-{vm}; {virsh} undefine vm-{vm}; {files}) >/dev/null 2>&1; true");
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lab.inside(&node.name, &script)));
            }
        }
    }
}
