//! The walls of the house: who may use whom, read from the sources themselves. See ARCHITECTURE.md.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may what it is made of")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CRATES: [&str; 5] = ["grid", "manager", "utility", "app", "server"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Rust files below `folder`, as paths relative to the root, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found
}

fn all_sources() -> Vec<(String, String)> {
    CRATES.into_iter().flat_map(sources).filter(|(path, _)| path != "server/tests/walls.rs").collect()
}

/// Whether a line of code (not of comments) contains any of the words, at the beginning of a word.
fn uses(text: &str, words: &[&str]) -> bool {
    let begins_here = |line: &str, at: usize| !line[..at].ends_with(|letter: char| letter.is_alphanumeric());
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//"))
        .any(|line| words.iter().any(|word| line.match_indices(word).any(|(at, _)| begins_here(line, at))))
}

/// `word` is used in code only below the given folders or files.
fn only_in(words: &[&str], allowed: &[&str]) {
    let wrong: Vec<_> = all_sources()
        .into_iter()
        .filter(|(path, _)| !allowed.iter().any(|prefix| path.starts_with(prefix)))
        .filter(|(_, text)| uses(text, words))
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{words:?} may be used in {allowed:?} only, but also is in {wrong:?}");
}

#[test]
fn sqlx_is_used_by_the_store_only() {
    only_in(&["sqlx::"], &["manager/src/store/"]);
}

#[test]
fn virt_is_used_by_the_libvirt_hypervisor_only() {
    only_in(&["virt::", "virt_sys::"], &["manager/src/hypervisor/libvirt"]);
}

#[test]
fn plotters_is_used_by_the_charts_only() {
    only_in(&["plotters::"], &["app/src/charts"]);
}

/// So that all have the shape that its tests look at.
#[test]
fn what_benches_leave_behind_is_written_in_one_place_only() {
    only_in(&["HOSTGRID_BENCH_DIR", "target/bench"], &["grid/benches/shared/measures.rs"]);
}

#[test]
fn crates_use_only_the_crates_below_them() {
    let allowed: [(&str, &[&str]); 5] = [
        ("grid", &[]),
        ("manager", &["grid"]),
        ("utility", &["grid"]),
        ("app", &["grid", "manager"]),
        ("server", &["app", "grid", "manager"]),
    ];
    for (name, may) in allowed {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let used: BTreeSet<&str> = manifest
            .lines()
            .filter_map(|line| line.split(['.', ' ', '=']).next())
            .filter(|word| CRATES.contains(word))
            .collect();
        let may: BTreeSet<&str> = may.iter().copied().collect();
        assert!(used.is_subset(&may), "{name} uses {used:?}, but may use {may:?} only");
    }
}

#[test]
fn the_app_uses_the_manager_behind_its_server_feature_only() {
    let manifest = fs::read_to_string(root().join("app/Cargo.toml")).unwrap();
    assert!(manifest.contains("manager = { workspace = true, optional = true }"));
    assert!(manifest.contains("plotters = { workspace = true, optional = true }"));
}

#[test]
fn the_grid_is_pure() {
    let impure = ["std::fs", "std::net::Tcp", "std::time::", "SystemTime", "Instant::", "async fn", "rand::", "tokio"];
    let wrong: Vec<_> =
        sources("grid/src").into_iter().filter(|(_, text)| uses(text, &impure)).map(|(path, _)| path).collect();
    assert!(wrong.is_empty(), "no I/O, no clock, no async, no randomness: {wrong:?}");
}

#[test]
fn store_hypervisor_and_utility_do_not_know_each_other() {
    let folders = ["store", "hypervisor", "utility"];
    for folder in folders {
        for (path, text) in sources(&format!("manager/src/{folder}")) {
            for other in folders.into_iter().filter(|other| *other != folder) {
                assert!(!uses(&text, &[&format!("crate::{other}")]), "{path} uses {other}");
            }
            for above in ["operations", "collector", "vms", "nodes", "capacity"] {
                assert!(!uses(&text, &[&format!("crate::{above}::")]), "{path} looks upwards to {above}");
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<_> =
        all_sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "these files don't open with a //! line: {silent:?}");
}

#[test]
fn no_file_is_two_ideas() {
    let long: Vec<_> = all_sources()
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "over 400 lines: {long:?}");
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    let bare: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| uses(text, &["#[allow(", "#![allow("]))
        .map(|(path, _)| path)
        .collect();
    assert!(bare.is_empty(), "{bare:?}");
}
