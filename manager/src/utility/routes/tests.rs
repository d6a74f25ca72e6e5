//! The door, as a module without manners would use it.

use super::*;
use crate::test_log::TestLog;
use crate::utility::{MemoryKeys, UtilityPace};
use axum::body::to_bytes;
use axum::http::Request;
use futures::stream;
use grid::UnixMillis;
use grid::sample::PoolSample;
use grid::work::{Work, WorkDone};
use std::time::SystemTime;
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

mod transfers;

struct Doorstep {
    _folder: TempDir,
    hub: Arc<UtilityHub>,
    router: Router,
}

fn node(number: u128) -> NodeId {
    NodeId(Uuid::from_u128(number))
}

fn now() -> UnixMillis {
    UnixMillis(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis().try_into().unwrap())
}

fn sample(sequence: u64) -> UtilitySample {
    UtilitySample {
        taken_at: now(),
        sequence,
        boot_id: "boot".into(),
        process_namespace: "pid:[1]".into(),
        version: "1".into(),
        uptime_seconds: 1,
        own_memory_total_mib: 128,
        own_memory_available_mib: 64,
        own_resident_mib: 3,
        load_permille: 0,
        steal_permille: 0,
        sees_node: false,
        node_memory_total_mib: None,
        node_memory_free_mib: None,
        node_memory_available_mib: None,
        pool: PoolSample { capacity_mib: 1000, free_mib: 500 },
        write_latency_us: 400,
        disks: Vec::new(),
        images: Vec::new(),
        deployed: Vec::new(),
    }
}

impl Doorstep {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("disk")).unwrap();
        std::fs::write(folder.path().join("disk/tiny.raw"), vec![7; 700_000]).unwrap();
        let images = Arc::new(ImageLibrary::open(folder.path().to_owned()).await.unwrap());
        let pace = UtilityPace { transfer: Duration::from_millis(300), ..UtilityPace::default() };
        let hub = UtilityHub::with_pace(Arc::new(MemoryKeys::default()), pace);
        let router = router(Arc::clone(&hub), images);
        Self { _folder: folder, hub, router }
    }

    async fn call(&self, method: &str, path: &str, key: Option<&str>, body: impl Into<Body>) -> (StatusCode, Bytes) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = response.status();
        (status, to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default())
    }

    async fn enrol(&self, token: &str, boot_id: &str) -> (StatusCode, Option<Enrolled>) {
        let enrolment = Enrolment { token: token.into(), boot_id: boot_id.into(), version: "1".into() };
        let (status, body) = self.call("POST", "/utility/enrol", None, serde_json::to_vec(&enrolment).unwrap()).await;
        (status, serde_json::from_slice(&body).ok())
    }

    /// A key of this node's module.
    async fn key(&self, number: u128) -> String {
        let token = self.hub.token_issue(node(number)).await.unwrap();
        let (_, enrolled) = self.enrol(&token, "boot").await;
        let enrolled = enrolled.unwrap();
        assert_eq!(enrolled.node, node(number));
        enrolled.key
    }

    async fn report(&self, key: &str, sample: &UtilitySample) -> StatusCode {
        self.call("POST", "/utility/report", Some(key), serde_json::to_vec(sample).unwrap()).await.0
    }
}

#[tokio::test]
async fn a_token_is_good_once_but_a_lost_answer_can_be_asked_for_again() {
    let door = Doorstep::new().await;
    let token = door.hub.token_issue(node(1)).await.unwrap();
    let (_, first) = door.enrol(&token, "boot").await;
    let (_, again) = door.enrol(&token, "boot").await;
    let (first, again) = (first.unwrap().key, again.unwrap().key);
    assert_eq!(door.enrol(&token, "another").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(door.enrol("guessed", "boot").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(door.report(&first, &sample(1)).await, StatusCode::UNAUTHORIZED, "the second key took its place");
    assert_eq!(door.report(&again, &sample(1)).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_token_is_forgotten_once_its_key_was_used() {
    let door = Doorstep::new().await;
    let token = door.hub.token_issue(node(1)).await.unwrap();
    door.enrol(&token, "boot").await;
    let (_, enrolled) = door.enrol(&token, "boot").await;
    let key = enrolled.unwrap().key;
    assert_eq!(door.report(&key, &sample(1)).await, StatusCode::NO_CONTENT);
    // By somebody who has read the token in the domain's XML and the boot id wherever it stood.
    assert_eq!(door.enrol(&token, "boot").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(door.report(&key, &sample(2)).await, StatusCode::NO_CONTENT, "and the key is good as before");
}

#[tokio::test]
async fn a_newer_token_takes_the_place_of_one_that_was_never_used() {
    let door = Doorstep::new().await;
    let first = door.hub.token_issue(node(1)).await.unwrap();
    let second = door.hub.token_issue(node(1)).await.unwrap();
    assert_eq!(door.enrol(&first, "boot").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(door.enrol(&second, "boot").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_new_enrolment_ends_the_old_key() {
    let door = Doorstep::new().await;
    let (old, new) = (door.key(1).await, door.key(1).await);
    assert_eq!(door.report(&old, &sample(1)).await, StatusCode::UNAUTHORIZED);
    assert_eq!(door.report(&new, &sample(1)).await, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn without_the_key_nothing_opens() {
    let door = Doorstep::new().await;
    door.key(1).await;
    let transfer = format!("/utility/transfers/{}", door.hub.transfer_open(node(1), node(2)));
    let calls = [
        ("POST", "/utility/report"),
        ("POST", "/utility/work?wait=0"),
        ("GET", "/utility/images/disk/tiny"),
        ("PUT", &transfer),
        ("GET", &transfer),
    ];
    for (method, path) in calls {
        for key in [None, Some(""), Some("wrong")] {
            assert_eq!(door.call(method, path, key, "[]").await.0, StatusCode::UNAUTHORIZED, "{method} {path} {key:?}");
        }
    }
    assert_eq!(door.hub.latest(node(1)), None);
}

#[tokio::test]
async fn a_report_reaches_those_who_listen() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    let mut reports = door.hub.reports();
    assert_eq!(door.report(&key, &sample(1)).await, StatusCode::NO_CONTENT);
    let heard = reports.try_recv().unwrap();
    assert_eq!((heard.node, heard.sample.sequence), (node(1), 1));
    assert!(now().since(heard.at) < 5000);
    assert_eq!(door.hub.latest(node(1)), Some(heard));
}

#[tokio::test]
async fn a_report_that_makes_no_sense_is_refused_and_changes_nothing() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    assert_eq!(door.report(&key, &sample(5)).await, StatusCode::NO_CONTENT);
    let before = door.hub.latest(node(1));
    let good = serde_json::to_string(&sample(6)).unwrap();
    let spoilt = [
        good.replace("\"free_mib\":500", "\"free_mib\":-1"),
        good.replace("\"free_mib\":500", "\"free_mib\":NaN"),
        good.replace("\"free_mib\":500", "\"free_mib\":1e400"),
        good.replace("\"free_mib\":500", "\"free_mib\":99999999999999999999999"),
        good.replace("\"version\":\"1\",", ""),
        "garbage".into(),
        String::new(),
        "[".repeat(10_000),
    ];
    for body in spoilt {
        let (status, _) = door.call("POST", "/utility/report", Some(&key), body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
    for sequence in [4, 5] {
        assert_eq!(door.report(&key, &sample(sequence)).await, StatusCode::CONFLICT);
    }
    let long = UtilitySample { version: "1".repeat(10_000), ..sample(6) };
    assert_eq!(door.report(&key, &long).await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(door.hub.latest(node(1)), before);
}

#[tokio::test]
async fn a_report_is_taken_at_its_arrival_whatever_either_clock_says() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    let times = [0, i64::MIN, i64::MAX, now().0 + 2 * 24 * 60 * 60 * 1000];
    for (sequence, time) in (1..).zip(times) {
        let report = UtilitySample { taken_at: UnixMillis(time), ..sample(sequence) };
        assert!(door.report(&key, &report).await.is_success(), "{time}");
        let heard = door.hub.latest(node(1)).unwrap();
        assert_eq!(heard.sample.sequence, sequence);
        assert!(now().apart(heard.at) < 5000, "{time}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_without_being_read() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1 << 16])));
    for path in ["/utility/report", "/utility/work"] {
        let (status, _) = door.call("POST", path, Some(&key), Body::from_stream(endless.clone())).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn an_order_is_polled_for_and_answered() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    let vm = grid::VmId(Uuid::from_u128(9));
    let module = door.hub.module(node(1));
    let order = tokio::spawn(async move { module.carry_out(Work::Delete { vm }, Duration::from_secs(5)).await });
    let (_, body) = door.call("POST", "/utility/work?wait=5", Some(&key), "[]").await;
    let orders: Vec<WorkOrder> = serde_json::from_slice(&body).unwrap();
    assert_eq!(orders[0].work, Work::Delete { vm });
    let answer = WorkAnswer { id: orders[0].id, outcome: Ok(WorkDone::Done), took_ms: 1 };
    let (status, body) =
        door.call("POST", "/utility/work?wait=0", Some(&key), serde_json::to_vec(&[answer]).unwrap()).await;
    assert_eq!((status, &body[..]), (StatusCode::OK, &b"[]"[..]));
    assert_eq!(order.await.unwrap(), Ok(WorkDone::Done));
}

#[tokio::test]
async fn an_image_is_served_by_its_name_and_nothing_else_is() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    let (status, body) = door.call("GET", "/utility/images/disk/tiny", Some(&key), Body::empty()).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 700_000));
    for path in
        ["/utility/images/disk/other", "/utility/images/root/tiny", "/utility/images/disk/..%2F..%2Fetc%2Fpasswd"]
    {
        assert_eq!(door.call("GET", path, Some(&key), Body::empty()).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(
        door.call("GET", "/utility/images/tape/tiny", Some(&key), Body::empty()).await.0,
        StatusCode::BAD_REQUEST
    );
}

/// What the log says while `story` goes on, a line an entry.
async fn log_of<T>(story: impl Future<Output = T>) -> Vec<String> {
    let (log, guard) = TestLog::begin();
    story.await;
    drop(guard);
    log.lines()
}

#[tokio::test]
async fn every_refused_report_is_a_log_line_of_its_node_and_its_reason() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    door.report(&key, &sample(5)).await;
    let good = serde_json::to_string(&sample(6)).unwrap();
    let with = |from: &str, to: &str| good.replace(from, to);
    let cases = [
        (with("\"free_mib\":500", "\"free_mib\":-1"), "integer `-1`"),
        (with("\"free_mib\":500", "\"free_mib\":NaN"), "makes no sense"),
        (with("\"sequence\":6", "\"sequence\":4"), "goes backwards"),
        (with("\"version\":\"1\"", &format!("\"version\":\"{}\"", "v".repeat(300))), "too long"),
        (" ".repeat(100 << 20), "length limit exceeded"),
        (with("\"sequence\":6", "\"sequence\":\"my\\u202esecret\\n\""), "a text, expected u64"),
    ];
    for (body, reason) in cases {
        let log = log_of(door.call("POST", "/utility/report", Some(&key), body)).await;
        assert_eq!(log.len(), 1, "{reason}: {log:#?}");
        for part in [reason, "a call was refused", "/utility/report", &node(1).to_string()] {
            assert!(log[0].contains(part), "{part}: {}", log[0]);
        }
        assert!(log[0].len() < 700 && !log[0].contains("secret") && !log[0].contains(&key), "{}", log[0]);
    }
}

#[tokio::test]
async fn a_wrong_key_and_an_address_that_is_none_are_log_lines_without_the_key() {
    let door = Doorstep::new().await;
    let key = door.key(1).await;
    for (path, presented, status) in [
        ("/utility/report", "wrong-key", 401),
        ("/utility/work?wait=0", "wrong-key", 401),
        ("/utility/images/tape/tiny", &key, 400),
        ("/utility/nothing%0Ahere", &key, 404),
        ("/utility/enrol", "", 400),
    ] {
        let method = if path.contains("images") { "GET" } else { "POST" };
        let log = log_of(door.call(method, path, Some(presented), "{}")).await;
        assert_eq!(log.len(), 1, "{path}: {log:#?}");
        assert!(log[0].contains(&format!("status={status}")), "{path}: {}", log[0]);
        assert!(presented.is_empty() || !log[0].contains(presented), "{}", log[0]);
    }
    let log = log_of(door.enrol("guessed-token", "boot")).await;
    assert!(log.len() == 1 && log[0].contains("not known") && !log[0].contains("guessed"), "{log:#?}");
}

#[tokio::test]
async fn a_module_gone_wild_neither_fills_the_log_nor_hides_another() {
    let door = Doorstep::new().await;
    let (wild, other) = (door.key(1).await, door.key(2).await);
    let log = log_of(async {
        for _ in 0..200 {
            door.call("POST", "/utility/report", Some(&wild), "garbage").await;
        }
        door.call("POST", "/utility/report", Some(&other), "garbage").await;
    });
    let log = log.await;
    assert!(log.len() < 110, "{}", log.len());
    assert!(log.last().is_some_and(|line| line.contains(&node(2).to_string())), "{log:#?}");
}
