//! `/metrics` of a server that has something to tell: to Prometheus at an address of its own, and to no customer. And
//! what others ask before they send anybody: whether it is ready.

use crate::browser::Browser;
use crate::server::{NODES, Server, edit, shared};
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn promtool_is_content_with_the_metrics() {
    const WANTED: [&str; 9] = [
        "hostgrid_samples_total{",
        "hostgrid_sample_duration_seconds_bucket{",
        "hostgrid_reading_age_seconds{",
        "hostgrid_map_version ",
        "hostgrid_history_points_total ",
        "hostgrid_operations_running ",
        "hostgrid_operations_total{",
        "hostgrid_operation_duration_seconds_sum{",
        "hostgrid_step_duration_seconds_count",
    ];
    let server = shared();
    let mut scraped = String::new();
    let mut missing = WANTED.to_vec();
    // The history is written every few seconds; with it the ages are told.
    for _ in 0..150 {
        scraped = Browser::new(server.metrics).page("/metrics").body;
        missing.retain(|metric| !scraped.contains(metric));
        if missing.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    assert!(missing.is_empty(), "{missing:?} not in\n{scraped}");
    assert!(scraped.contains("node=\"qemu-a\""), "an operator sees which node it is: {scraped}");
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.unwrap_or_else(|error| panic!("promtool (Debian's package prometheus): {error}"));
    promtool.stdin.take().unwrap().write_all(scraped.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let words = [said.stdout, said.stderr].concat();
    assert!(said.status.success(), "{}\n{scraped}", String::from_utf8_lossy(&words));
    assert_eq!(String::from_utf8_lossy(&words), "");
}

#[test]
fn the_metrics_are_at_their_own_address_only_and_no_answer_for_machines_names_a_node_to_a_customer() {
    let server = shared();
    for mut browser in [server.visitor(), server.signed_in("ada")] {
        for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 404)] {
            let answer = browser.page(path);
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            for (node, _) in NODES {
                assert!(!answer.body.contains(node), "{path}: {answer:?}");
            }
        }
    }
    let mut scraper = Browser::new(server.metrics);
    let answer = scraper.page("/metrics");
    assert_eq!((answer.status, answer.kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    for path in ["/", "/login", "/readyz"] {
        assert_eq!(scraper.page(path).status, 404, "{path}: nothing else is there");
    }
}

#[test]
fn an_operator_can_have_the_metrics_beside_the_pages() {
    let mut server = Server::begin_with_metrics_beside_its_pages();
    let answer = server.first_answer("/metrics");
    assert_eq!((answer.status, answer.kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(server.visitor().page("/login").status, 200);
}

#[test]
fn a_server_without_a_map_lives_and_is_not_ready_and_one_with_a_map_is() {
    let mut server = Server::begin_changed(|folder| {
        edit(folder, "hostgrid.toml", |text| text.split("[[node]]").next().unwrap().to_owned());
    });
    let answer = server.first_answer("/readyz");
    assert_eq!(answer.status, 503, "{answer:?}");
    let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let wanted = serde_json::json!({ "ready": false, "store": true, "map_version": 0, "nodes": 0 });
    assert_eq!((said, server.visitor().page("/healthz").status), (wanted, 200));

    let answer = shared().visitor().page("/readyz");
    let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &said["ready"], &said["nodes"]), (200, &true.into(), &NODES.len().into()), "{said}");
    assert!(said["map_version"].as_u64() > Some(0), "{said}");
}
