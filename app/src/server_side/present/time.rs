//! Points in time as text, in UTC: the browser neither has our clock nor is asked for its time zone.

use grid::UnixMillis;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// No place on earth is further from UTC, in minutes.
const FURTHEST_ZONE: i64 = 14 * 60;

/// `2026-11-23 11:42:07 UTC`.
pub fn moment(at: UnixMillis) -> String {
    written(at, "%Y-%m-%d %H:%M:%S UTC")
}

/// `2026-11-23T11:42:07Z`, for a browser.
pub fn machine(at: UnixMillis) -> String {
    written(at, "%Y-%m-%dT%H:%M:%SZ")
}

/// `2026-11-23T11:42`, for a field.
pub fn in_field(at: UnixMillis) -> String {
    written(at, "%Y-%m-%dT%H:%M")
}

/// A local time as a browser's field has it, `2026-11-23T11:42`, and by how many minutes it is ahead of UTC; where that is
/// empty it is UTC. Else what is wrong with it.
pub fn read(text: &str, ahead: &str) -> Result<UnixMillis, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("Choose a day and a time.");
    }
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let local = formats.iter().find_map(|format| DateTime::strptime(format, text).ok());
    let utc = local.and_then(|local| local.to_zoned(TimeZone::UTC).ok());
    let utc = utc.ok_or("This is no day and time: write it as in 2026-12-31T18:30.")?;
    let ahead = if ahead.is_empty() { Ok(0) } else { ahead.parse::<i64>() };
    match ahead {
        Ok(ahead) if (-FURTHEST_ZONE..=FURTHEST_ZONE).contains(&ahead) => {
            Ok(UnixMillis(utc.timestamp().as_millisecond() - ahead * 60 * 1000))
        }
        _ => Err("Its time zone can't be read. Load the page again."),
    }
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
    fn a_typed_time_is_utc_unless_the_browser_says_how_far_it_is_ahead() {
        let noon = UnixMillis(1_790_164_800_000);
        assert_eq!(moment(noon), "2026-09-23 12:00:00 UTC");
        for (text, ahead) in [
            ("2026-09-23T12:00", ""),
            (" 2026-09-23T12:00:00 ", "0"),
            ("2026-09-23T14:00", "120"),
            ("2026-09-23T02:30", "-570"),
        ] {
            assert_eq!(read(text, ahead), Ok(noon), "{text} {ahead}");
        }
        assert_eq!(machine(noon), "2026-09-23T12:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_told() {
        assert_eq!(read("", ""), Err("Choose a day and a time."));
        for text in ["tomorrow", "2026-02-30T12:00", "2026-09-23", "12:00", "2026-09-23T12:00Z", "-1", "<b>"] {
            assert!(read(text, "").is_err_and(|said| said.starts_with("This is no day")), "{text}");
        }
        for ahead in ["841", "-841", "NaN", "1.5", "99999999999999999999", "-9223372036854775808", "Europe/Berlin"] {
            assert!(read("2026-09-23T12:00", ahead).is_err_and(|said| said.contains("time zone")), "{ahead}");
        }
    }

    #[test]
    fn times_are_utc_and_absurd_ones_are_a_dash() {
        assert_eq!(moment(UnixMillis(1_790_163_727_000)), "2026-09-23 11:42:07 UTC");
        assert_eq!(moment(UnixMillis(i64::MAX)), "–");
    }
}
