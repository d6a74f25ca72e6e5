//! Two servers of one database: one carries operations out.

use crate::server::Server;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
}

/// Ends with the test.
struct Second(Child);

impl Drop for Second {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_second_server_waits_for_the_first_and_one_that_slept_too_long_ends() {
    let mut first = Server::start();
    first.configure_second("second.toml");
    let log = std::fs::File::create(first.path("second.log")).unwrap();
    let second = Command::new(env!("CARGO_BIN_EXE_hostgrid"))
        .args(["serve", "--config", "second.toml"])
        .current_dir(first.path(""))
        .env("NO_COLOR", "1")
        .stderr(log)
        .stdout(Stdio::null())
        .spawn();
    let _second = Second(second.unwrap());
    let said = |server: &Server, what: &str| server.file("second.log").filter(|log| log.contains(what)).map(drop);
    first.until("it waits", |server| said(server, "another server carries operations out"));
    // The first renews its lease three times in this time.
    std::thread::sleep(Duration::from_secs(11));
    assert_eq!(said(&first, "started"), None, "as long as the first is there");

    let pid = first.pid();
    signal("-STOP", &pid);
    let slept = Instant::now();
    first.until("the second has taken over", |server| said(server, "started"));
    assert!(slept.elapsed() >= Duration::from_secs(6), "{:?}", slept.elapsed());
    signal("-CONT", &pid);
    first.until("the first ends", |server| server.log().contains("another server has taken over").then_some(()));
}
