//! Forms that are pressed without scripts, as the pages have them: what a customer does with a VM, and what an admin does
//! with nodes.

use crate::browser::{Browser, Form};
use crate::resize::fill;
use crate::server::{Server, until};

/// Presses the button and waits until the operation that it starts has succeeded; its page then.
fn succeeds(browser: &mut Browser, page: &str, button: &str, typed: &[(&str, &str)]) -> String {
    let operation = browser.press(page, button, typed).location;
    assert!(operation.starts_with("/operations/"), "{button}: {operation}");
    until(button, || browser.page(&operation).body.contains("Everything was done and verified"));
    browser.page(&operation).body
}

/// Where the first link with these words in it leads.
fn link(page: &str, words: &str) -> String {
    let (before, _) = page.split_once(words).unwrap_or_else(|| panic!("no link has {words}: {page}"));
    before.rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&amp;", "&")
}

/// The outcome of the newest drain or rebalance, and what is said of it.
fn relocation(page: &str) -> String {
    page.split("data-relocation").nth(1).unwrap_or_else(|| panic!("none in {page}")).to_owned()
}

#[test]
fn both_ticks_for_forcing_off_count_where_they_are_ticked_and_only_there() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let (vm_page, mut ada) = (format!("/vms/{shop}"), server.signed_in("ada"));
    assert!(Form::in_page(&ada.page(&vm_page).body, "Stop").has_tick("force"));
    let asked = succeeds(&mut ada, &vm_page, "Stop", &[]);
    assert!(asked.contains("<h1>Stop<") && !asked.contains("forced"), "{asked}");
    succeeds(&mut ada, &vm_page, "Start", &[]);
    let forced = succeeds(&mut ada, &vm_page, "Stop", &[("force", "true")]);
    assert!(forced.contains("<h1>Stop, forced if need be"), "{forced}");
    succeeds(&mut ada, &vm_page, "Start", &[]);

    // Beyond what it was started with, so that it has to be shut down.
    for (memory, typed, may) in [("2048", &[][..], false), ("5000", &[("force_off", "true")][..], true)] {
        let page = format!("{vm_page}/resize?vcpus=1&memory_mib={memory}&disk_gib=1");
        let seen = ada.page(&page).body;
        assert!(seen.contains("data-plan=\"in-place-restart\""), "{seen}");
        assert!(Form::in_page(&seen, "Resize").has_tick("force_off"));
        let operation = ada.press(&page, "Resize", typed).location;
        until("it has its size", || ada.page(&operation).body.contains("Everything was done and verified"));
        assert_eq!(server.may_force_off(&operation), may, "{typed:?}");
    }
}

#[test]
fn the_way_back_from_a_resize_needs_no_scripts() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let (vm_page, mut ada) = (format!("/vms/{shop}"), server.signed_in("ada"));
    assert!(!ada.page(&vm_page).body.contains("Revert to"), "there is nothing to go back to");
    let page = format!("{vm_page}/resize?vcpus=1&memory_mib=512&disk_gib=1");
    succeeds(&mut ada, &page, "Resize", &[]);
    let seen = ada.page(&vm_page).body;
    assert!(seen.contains("512 MiB"), "{seen}");
    let back = link(&seen, "Revert to");
    assert!(back.starts_with(&format!("{vm_page}/resize?")) && back.contains("memory_mib=256"), "{back}");
    succeeds(&mut ada, &back, "Resize", &[]);
    let seen = ada.page(&vm_page).body;
    assert!(seen.contains("<strong>256 MiB<"), "{seen}");
}

#[test]
fn nodes_are_drained_and_evened_out_and_that_is_cancelled_without_scripts() {
    let server = Server::start();
    let (mut admin, mut ada) = (server.signed_in("admin"), server.signed_in("ada"));
    // A pool holds three, and each may be given all of them.
    for node in ["qemu-a", "qemu-b"] {
        admin.press(&format!("/admin/nodes/{node}"), "Save", &[("settings[overcommit_disk]", "4")]);
    }
    let new = [("name", "web"), ("image", "tiny"), ("offer", "small"), ("region", "north"), ("key", "web")];
    let operation = ada.form("vm_deploy", &new).location;
    until("it is deployed", || ada.page(&operation).body.contains("Everything was done and verified"));

    // All of them to one node.
    let drain = "/admin/nodes/qemu-b/drain";
    assert_eq!(admin.press(drain, "Drain", &[]).location, drain);
    until("qemu-b is empty", || relocation(&admin.page(drain).body).contains("data-state=\"succeeded\""));
    let node_page = "/admin/nodes/qemu-b";
    assert!(admin.page(node_page).body.contains("It is being emptied and takes no new VM"));
    let page = admin.press(node_page, "Stop draining", &[]);
    assert!(page.location == node_page && page.body.contains("It takes new VMs when it is ready"), "{page:?}");

    // Of those that would go back, the first does.
    let rebalance = "/admin/rebalance";
    assert!(admin.page(rebalance).body.contains("data-move="));
    let begun = admin.press(rebalance, "Move them", &[]);
    assert!(begun.location == rebalance && begun.body.contains("Being evened out"), "{begun:?}");
    let cancelled = admin.press(rebalance, "Cancel", &[]);
    assert!(
        cancelled.location == rebalance && cancelled.body.contains("It ends after the move at hand"),
        "{cancelled:?}"
    );
    until("it is cancelled", || relocation(&admin.page(rebalance).body).contains("data-state=\"cancelled\""));
    assert_eq!(relocation(&admin.page(rebalance).body).matches("href=\"/operations/").count(), 1);

    // Of two that would leave, one stays.
    let drain = "/admin/nodes/qemu-a/drain";
    assert_eq!(admin.page(drain).body.matches("data-move=").count(), 2);
    assert!(admin.press(drain, "Drain", &[]).body.contains("Being drained"));
    let cancelled = admin.press(drain, "Cancel", &[]);
    assert!(cancelled.location == drain && cancelled.body.contains("It ends after the move at hand"), "{cancelled:?}");
    until("it is cancelled", || relocation(&admin.page(drain).body).contains("data-state=\"cancelled\""));
    let page = admin.page("/admin/nodes/qemu-a/drain").body;
    assert_eq!(page.matches("data-move=").count() + page.matches("data-stays=").count(), 1, "{page}");
}

#[test]
fn an_operation_is_cancelled_without_scripts_and_the_vm_stays_as_it_was() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let (home, mut ada) = (server.home(&shop), server.signed_in("ada"));
    fill(&server, &home);
    let page = format!("/vms/{shop}/resize?vcpus=1&memory_mib=512&disk_gib=1");
    let operation = ada.press(&page, "Resize", &[]).location;
    let answer = ada.press(&operation, "Cancel", &[]);
    assert_eq!(answer.location, operation);
    until("it is taken back", || ada.page(&operation).body.contains("nothing of it was kept"));
    let seen = ada.page(&operation).body;
    assert!(seen.contains("data-state=\"undone\"") && !seen.contains(">Cancel</button>"), "{seen}");
    let seen = ada.page(&format!("/vms/{shop}")).body;
    assert!(seen.contains("Running") && seen.contains("<strong>256 MiB<"), "{seen}");
    assert_eq!(server.home(&shop), home);
}
