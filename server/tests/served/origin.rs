//! What another site's page could have a browser send, with the cookie of whoever is signed in: every way to change
//! something is shut to it, and so it is to whoever does not say which page sends it.

use crate::browser::{Browser, encoded};
use crate::log::plan_in;
use crate::pages::all_paths;
use crate::rights::{Fields, all_doors, of_a_vm, of_admins};
use crate::server::{Server, shared};
use grid::schedule::ScheduledResize;
use manager::store::rows::OperationFilter;
use manager::store::{NodeStore, OperationStore, RelocationStore, ScheduleStore, VmStore};

/// What a browser says of the page that sends something, where that is not ours.
const FOREIGN: [&[(&str, &str)]; 7] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example")],
    &[("sec-fetch-site", "same-site")],
    &[("sec-fetch-site", "none")],
    &[("origin", "https://elsewhere.example")],
    &[("origin", "http://127.0.0.1:1")],
    &[("origin", "null")],
    &[],
];

/// All that a request could have changed: VMs, operations, nodes, schedules, drains; as text.
fn kept(server: &Server) -> String {
    server.with_store(async |store| {
        let every = OperationFilter { limit: u32::MAX, ..OperationFilter::default() };
        let vms = store.vm_list(None).await.unwrap();
        let mut schedules: Vec<ScheduledResize> = Vec::new();
        for vm in &vms {
            schedules.extend(store.schedule_list(vm.id, 100).await.unwrap());
        }
        let (operations, nodes) = (store.operation_list(&every).await.unwrap(), store.node_list().await.unwrap());
        format!("{vms:#?}{operations:#?}{nodes:#?}{schedules:#?}{:#?}", store.relocation_list().await.unwrap())
    })
}

#[test]
fn no_door_opens_for_another_sites_page_and_nothing_is_changed() {
    let server = Server::start();
    let (shop, mut ada, mut admin) = (server.vm("shop").to_owned(), server.signed_in("ada"), server.signed_in("admin"));
    let plan = plan_in(&ada.page(&format!("/vms/{shop}/resize?vcpus=2&memory_mib=256&disk_gib=1")).body);
    let deployed: Fields =
        vec![("name", "foreign"), ("image", "tiny"), ("offer", "small"), ("region", "north"), ("key", "foreign")];
    let sign_in: Fields = vec![("email", "ada@acorn.example"), ("password", "wrong"), ("next", "")];
    let given = [("vm_deploy", deployed), ("session_open", sign_in)];
    let known: Vec<_> = of_a_vm(&shop, &plan).into_iter().chain(of_admins()).chain(given).collect();
    let before = kept(&server);
    for door in all_doors() {
        // Whoever may: the owner, or an admin. What is asked for is good, where anything has to be said.
        let is_admins = of_admins().iter().any(|(admins, _)| *admins == door) || door.starts_with("operation_");
        let browser = if is_admins { &mut admin } else { &mut ada };
        let mut asked: Vec<Fields> = known.iter().filter(|(name, _)| *name == door).map(|it| it.1.clone()).collect();
        asked.push(Vec::new());
        for (fields, from) in asked.iter().flat_map(|fields| FOREIGN.map(|from| (fields, from))) {
            // What is refused is not read to its end: the next one could find its connection closed.
            let sent = [from, &[("connection", "close")]].concat();
            let page = browser.post(&door, "text/html,*/*", &sent, encoded(fields));
            let said = if from.is_empty() { "does not say which site it came from" } else { "came from another site" };
            assert_eq!(page.status, 403, "{door} {from:?}: {page:?}");
            assert!(page.body.contains(said) && page.body.contains("nothing was changed"), "{door} {from:?}: {page:?}");
            assert!(page.location.is_empty() && page.set_cookie.is_empty(), "{door} {from:?}: {page:?}");
            let word = browser.post(&door, "application/json", &sent, encoded(fields));
            assert_eq!((word.status, word.location.as_str()), (403, ""), "{door} {from:?}: {word:?}");
        }
        assert_eq!(browser.send("GET", &format!("/api/{door}"), "*/*", &[], String::new()).status, 405, "{door}");
    }
    assert_eq!(kept(&server), before);
    let still: [(&mut Browser, &str); 2] = [(&mut ada, "/vms"), (&mut admin, "/admin")];
    for (browser, page) in still {
        assert_eq!(browser.page(page).status, 200, "nobody was signed out");
    }
    // The same where it comes from here.
    assert_eq!(ada.script("vm_stop", &[("id", &shop), ("key", "from-here")]).status, 200);
    assert_ne!(kept(&server), before);
}

#[test]
fn nothing_else_that_the_server_answers_takes_anything_that_could_change_something() {
    let server = shared();
    let mut admin = server.signed_in("admin");
    let others = ["events", "healthz", "readyz", "favicon.svg", "pkg/hostgrid.css"];
    for path in all_paths().into_iter().chain(others) {
        let path = format!("/{}", path.replace(":id", server.vm("shop")).replace(":name", "qemu-a"));
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for from in FOREIGN.into_iter().chain([&[("sec-fetch-site", "same-origin")][..]]) {
                let answer = admin.send(method, &path, "text/html", from, String::new());
                assert!([403, 404, 405].contains(&answer.status), "{method} {path} {from:?}: {answer:?}");
            }
        }
    }
}
