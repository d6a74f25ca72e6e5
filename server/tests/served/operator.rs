//! What nobody can decide but an admin, by plain forms: an operation that waits is tried again or given up, and what is not as
//! it is recorded is recorded. What happened meanwhile is written into the file of the simulated grid.

use crate::resize::fill;
use crate::server::{Server, until};
use serde_json::{Value, json};
use std::path::Path;

/// Changes the simulated nodes while nobody simulates them.
fn change_grid(folder: &Path, change: impl FnOnce(&mut Vec<Value>)) {
    let path = folder.join("data/simulated-grid.json");
    let mut machines: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut machines);
    std::fs::write(path, serde_json::to_vec(&machines).unwrap()).unwrap();
}

/// The VM on this node, which may not have it.
fn domain<'a>(machines: &'a mut [Value], node: &str, vm: &str) -> &'a mut Value {
    let is_it = |machine: &&mut Value| machine["uri"].as_str().unwrap().ends_with(node);
    &mut machines.iter_mut().find(is_it).unwrap()["domains"][vm]
}

/// A live move that the server did not see the end of: the VM came to its destination, and has been off there since.
fn cut_off(server: Server, vm: &str, memory: &str) -> (Server, String) {
    let mut ada = server.signed_in("ada");
    let home = server.home(vm);
    let other = if home == "qemu-a" { "qemu-b" } else { "qemu-a" };
    fill(&server, &home);
    let page = format!("/vms/{vm}/resize?vcpus=1&memory_mib={memory}&disk_gib=1");
    let operation = ada.press(&page, "Resize", &[]).location;
    let migrates = "data-step=\"migrate-live\" data-state=\"started\"";
    until("it is on its way", || ada.page(&operation).body.contains(migrates));
    let server = server.again_after(|folder| {
        change_grid(folder, |machines| {
            let source = domain(machines, &home, vm);
            (source["state"], source["live"]) = (json!("shut_off"), Value::Null);
            let arrived = source.clone();
            *domain(machines, other, vm) = arrived;
        });
    });
    let mut ada = server.signed_in("ada");
    until("it waits", || ada.page(&operation).body.contains("the VM is off at both ends"));
    (server, operation)
}

#[test]
fn an_operation_that_waits_is_tried_again_and_another_given_up_without_scripts() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let home = server.home(&shop);
    let (server, operation) = cut_off(server, &shop, "512");
    let page = server.signed_in("ada").page(&operation).body;
    assert!(
        page.contains(">Waiting for the operator<") && !page.contains("Try again"),
        "a customer only reads: {page}"
    );
    assert!(server.signed_in("admin").page(&operation).body.contains("It waits for you"));

    // Its guest is switched on again.
    let destination = if home == "qemu-a" { "qemu-b" } else { "qemu-a" };
    let server = server.again_after(|folder| {
        change_grid(folder, |machines| {
            let there = domain(machines, destination, &shop);
            (there["state"], there["live"]) = (json!("running"), there["persistent"].clone());
        });
    });
    let mut admin = server.signed_in("admin");
    assert!(admin.page(&operation).body.contains("data-state=\"waiting\""), "nothing goes on by itself");
    let answer = admin.press(&operation, "Try again", &[]);
    assert_eq!(answer.location, operation);
    until("it has succeeded", || admin.page(&operation).body.contains("Everything was done and verified"));
    assert_eq!(server.home(&shop), destination);
    let page = admin.page(&format!("/vms/{shop}")).body;
    assert!(page.contains("<strong>512 MiB<"), "{page}");

    // And once more, to be given up.
    admin.press(&format!("/admin/nodes/{home}"), "Save", &[("settings[reserve_memory_mib]", "0")]);
    let (server, operation) = cut_off(server, &shop, "640");
    let mut admin = server.signed_in("admin");
    let answer = admin.press(&operation, "Give up", &[]);
    assert_eq!(answer.location, operation);
    for part in ["data-state=\"failed\"", "given up by the operator: the VM is off at both ends"] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
    let page = admin.page(&format!("/vms/{shop}")).body;
    assert!(page.contains("Stopped") && page.contains("<strong>512 MiB<"), "as its home says: {page}");
}

#[test]
fn what_is_not_as_it_is_recorded_is_recorded_without_scripts() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let home = server.home(&shop);
    let server = server.again_after(|folder| {
        change_grid(folder, |machines| {
            let there = domain(machines, &home, &shop);
            for configuration in ["live", "persistent"] {
                there[configuration]["size"]["vcpus"] = json!(2);
            }
        });
    });
    let mut admin = server.signed_in("admin");
    assert!(admin.page("/admin/drift").body.contains("Everything is as it is recorded"));
    // Two looks.
    until("it is told", || admin.page("/admin/drift").body.contains("data-drift=\"size\""));
    let answer = admin.press("/admin/drift", "Record what is", &[]);
    assert_eq!(answer.location, "/admin/drift");
    assert!(answer.body.contains("Everything is as it is recorded"), "{}", answer.body);
    let page = admin.page(&format!("/vms/{shop}")).body;
    assert!(page.contains("<strong>2<"), "{page}");
}
