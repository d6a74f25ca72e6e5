//! The database's disk: a write that fails, at any place, and a file system that is full. What was accepted ends, what
//! was refused is as if it had not been asked, and all goes on once the disk does.

use crate::browser::{Browser, Form};
use crate::server::{AROUND, Server, until};
use grid::operation::{Operation, OperationState};
use manager::store::rows::OperationFilter;
use manager::store::sqlite::SqliteStore;
use manager::store::{NodeStore, OperationStore, VmStore};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Has a system call that writes the database fail, once it is made and until it is dropped.
struct Failing(Child);

impl Failing {
    /// Each thread's call of this number, of each of these kinds, fails.
    fn writes(server: &Server, calls: &str, when: u32) -> Self {
        let pid = server.pid();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,fdatasync,fsync", "-p", &pid]);
        for file in ["hostgrid.db", "hostgrid.db-wal"] {
            strace.arg("-P").arg(server.path("data").join(file));
        }
        strace.args(["-e", &format!("inject={calls}:error=EIO:when={when}")]);
        let strace = strace.stdin(Stdio::null()).spawn().unwrap();
        let tasks = format!("/proc/{pid}/task");
        until("all threads are watched", || {
            let of = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let mut statuses = std::fs::read_dir(&tasks).unwrap().map(|task| of(task.unwrap()));
            statuses.all(|status| !status.contains("TracerPid:\t0\n"))
        });
        Self(strace)
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // It lets go of all threads when it is told to end.
        drop(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status());
        drop(self.0.wait());
    }
}

/// The page of a size of a tiny VM.
fn page_of(vm: &str, memory_mib: u64) -> String {
    format!("/vms/{vm}/resize?vcpus=1&memory_mib={memory_mib}&disk_gib=1")
}

/// Agrees to this much memory; the operation's page, or nothing where it could not be written.
fn ask(ada: &mut Browser, vm: &str, memory_mib: u64) -> Option<String> {
    let page = ada.page(&page_of(vm, memory_mib));
    assert_eq!(page.status, 200, "what is there can be read: {page:?}");
    let answer = ada.send_form(&Form::in_page(&page.body, "Resize"), &[]);
    if answer.location.starts_with("/operations/") {
        return Some(answer.location);
    }
    assert!(answer.status == 500 && answer.body.contains("Something went wrong"), "{answer:?}");
    None
}

/// The VM's memory, its operations (the latest first), and how much room is held for any.
fn recorded(data: &Path, vm: &str) -> (u64, Vec<Operation>, usize) {
    let vm = vm.parse().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = SqliteStore::open_unchanged(data).await.unwrap();
        let filter = OperationFilter { vm: Some(vm), ..OperationFilter::default() };
        let row = store.vm_get(vm).await.unwrap().unwrap();
        let held = store.reservation_list().await.unwrap();
        (row.size.memory.0, store.operation_list(&filter).await.unwrap(), held.len())
    })
}

#[test]
fn a_write_that_fails_anywhere_in_a_resize_loses_nothing() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let (mut ada, data) = (server.signed_in("ada"), server.path("data"));
    let (mut memory, mut refused, mut accepted) = (256, 0, 0);
    let writes = [1, 6, 12, 18, 24, 29, 30, 33, 38, 45, 54].map(|nth| ("pwrite64", nth));
    for (calls, nth) in writes.into_iter().chain([("fdatasync", 1), ("fdatasync", 2)]) {
        let before = recorded(&data, &shop).1.len();
        let other = 256 + 512 - memory;
        let failing = Failing::writes(&server, calls, nth);
        let operation = ask(&mut ada, &shop, other);
        if operation.is_some() {
            std::thread::sleep(Duration::from_millis(700));
        }
        drop(failing);
        if let Some(page) = operation {
            until("it has ended", || ada.page(&page).body.contains("Everything was done and verified"));
            (memory, accepted) = (other, accepted + 1);
        } else {
            refused += 1;
        }
        let (has, operations, held) = recorded(&data, &shop);
        let fresh = usize::from(has == other);
        assert_eq!((has, operations.len(), held), (memory, before + fresh, 0), "{calls} {nth}: {operations:#?}");
        assert!(operations.iter().all(|it| it.state == OperationState::Succeeded), "{calls} {nth}: {operations:#?}");
    }
    assert!(refused >= 1 && accepted >= 1, "{refused} could not be written, {accepted} were accepted");
    assert!(server.log().contains("disk I/O error"), "{}", server.log());
}

#[test]
fn a_full_file_system_refuses_what_it_cannot_keep_and_all_goes_on_once_it_has_room() {
    let mut server = Server::begin_changed(|folder| {
        let made = Command::new("mkfs.ext4").args(["-q", "data.img", "12m"]).current_dir(folder).status();
        assert!(made.unwrap().success());
        std::fs::create_dir(folder.join("data")).unwrap();
        let around = r#"exec unshare --mount sh -c 'mount -o loop data.img data && exec "$@"' sh "$@""#;
        std::fs::write(folder.join(AROUND), around).unwrap();
    })
    .seeded();
    let shop = server.vm("shop").to_owned();
    let mut ada = server.signed_in("ada");
    // As the program sees it; others see an empty folder.
    let data = |server: &Server| PathBuf::from(format!("/proc/{}/root{}", server.pid(), server.path("data").display()));
    // SQLite would follow that name to what others see.
    let recorded = |server: &Server| {
        for name in ["hostgrid.db", "history.db"] {
            for part in ["", "-wal"].map(|part| format!("{name}{part}")) {
                std::fs::copy(data(server).join(&part), server.path("data").join(&part)).unwrap();
            }
            drop(std::fs::remove_file(server.path("data").join(format!("{name}-shm"))));
        }
        recorded(&server.path("data"), &shop)
    };
    let filler = data(&server).join("filler");
    let full = std::fs::write(&filler, vec![0; 16 << 20]).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    // What the journal has room for already is still written.
    let mut memory = 256;
    let refused = (0..100).find(|_| {
        let Some(page) = ask(&mut ada, &shop, 256 + 512 - memory) else { return true };
        // It may be the one that can't go on.
        for _ in 0..20 {
            if ada.page(&page).body.contains("Everything was done and verified") {
                memory = 256 + 512 - memory;
                return false;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        true
    });
    assert!(refused.is_some(), "it was never full");
    assert!(server.log().contains("database or disk is full"), "{}", server.log());
    std::fs::remove_file(&filler).unwrap();
    until("all that was accepted has ended", || {
        recorded(&server).1.iter().all(|it| it.state == OperationState::Succeeded)
    });
    let (memory, ..) = recorded(&server);
    let page = ask(&mut ada, &shop, 256 + 512 - memory).unwrap();
    until("there is room again", || ada.page(&page).body.contains("Everything was done and verified"));
    let before = recorded(&server);
    assert_eq!((before.0, before.2), (256 + 512 - memory, 0));
    server = server.again();
    let after = recorded(&server);
    assert_eq!((after.0, after.1), (before.0, before.1));
}
