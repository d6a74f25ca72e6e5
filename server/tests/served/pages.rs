//! What a browser shows where nothing of ours could word the answer; and what a customer's browser is never sent.

use crate::log::plan_in;
use crate::server::{Server, shared};

#[test]
fn what_is_too_large_is_answered_by_a_page_of_ours_and_a_script_by_a_word() {
    let server = shared();
    let mut ada = server.signed_in("ada");
    // Both below and above what is read to its end before the answer.
    for size in [300_000, 3_000_000] {
        let page = ada.form("vm_deploy", &[("name", &"x".repeat(size))]);
        assert_eq!((page.status, page.kind.as_str()), (413, "text/html; charset=utf-8"));
        for part in
            ["<h1>Too much</h1>", "more than a form may have", "/pkg/hostgrid.css", "href=\"/\"", "data-simulated"]
        {
            assert!(page.body.contains(part), "{part}: {}", page.body);
        }
        let word = ada.script("vm_deploy", &[("name", &"x".repeat(size))]);
        assert_eq!((word.status, word.body.as_str()), (413, "\"too_large\""));
    }
}

#[test]
fn other_bare_refusals_are_pages_too() {
    let server = shared();
    let mut ada = server.signed_in("ada");
    let foreign = ada.post("vm_stop", "text/html", &[("sec-fetch-site", "cross-site")], String::new());
    assert_eq!(foreign.status, 403);
    assert!(foreign.body.contains("came from another site, so nothing was changed"), "{}", foreign.body);
    let nowhere = ada.form("no_such_door", &[]);
    assert!((400..500).contains(&nowhere.status) && nowhere.body.contains("<h1>"), "{nowhere:?}");
    let here = format!("http://127.0.0.1:{}/vms", server.web);
    for referer in [&[][..], &[("referer", here.as_str())][..]] {
        let from = [&[("sec-fetch-site", "same-origin")], referer].concat();
        let garbled = ada.post("vm_stop", "text/html", &from, "force=perhaps".into());
        assert_eq!(garbled.status, 400, "{garbled:?}");
        assert!(garbled.body.contains("<h1>Not understood</h1>"), "{}", garbled.body);
        let missing = format!("id={}&key=pages", uuid::Uuid::from_u128(1));
        let missing = ada.post("vm_stop", "text/html", &from, missing);
        assert_eq!((missing.status, missing.kind.as_str()), (404, "text/html; charset=utf-8"), "{missing:?}");
        assert!(missing.body.contains("<h1>Not found</h1>") && missing.location.is_empty(), "{missing:?}");
        let forbidden = ada.post("node_unfence", "text/html", &from, "name=qemu-a".into());
        assert!(forbidden.status == 403 && forbidden.body.contains("<h1>Not allowed</h1>"), "{forbidden:?}");
    }
    let gone = server.visitor().form("vm_list", &[]);
    assert_eq!((gone.status, gone.location.as_str()), (302, "/login"), "{gone:?}");
}

#[test]
fn a_customers_browser_gets_no_id_of_a_node_and_an_admins_does() {
    let server = shared();
    let path = format!("/vms/{}/resize?vcpus=2&memory_mib=256&disk_gib=1", server.vm("shop"));
    let admins = plan_in(&server.signed_in("admin").page(&path).body);
    let admins: serde_json::Value = serde_json::from_str(&admins).unwrap();
    let node = admins["source"].as_str().unwrap();
    assert_ne!(node, uuid::Uuid::nil().to_string());
    let mut ada = server.signed_in("ada");
    for path in [&*path, "/vms", &format!("/vms/{}", server.vm("shop"))] {
        let page = ada.page(path);
        assert_eq!(page.status, 200);
        assert!(!page.body.contains(node), "{path}: {}", page.body);
    }
}

#[test]
fn an_admin_gets_the_list_of_nodes_by_a_link_and_a_customer_gets_none() {
    let server = shared();
    let path = format!("/vms/{}/resize?vcpus=20&memory_mib=256&disk_gib=1", server.vm("shop"));
    let mut admin = server.signed_in("admin");
    let closed = admin.page(&path).body;
    assert!(closed.contains("<details id=\"nodes\">"), "{closed}");
    let open = admin.page(&format!("{path}&nodes=7")).body;
    for part in ["<details id=\"nodes\" open", "/admin/nodes/qemu-a\"", "/admin/nodes/qemu-b\""] {
        assert!(open.contains(part), "{part}: {open}");
    }
    let hers = server.signed_in("ada").page(&format!("{path}&nodes=1")).body;
    assert!(!hers.contains("id=\"nodes\"") && !hers.contains("qemu-b"), "{hers}");
}

#[test]
fn a_form_that_lost_its_key_or_its_plan_comes_back_with_a_clear_message() {
    let server = shared();
    let (shop, mut ada) = (server.vm("shop").to_owned(), server.signed_in("ada"));
    let (vm_page, resize_page) = (format!("/vms/{shop}"), format!("/vms/{shop}/resize"));
    let stopping: [(&str, &str); 2] = [("id", &shop), ("force", "true")];
    let foreign: [(&str, &str); 3] = [("id", &shop), ("force", "true"), ("key", "relocation 1 move 1")];
    let agreement: [(&str, &str); 3] = [("id", &shop), ("plan", "{}"), ("key", "pages")];
    for (door, fields, back, said) in [
        ("vm_stop", &stopping[..], &vm_page, "This form was incomplete, so nothing was started. Load the page again"),
        ("vm_stop", &foreign[..], &vm_page, "This form was incomplete, so nothing was started. Load the page again"),
        ("vm_resize", &agreement[..], &resize_page, "so nothing was started. Ask for it again."),
    ] {
        let answer = ada.form(door, fields);
        assert_eq!((answer.status, &answer.location), (302, back), "{answer:?}");
        let page = ada.page(back).body;
        assert!(page.contains(said), "{door}: {page}");
    }
}

#[test]
fn what_was_typed_comes_back_as_text_with_all_that_is_wrong_with_it() {
    let server = shared();
    let mut ada = server.signed_in("ada");
    let keys = "</textarea><h1>Injected</h1>";
    let fields = [
        ("name", "bad name"),
        ("image", "tiny"),
        ("offer", "small"),
        ("region", "north"),
        ("keys", keys),
        ("key", "t"),
    ];
    let answer = ada.form("vm_deploy", &fields);
    assert_eq!((answer.status, answer.location.as_str()), (302, "/vms/new"), "{answer:?}");
    let page = ada.page("/vms/new").body;
    assert!(!page.contains("<h1>Injected"), "{page}");
    for part in ["&lt;/textarea&gt;&lt;h1&gt;Injected", "Use the letters a to z, digits", "Line 1 is no public key"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_setting_beyond_all_measure_comes_back_with_its_limit() {
    let server = shared();
    let mut admin = server.signed_in("admin");
    let typed = [
        ("name", "lxc-b"),
        ("settings[reserve_vcpus]", "0"),
        ("settings[reserve_memory_mib]", "9223372036854775808"),
        ("settings[reserve_disk_mib]", "0"),
        ("settings[reserve_network_mbit]", "0"),
        ("settings[network_mbit]", "0"),
        ("settings[overcommit_vcpus]", "1"),
        ("settings[overcommit_memory]", "1"),
        ("settings[overcommit_disk]", "100.5"),
        ("settings[overcommit_network]", "1"),
        ("settings[failure_domain]", ""),
    ];
    let answer = admin.form("node_settings_set", &typed);
    assert_eq!((answer.status, answer.location.as_str()), (302, "/admin/nodes/lxc-b"), "{answer:?}");
    let page = admin.page("/admin/nodes/lxc-b").body;
    for part in ["At most 2,147,483,646.", "From 0.001 to 100."] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn bandwidth_is_told_of_once_an_admin_says_what_a_node_carries() {
    let server = Server::start();
    let mut admin = server.signed_in("admin");
    assert!(!admin.page("/admin").body.contains("Mbit/s"));
    let typed = [
        ("name", "lxc-b"),
        ("settings[reserve_vcpus]", "0"),
        ("settings[reserve_memory_mib]", "0"),
        ("settings[reserve_disk_mib]", "0"),
        ("settings[reserve_network_mbit]", "100"),
        ("settings[overcommit_vcpus]", "1"),
        ("settings[overcommit_memory]", "1"),
        ("settings[overcommit_disk]", "1"),
        ("settings[overcommit_network]", "1.5"),
        ("settings[network_mbit]", "1000"),
        ("settings[failure_domain]", ""),
    ];
    let answer = admin.form("node_settings_set", &typed);
    assert_eq!((answer.status, answer.location.as_str()), (302, "/admin/nodes/lxc-b"), "{answer:?}");
    let page = admin.page("/admin/nodes/lxc-b").body;
    for part in ["1,000 Mbit/s", "1,350 Mbit/s", "Reserve network (Mbit/s)", "value=\"1000\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let page = admin.page("/admin").body;
    assert!(page.contains("1,350 Mbit/s of 1,350 Mbit/s available"), "{page}");
}

#[test]
fn an_admin_sees_what_a_nodes_pool_has_and_what_of_it_is_free_and_allocated() {
    let page = shared().signed_in("admin").page("/admin/nodes/lxc-b").body;
    for part in ["Pool, capacity", "Pool, free", "Pool, allocated"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn an_admin_sees_how_a_node_would_be_drained_and_is_told_when_a_form_is_nonsense() {
    let server = shared();
    let mut admin = server.signed_in("admin");
    assert!(admin.page("/admin/nodes/lxc-b").body.contains("/admin/nodes/lxc-b/drain"));
    let page = admin.page("/admin/nodes/lxc-b/drain").body;
    for part in ["data-drain-plan", "Drain lxc-b", "name=\"id\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert_eq!(admin.form("node_drain", &[("name", "lxc-b"), ("id", "nonsense")]).status, 400);
    assert_eq!(admin.page("/admin/nodes/no-such-node/drain").status, 404);
}

#[test]
fn an_admin_reviews_what_would_even_the_nodes_out_and_nonsense_starts_nothing() {
    let server = shared();
    let mut admin = server.signed_in("admin");
    assert!(admin.page("/admin/nodes").body.contains("/admin/rebalance"));
    let page = admin.page("/admin/rebalance").body;
    for part in ["data-rebalance-plan", "Even nodes out", "running and live"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let id = "00000000-0000-4000-8000-000000000001";
    assert_eq!(admin.form("rebalance", &[("id", "nonsense"), ("plan", "[]")]).status, 400);
    for (plan, told) in [("nonsense", "can't be read"), ("[]", "has changed since it was shown")] {
        let answer = admin.form("rebalance", &[("id", id), ("plan", plan)]);
        assert_eq!((answer.status, answer.location.as_str()), (302, "/admin/rebalance"), "{answer:?}");
        let page = admin.page("/admin/rebalance").body;
        assert!(page.contains(told) || page.contains(&told.replace('\'', "&#x27;")), "{told}: {page}");
    }
}

/// The path of every page that the application has, so that a new one can't be forgotten.
pub(crate) fn all_paths() -> Vec<&'static str> {
    let routes = include_str!("../../../app/src/lib.rs");
    let paths: Vec<&str> =
        routes.split("path!(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|it| it.0).collect();
    assert!(paths.len() > 12, "{paths:?}");
    paths
}

#[test]
fn every_page_says_that_the_grid_is_simulated() {
    let server = shared();
    let mut admin = server.signed_in("admin");
    let operations = admin.page("/admin/operations").body;
    let (_, link) = operations.split_once("\"/operations/").unwrap();
    let operation = &link[..36];
    for path in all_paths() {
        let id = if path.starts_with("operations") { operation } else { server.vm("shop") };
        let path = format!("/{}", path.replace(":id", id).replace(":name", "qemu-a"));
        let mut page = if path == "/login" { server.visitor().page(&path) } else { admin.page(&path) };
        if page.status == 302 {
            page = admin.page(&page.location);
        }
        assert_eq!(page.status, if path.contains('*') { 404 } else { 200 }, "{path}: {}", page.body);
        assert!(page.body.contains("data-simulated") && page.body.contains("simulated"), "{path}: {}", page.body);
    }
}
