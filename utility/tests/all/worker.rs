//! The worker as it runs in its VM: whatever the manager says of a report, the next one comes.

use crate::manager::{Call, Manager};
use grid::sample::UtilitySample;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use utility::configuration::Configuration;

fn is_report(call: &Call) -> bool {
    call.line.starts_with("POST /utility/report ")
}

#[test]
fn reports_go_on_after_some_that_the_manager_refused() {
    let pool = TempDir::new().unwrap();
    let mut refusals = [(400, "the load is not a number"), (413, "too long")].into_iter();
    let manager = Manager::saying(move |call| match call.line.split(' ').nth(1).unwrap() {
        "/utility/enrol" => (200, br#"{"key":"k","node":"00000000-0000-0000-0000-000000000001"}"#.to_vec()),
        "/utility/report" => refusals.next().map_or((204, Vec::new()), |(status, why)| (status, why.into())),
        // Nothing to do for now.
        _ => {
            thread::sleep(Duration::from_millis(200));
            (200, b"[]".to_vec())
        }
    });
    let configuration = Configuration {
        manager: manager.url.clone(),
        token: "token".into(),
        address: None,
        gateway: None,
        management: String::new(),
        customers: String::new(),
        pool: pool.path().to_owned(),
        boot_id: Some("boot".into()),
        container: true,
    };
    thread::spawn(move || utility::worker::run(&configuration));

    let until = Instant::now() + Duration::from_secs(30);
    let mut reports: Vec<Call> = Vec::new();
    // Two that are refused, one that is taken, and the one after it.
    while reports.len() < 4 && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
        reports = manager.calls().into_iter().filter(is_report).collect();
    }
    let told: Vec<UtilitySample> = reports.iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect();
    assert_eq!(told.iter().map(|sample| sample.sequence).collect::<Vec<_>>(), [1, 2, 3, 4], "each is a new one");
    assert!(reports.iter().all(|call| call.authorization.as_deref() == Some("Bearer k")), "its key is good still");
    let enrolments = manager.calls().iter().filter(|call| call.line.starts_with("POST /utility/enrol ")).count();
    assert_eq!(enrolments, 1);
}
