//! What a bench leaves behind: `$HOSTGRID_BENCH_DIR/NAME.json`, by default `target/bench` under the repository's root; an
//! array of `{"measure", "value", "unit", "aim", "better": "lower"|"higher"}`. `end2end/story/measures.ts` writes the same.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// Which way a figure gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

#[derive(Clone, Debug)]
pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// None where the figure is for comparison only.
    pub(crate) aim: Option<f64>,
    pub(crate) better: Better,
}

impl Measure {
    fn row(&self) -> serde_json::Value {
        let Self { name, value, unit, aim, better } = self;
        let better = match better {
            Better::Lower => "lower",
            Better::Higher => "higher",
        };
        serde_json::json!({"measure": name, "value": value, "unit": unit, "aim": aim, "better": better})
    }

    /// JSON has no word for what is not a number, and a file without it could be compared with nothing.
    fn is_one(&self) -> bool {
        let is_number = self.value.is_finite() && self.aim.is_none_or(f64::is_finite);
        is_number && !self.name.is_empty() && !self.unit.is_empty()
    }
}

/// Writes the measures, and says where to. A bench whose figures can't be written has failed.
pub(crate) fn write(bench: &str, measures: &[Measure]) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    let folder = std::env::var_os("HOSTGRID_BENCH_DIR").map_or(root, PathBuf::from);
    let file = write_into(&folder, bench, measures)?;
    println!("\nwritten: {}", file.display());
    Ok(())
}

pub(crate) fn write_into(folder: &Path, bench: &str, measures: &[Measure]) -> io::Result<PathBuf> {
    if let Some(wrong) = measures.iter().find(|each| !each.is_one()) {
        return Err(io::Error::other(format!("{bench}: this is no measure: {wrong:?}")));
    }
    let names: BTreeSet<&str> = measures.iter().map(|each| each.name.as_str()).collect();
    if names.len() < measures.len().max(1) {
        return Err(io::Error::other(format!("{bench}: no measures, or two of one name")));
    }
    let rows: Vec<serde_json::Value> = measures.iter().map(Measure::row).collect();
    let file = folder.join(format!("{bench}.json"));
    std::fs::create_dir_all(folder)?;
    std::fs::write(&file, serde_json::to_string_pretty(&rows)? + "\n")?;
    Ok(file)
}
