//! Stairs: the least that rows are worth which have at least so much of the resource that decides most often. A request
//! for four vCPUs is told by the step at four what it costs at least: rows with fewer, which are worth less, don't blur
//! it.

use super::vector::Vector;
use crate::Resource;
use crate::policy::worth_of;

/// The resource by whose amount rows are told apart. Any would be right; the one that runs out first is the quickest.
const LEAD: Resource = Resource::Vcpus;

/// Steps at 1, 2, 4, ... of it.
pub(super) const STEPS: usize = 6;

/// By step: the least worth of rows that have at least so much; [`u32::MAX`] where there are none. A worth beyond that
/// (of 200,000 vCPUs) counts as a little less: as the least of all it is still true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stairs(pub(super) [u32; STEPS]);

/// A worth as stairs have it.
#[inline]
fn short(worth: u64) -> u32 {
    u32::try_from(worth).unwrap_or(u32::MAX).min(u32::MAX - 1)
}

/// The last step that this much reaches; nothing where it reaches none.
#[inline]
pub(super) fn step_of(amounts: Vector) -> Option<usize> {
    let reached = amounts.0[LEAD.place()].max(0).cast_unsigned().checked_ilog2()?;
    Some(usize::try_from(reached).unwrap_or(STEPS).min(STEPS - 1))
}

impl Stairs {
    pub(super) const EMPTY: Self = Self([u32::MAX; STEPS]);

    /// Of rows with this much free, each with what that is worth.
    #[inline]
    pub(super) fn of(rows: impl IntoIterator<Item = (Vector, u64)>) -> Self {
        let mut stairs = Self::EMPTY;
        for (free, worth) in rows {
            if let Some(step) = step_of(free) {
                stairs.0[step] = stairs.0[step].min(short(worth));
            }
        }
        // Who reaches a step has reached all below it.
        for step in (1..STEPS).rev() {
            stairs.0[step - 1] = stairs.0[step - 1].min(stairs.0[step]);
        }
        stairs
    }

    pub(super) fn with(&self, other: &Self) -> Self {
        let mut both = *self;
        for (one, other) in both.0.iter_mut().zip(other.0) {
            *one = other.min(*one);
        }
        both
    }

    /// Whether a row with this much free may be what a step has its worth of.
    pub(super) fn may_rest_on(&self, free: Vector) -> bool {
        step_of(free).is_some_and(|step| short(worth_of(free)) <= self.0[step])
    }

    /// Whether rows that were like `before` and are like `after` may have been what one of these steps rests on.
    pub(super) fn may_rise(&self, before: &Self, after: &Self) -> bool {
        let steps = self.0.iter().zip(before.0.iter().zip(&after.0));
        steps.into_iter().any(|(known, (before, after))| known == before && before < after)
    }
}
