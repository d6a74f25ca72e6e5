//! The condition of a node: whether it takes new VMs, and if not, why.

use super::{Disagreement, NodeInputs};
use crate::UnixMillis;
use crate::node::Administration;
use crate::sample::Source;
use crate::wording::Seconds;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How old a reading may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// A reading older than this is stale.
    pub stale_after_ms: u64,
}

impl Freshness {
    /// Whether a source that was last heard then, or never, has been silent for too long.
    pub fn is_stale(self, heard: Option<UnixMillis>, now: UnixMillis) -> bool {
        heard.is_none_or(|at| !self.is_fresh(at, now))
    }

    /// Whether a reading of this time counts.
    pub const fn is_fresh(self, at: UnixMillis, now: UnixMillis) -> bool {
        now.apart(at) <= self.stale_after_ms
    }
}

/// Whether a node takes new VMs, and if not, why. The first that applies: that it is fenced, the hypervisor's silence
/// and age, the utility module's, contradiction, then what else the admin decided. So [`Condition::Silent`] or [`Condition::Stale`] of
/// the utility module, and [`Condition::UtilityOff`], mean that the hypervisor's reading is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "condition", rename_all = "snake_case")]
pub enum Condition {
    Ready,
    /// Nothing was ever heard from this source.
    Silent {
        source: Source,
    },
    /// The last word from this source is this old.
    Stale {
        source: Source,
        age_ms: u64,
    },
    /// The utility VM was seen off, and its module has said nothing since: its set is stale, however young.
    UtilityOff,
    /// The sources contradict each other so much that neither can be trusted: about the pool's capacity or the
    /// node's memory by more than twofold.
    Contradicting,
    Cordoned,
    Draining,
    /// An admin said that it is cut off: whatever it says is not believed.
    Fenced,
}

impl Condition {
    pub(super) fn of(inputs: &NodeInputs<'_>, disagreements: &[Disagreement]) -> Self {
        if inputs.node.administration == Administration::Fenced {
            return Self::Fenced;
        }
        let heard = [
            (Source::Hypervisor, inputs.hypervisor.as_ref().map(|reading| reading.at)),
            (Source::Utility, inputs.utility.as_ref().map(|reading| reading.at)),
        ];
        for (source, at) in heard {
            let Some(at) = at else { return Self::Silent { source } };
            if !inputs.limits.is_fresh(at, inputs.now) {
                return Self::Stale { source, age_ms: inputs.now.apart(at) };
            }
        }
        if utility_is_off(inputs) {
            return Self::UtilityOff;
        }
        if disagreements.iter().any(Disagreement::is_contradiction) {
            return Self::Contradicting;
        }
        inputs.node.administration.into()
    }

    /// Whether the node's hypervisor answers: without it nothing can be changed there.
    pub const fn hypervisor_answers(self) -> bool {
        !matches!(self, Self::Fenced) && !matches!(self.stale_source(), Some(Source::Hypervisor))
    }

    /// Whether the node's utility module answers: without it no disk is made, grown offline or carried over.
    pub const fn utility_answers(self) -> bool {
        !matches!(self, Self::Fenced) && self.stale_source().is_none()
    }

    /// The source whose word is missing or too old, where that is what keeps the node from taking VMs.
    pub const fn stale_source(self) -> Option<Source> {
        match self {
            Self::Silent { source } | Self::Stale { source, .. } => Some(source),
            Self::UtilityOff => Some(Source::Utility),
            Self::Ready | Self::Contradicting | Self::Cordoned | Self::Draining | Self::Fenced => None,
        }
    }

    /// Whether the node's amounts can be believed enough to promise more of them to a VM that is already there. A
    /// cordoned or draining node takes no new VM, but what is there may grow.
    pub const fn can_grow_in_place(self) -> bool {
        self.hypervisor_answers() && !matches!(self, Self::Contradicting)
    }

    /// The word for it, as pages carry it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Silent { .. } => "silent",
            Self::Stale { .. } | Self::UtilityOff => "stale",
            Self::Contradicting => "contradicting",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Fenced => "fenced",
        }
    }
}

/// Seen off at a time that is still to come, it was seen before the clock was set back: the next look tells.
fn utility_is_off(inputs: &NodeInputs<'_>) -> bool {
    let seen_off = inputs.utility_off.filter(|off| *off <= inputs.now);
    matches!((seen_off, &inputs.utility), (Some(off), Some(utility)) if utility.at <= off)
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ready => formatter.write_str("ready"),
            Self::Silent { source } => {
                write!(formatter, "silent: nothing was ever heard from its {}", source.in_words())
            }
            Self::Stale { source, age_ms } => {
                write!(formatter, "stale: nothing from its {} for {}", source.in_words(), Seconds(age_ms))
            }
            Self::UtilityOff => formatter.write_str("stale: its utility VM doesn't run"),
            Self::Contradicting => formatter.write_str("contradicting: its hypervisor and its utility module disagree"),
            Self::Cordoned => formatter.write_str("cordoned: it takes no new VM"),
            Self::Draining => formatter.write_str("draining: it is being emptied"),
            Self::Fenced => formatter.write_str("fenced: it is cut off, as an admin said"),
        }
    }
}

impl From<Administration> for Condition {
    fn from(administration: Administration) -> Self {
        match administration {
            Administration::Open => Self::Ready,
            Administration::Cordoned => Self::Cordoned,
            Administration::Draining => Self::Draining,
            Administration::Fenced => Self::Fenced,
        }
    }
}
