//! What the benches leave behind has one shape, by which runs are compared.

#[path = "../../benches/shared/measures.rs"]
#[expect(dead_code, reason = "benches choose the folder by the environment")]
mod measures;

use measures::{Better, Measure, write_into};
use serde_json::json;

fn measure(name: &str, value: f64) -> Measure {
    Measure { name: name.into(), value, unit: "ms", aim: Some(50.0), better: Better::Lower }
}

#[test]
fn a_bench_writes_an_array_of_measures() {
    let folder = tempfile::tempdir().unwrap();
    let share = Measure { unit: "share", aim: None, better: Better::Higher, ..measure("accepted@10", 0.5) };
    let file = write_into(&folder.path().join("new"), "some", &[measure("p99_ms", 12.5), share]).unwrap();
    assert_eq!(file, folder.path().join("new/some.json"));
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let wanted = json!([
        {"measure": "p99_ms", "value": 12.5, "unit": "ms", "aim": 50.0, "better": "lower"},
        {"measure": "accepted@10", "value": 0.5, "unit": "share", "aim": null, "better": "higher"},
    ]);
    assert_eq!(written, wanted);
}

#[test]
fn what_could_be_compared_with_nothing_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let aimless = Measure { aim: Some(f64::INFINITY), ..measure("p99_ms", 1.0) };
    let unnamed = Measure { unit: "", ..measure("p99_ms", 1.0) };
    let twice = [measure("p99_ms", 1.0), measure("p99_ms", 2.0)];
    for wrong in [&[][..], &[measure("p99_ms", f64::NAN)], &[measure("", 1.0)], &[aimless], &[unnamed], &twice] {
        assert!(write_into(folder.path(), "some", wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
