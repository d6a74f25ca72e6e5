//! The wall clock, read in one place.

use grid::UnixMillis;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now; 1970 where the clock stands before it.
pub fn now() -> UnixMillis {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}
