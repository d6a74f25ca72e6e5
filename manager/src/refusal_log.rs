//! Refusals in the log: a call that was refused is one line, which says who asked for what, and why not.
//!
//! [`write_refusals`] is the one layer that writes them, around pages and around the door of the utility modules. What
//! answers a call tells it what it knows: by the call's [`Note`], or by a [`Reason`] that its answer carries. Nothing
//! that a caller sent is written as it came: it is escaped and cut. Of one caller only so many lines a minute are
//! written: one that has gone wild neither fills the log nor hides what others are refused.

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Lines a minute of one caller.
const LINES: u32 = 100;
const MINUTE: Duration = Duration::from_mins(1);
/// More callers and lines than these are not told apart within a minute.
const MOST_COUNTS: usize = 10_000;
/// Characters of an address, and of a reason.
const LONGEST_PATH: usize = 200;
const LONGEST_REASON: usize = 300;
const NOBODY: &str = "nobody";

/// Text as it may stand in a log: no line breaks, control characters or marks that change its direction, and at most
/// `most` characters of it.
pub fn escaped(text: &str, most: usize) -> String {
    let mut kept = String::new();
    for each in text.chars().take(most) {
        match each {
            // These deceive nobody.
            '\'' | '"' => kept.push(each),
            _ => kept.extend(each.escape_debug()),
        }
    }
    if text.chars().nth(most).is_some() {
        kept.push('…');
    }
    kept
}

/// What is known of a call while it is answered; goes with the request.
#[derive(Clone, Debug, Default)]
pub struct Note(Arc<Mutex<Told>>);

#[derive(Clone, Debug, Default)]
struct Told {
    caller: Option<String>,
    target: Option<String>,
    reason: Option<String>,
    is_asked_again: bool,
}

impl Note {
    /// Who asks: an id.
    pub fn caller(&self, caller: impl Display) {
        self.told().caller = Some(caller.to_string());
    }

    /// What it is about: an id.
    pub fn target(&self, target: impl Display) {
        self.told().target = Some(target.to_string());
    }

    /// Why it is refused; the first reason is the nearest to the cause, and stays.
    pub fn refused(&self, reason: impl Display) {
        let mut told = self.told();
        if told.reason.is_none() {
            told.reason = Some(reason.to_string());
        }
    }

    /// The same, of a question that a page asks again and again to be current: written once a minute.
    pub fn refused_again(&self, reason: impl Display) {
        self.refused(reason);
        self.told().is_asked_again = true;
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a call is refused, where the answer itself carries it.
#[derive(Clone, Debug)]
pub struct Reason(pub String);

/// Writes the lines, and counts them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct RefusalLog(Arc<Mutex<HashMap<String, (Instant, u32)>>>);

impl RefusalLog {
    fn write(&self, method: &Method, path: &str, status: StatusCode, told: Told) {
        let caller = told.caller.unwrap_or_else(|| NOBODY.to_owned());
        let target = told.target.unwrap_or_default();
        let reason = told.reason.as_deref().or(status.canonical_reason()).unwrap_or("refused");
        let reason = escaped(reason, LONGEST_REASON);
        let now = Instant::now();
        if told.is_asked_again && self.count(format!("{caller} {path} {target} {reason}"), now) > 1 {
            return;
        }
        let number = self.count(caller.clone(), now);
        if number <= LINES {
            tracing::warn!(%method, path, status = status.as_u16(), caller, target, %reason, "a call was refused");
        }
        if number == LINES {
            tracing::warn!(caller, "more of its refused calls within this minute are not written down");
        }
    }

    /// How manieth this is within its minute, from 1.
    fn count(&self, key: String, now: Instant) -> u32 {
        let is_now = |begin: Instant| now.duration_since(begin) < MINUTE;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_COUNTS {
            counts.retain(|_, (begin, _)| is_now(*begin));
        }
        let key = if counts.len() >= MOST_COUNTS { String::new() } else { key };
        let (begin, count) = counts.entry(key).or_insert((now, 0));
        if !is_now(*begin) {
            (*begin, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count
    }
}

/// Writes a line for each answer that refuses: by its status, or by its reason.
pub async fn write_refusals(State(log): State<RefusalLog>, mut request: Request, next: Next) -> Response {
    let note = Note::default();
    request.extensions_mut().insert(note.clone());
    let method = request.method().clone();
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let path = escaped(path, LONGEST_PATH);
    let response = next.run(request).await;
    let mut told = note.told().clone();
    if let Some(Reason(reason)) = response.extensions().get() {
        told.reason.get_or_insert_with(|| reason.clone());
    }
    if told.reason.is_some() || response.status().is_client_error() {
        log.write(&method, &path, response.status(), told);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_cut() {
        assert_eq!(escaped("a\r\nb\u{202e}c\0", 10), "a\\r\\nb\\u{202e}c\\0");
        assert_eq!(escaped("it can't be \"x\" \\", 50), "it can't be \"x\" \\\\");
        for mark in "\u{200e}\u{200f}\u{061c}\u{202a}\u{2066}\u{2069}\u{2028}\u{feff}\u{85}\u{7f}".chars() {
            assert_eq!(escaped(&format!("a{mark}b"), 10), format!("a{}b", mark.escape_unicode()));
        }
        assert_eq!(escaped("aaaa", 3), "aaa…");
        let cut = escaped(&"\u{200f}".repeat(10_000), 200);
        assert_eq!(cut, "\\u{200f}".repeat(200) + "…");
        assert_eq!(escaped("aaa", 3), "aaa");
    }

    #[test]
    fn each_caller_has_so_many_lines_a_minute() {
        let (log, begin) = (RefusalLog::default(), Instant::now());
        let count = |caller: &str, seconds| log.count(caller.to_owned(), begin + Duration::from_secs(seconds));
        assert_eq!([count("a", 0), count("a", 0), count("b", 0)], [1, 2, 1]);
        assert_eq!(count("a", 59), 3);
        assert_eq!(count("a", 61), 1);
    }

    #[test]
    fn very_many_callers_share_one_count_and_no_more_memory() {
        let (log, begin) = (RefusalLog::default(), Instant::now());
        for number in 0..2 * MOST_COUNTS {
            log.count(number.to_string(), begin);
        }
        assert_eq!(log.0.lock().unwrap().len(), MOST_COUNTS + 1);
        assert_eq!(log.count("late".to_owned(), begin + MINUTE), 1);
        assert_eq!(log.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_reason_nearest_to_the_cause_stays() {
        let note = Note::default();
        note.refused("name: Enter a name.");
        note.refused("The request could not be read.");
        assert_eq!(note.told().reason.as_deref(), Some("name: Enter a name."));
    }
}
