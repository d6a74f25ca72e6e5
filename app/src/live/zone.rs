//! The time zone of whoever looks at the page, which only the browser knows. On the server there is none: there a time is
//! UTC, and the page says so.

/// By how many minutes its clocks are ahead of UTC at this local time, as a field for it has it; none where it is none.
#[cfg(feature = "hydrate")]
pub fn ahead_at(local: &str) -> Option<i32> {
    ahead(&date(local))
}

/// A moment, written as in `2026-12-31T17:30:00Z`, as its clocks show it.
#[cfg(feature = "hydrate")]
pub fn written(moment: &str) -> Option<String> {
    let at = date(moment);
    let (day, hour) = ((at.get_full_year(), at.get_month() + 1, at.get_date()), (at.get_hours(), at.get_minutes()));
    let zone = name(ahead(&at)?);
    Some(format!("{:04}-{:02}-{:02} {:02}:{:02} {zone}", day.0, day.1, day.2, hour.0, hour.1))
}

#[cfg(feature = "hydrate")]
fn date(text: &str) -> js_sys::Date {
    js_sys::Date::new(&wasm_bindgen::JsValue::from_str(text))
}

/// The browser says how far UTC is ahead, and of no date that it is no number.
#[cfg(feature = "hydrate")]
fn ahead(at: &js_sys::Date) -> Option<i32> {
    (0.0 - at.get_timezone_offset()).to_string().parse().ok()
}

#[cfg(not(feature = "hydrate"))]
pub fn ahead_at(_: &str) -> Option<i32> {
    None
}

#[cfg(not(feature = "hydrate"))]
pub fn written(_: &str) -> Option<String> {
    None
}

/// `UTC`, `UTC+01:00`, `UTC-09:30`.
pub fn name(ahead: i32) -> String {
    let minutes = ahead.unsigned_abs();
    match ahead {
        0 => "UTC".to_owned(),
        _ => format!("UTC{}{:02}:{:02}", if ahead < 0 { '-' } else { '+' }, minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_named_by_its_distance_from_utc() {
        assert_eq!([0, 60, -570, 765].map(name), ["UTC", "UTC+01:00", "UTC-09:30", "UTC+12:45"]);
    }
}
