//! The table for people.

use crate::measures::{self, Better};

/// One number of a run.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) nodes: usize,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) aim: Option<f64>,
    pub(crate) better: Better,
}

impl Measure {
    /// As it is written down.
    pub(crate) fn row(&self) -> measures::Measure {
        let Self { name, nodes, value, unit, aim, better } = *self;
        measures::Measure { name: format!("{name}@{nodes}"), value, unit, aim, better }
    }

    fn misses(&self) -> bool {
        self.aim.is_some_and(|aim| match self.better {
            Better::Lower => self.value > aim,
            Better::Higher => self.value < aim,
        })
    }
}

/// A line for each measure, a column for each number of nodes; what misses its aim has a star.
pub(crate) fn print(measures: &[Measure], sizes: &[usize]) {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for measure in measures {
        if !names.contains(&(measure.name, measure.unit)) {
            names.push((measure.name, measure.unit));
        }
    }
    print!("\n{:<26}", "nodes");
    for size in sizes {
        print!("{:>24}", grouped(*size as u64));
    }
    println!();
    for (name, unit) in names {
        print!("{:<26}", format!("{name} {unit}").trim());
        for size in sizes {
            let found = measures.iter().find(|measure| measure.name == name && measure.nodes == *size);
            print!("{:>24}", found.map_or_else(String::new, shown));
        }
        println!();
    }
    println!("In brackets the aim; a star where it is missed.");
}

fn shown(measure: &Measure) -> String {
    let aim = measure.aim.map_or_else(String::new, |aim| format!(" ({})", number(aim)));
    let star = if measure.misses() { " *" } else { "" };
    format!("{}{aim}{star}", number(measure.value))
}

fn number(value: f64) -> String {
    if value >= 100.0 { grouped(whole(value)) } else { format!("{:.*}", usize::from(value.fract() != 0.0), value) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "measures are small and positive")]
const fn whole(value: f64) -> u64 {
    value as u64
}

fn grouped(value: u64) -> String {
    grid::wording::Grouped(value).to_string()
}
