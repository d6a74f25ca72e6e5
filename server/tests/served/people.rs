//! Tenants, people and offers by the command line, beside the server.

use crate::server::{Server, command, folder, said, shared};

#[test]
fn whoever_is_added_can_sign_in_and_deploy_what_is_offered() {
    let server = Server::start();
    let quota = ["--vcpus", "4", "--memory-mib", "1024", "--disk-gib", "4", "--vms", "2"];
    let done = server.command(&[&["tenant", "set", "Cedar"][..], &quota].concat());
    assert!(done.status.success(), "{}", said(&done));
    let done = server.command(&["offer", "set", "tall", "--vcpus", "2", "--memory-mib", "64", "--disk-gib", "1"]);
    assert!(done.status.success(), "{}", said(&done));
    let done = server.command(&["user", "add", "cleo@cedar.example", "--tenant", "Cedar"]);
    assert!(done.status.success(), "{}", said(&done));
    let said = String::from_utf8(done.stdout).unwrap();
    let (email, password) = said.trim().split_once("  ").unwrap();
    assert_eq!(email, "cleo@cedar.example");
    let mut cleo = server.signed_in_as(email, password);
    let form = cleo.page("/vms/new").body;
    assert!(form.contains("tall"), "{form}");
    assert_eq!(cleo.page("/admin").status, 403, "a customer, where nothing else was said");
}

#[test]
fn what_can_t_be_is_refused_and_changes_nothing() {
    let server = shared();
    let size = ["--vcpus", "1", "--memory-mib", "64", "--disk-gib", "1"];
    for (words, why) in [
        (vec!["user", "add", "cleo@cedar.example", "--tenant", "Nobody's"], "there is no tenant"),
        (vec!["user", "add", "ada@acorn.example", "--tenant", "Acorn"], "is taken"),
        (vec!["user", "add", "no email", "--tenant", "Acorn"], "is not an email address"),
        (vec!["user", "add", "cleo@cedar.example", "--tenant", "Acorn", "--role", "owner"], "possible values"),
        ([&["offer", "set", ""][..], &size].concat(), "has no name"),
        ([&["offer", "set", "\u{202e}evil"][..], &size].concat(), "can't be seen"),
        (vec!["offer", "set", "odd", "--vcpus", "0", "--memory-mib", "64", "--disk-gib", "1"], "At least 1"),
        (vec!["offer", "set", "odd", "--vcpus", "1", "--memory-mib", "63", "--disk-gib", "1"], "steps of 4"),
        (vec!["offer", "set", "odd", "--vcpus", "1", "--memory-mib", "64", "--disk-gib", "1.5"], "whole number"),
    ] {
        let done = server.command(&words);
        assert!(!done.status.success(), "{words:?}");
        assert!(said(&done).contains(why), "{words:?}: {}", said(&done));
    }
    let form = server.signed_in("ada").page("/vms/new").body;
    assert!(!form.contains("odd"), "{form}");
}

#[test]
fn without_a_server_s_database_nothing_is_made() {
    let folder = folder();
    crate::server::configure(&folder, [1, 2, 3], |name| format!("simulated:///{name}"));
    let done = command(&folder, &["user", "add", "cleo@cedar.example", "--tenant", "Cedar"]);
    assert!(!done.status.success() && said(&done).contains("is not there"), "{}", said(&done));
    assert!(!folder.join("data").exists());
    std::fs::remove_dir_all(folder).unwrap();
}
