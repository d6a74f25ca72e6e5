//! Windows of time that somebody has chosen for work on a VM: from when on it may begin, and until when.

use crate::UnixMillis;
use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60 * 1000;
const DAY: i64 = 24 * 60 * MINUTE;

/// Closed again at its very end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub opens: UnixMillis,
    pub closes: UnixMillis,
}

/// What is wrong with a window that was asked for. Its `Display` is for the person who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("This is in the past.")]
    InThePast,
    #[error("It has to close after it opens.")]
    ClosesTooSoon,
    #[error("It is over already.")]
    Over,
    #[error("It may be open for 7 days at most.")]
    TooLong,
    #[error("It has to open within the next 90 days.")]
    TooFar,
}

impl Window {
    const LONGEST: i64 = 7 * DAY;
    const FURTHEST: i64 = 90 * DAY;
    /// Who chooses the minute that it is has chosen now, and takes a while to fill in the form.
    const ROUNDED: i64 = 5 * MINUTE;

    /// From now on, and for a day.
    pub const fn from_now_on(now: UnixMillis) -> Self {
        Self { opens: now, closes: UnixMillis(now.0.saturating_add(DAY)) }
    }

    /// Whether it can be chosen now.
    pub const fn check(self, now: UnixMillis) -> Result<(), WindowError> {
        let (opens, closes, now) = (self.opens.0, self.closes.0, now.0);
        if opens < now.saturating_sub(Self::ROUNDED) {
            Err(WindowError::InThePast)
        } else if opens > now.saturating_add(Self::FURTHEST) {
            Err(WindowError::TooFar)
        } else if closes <= opens {
            Err(WindowError::ClosesTooSoon)
        } else if closes <= now {
            Err(WindowError::Over)
        } else if closes.saturating_sub(opens) > Self::LONGEST {
            Err(WindowError::TooLong)
        } else {
            Ok(())
        }
    }

    pub const fn is_open(self, now: UnixMillis) -> bool {
        self.opens.0 <= now.0 && !self.is_over(now)
    }

    pub const fn is_over(self, now: UnixMillis) -> bool {
        self.closes.0 <= now.0
    }
}

impl WindowError {
    /// The field that it stands beside: `opens` or `closes`.
    pub const fn field(self) -> &'static str {
        match self {
            Self::InThePast | Self::TooFar => "opens",
            Self::ClosesTooSoon | Self::Over | Self::TooLong => "closes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    const fn window(opens: i64, closes: i64) -> Window {
        Window { opens: UnixMillis(NOW.0.saturating_add(opens)), closes: UnixMillis(NOW.0.saturating_add(closes)) }
    }

    #[test]
    fn a_window_can_be_chosen_that_opens_now_or_within_ninety_days_and_is_open_for_a_week_at_most() {
        for (opens, closes) in [(0, 1), (-5 * MINUTE, 1), (DAY, 8 * DAY), (90 * DAY, 97 * DAY)] {
            assert_eq!(window(opens, closes).check(NOW), Ok(()), "{opens} {closes}");
        }
        assert_eq!(Window::from_now_on(NOW).check(NOW), Ok(()));
    }

    #[test]
    fn every_bad_window_has_its_own_message_beside_its_field() {
        use WindowError::{ClosesTooSoon, InThePast, Over, TooFar, TooLong};
        for (opens, closes, wrong, field) in [
            (-5 * MINUTE - 1, DAY, InThePast, "opens"),
            (i64::MIN, i64::MAX, InThePast, "opens"),
            (90 * DAY + 1, 91 * DAY, TooFar, "opens"),
            (i64::MAX, i64::MAX, TooFar, "opens"),
            (DAY, DAY, ClosesTooSoon, "closes"),
            (DAY, MINUTE, ClosesTooSoon, "closes"),
            (-MINUTE, -1, Over, "closes"),
            (0, 7 * DAY + 1, TooLong, "closes"),
            (0, i64::MAX, TooLong, "closes"),
        ] {
            assert_eq!(window(opens, closes).check(NOW), Err(wrong), "{opens} {closes}");
            assert_eq!(wrong.field(), field);
        }
    }

    #[test]
    fn it_is_open_from_its_first_moment_on_and_closed_at_its_last() {
        let chosen = window(10, 20);
        let open: Vec<bool> = [9, 10, 19, 20].map(|at| chosen.is_open(UnixMillis(NOW.0 + at))).into();
        assert_eq!(open, [false, true, true, false]);
        assert!(chosen.is_over(UnixMillis(NOW.0 + 20)) && !chosen.is_over(UnixMillis(NOW.0 + 19)));
    }
}
