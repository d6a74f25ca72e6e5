//! What was tried, in numbers: a table for people, and `torture.json`.

use crate::measures::{self, Better, Measure};
use crate::script::{Fault, Site};
use crate::trial::Tried;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Report {
    trials: BTreeMap<String, u64>,
    faults: BTreeMap<(Site, &'static str), u64>,
    ends: BTreeMap<&'static str, u64>,
    answers: BTreeMap<&'static str, u64>,
    given_up: u64,
    schedules: u64,
    /// Which trial, and what it broke.
    pub(crate) broken: Vec<(String, Vec<String>)>,
}

impl Report {
    /// Counts a trial; `again` says how to have it again.
    pub(crate) fn count(&mut self, name: &str, again: impl FnOnce() -> String, tried: &Tried) {
        *self.trials.entry(name.into()).or_default() += 1;
        self.schedules += 1;
        for (site, _, fault) in &tried.met {
            *self.faults.entry((*site, fault.word())).or_default() += 1;
        }
        for end in &tried.ends {
            *self.ends.entry(end.as_str()).or_default() += 1;
        }
        for answer in &tried.answers {
            *self.answers.entry(answer).or_default() += 1;
        }
        self.given_up += tried.given_up;
        if !tried.broken.is_empty() {
            let met = tried.met.iter().map(|(_, name, fault): &(_, _, Fault)| format!("{name} {fault}"));
            let met = met.collect::<Vec<_>>().join(", ");
            self.broken.push((format!("{}; {met}", again()), tried.broken.clone()));
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        let Self { trials, faults, ends, answers, given_up, schedules, broken } = other;
        for (name, count) in trials {
            *self.trials.entry(name).or_default() += count;
        }
        for (fault, count) in faults {
            *self.faults.entry(fault).or_default() += count;
        }
        for (end, count) in ends {
            *self.ends.entry(end).or_default() += count;
        }
        for (answer, count) in answers {
            *self.answers.entry(answer).or_default() += count;
        }
        self.given_up += given_up;
        self.schedules += schedules;
        self.broken.extend(broken);
    }

    fn faults_tried(&self) -> u64 {
        self.faults.values().sum()
    }

    pub(crate) fn print(&self, seconds: f64) {
        println!("\n{:<42}{:>10}", "trials", "");
        for (name, count) in &self.trials {
            println!("  {name:<40}{count:>10}");
        }
        println!("{:<42}{:>10}", "faults met", self.faults_tried());
        for ((site, word), count) in &self.faults {
            let site = if *site == Site::Commit { "at a commit" } else { "at a side effect" };
            println!("  {:<40}{count:>10}", format!("{word}, {site}"));
        }
        println!("{:<42}", "operations that ended as");
        for (word, count) in &self.ends {
            println!("  {word:<40}{count:>10}");
        }
        println!("  {:<40}{:>10}", "of them given up when all was well again", self.given_up);
        println!("{:<42}", "what came of what people said meanwhile");
        for (answer, count) in &self.answers {
            println!("  {answer:<40}{count:>10}");
        }
        println!("{:<42}{:>10}", "schedules tried", self.schedules);
        println!("{:<42}{:>10}", "trials that broke a promise", self.broken.len());
        println!("{:<42}{seconds:>10.1}", "seconds");
        for (again, broken) in self.broken.iter().take(20) {
            println!("\nBROKEN in {again}");
            for what in broken {
                println!("    {what}");
            }
        }
    }

    /// `torture.json`, beside what the benches write.
    pub(crate) fn write(&self) {
        let count = |name: &str, value: u64, aim, better| {
            let value = f64::from(u32::try_from(value).unwrap_or(u32::MAX));
            Measure { name: name.to_owned(), value, unit: "count", aim, better }
        };
        let broken = u64::try_from(self.broken.len()).unwrap_or(u64::MAX);
        let measures = [
            count("faults_tried", self.faults_tried(), None, Better::Higher),
            count("schedules_tried", self.schedules, Some(10_000.0), Better::Higher),
            count("promises_broken", broken, Some(0.0), Better::Lower),
        ];
        measures::write("torture", &measures).unwrap();
    }
}
