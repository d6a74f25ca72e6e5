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
    Some(format!("{} {}", shown(&at, ' '), name(ahead(&at)?)))
}

/// A time in UTC as a field has it, `2026-12-31T17:30`, as a field has it here.
#[cfg(feature = "hydrate")]
pub fn local(utc: &str) -> Option<String> {
    let at = date(&format!("{utc}Z"));
    ahead(&at).map(|_| shown(&at, 'T'))
}

/// Day and time, with this between them.
#[cfg(feature = "hydrate")]
fn shown(at: &js_sys::Date, between: char) -> String {
    let (year, month, day) = (at.get_full_year(), at.get_month() + 1, at.get_date());
    format!("{year:04}-{month:02}-{day:02}{between}{:02}:{:02}", at.get_hours(), at.get_minutes())
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

#[cfg(not(feature = "hydrate"))]
pub fn local(_: &str) -> Option<String> {
    None
}

/// What stands below a field for a time; `ahead` is known where scripts run and a time is chosen.
pub fn hint(with_scripts: bool, ahead: Option<i32>) -> String {
    match (with_scripts, ahead) {
        (false, _) => "In UTC.".to_owned(),
        (true, None) => "In your time zone.".to_owned(),
        (true, Some(ahead)) => format!("In your time zone, {} then.", name(ahead)),
    }
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

    #[test]
    fn with_scripts_the_zone_of_the_chosen_time_is_named() {
        assert_eq!(hint(true, Some(120)), "In your time zone, UTC+02:00 then.");
        assert_eq!([hint(true, None), hint(false, None)], ["In your time zone.", "In UTC."]);
    }
}
