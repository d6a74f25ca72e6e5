//! What a bench leaves behind: `$HOSTGRID_BENCH_DIR/NAME.json`, by default `target/bench` under the repository's root.

use std::path::{Path, PathBuf};

pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// None where the figure is for comparison only.
    pub(crate) aim: Option<f64>,
    pub(crate) better: &'static str,
}

/// Writes the measures, and says where to.
pub(crate) fn write(bench: &str, measures: &[Measure]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    let folder = std::env::var_os("HOSTGRID_BENCH_DIR").map_or(root, PathBuf::from);
    let rows: Vec<serde_json::Value> = measures
        .iter()
        .map(|each| {
            let (measure, value, unit) = (&each.name, each.value, each.unit);
            serde_json::json!({"measure": measure, "value": value, "unit": unit, "aim": each.aim, "better": each.better})
        })
        .collect();
    let file = folder.join(format!("{bench}.json"));
    let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
    match std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&file, text + "\n")) {
        Ok(()) => println!("\nwritten: {}", file.display()),
        Err(error) => eprintln!("\n{} could not be written: {error}", file.display()),
    }
}
