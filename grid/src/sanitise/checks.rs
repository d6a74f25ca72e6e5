//! The single checks, and the list in which they leave their flags.

use super::{Flag, Problem};
use crate::UnixMillis;
use std::collections::BTreeSet;
use std::fmt;

/// No memory, pool or disk has more MiB: a zettabyte.
pub(super) const MOST_MIB: u64 = 1 << 40;
pub(super) const MOST_BYTES: u64 = 1 << 60;
pub(super) const MOST_CPUS: u32 = 65_536;
/// Domains, disks, images and deployed VMs of one node.
pub(super) const MOST_ENTRIES: usize = 10_000;
/// More flags than these say nothing new.
const MOST_FLAGS: usize = 100;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const AHEAD_MS: u64 = 5 * 60 * 1000;

#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) flags: Vec<Flag>,
}

impl Checks {
    pub(super) fn flag(&mut self, field: fmt::Arguments<'_>, problem: Problem) {
        if self.flags.len() < MOST_FLAGS {
            self.flags.push(Flag { field: field.to_string(), problem });
        }
    }

    /// What is taken: cut to the limit.
    pub(super) fn taken(&mut self, field: fmt::Arguments<'_>, amount: &mut u64, most: u64) {
        if *amount > most {
            self.flag(field, Problem::Absurd { given: *amount, kept: most });
            *amount = most;
        }
    }

    /// The same for a count of vCPUs.
    pub(super) fn taken_vcpus(&mut self, field: fmt::Arguments<'_>, count: &mut u32) {
        if *count > MOST_CPUS {
            self.flag(field, Problem::Absurd { given: u64::from(*count), kept: u64::from(MOST_CPUS) });
            *count = MOST_CPUS;
        }
    }

    /// What a node has: absurd is not known, and what is not known is not there.
    pub(super) fn has(&mut self, field: fmt::Arguments<'_>, amount: &mut u64, most: u64) {
        if *amount > most {
            self.flag(field, Problem::Absurd { given: *amount, kept: 0 });
            *amount = 0;
        }
    }

    /// What is free is at most the whole; more than that is not known, and so not free.
    pub(super) fn free(&mut self, field: fmt::Arguments<'_>, free: &mut u64, whole: u64) {
        if *free > whole {
            self.flag(field, Problem::MoreThanWhole { given: *free, whole, kept: 0 });
            *free = 0;
        }
    }

    /// What is taken is at most the whole.
    pub(super) fn taken_of(&mut self, field: fmt::Arguments<'_>, part: &mut u64, whole: u64) {
        if *part > whole {
            self.flag(field, Problem::MoreThanWhole { given: *part, whole, kept: whole });
            *part = whole;
        }
    }

    /// What only goes up; kept as it is.
    pub(super) fn counter(&mut self, field: fmt::Arguments<'_>, before: u64, given: u64) {
        if given < before {
            self.flag(field, Problem::Backwards { before, given });
        }
    }

    pub(super) fn time(&mut self, field: fmt::Arguments<'_>, time: &mut UnixMillis, now: UnixMillis) {
        let (old, ahead) = (now.since(*time), time.since(now));
        let problem = if old > DAY_MS {
            Problem::TooOld { by_ms: old }
        } else if ahead > AHEAD_MS {
            Problem::Ahead { by_ms: ahead }
        } else {
            return;
        };
        self.flag(field, problem);
        *time = now;
    }

    pub(super) fn list<T>(&mut self, field: fmt::Arguments<'_>, list: &mut Vec<T>, most: usize) {
        if list.len() > most {
            let [given, kept] = [list.len(), most].map(|length| u64::try_from(length).unwrap_or(u64::MAX));
            self.flag(field, Problem::TooMany { given, kept });
            list.truncate(most);
        }
    }

    /// Of the entries with the same id, the first stays.
    pub(super) fn unique<T, Id: Ord>(&mut self, field: fmt::Arguments<'_>, list: &mut Vec<T>, id: impl Fn(&T) -> Id) {
        let before = list.len();
        let mut seen = BTreeSet::new();
        list.retain(|entry| seen.insert(id(entry)));
        if list.len() < before {
            let times = u64::try_from(before - list.len()).unwrap_or(u64::MAX);
            self.flag(field, Problem::Repeated { times });
        }
    }

    /// No control characters, no marks that change the direction of text, and at most this many characters.
    pub(super) fn text(&mut self, field: fmt::Arguments<'_>, text: &mut String, most: usize) {
        let deceives = |each: char| {
            each.is_control()
                || matches!(each, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        if text.chars().any(deceives) || text.chars().nth(most).is_some() {
            self.flag(field, Problem::BadText);
            *text = text.chars().filter(|&each| !deceives(each)).take(most).collect();
        }
    }

    /// Names in order, each once, as the sample promises.
    pub(super) fn names(&mut self, field: fmt::Arguments<'_>, names: &mut Vec<String>, most: usize) {
        self.list(field, names, most);
        for name in names.iter_mut() {
            self.text(field, name, 64);
        }
        names.sort();
        names.dedup();
    }
}
