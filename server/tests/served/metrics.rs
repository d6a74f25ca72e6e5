//! `/metrics` of a server that has something to tell.

use crate::server::shared;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn promtool_is_content_with_the_metrics() {
    let server = shared();
    let mut scraped = String::new();
    // The history is written every few seconds; with it the ages are told.
    for _ in 0..150 {
        scraped = server.visitor().page("/metrics").body;
        if scraped.contains("hostgrid_reading_age_seconds{") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    for metric in [
        "hostgrid_samples_total{",
        "hostgrid_sample_duration_seconds_bucket{",
        "hostgrid_reading_age_seconds{",
        "hostgrid_map_version ",
        "hostgrid_history_points_total ",
        "hostgrid_operations_running ",
        "hostgrid_operations_total{",
        "hostgrid_operation_duration_seconds_sum{",
        "hostgrid_step_duration_seconds_count",
    ] {
        assert!(scraped.contains(metric), "{metric} is not in\n{scraped}");
    }
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
