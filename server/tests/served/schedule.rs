//! A resize that is agreed to for later, by plain forms: what is wrong with its window, its cancellation, and its start.

use crate::browser::Browser;
use crate::log::plan_in;
use crate::server::Server;
use std::process::Command;
use std::time::{Duration, Instant};

const SECOND: &str = "00000000-0000-4000-8000-000000000002";

/// A time in UTC as a browser's field has it: `now`, `+1 hour`.
fn at(when: &str) -> String {
    let told = Command::new("date").args(["-u", "-d", when, "+%FT%H:%M"]).output().unwrap().stdout;
    String::from_utf8(told).unwrap().trim().to_owned()
}

#[test]
fn a_resize_is_scheduled_without_scripts_and_cancelled_and_one_whose_window_is_open_starts() {
    let server = Server::start();
    let shop = server.vm("shop").to_owned();
    let mut ada = server.signed_in("ada");
    let query = "?vcpus=2&memory_mib=256&disk_gib=1";
    let (vm_page, later) = (format!("/vms/{shop}"), format!("/vms/{shop}/resize/later{query}"));
    assert!(ada.page(&format!("/vms/{shop}/resize{query}")).body.contains(&later.replace('&', "&amp;")));
    let page = ada.page(&later).body;
    for part in ["In UTC.", "datetime-local", "name=\"or_a_restart\"", "name=\"force_off\"", "No room is kept for it"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let plan = plan_in(&page);
    let key = uuid::Uuid::from_u128(7).to_string();
    let form = |ada: &mut Browser, opens: &str, closes: &str| {
        let window = [("window[opens]", opens), ("window[closes]", closes)];
        let fields = [&[("id", &*shop), ("plan", &*plan), ("key", &*key)], &window[..]].concat();
        ada.form("vm_schedule", &fields).location
    };
    let (day, days) = (at("+1 day"), at("+9 days"));
    for (opens, closes, said) in [
        ("<b>", &*day, "This is no day and time"),
        ("", &*day, "Choose a day and a time."),
        ("2020-01-01T10:00", &*day, "This is in the past."),
        (&*days, &*day, "It has to close after it opens."),
        (&*day, &*days, "7 days at most"),
        (&*at("+100 days"), &*at("+101 days"), "within the next 90 days"),
    ] {
        assert_eq!(form(&mut ada, opens, closes), later, "{opens} {closes}");
        let page = ada.page(&later).body;
        assert!(page.contains(said), "{said}: {page}");
        assert!(
            page.contains(&format!("value=\"{}\"", opens.replace('<', "&lt;").replace('>', "&gt;"))),
            "what was typed: {page}"
        );
    }
    assert_eq!(form(&mut ada, &day, &at("+2 days")), vm_page);
    assert_eq!(form(&mut ada, &day, &at("+2 days")), vm_page, "the same form again");

    let page = ada.page(&vm_page).body;
    let schedule = page.split("data-schedule=\"").nth(1).unwrap()[..36].to_owned();
    assert_eq!(schedule, key);
    for part in ["Changes to 2 vCPUs", "Agreed to: no move and no restart.", "Cancel the change"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(ada.page(&format!("/vms/{shop}/resize")).body.contains(&schedule), "on the resize page too");
    let cancelled = ada.form("vm_schedule_cancel", &[("id", &shop), ("schedule", &schedule)]);
    assert_eq!((cancelled.status, cancelled.location), (302, vm_page.clone()));
    assert!(ada.page(&vm_page).body.contains("data-schedule-over=\"cancelled\""));
    // A second click asks for what is so already.
    ada.form("vm_schedule_cancel", &[("id", &shop), ("schedule", &schedule)]);
    assert!(!ada.page(&vm_page).body.contains("it is over already"));

    let (opens, closes) = (at("now"), at("+1 hour"));
    let fields =
        [("id", &*shop), ("plan", &*plan), ("key", SECOND), ("window[opens]", &opens), ("window[closes]", &closes)];
    assert_eq!(ada.form("vm_schedule", &fields).location, vm_page);
    let begin = Instant::now();
    while !ada.page(&vm_page).body.contains("data-schedule-over=\"started\"") {
        assert!(begin.elapsed() < Duration::from_secs(30), "{}", ada.page(&vm_page).body);
        std::thread::sleep(Duration::from_millis(200));
    }
    while !ada.page(&format!("/vms/{shop}/resize")).body.contains("Now: <strong>2 vCPUs") {
        assert!(begin.elapsed() < Duration::from_mins(1), "{}", ada.page(&vm_page).body);
        std::thread::sleep(Duration::from_millis(200));
    }
}
