//! Points in time, given from outside: this crate reads no clock.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Milliseconds from `earlier` to `self`; 0 where `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }

    /// Milliseconds between the two, whichever is later: how old what was heard then is now. A wall clock that was set back
    /// leaves times behind that are still to come, and what was heard then is no younger for it.
    pub const fn apart(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }
}
