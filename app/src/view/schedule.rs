//! Work that was agreed to for later, as pages show it, and the window as it was typed.

use crate::form::Flash;
use grid::schedule::ScheduleState;
use serde::{Deserialize, Serialize};

/// A point in time: for people in UTC, and as a browser reads it to show it in its own time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    pub utc: String,
    pub machine: String,
}

/// A window as it was typed. Each time comes with the minutes by which it is ahead of UTC; nothing says that it is UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedWindow {
    pub opens: String,
    pub opens_zone: String,
    pub closes: String,
    pub closes_zone: String,
}

/// The fields of a window, as its form names them.
pub const OPENS: &str = "window[opens]";
pub const CLOSES: &str = "window[closes]";
/// The tick beside it.
pub const FORCE_OFF: &str = "force_off";

impl TypedWindow {
    /// What is carried back to a form without scripts.
    pub fn typed(&self) -> [(&'static str, String); 2] {
        [(OPENS, self.opens.clone()), (CLOSES, self.closes.clone())]
    }

    /// What stands in the fields at first: what was typed without scripts, else what is proposed; both are UTC.
    pub fn of(flash: &Flash, proposed: &Self) -> Self {
        let (opens, closes) = (flash.value_or(OPENS, &proposed.opens), flash.value_or(CLOSES, &proposed.closes));
        Self { opens, closes, ..Self::default() }
    }
}

/// A resize that was agreed to for later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleView {
    pub id: String,
    pub vm: String,
    /// The size that it gets.
    pub to: String,
    pub opens: Moment,
    pub closes: Moment,
    /// What was agreed to.
    pub consent: String,
    pub state: ScheduleState,
    pub reason: Option<String>,
    pub operation: Option<String>,
}
