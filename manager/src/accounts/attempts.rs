//! How often it may be tried to sign in. Kept in memory: a restart forgives.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// So many failed attempts for one email…
const OF_ONE: usize = 10;
/// …in this time.
const WINDOW_OF_ONE: Duration = Duration::from_mins(5);
/// So many failed attempts of everybody together…
const OF_ALL: usize = 300;
/// …in this time.
const WINDOW_OF_ALL: Duration = Duration::from_mins(1);

/// Attempts that failed, or are not yet known not to.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    of_all: VecDeque<Instant>,
    of_one: HashMap<String, VecDeque<Instant>>,
}

impl Attempts {
    /// Counts an attempt; or says after how many seconds the next is taken.
    pub(super) fn admit(&mut self, email: &str, now: Instant) -> Result<(), u64> {
        forget(&mut self.of_all, now, WINDOW_OF_ALL);
        self.of_one.retain(|_, attempts| {
            forget(attempts, now, WINDOW_OF_ONE);
            !attempts.is_empty()
        });
        let of_one = self.of_one.entry(email.to_owned()).or_default();
        full(of_one, OF_ONE, now, WINDOW_OF_ONE).map_or(Ok(()), Err)?;
        full(&self.of_all, OF_ALL, now, WINDOW_OF_ALL).map_or(Ok(()), Err)?;
        of_one.push_back(now);
        self.of_all.push_back(now);
        Ok(())
    }

    /// It was the right password: neither this attempt nor those before it count.
    pub(super) fn forgive(&mut self, email: &str) {
        self.of_one.remove(email);
        self.of_all.pop_back();
    }
}

fn forget(attempts: &mut VecDeque<Instant>, now: Instant, window: Duration) {
    while attempts.front().is_some_and(|at| now.saturating_duration_since(*at) >= window) {
        attempts.pop_front();
    }
}

/// The seconds until the oldest of too many is forgotten.
fn full(attempts: &VecDeque<Instant>, limit: usize, now: Instant, window: Duration) -> Option<u64> {
    let oldest = attempts.front().filter(|_| attempts.len() >= limit)?;
    Some(window.saturating_sub(now.saturating_duration_since(*oldest)).as_secs().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_email_is_tried_so_often_and_again_later() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for _ in 0..OF_ONE {
            assert_eq!(attempts.admit("ada", start), Ok(()));
        }
        let later = start + Duration::from_mins(1);
        assert_eq!(attempts.admit("ada", later), Err(240));
        assert_eq!(attempts.admit("bob", later), Ok(()));
        assert_eq!(attempts.admit("ada", start + WINDOW_OF_ONE), Ok(()));
    }

    #[test]
    fn a_right_password_forgives() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for _ in 0..3 * OF_ALL {
            assert_eq!(attempts.admit("ada", now), Ok(()));
            attempts.forgive("ada");
        }
    }

    #[test]
    fn all_emails_together_are_limited_and_nothing_is_kept_for_long() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for number in 0..OF_ALL {
            assert_eq!(attempts.admit(&number.to_string(), start), Ok(()));
        }
        assert_eq!(attempts.admit("ada", start), Err(60));
        assert_eq!(attempts.admit("ada", start + WINDOW_OF_ONE), Ok(()));
        assert_eq!((attempts.of_one.len(), attempts.of_all.len()), (1, 1));
    }
}
