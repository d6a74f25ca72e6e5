//! A server of its own, seeded: ada and ben of two tenants with a VM each, and an admin, on four simulated nodes.

use crate::browser::{Answer, Browser};
use grid::operation::OperationKind;
use manager::store::OperationStore;
use manager::store::sqlite::SqliteStore;
use serde::Deserialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub(crate) const NODES: [(&str, &str); 4] =
    [("qemu-a", "qemu"), ("qemu-b", "qemu"), ("lxc-a", "lxc"), ("lxc-b", "lxc")];

const SEED: &str = r#"
offer = [{ name = "small", vcpus = 1, memory_mib = 256, disk_gib = 1 }]
tenant = [
    { name = "Operations", quota = { vcpus = 0, memory_mib = 0, disk_gib = 0, vms = 0 } },
    { name = "Acorn", quota = { vcpus = 24, memory_mib = 8192, disk_gib = 64, vms = 9 } },
    { name = "Birch", quota = { vcpus = 24, memory_mib = 8192, disk_gib = 64, vms = 9 } },
]
user = [
    { email = "admin@hostgrid.example", tenant = "Operations", role = "admin" },
    { email = "ada@acorn.example", tenant = "Acorn", role = "customer" },
    { email = "ben@birch.example", tenant = "Birch", role = "customer" },
]
vm = [
    { name = "shop", owner = "ada@acorn.example", image = "tiny", offer = "small" },
    { name = "render", owner = "ben@birch.example", image = "tiny", offer = "small" },
]
"#;

/// Ends the server when its standard input ends, with this process at the latest, and removes its folder; or when it is
/// told anything, and keeps it.
const KEEPER: &str = r#"exec 3<&0; "$@" </dev/null & read -r last <&3; kill -TERM $!; wait $!; code=$?; [ "$last" ] || rm -rf "$FOLDER"; exit $code"#;

/// A script in a server's folder by which it is started, where there is one: it must become the command that it is given.
pub(crate) const AROUND: &str = "around";

#[derive(Debug)]
pub(crate) struct Server {
    keeper: Child,
    folder: PathBuf,
    pub(crate) web: u16,
    pub(crate) utility: u16,
    pub(crate) metrics: u16,
    pub(crate) lab: Lab,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Lab {
    pub(crate) users: Vec<User>,
    pub(crate) vms: Vec<Vm>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct User {
    pub(crate) email: String,
    pub(crate) password: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Vm {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The one that all tests share which leave it as it is.
pub(crate) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::start)
}

pub(crate) fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hostgrid-served-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A configuration in `folder`: ports for pages, modules and metrics; `uri` of a node by its name.
pub(crate) fn configure(folder: &Path, [web, utility, metrics]: [u16; 3], uri: impl Fn(&str) -> String) {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mut text = format!(
        "web = {{ address = \"127.0.0.1:{web}\", url = \"http://127.0.0.1:{web}\", site = \"{}\", \
         metrics_address = \"127.0.0.1:{metrics}\" }}\n\
         utility = {{ address = \"127.0.0.1:{utility}\", memory_mib = 128 }}\n\
         storage = {{ directory = \"{}\" }}\nimages = {{ directory = \"{}\" }}\n\
         network = {{ first = \"10.77.1.1\", last = \"10.77.1.99\", prefix_length = 16 }}\n",
        path("site"),
        path("data"),
        path("images"),
    );
    for (name, kind) in NODES {
        writeln!(
            text,
            "[[node]]\nname = \"{name}\"\nkind = \"{kind}\"\nregion = \"north\"\nuri = '{}'\nutility_address = \"127.0.0.2/8\"",
            uri(name)
        )
        .unwrap();
    }
    for image in ["disk/tiny.raw", "root/tiny-container.raw", "utility/vmlinuz", "utility/initrd", "utility/root.raw"] {
        let image = folder.join("images").join(image);
        std::fs::create_dir_all(image.parent().unwrap()).unwrap();
        std::fs::write(image, vec![0; 4096]).unwrap();
    }
    std::fs::write(folder.join("hostgrid.toml"), text).unwrap();
    std::fs::write(folder.join("seed.toml"), SEED).unwrap();
}

/// What the program answers to these words, in a folder.
pub(crate) fn command(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hostgrid")).args(words).current_dir(folder).output().unwrap()
}

/// All that it said.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Writes a file of a folder anew.
pub(crate) fn edit(folder: &Path, name: &str, change: impl FnOnce(&str) -> String) {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, change(&text)).unwrap();
}

/// Waits until it is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(90), "not so: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::begin().seeded()
    }

    /// One that is not seeded yet.
    pub(crate) fn begin() -> Self {
        Self::begin_at([free_port(), free_port(), free_port()])
    }

    /// The same, with its metrics beside the pages.
    pub(crate) fn begin_with_metrics_beside_its_pages() -> Self {
        let web = free_port();
        Self::begin_at([web, free_port(), web])
    }

    /// One that is not seeded yet, with this done to its folder before.
    pub(crate) fn begin_changed(change: impl FnOnce(&Path)) -> Self {
        Self::begin_in([free_port(), free_port(), free_port()], change)
    }

    fn begin_at(ports: [u16; 3]) -> Self {
        Self::begin_in(ports, |_| {})
    }

    fn begin_in(ports: [u16; 3], change: impl FnOnce(&Path)) -> Self {
        let folder = folder();
        configure(&folder, ports, |name| format!("simulated:///{name}"));
        change(&folder);
        Self::spawn(folder, ports)
    }

    /// What it answers to a visitor, once it answers at all.
    pub(crate) fn first_answer(&mut self, path: &str) -> Answer {
        self.until("it answers", |server| {
            std::net::TcpStream::connect(("127.0.0.1", server.web)).ok()?;
            Some(server.visitor().page(path))
        })
    }

    /// Stops it, and starts it once more with all that it kept.
    pub(crate) fn again(self) -> Self {
        self.again_after(|_| {})
    }

    /// The same, with this done to its folder in between.
    pub(crate) fn again_after(mut self, change: impl FnOnce(&Path)) -> Self {
        self.end();
        drop(std::fs::remove_file(self.folder.join("lab.json")));
        change(&self.folder);
        Self::spawn(self.folder.clone(), [self.web, self.utility, self.metrics]).seeded()
    }

    /// Stops it, and leaves its folder as it is.
    pub(crate) fn end(&mut self) {
        self.keeper.stdin.take().unwrap().write_all(b"keep\n").unwrap();
        assert!(self.keeper.wait().unwrap().success(), "{}", self.log());
    }

    /// The same without this node, which is as if it had died meanwhile.
    pub(crate) fn again_without(self, node: &str) -> Self {
        self.again_after(|folder| {
            edit(folder, "hostgrid.toml", |configuration| {
                let is_other = |block: &&str| !block.contains(&format!("name = \"{node}\""));
                configuration.split("[[node]]").filter(is_other).collect::<Vec<_>>().join("[[node]]")
            });
        })
    }

    fn spawn(folder: PathBuf, [web, utility, metrics]: [u16; 3]) -> Self {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let around: &[&str] = if folder.join(AROUND).exists() { &["sh", AROUND] } else { &[] };
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh"])
            .args(around)
            .args([env!("CARGO_BIN_EXE_hostgrid"), "serve", "--config", "hostgrid.toml"])
            .args(["--seed", "seed.toml", "--lab-file", "lab.json"])
            .current_dir(&folder)
            .env("FOLDER", &folder)
            .env("NO_COLOR", "1")
            .env("HOSTGRID__OPERATIONS__RECONCILE_SECONDS", "5")
            .env_remove("HOSTGRID_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { keeper, folder, web, utility, metrics, lab: Lab { users: Vec::new(), vms: Vec::new() } }
    }

    pub(crate) fn seeded(mut self) -> Self {
        let text = self.until("it is seeded", |server| server.file("lab.json"));
        self.lab = serde_json::from_str(&text).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The configuration of a server at other addresses, with the same storage.
    pub(crate) fn configure_second(&self, name: &str) {
        let text = self.file("hostgrid.toml").unwrap();
        let others = [self.web, self.utility, self.metrics].map(|port| (port.to_string(), free_port().to_string()));
        let text = others.iter().fold(text, |text, (port, other)| text.replace(port, other));
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The process of the program itself.
    pub(crate) fn pid(&self) -> String {
        let parent = self.keeper.id().to_string();
        let found = Command::new("pgrep").args(["-P", &parent, "hostgrid"]).output().unwrap().stdout;
        String::from_utf8(found).unwrap().trim().to_owned()
    }

    pub(crate) fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.join(name)).ok()
    }

    pub(crate) fn until<T>(&mut self, what: &str, is_so: impl Fn(&Self) -> Option<T>) -> T {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(90) {
            if let Some(found) = is_so(self) {
                return found;
            }
            assert!(self.keeper.try_wait().unwrap().is_none(), "it ended:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("not so: {what}:\n{}", self.log())
    }

    /// What the program answers to these words, beside the server.
    pub(crate) fn command(&self, words: &[&str]) -> Output {
        command(&self.folder, words)
    }

    /// All that it logged so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("log")).unwrap()).into_owned()
    }

    /// What is logged while `act` goes on and shortly after, until a line has all these parts; that line.
    pub(crate) fn logs(&self, parts: &[&str], act: impl FnOnce()) -> String {
        let before = self.log().len();
        act();
        let begin = Instant::now();
        loop {
            let log = self.log().split_off(before);
            if let Some(line) = log.lines().find(|line| parts.iter().all(|part| line.contains(part))) {
                return line.to_owned();
            }
            assert!(begin.elapsed() < Duration::from_secs(5), "no line has all of {parts:?}:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn vm(&self, name: &str) -> &str {
        &self.lab.vms.iter().find(|vm| vm.name == name).unwrap().id
    }

    /// The name of the VM's home, which an admin's page links.
    pub(crate) fn home(&self, vm: &str) -> String {
        let page = self.signed_in("admin").page(&format!("/vms/{vm}")).body;
        page.split("/admin/nodes/").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// Whether the resize with this page may force its guest off.
    pub(crate) fn may_force_off(&self, page: &str) -> bool {
        let id = page.trim_start_matches("/operations/").parse().unwrap();
        let operation = self.with_store(async |store| store.operation_get(id).await.unwrap().unwrap());
        let OperationKind::Resize { force_off, .. } = operation.kind else { panic!("no resize: {operation:?}") };
        force_off
    }

    /// Looks into the server's store, beside the server.
    pub(crate) fn with_store<T>(&self, look: impl AsyncFnOnce(Arc<SqliteStore>) -> T) -> T {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = SqliteStore::open_unchanged(&self.folder.join("data")).await.unwrap();
            look(Arc::new(store)).await
        })
    }

    pub(crate) fn visitor(&self) -> Browser {
        Browser::new(self.web)
    }

    /// A browser in which this person is signed in, by the beginning of the email.
    pub(crate) fn signed_in(&self, name: &str) -> Browser {
        let user = self.lab.users.iter().find(|user| user.email.starts_with(name)).unwrap();
        self.signed_in_as(&user.email, &user.password)
    }

    pub(crate) fn signed_in_as(&self, email: &str, password: &str) -> Browser {
        let mut browser = self.visitor();
        let answer: Answer = browser.script("session_open", &[("email", email), ("password", password), ("next", "")]);
        assert_eq!(answer.status, 200, "{answer:?}");
        browser
    }

    /// Tells it to stop; answers how long it took to end, and whether it ended well.
    pub(crate) fn stop(&mut self) -> (Duration, bool) {
        let begin = Instant::now();
        drop(self.keeper.stdin.take());
        let ended = self.keeper.wait().unwrap();
        (begin.elapsed(), ended.success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
