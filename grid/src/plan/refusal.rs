//! Refusals: the resource, what was asked, and the largest that fits; to an admin also each node, what is free there
//! and what is reserved.

use super::planner::Question;
use super::room::shortest;
use crate::map::Condition;
use crate::placement::{RejectedNode, Rejection, place};
use crate::sample::Source;
use crate::vm::VmState;
use crate::wording::{Amount, Grouped};
use crate::{Resource, Resources, Size};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: RefusalReason,
    pub asked: Size,
    /// The largest size within what was asked that would be planned now (the VM's own size where it can't grow);
    /// None where there is none.
    pub largest: Option<Size>,
    /// Per node, for admins only: reasons with what is free and what is reserved. Emptied before a customer sees it.
    pub nodes: Vec<RejectedNode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum RefusalReason {
    DiskShrinks {
        has_gib: u64,
        asked_gib: u64,
    },
    /// No node of the kind has room; `largest` is the most of this resource that would be planned, or on any node.
    NoRoom {
        resource: Resource,
        asked: u64,
        largest: u64,
    },
    /// Room is there, but on nodes that take nothing now; or the VM's own node doesn't answer.
    NotReady {
        condition: Condition,
    },
    /// How much more was asked, and how much more the tenant may have.
    QuotaExceeded {
        resource: Resource,
        asked: u64,
        left: u64,
    },
    /// The VM is in a state in which it isn't resized.
    NotNow {
        state: VmState,
    },
    /// No VM may have so little or so much of it.
    OutOfLimits {
        resource: Resource,
        asked: u64,
        least: u64,
        most: u64,
    },
    /// Memory comes in steps, see [`Size::MEMORY_STEP`].
    MemoryNotInSteps {
        asked_mib: u64,
        step_mib: u64,
    },
}

impl Refusal {
    /// A refusal that has nothing to do with nodes.
    pub(super) const fn plain(reason: RefusalReason, asked: Size) -> Self {
        Self { reason, asked, largest: None, nodes: Vec::new() }
    }

    /// The same without what only an admin may see.
    #[must_use]
    pub fn for_customer(self) -> Self {
        Self { nodes: Vec::new(), ..self }
    }
}

/// Whether a size is outside of [`Size::SMALLEST`] and [`Size::LARGEST`].
pub(super) fn out_of_limits(size: Size) -> Option<RefusalReason> {
    let [asked, least, most] = [size, Size::SMALLEST, Size::LARGEST].map(Resources::from);
    Resource::ALL.into_iter().find_map(|resource| {
        let [asked, least, most] = [asked, least, most].map(|each| each.get(resource));
        let outside = asked < least || asked > most;
        outside.then_some(RefusalReason::OutOfLimits { resource, asked, least, most })
    })
}

/// Whether its memory lies between two steps.
pub(super) fn not_in_steps(size: Size) -> Option<RefusalReason> {
    let (asked_mib, step_mib) = (size.memory.0, Size::MEMORY_STEP.0);
    (!asked_mib.is_multiple_of(step_mib)).then_some(RefusalReason::MemoryNotInSteps { asked_mib, step_mib })
}

impl Question<'_> {
    /// Why the planner found nothing.
    pub(super) fn refuse(&self, to: Size) -> Refusal {
        let Some(home) = self.map.get(self.vm.node) else {
            let condition = Condition::Silent { source: Source::Hypervisor };
            return Refusal::plain(RefusalReason::NotReady { condition }, to);
        };
        let at_home = RejectedNode { node: home.node.id, reasons: self.reasons_against_in_place(home, to) };
        if !home.condition.hypervisor_answers() {
            let reason = RefusalReason::NotReady { condition: home.condition };
            return Refusal { nodes: vec![at_home], ..Refusal::plain(reason, to) };
        }
        let cold = place(self.map, &self.cold_request(to));
        let carried = home.condition.utility_answers();
        // A cold move asks less of a destination than a live one: where it can be, its reasons are the ones that count.
        let live = self.live_request(to).filter(|_| !carried).map(|request| place(self.map, &request));
        let elsewhere = live.map_or(cold.rejected, |live| live.rejected);
        let waiting_for_home = (!carried && cold.chosen.is_some()).then_some(home.condition);
        let nodes: Vec<RejectedNode> =
            elsewhere.into_iter().map(|node| if node.node == home.node.id { at_home.clone() } else { node }).collect();
        let largest = self.largest(to, None);
        let reason = match waiting_for_home.or_else(|| only_not_ready(&nodes)) {
            Some(condition) => RefusalReason::NotReady { condition },
            None => no_room(to, largest, &nodes),
        };
        Refusal { reason, asked: to, largest, nodes }
    }
}

/// The condition of the first node that has all but readiness.
pub(super) fn only_not_ready(nodes: &[RejectedNode]) -> Option<Condition> {
    nodes.iter().find_map(|node| match node.reasons.as_slice() {
        [Rejection::NotReady { condition }] => Some(*condition),
        _ => None,
    })
}

/// The resource that is shortest of what was asked, and the largest amount of it: by the largest size that fits or,
/// where there is none, on the node that lacks nothing but room and is least short of it.
pub(super) fn no_room(asked: Size, largest: Option<Size>, nodes: &[RejectedNode]) -> RefusalReason {
    let amounts = Resources::from(asked);
    let found = largest.and_then(|largest| {
        let resource = shortest(asked, largest)?;
        Some((resource, Resources::from(largest).get(resource)))
    });
    let (resource, largest) = found.or_else(|| least_short(nodes)).unwrap_or((Resource::Memory, 0));
    let asked = amounts.get(resource);
    RefusalReason::NoRoom { resource, asked, largest: largest.min(asked) }
}

fn least_short(nodes: &[RejectedNode]) -> Option<(Resource, u64)> {
    let worst_of = |node: &RejectedNode| {
        let lacks = node.reasons.iter().map(|reason| match reason {
            Rejection::NoRoom { resource, asked, available, .. } => {
                let share = u128::from(asked.saturating_sub(*available)) * 1_000_000 / u128::from((*asked).max(1));
                Some((share, *resource, *available))
            }
            _ => None,
        });
        lacks.collect::<Option<Vec<_>>>()?.into_iter().max()
    };
    let (_, resource, available) = nodes.iter().filter_map(worst_of).min()?;
    Some((resource, available))
}

/// What the customer reads.
impl fmt::Display for RefusalReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DiskShrinks { has_gib, asked_gib } => write!(
                formatter,
                "A disk never shrinks: it has {} GiB, asked {} GiB.",
                Grouped(has_gib),
                Grouped(asked_gib)
            ),
            Self::NoRoom { resource, asked, largest } => {
                let [asked, largest] = [asked, largest].map(|amount| Amount(resource, amount));
                let name = resource.as_str();
                write!(formatter, "Not enough {name}: asked {asked}, the largest that fits is {largest}.")
            }
            Self::NotReady { condition } => write!(
                formatter,
                "There may be room, but the node that has it can't be used right now: it is {condition}. Try again later.",
            ),
            Self::QuotaExceeded { resource, asked, left } => {
                let [asked, left] = [asked, left].map(|amount| Amount(resource, amount));
                let name = resource.as_str();
                write!(formatter, "Over the quota of {name}: asked {asked} more, {left} left.")
            }
            Self::NotNow { state } => {
                write!(formatter, "The VM is {}: its size can't be changed now.", state.as_str())
            }
            Self::OutOfLimits { resource, asked, least, most } => {
                let [asked, least, most] = [asked, least, most].map(|amount| Amount(resource, amount));
                let name = resource.as_str();
                write!(formatter, "No VM has so much or so little {name}: asked {asked}, it can be {least} to {most}.")
            }
            Self::MemoryNotInSteps { asked_mib, step_mib } => {
                let asked = Amount(Resource::Memory, asked_mib);
                write!(formatter, "Memory comes in steps of {step_mib} MiB: asked {asked}.")
            }
        }
    }
}
