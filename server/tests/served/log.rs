//! Every refusal is a log line: who, what, why; and nothing of what was sent as it came.

use crate::browser::call_as_module;
use crate::server::{Server, configure, folder, shared};
use std::process::Command;

/// The plan in a page, as its form carries it.
pub(crate) fn plan_in(page: &str) -> String {
    let field = page.split("name=\"plan\"").nth(1).unwrap_or_else(|| panic!("no plan in {page}"));
    let value = field.split("value=\"").nth(1).unwrap().split('"').next().unwrap();
    value.replace("&quot;", "\"").replace("&amp;", "&")
}

const LONG: &str = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg";

#[test]
fn every_bad_name_is_a_log_line_without_the_name() {
    let server = shared();
    let mut ada = server.signed_in("ada");
    let characters = "Use the letters a to z, digits and hyphens only.";
    let long = &LONG.repeat(143)[..10_000];
    for (name, said) in [
        ("", "Enter a name."),
        ("<script>alert(1)</script>", characters),
        ("evil]]>", characters),
        ("evil\0x", characters),
        ("../../evil", characters),
        ("evil\u{202e}x", characters),
        ("evil\u{200f}x", characters),
        ("\u{200e}evil\u{2067}x\u{2069}", characters),
        ("evil\r\nFORGED a line of the log", characters),
        ("Evil", "Use small letters only."),
        (long, "At most 63 characters; these are 10,000."),
    ] {
        let mut answer = None;
        let line = server.logs(&["WARN", "a call was refused", "/api/vm_deploy", said], || {
            let fields =
                [("name", name), ("image", "tiny"), ("offer", "small"), ("region", "north"), ("key", "log-name")];
            answer = Some(ada.script("vm_deploy", &fields));
        });
        assert!(answer.unwrap().body.contains(said));
        assert!(line.len() < 1000 && !line.contains("vil") && !line.contains("aaaaa"), "{line}");
    }
    let written = server.log();
    assert!(!written.contains("\nFORGED"));
    for mark in ['\u{200e}', '\u{200f}', '\u{202e}', '\u{2067}', '\u{2069}'] {
        assert!(!written.contains(mark), "{}", mark.escape_unicode());
    }
}

#[test]
fn every_bad_size_is_a_log_line() {
    let server = shared();
    let (shop, mut ada) = (server.vm("shop").to_owned(), server.signed_in("ada"));
    for (size, said) in [
        ("0", "At least 1."),
        ("-1", "negative"),
        ("1.5", "without a point"),
        ("9223372036854775808", "At most 1,024."),
        ("%EF%BC%92", "Use the digits 0 to 9."),
        ("2%20GiB", "without a unit"),
        ("%E2%80%AE%0A2", "in the digits 0 to 9"),
        ("%E2%80%8F2", "in the digits 0 to 9"),
        ("1000", "vCPUs"),
    ] {
        let path = format!("/vms/{shop}/resize?vcpus={size}&memory_mib=256&disk_gib=1");
        let line = server.logs(&["a call was refused", &shop, said], || {
            assert!(ada.page(&path).status < 500);
        });
        assert!(!line.contains(['\u{200f}', '\u{202e}']), "{line}");
    }
}

#[test]
fn a_page_that_asks_again_and_again_is_told_in_one_line() {
    let server = shared();
    let (shop, mut ada) = (server.vm("shop").to_owned(), server.signed_in("ada"));
    let typed = [("id", &*shop), ("typed[vcpus]", "x1x"), ("typed[memory_mib]", "256"), ("typed[disk_gib]", "1")];
    let parts = ["a call was refused", "/api/vm_resize_preview", "vCPUs: Enter a whole number"];
    server.logs(&parts, || {
        for _ in 0..5 {
            assert_eq!(ada.script("vm_resize_preview", &typed).status, 200);
        }
    });
    let lines = server.log();
    assert_eq!(lines.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count(), 1);
}

#[test]
fn a_forged_or_foreign_agreement_is_a_log_line() {
    let server = shared();
    let (shop, mut ada, mut ben) = (server.vm("shop").to_owned(), server.signed_in("ada"), server.signed_in("ben"));
    let plan = plan_in(&ada.page(&format!("/vms/{shop}/resize?vcpus=2&memory_mib=256&disk_gib=1")).body);
    let other = plan.replace(&shop, server.vm("render"));
    let larger = plan.replace("\"vcpus\":2", "\"vcpus\":4096");
    let nowhere = "00000000-0000-0000-0000-000000000000";
    let placed = plan.replace(nowhere, "00000000-0000-0000-0000-000000000001");
    for (plan, said) in [
        ("{\"vm\":\"\u{202e}", "This plan can't be read"),
        (&other, "This plan is another VM's"),
        (&placed, "This is not the plan that was shown"),
        (&larger, "vCPUs"),
    ] {
        let fields = [("id", &*shop), ("plan", plan), ("key", "log-plan")];
        let line = server.logs(&["a call was refused", "/api/vm_resize", &shop, said], || {
            ada.script("vm_resize", &fields);
        });
        assert!(!line.contains('\u{202e}'), "{line}");
    }
    let fields = [("id", &*shop), ("plan", &*plan), ("key", "log-foreign")];
    server.logs(&["a call was refused", "/api/vm_resize", &shop, "status=404", "not found"], || {
        assert_eq!(ben.script("vm_resize", &fields).status, 404);
    });
    server.logs(&["a call was refused", "/api/vm_resize", "Load the page again"], || {
        ada.script("vm_resize", &[("id", &*shop), ("plan", &*plan)]);
    });
}

#[test]
fn a_resize_during_a_resize_is_a_log_line() {
    let server = shared();
    let (render, mut ben) = (server.vm("render").to_owned(), server.signed_in("ben"));
    let plan = plan_in(&ben.page(&format!("/vms/{render}/resize?vcpus=2&memory_mib=512&disk_gib=2")).body);
    let first = ben.script("vm_resize", &[("id", &render), ("plan", &plan), ("key", "first")]);
    assert_eq!(first.status, 200, "{first:?}");
    let parts = ["a call was refused", "/api/vm_resize", &render, "operation", "works on it"];
    server.logs(&parts, || {
        let second = ben.script("vm_resize", &[("id", &render), ("plan", &plan), ("key", "second")]);
        assert!(second.body.contains("Another operation is working on this VM"), "{second:?}");
    });
}

#[test]
fn what_is_foreign_forbidden_too_large_or_nowhere_is_a_log_line() {
    let server = shared();
    let (shop, mut ben) = (server.vm("shop").to_owned(), server.signed_in("ben"));
    server.logs(&["a call was refused", &format!("/vms/{shop}"), "status=404"], || {
        assert_eq!(ben.page(&format!("/vms/{shop}")).status, 404);
    });
    server.logs(&["a call was refused", "/admin/nodes", "status=403", "not allowed"], || {
        assert_eq!(ben.page("/admin/nodes").status, 403);
    });
    server.logs(&["a call was refused", "/api/vm_deploy", "status=413"], || {
        assert_eq!(ben.form("vm_deploy", &[("name", &"x".repeat(300_000))]).status, 413);
    });
    let line = server.logs(&["a call was refused", "/nothing/", "status=404"], || {
        assert_eq!(ben.page(&format!("/nothing/%0A{}", "x".repeat(4000))).status, 404);
    });
    assert!(line.len() < 1000, "{line}");
    server.logs(&["a call was refused", "another site", "status=403"], || {
        let from = [("sec-fetch-site", "cross-site")];
        assert_eq!(ben.post("vm_stop", "text/html", &from, format!("id={shop}")).status, 403);
    });
    let secret = "my-secret-password";
    let line = server.logs(&["a call was refused", "/api/session_open", "don't belong together"], || {
        server.visitor().script("session_open", &[("email", secret), ("password", secret)]);
    });
    assert!(!line.contains(secret), "{line}");
    server.logs(&["a call was refused", "/utility/report", "status=401", "not known"], || {
        assert_eq!(call_as_module(server.utility, "/utility/report", secret, "{}"), 401);
    });
    assert!(!server.log().contains(secret));
}

#[test]
fn a_node_uri_that_no_hypervisor_kind_knows_ends_the_start_with_a_log_line() {
    for (uri, said) in [
        ("ftp://somewhere/", "does not run this hypervisor kind"),
        ("nowhere", "it is no URI"),
        ("\u{202e}evil", "it is no URI"),
        ("qemu+tls://\u{202e}evil/sys tem", "holds blanks"),
    ] {
        let folder = folder();
        configure(&folder, [1, 2, 3], |name| match name.split_once('-') {
            Some((_, "b")) => uri.to_owned(),
            Some((driver, _)) => format!("{driver}+tls://node.example/system"),
            None => String::new(),
        });
        let output = Command::new(env!("CARGO_BIN_EXE_hostgrid"))
            .args(["serve", "--config", "hostgrid.toml"])
            .current_dir(&folder)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(!output.status.success(), "{uri}: {log}");
        assert!(log.contains("ERROR") && log.contains("qemu-b") && log.contains(said), "{uri}: {log}");
        assert!(!log.contains('\u{202e}'), "{uri}: {log}");
    }
}

#[test]
fn the_log_of_a_start_has_no_refusals_and_no_secrets() {
    let server = Server::start();
    let log = server.log();
    assert!(!log.contains("a call was refused"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}
