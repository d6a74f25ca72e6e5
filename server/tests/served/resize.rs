//! A resize by plain forms where something came between the page and the press: the grid changed, the VM is worked on, or
//! it is gone.

use crate::browser::{Answer, Browser, Form};
use crate::server::{Server, until};

/// The page of a size that its node has room for.
fn page_of(vm: &str) -> String {
    format!("/vms/{vm}/resize?vcpus=1&memory_mib=512&disk_gib=1")
}

/// How the plan in a page is called.
fn plan_of(page: &str) -> &str {
    page.split("data-plan=\"").nth(1).unwrap_or_else(|| panic!("no plan in {page}")).split('"').next().unwrap()
}

/// What is said above it where the grid changed, with the tag.
fn notice_of(page: &str) -> &str {
    let at = page.find("The grid changed since you looked").unwrap_or_else(|| panic!("nothing is said: {page}"));
    let begin = page[..at].rfind("<p").unwrap();
    page[begin..].split("</p>").next().unwrap()
}

/// How many operations there were on this VM.
fn operations_of(browser: &mut Browser, vm: &str) -> usize {
    let page = browser.page(&format!("/vms/{vm}")).body;
    let (_, history) = page.split_once("History").unwrap();
    history.matches("href=\"/operations/").count()
}

/// Leaves the VM's node no room for growth, as an admin does by a plain form.
pub(crate) fn fill(server: &Server, node: &str) {
    let page = format!("/admin/nodes/{node}");
    let answer = server.signed_in("admin").press(&page, "Save", &[("settings[reserve_memory_mib]", "16000")]);
    assert_eq!(answer.location, page);
}

#[test]
fn a_plan_that_no_longer_holds_starts_nothing_and_is_asked_again_without_scripts() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let (home, mut ada) = (server.home(&shop), server.signed_in("ada"));
    let before = operations_of(&mut ada, &shop);
    let seen = ada.page(&page_of(&shop)).body;
    assert_eq!(plan_of(&seen), "in-place-live");
    assert!(notice_of(&seen).contains("hidden"), "nothing has changed: {seen}");

    fill(&server, &home);
    let agreement = Form::in_page(&seen, "Resize");
    let mut answer = None;
    server.logs(&["a call was refused", "/api/vm_resize", &shop], || {
        answer = Some(ada.send_form(&agreement, &[]));
    });
    let answer: Answer = answer.unwrap();
    assert_eq!(answer.status, 302, "{answer:?}");
    assert!(answer.location.starts_with(&page_of(&shop)) && answer.location.contains("&changed="), "{answer:?}");
    let page = ada.page(&answer.location).body;
    let notice = notice_of(&page);
    assert!(notice.contains("The grid changed since you looked, so nothing was started"), "{page}");
    assert!(notice.contains("This is the plan now: agree to it again.") && !notice.contains("hidden"), "{page}");
    assert_eq!(plan_of(&page), "move-live");
    assert!(!page.contains(&home), "no node is named: {page}");
    assert_eq!(operations_of(&mut ada, &shop), before, "nothing was started");

    let started = ada.press(&answer.location, "Resize", &[]);
    assert!(started.location.starts_with("/operations/"), "{started:?}");
    until("it has moved", || ada.page(&started.location).body.contains("Everything was done and verified"));
    assert_eq!(operations_of(&mut ada, &shop), before + 1);
    assert_ne!(server.home(&shop), home);
}

#[test]
fn a_vm_that_is_worked_on_has_no_plan_and_no_button_and_what_was_shown_before_starts_nothing() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let mut ada = server.signed_in("ada");
    fill(&server, &server.home(&shop));
    let seen = ada.page(&page_of(&shop)).body;
    let before = operations_of(&mut ada, &shop);
    let running = ada.press(&page_of(&shop), "Resize", &[]);
    assert!(running.location.starts_with("/operations/"), "{running:?}");

    for name in ["ada", "admin"] {
        let page = server.signed_in(name).page(&page_of(&shop)).body;
        assert!(page.contains("Another operation is working on this VM. Wait until it is over."), "{name}: {page}");
        assert!(page.contains(&running.location), "{name}: it is linked: {page}");
        assert_eq!(plan_of(&page), "refused", "{name}");
        assert!(!page.contains(">Resize</button>") && !page.contains("name=\"plan\""), "{name}: {page}");
    }
    let mut answer = None;
    server.logs(&["a call was refused", "/api/vm_resize", &shop, "works on it"], || {
        answer = Some(ada.send_form(&Form::in_page(&seen, "Resize"), &[]));
    });
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.location), (302, page_of(&shop)));
    let page = ada.page(&page_of(&shop)).body;
    assert!(page.contains("Another operation is working on this VM. Wait until it is over, then try again."), "{page}");
    assert!(!ada.page(&running.location).body.contains("Everything was done"), "it was still under way");
    until("it is over", || ada.page(&running.location).body.contains("Everything was done and verified"));
    assert_eq!(operations_of(&mut ada, &shop), before + 1);
}

#[test]
fn what_was_agreed_to_of_a_vm_that_was_deleted_meanwhile_is_not_found_and_a_log_line() {
    let server = Server::start();
    let (shop, mut ada, mut ben) = (server.vm("shop").to_owned(), server.signed_in("ada"), server.signed_in("ben"));
    let agreement = Form::in_page(&ada.page(&page_of(&shop)).body, "Resize");
    let is_refused = |browser: &mut Browser| {
        let parts = ["a call was refused", "POST", "/api/vm_resize", &shop, "status=404", "not found"];
        server.logs(&parts, || {
            let answer = browser.send_form(&agreement, &[]);
            assert!(answer.status == 404 && answer.body.contains("<h1>Not found"), "{answer:?}");
        });
    };
    is_refused(&mut ben);
    assert_eq!(plan_of(&ada.page(&page_of(&shop)).body), "in-place-live", "nothing was started");

    let deleted = ada.press(&format!("/vms/{shop}/delete"), "Delete", &[]);
    assert!(deleted.location.starts_with("/operations/"), "{deleted:?}");
    until("it is gone", || ada.page(&format!("/vms/{shop}")).status == 404);
    is_refused(&mut ada);
    is_refused(&mut ben);
    let list = server.signed_in("admin").page("/admin/operations").body;
    assert!(!list.contains("Resize to"), "nothing was started: {list}");
}
