//! Sanitising: numbers and words from nodes and guests are hostile input. Before the map sees a sample, what can't be
//! true is made harmless, and each such thing is flagged. Nothing is refused: a sample with a lie in it still says the
//! rest.
//!
//! - What a node **has** (CPUs, memory, a pool's capacity) and what of it is **free**, if absurd or more than the whole,
//!   is not known; what is not known is not available, so it becomes 0. A liar must not attract VMs.
//! - What is **taken** (a domain's size, a disk), if absurd, is cut to the limit: that much counts against the node.
//! - A counter that went backwards is kept and flagged (a restarted domain does that; [`crate::rates`] makes no rate of
//!   it).
//! - A time years old or ahead becomes the manager's. Lists are cut; of entries with the same id the first stays; texts
//!   lose control characters, marks that change the direction of text, and what is too long.

mod checks;
mod hypervisor;
mod utility;

pub use hypervisor::sanitise_hypervisor;
pub use utility::sanitise_utility;

use crate::wording::{Grouped, Seconds};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something in a sample that couldn't be true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    /// Which field of the sample, as a path; list entries by their id.
    pub field: String,
    pub problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum Problem {
    /// More than can be; `kept` counts instead.
    Absurd { given: u64, kept: u64 },
    /// A part larger than its whole; `kept` counts instead.
    MoreThanWhole { given: u64, whole: u64, kept: u64 },
    /// Less than it was, though it can only go up.
    Backwards { before: u64, given: u64 },
    /// Older than a day; the manager's time counts.
    TooOld { by_ms: u64 },
    /// More than five minutes ahead; the manager's time counts.
    Ahead { by_ms: u64 },
    /// A list longer than the limit; the rest is left out.
    TooMany { given: u64, kept: u64 },
    /// Entries with an id that another has; the first counts.
    Repeated { times: u64 },
    /// A text with characters that it can't have, or too long; these are left out.
    BadText,
    /// Not a checksum; the entry is left out.
    BadChecksum,
}

impl fmt::Display for Flag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Absurd { given, kept } => {
                write!(formatter, "{} can't be, {} counts", Grouped(given), Grouped(kept))
            }
            Self::MoreThanWhole { given, whole, kept } => {
                let (given, whole) = (Grouped(given), Grouped(whole));
                write!(formatter, "{given} is more than the whole of {whole}, {} counts", Grouped(kept))
            }
            Self::Backwards { before, given } => {
                write!(formatter, "went backwards from {} to {}", Grouped(before), Grouped(given))
            }
            Self::TooOld { by_ms } => write!(formatter, "{} old", Seconds(by_ms)),
            Self::Ahead { by_ms } => write!(formatter, "{} ahead", Seconds(by_ms)),
            Self::TooMany { given, kept } => {
                write!(formatter, "{} entries, the first {} count", Grouped(given), Grouped(kept))
            }
            Self::Repeated { times } => write!(formatter, "{} entries repeat the id of another", Grouped(times)),
            Self::BadText => formatter.write_str("a text with characters that it can't have, or too long"),
            Self::BadChecksum => formatter.write_str("not a checksum"),
        }
    }
}
