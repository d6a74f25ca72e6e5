//! Points in time as text, in UTC: the browser neither has our clock nor is asked for its time zone.

use grid::UnixMillis;
use jiff::Timestamp;

/// `2026-11-23 11:42:07 UTC`.
pub fn moment(at: UnixMillis) -> String {
    written(at, "%Y-%m-%d %H:%M:%S UTC")
}

/// `11-23 11:42:07`, for tables whose head says UTC.
pub fn short(at: UnixMillis) -> String {
    written(at, "%m-%d %H:%M:%S")
}

/// `11:42`, for the axis of a chart.
pub fn of_day(at: UnixMillis) -> String {
    written(at, "%H:%M")
}

/// The manager's time now.
pub fn now() -> UnixMillis {
    manager::clock::now()
}

fn written(at: UnixMillis, format: &str) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| "–".to_owned(), |at| at.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_absurd_ones_are_a_dash() {
        assert_eq!(moment(UnixMillis(1_790_163_727_000)), "2026-09-23 11:42:07 UTC");
        assert_eq!(moment(UnixMillis(i64::MAX)), "–");
    }
}
