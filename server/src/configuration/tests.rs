//! Which configurations are good, and what is said of the others.

use super::*;

fn parse(text: &str) -> Result<Configuration, ConfigurationError> {
    Configuration::from_sources(
        config::Config::builder().add_source(config::File::from_str(text, config::FileFormat::Toml)),
    )
}

#[test]
fn the_example_is_valid() {
    let configuration = parse(EXAMPLE).unwrap();
    assert_eq!(configuration.nodes.len(), 2);
    assert!(!configuration.is_simulated());
}

#[test]
fn an_unknown_key_is_refused() {
    let error = parse(&EXAMPLE.replace("memory_mib = 128", "memory_mb = 128")).unwrap_err();
    assert!(error.to_string().contains("memory_mb"), "{error}");
}

#[test]
fn people_come_by_https_where_the_address_says_so_and_it_says_one_or_the_other() {
    let encrypted = |url: &str| {
        let read = parse(&EXAMPLE.replace("https://panel.example", url));
        read.map(|read| read.web.is_encrypted()).map_err(|error| error.to_string())
    };
    for (url, expected) in [
        ("https://panel.example", true),
        ("HTTPS://panel.example", true),
        ("http://127.0.0.1:3000", false),
        ("Http://https.example/https://", false),
    ] {
        assert_eq!(encrypted(url), Ok(expected), "{url}");
    }
    for wrong in ["panel.example", "//panel.example", "https:panel.example", "ftp://panel.example", ""] {
        let said = encrypted(wrong).unwrap_err();
        assert!(said.contains("web.url begins with http:// or https://"), "{wrong}: {said}");
    }
}

#[test]
fn a_bad_node_is_named() {
    let error = parse(&EXAMPLE.replace("qemu+tls://kvm-1.example/system", "kvm-1.example")).unwrap_err();
    assert!(error.to_string().starts_with("node kvm-1:"), "{error}");
}

#[test]
fn a_uri_that_no_node_of_its_kind_can_have_is_found_before_anything_starts() {
    for wrong in [
        "bogus://x",
        "lxc:///",
        "qemu+tls://kvm 1/system",
        "simulated://x",
        "qemu+bogus://kvm-1/system",
        "qemu+tcp://kvm-1",
        "qemu+tcp://kvm-1:99999/system",
        "qemu+tcp://kvm-1:x/system",
        "qemu+tcp://a@@/system",
        "qemu+tcp://:1/system",
        "qemu+tcp://kvm-1:0/system",
    ] {
        let error = parse(&EXAMPLE.replace("qemu+tls://kvm-1.example/system", wrong)).unwrap_err().to_string();
        assert!(error.starts_with("node kvm-1: its uri"), "{wrong}: {error}");
    }
    for good in [
        "qemu:///system",
        "qemu+ssh://root@kvm-1:2222/system?no_verify=1",
        "qemu+tcp://192.0.2.7/system",
        "qemu+tls://[2001:db8::7]:16514/system",
    ] {
        assert_eq!(
            parse(&EXAMPLE.replace("qemu+tls://kvm-1.example/system", good)).map(drop).map_err(|it| it.to_string()),
            Ok(())
        );
    }
}

#[test]
fn simulated_and_real_nodes_are_not_mixed() {
    let error = parse(&EXAMPLE.replace("qemu+tls://kvm-1.example/system", "simulated:///kvm-1")).unwrap_err();
    assert!(error.to_string().contains("can't be mixed"), "{error}");
}

#[test]
fn a_failure_domain_is_a_plain_word_or_left_out() {
    let configuration = parse(EXAMPLE).unwrap();
    let domains: Vec<_> = configuration.nodes.iter().map(|node| node.failure_domain.as_deref()).collect();
    assert_eq!(domains, [Some("rack-1"), None]);
    let error = parse(&EXAMPLE.replace("\"rack-1\"", "\"rack 1\"")).unwrap_err();
    assert!(error.to_string().contains("failure domain"), "{error}");
}

#[test]
fn metrics_are_answered_on_this_machine_alone_where_nothing_is_said() {
    let address = |text: &str| parse(text).map(|read| read.web.metrics_address.to_string());
    let said = "metrics_address = \"127.0.0.1:7601\"";
    assert_eq!(address(EXAMPLE).unwrap(), "127.0.0.1:7601");
    assert_eq!(address(&EXAMPLE.replace(said, "")).unwrap(), "127.0.0.1:7601");
    let elsewhere = EXAMPLE.replace(said, "metrics_address = \"10.0.0.1:9000\"");
    assert_eq!(address(&elsewhere).unwrap(), "10.0.0.1:9000");
    let error = address(&EXAMPLE.replace(said, "metrics_address = \"everywhere\"")).unwrap_err();
    assert!(error.to_string().contains("metrics_address"), "{error}");
}

#[test]
fn moves_have_limits_that_let_one_go() {
    let limits = |text: &str| parse(text).map(|read| (read.moves.per_node, read.moves.altogether));
    assert_eq!(limits(&EXAMPLE.replace("per_node = 2", "per_node = 5")).unwrap(), (5, 16));
    assert_eq!(limits(&EXAMPLE.replace("per_node = 2\naltogether = 16", "")).unwrap(), (2, 16));
    let error = limits(&EXAMPLE.replace("altogether = 16", "altogether = 0")).unwrap_err().to_string();
    assert!(error.starts_with("moves:"), "{error}");
}

#[test]
fn a_guest_has_a_time_to_shut_down_in() {
    let seconds = |text: &str| parse(text).map(|read| read.guests.shut_down_seconds);
    assert_eq!(seconds(EXAMPLE).unwrap(), 60);
    assert_eq!(seconds(&EXAMPLE.replace("shut_down_seconds = 60", "shut_down_seconds = 15")).unwrap(), 15);
    assert_eq!(seconds(&EXAMPLE.replace("[guests]\n", "").replace("shut_down_seconds = 60", "")).unwrap(), 60);
    for wrong in ["0", "3601"] {
        let text = EXAMPLE.replace("shut_down_seconds = 60", &format!("shut_down_seconds = {wrong}"));
        assert!(seconds(&text).unwrap_err().to_string().starts_with("guests:"), "{wrong}");
    }
}

#[test]
fn a_resize_can_be_reverted_for_so_many_hours() {
    let hours = |text: &str| parse(text).map(|read| read.operations.revert_window_hours);
    assert_eq!(hours(EXAMPLE).unwrap(), 24);
    assert_eq!(hours(&EXAMPLE.replace("revert_window_hours = 24", "revert_window_hours = 0")).unwrap(), 0);
    assert_eq!(hours(&EXAMPLE.replace("revert_window_hours = 24", "")).unwrap(), 24);
    let error = hours(&EXAMPLE.replace("revert_window_hours = 24", "revert_window_hours = 8761")).unwrap_err();
    assert!(error.to_string().starts_with("operations:"), "{error}");
}

#[test]
fn what_is_unknown_and_what_is_not_as_recorded_is_looked_at_at_its_pace() {
    let seconds =
        |text: &str| parse(text).map(|read| (read.operations.unknown_seconds, read.operations.reconcile_seconds));
    assert_eq!(seconds(EXAMPLE).unwrap(), (120, 30));
    for (line, other, read) in [
        ("unknown_seconds = 120", "unknown_seconds = 30", (30, 30)),
        ("reconcile_seconds = 30", "reconcile_seconds = 5", (120, 5)),
    ] {
        assert_eq!(seconds(&EXAMPLE.replace(line, other)).unwrap(), read);
        assert_eq!(seconds(&EXAMPLE.replace(line, "")).unwrap(), (120, 30));
    }
    for (line, wrong) in [
        ("unknown_seconds = 120", ["unknown_seconds = 0", "unknown_seconds = 9", "unknown_seconds = 3601"]),
        ("reconcile_seconds = 30", ["reconcile_seconds = 0", "reconcile_seconds = 4", "reconcile_seconds = 3601"]),
    ] {
        for wrong in wrong {
            let error = seconds(&EXAMPLE.replace(line, wrong)).unwrap_err().to_string();
            assert!(error.starts_with("operations:"), "{wrong}: {error}");
        }
    }
}

#[test]
fn a_ratio_of_zero_is_refused() {
    let error = parse(&EXAMPLE.replace("vcpus = 4.0", "vcpus = 0.0")).unwrap_err();
    assert!(error.to_string().contains("overcommit.vcpus"), "{error}");
}

#[test]
fn ratios_become_thousandths() {
    let configuration = parse(EXAMPLE).unwrap();
    let node = configuration.nodes[0].to_node(NodeId(uuid::Uuid::nil()));
    assert_eq!(node.settings.overcommit.permille(grid::Resource::Vcpus), 4000);
}
