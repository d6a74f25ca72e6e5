//! Reports over the wire, of a utility module that has gone wrong: each is refused, is a log line, and changes nothing.

use crate::browser::{call_as_module, enrol};
use crate::server::Server;
use grid::UnixMillis;
use grid::sample::{PoolSample, UtilitySample};
use manager::store::NodeStore;
use manager::utility::UtilityHub;
use manager::utility_keys::StoreKeys;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

const NODE: &str = "lxc-b";
const REPORT: &str = "/utility/report";

fn sample(sequence: u64) -> UtilitySample {
    UtilitySample {
        taken_at: UnixMillis(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis().try_into().unwrap()),
        sequence,
        boot_id: "the-boot".into(),
        process_namespace: "pid:[1]".into(),
        version: "1.2.3".into(),
        uptime_seconds: 60,
        own_memory_total_mib: 128,
        own_memory_available_mib: 64,
        own_resident_mib: 3,
        load_permille: 0,
        steal_permille: 0,
        sees_node: false,
        node_memory_total_mib: None,
        node_memory_free_mib: None,
        node_memory_available_mib: None,
        pool: PoolSample { capacity_mib: 4096, free_mib: 1536 },
        write_latency_us: 4567,
        disks: Vec::new(),
        images: Vec::new(),
        deployed: Vec::new(),
    }
}

/// The facts on the node's page, without their ages.
fn facts(server: &Server) -> String {
    let page = server.signed_in("admin").page(&format!("/admin/nodes/{NODE}")).body;
    let (_, facts) = page.split_once("Both sets of statistics").unwrap_or_else(|| panic!("{page}"));
    let facts = facts.split("</section>").next().unwrap();
    let rows = facts.split("<tr").filter(|row| !row.contains("Last heard"));
    rows.collect()
}

/// A key of the node's module, as a module comes by it.
fn key(server: &Server) -> String {
    let token = server.with_store(async |store| {
        let nodes = store.node_list().await.unwrap();
        let node = nodes.iter().find(|node| node.name == NODE).unwrap().id;
        UtilityHub::new(std::sync::Arc::new(StoreKeys(store))).token_issue(node).await.unwrap()
    });
    enrol(server.utility, &token)
}

/// So many bytes as a report; the first line of the answer, if the server stays to be heard.
fn send_much(server: &Server, key: &str, bytes: usize) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.utility)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head =
        format!("POST {REPORT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let piece = vec![b' '; 1 << 20];
    for _ in 0..bytes / piece.len() {
        if stream.write_all(&piece).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    // Whoever hangs up has said what there is to say.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_report_that_can_t_be_is_refused_over_the_wire_and_the_page_of_its_node_stays_as_it_was() {
    // Its simulated module is gone with it, so that all its page shows of a module is what is sent here.
    let server = Server::start().again_without(NODE);
    let key = key(&server);
    let good = serde_json::to_string(&sample(7)).unwrap();
    assert_eq!(call_as_module(server.utility, REPORT, &key, &good), 204);
    crate::server::until("it is shown", || facts(&server).contains("4.567 ms"));
    let shown = facts(&server);
    for part in ["1.5 GiB", "1.2.3", "the-boot"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let next = serde_json::to_string(&UtilitySample { write_latency_us: 9, ..sample(8) }).unwrap();
    let with = |from: &str, to: &str| {
        assert!(next.contains(from), "{from} is not in {next}");
        next.replace(from, to)
    };
    for (key, body, status, reason) in [
        (&*key, with("\"free_mib\":1536", "\"free_mib\":-1"), 400, "invalid value: integer `-1`"),
        (&key, with("\"free_mib\":1536", "\"free_mib\":NaN"), 400, "makes no sense"),
        (&key, with("\"sequence\":8", "\"sequence\":6"), 409, "goes backwards"),
        (&key, with("\"version\":\"1.2.3\"", &format!("\"version\":\"{}\"", "v".repeat(300))), 422, "too long"),
        ("a-wrong-key", next.clone(), 401, "not known"),
    ] {
        let lines = refusals(&server);
        let status_part = format!("status={status}");
        let line = server.logs(&["WARN", "a call was refused", REPORT, &status_part, reason], || {
            assert_eq!(call_as_module(server.utility, REPORT, key, &body), status, "{reason}");
        });
        assert!(line.len() < 700 && !line.contains(key), "{line}");
        assert_eq!(refusals(&server), lines + 1, "{reason}: one line");
        assert_eq!(facts(&server), shown, "{reason}");
    }
    let lines = refusals(&server);
    server.logs(&["a call was refused", REPORT, "status=413", "length limit exceeded"], || {
        let answer = send_much(&server, &key, 100 << 20);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    });
    assert_eq!(refusals(&server), lines + 1, "too long: one line");
    assert_eq!(facts(&server), shown, "too long");

    assert_eq!(call_as_module(server.utility, REPORT, &key, &next), 204, "and what can be is taken as before");
    crate::server::until("it is shown", || facts(&server).contains("0.009 ms"));
}

/// How many reports were refused so far, as the log tells.
fn refusals(server: &Server) -> usize {
    server.log().lines().filter(|line| line.contains("a call was refused") && line.contains(REPORT)).count()
}
