//! Make room: the cheapest safe sequence of moves of other VMs after which a VM fits that fits nowhere now.

use super::search::{Search, Target};
use super::{Cost, Layout, Manner, Move};
use crate::{HypervisorKind, NodeId, Resource, Resources};
use serde::{Deserialize, Serialize};

/// What shall fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// The VM at this position shall take this much: at home, or on another node if it moves there as the last move.
    Grow { guest: u32, to: Resources },
    /// The VM at this position shall have another home, at its size.
    Leave { guest: u32 },
    /// A new VM of this kind, in this region if one is named.
    New { kind: HypervisorKind, region: Option<u32>, takes: Resources, apart: Option<u32> },
}

/// How far a search may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Moves of a plan at most, the asking VM's own included; more than [`Budget::MOVES`] count as that.
    pub moves: u8,
    /// Pairs of a VM and a node that are looked at, at most.
    pub work: u64,
}

impl Budget {
    /// More moves than this are never planned: all their orders are tried.
    pub const MOVES: u8 = 7;
}

/// Where it will fit, and after which moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomPlan {
    pub node: NodeId,
    /// In the order in which they are carried out. The asking VM's own move is the last; it arrives at its new size.
    pub moves: Vec<Move>,
    pub cost: Cost,
    /// Whether nothing cheaper exists that moves no VM twice, within the bound on moves.
    pub cheapest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum RoomAnswer {
    Room {
        plan: RoomPlan,
    },
    /// Proven: within the bound on moves there is no plan that moves no VM twice. `resource` where even all free
    /// capacity of the kind together is too little.
    None {
        resource: Option<Resource>,
    },
    /// The work was used up before a plan was found.
    GaveUp,
}

/// Looks for the cheapest plan: VMs interrupted, then bytes carried, then moves. No moves where it fits already.
pub fn make_room(layout: &Layout, ask: &Ask, budget: Budget) -> RoomAnswer {
    let asking = match *ask {
        Ask::Grow { guest, .. } | Ask::Leave { guest } => Some(guest),
        Ask::New { .. } => None,
    };
    let mut targets = targets(layout, ask);
    if let Some(resource) = short_in_all(layout, ask, &targets) {
        return RoomAnswer::None { resource: Some(resource) };
    }
    targets.sort_by_key(|each| (each.own, missing(layout, each), each.site));
    let residents = residents(layout);
    let most = usize::from(budget.moves.min(Budget::MOVES));
    let (mut left, mut limit, mut found, mut cut) = (budget.work, Cost::MAX, None, false);
    for moves in 0..=most {
        cut = false;
        // Early depths are cheap; the last may use all that is left.
        let rounds = u64::try_from(most.saturating_sub(moves)).unwrap_or(0).saturating_add(1);
        let mut share = left / rounds;
        for (at, target) in targets.iter().enumerate() {
            let own = usize::try_from(target.own.moves).unwrap_or(usize::MAX);
            let Some(others) = moves.checked_sub(own) else { continue };
            let fair = share / u64::try_from(targets.len().saturating_sub(at)).unwrap_or(1).max(1);
            let work = fair.max(10_000).min(left);
            let mut search = Search::new(layout, &residents, asking, *target, others, work, limit);
            search.run();
            let used = work.saturating_sub(search.work);
            (left, share) = (left.saturating_sub(used), share.saturating_sub(used));
            cut |= search.cut;
            limit = search.limit;
            if let Some(chosen) = search.best {
                found = Some((*target, chosen));
            }
        }
    }
    match found.and_then(|(target, chosen)| describe(layout, asking, &target, &chosen, limit, !cut)) {
        Some(plan) => RoomAnswer::Room { plan },
        None if cut => RoomAnswer::GaveUp,
        None => RoomAnswer::None { resource: None },
    }
}

/// Every node that may take it, with what it would have to take in.
fn targets(layout: &Layout, ask: &Ask) -> Vec<Target> {
    let sites = (0_u32..).zip(&layout.sites);
    match *ask {
        Ask::Leave { guest } => {
            let Some(to) = layout.guest(guest).map(|each| each.takes) else { return Vec::new() };
            let mut all = targets(layout, &Ask::Grow { guest, to });
            all.retain(|each| each.own.moves > 0);
            all
        }
        Ask::Grow { guest, to } => {
            let Some(found) = layout.guest(guest) else { return Vec::new() };
            let grows = |(site, there): (u32, &super::Site)| {
                if site == found.home {
                    let fits = there.answers && there.usable.plus(found.takes).covers(&to);
                    let need = to.minus(found.takes);
                    return fits.then_some(Target { site, need, apart: found.apart, own: Cost::default() });
                }
                let (manner, bytes) = layout.way(found, site)?;
                let fits = there.usable.covers(&to.larger(found.takes));
                let barred = !fits || !found.movable || layout.meets(found.apart, site, found.id);
                let need = to.larger(found.takes);
                (!barred).then_some(Target { site, need, apart: found.apart, own: Cost::of(manner, bytes) })
            };
            sites.filter_map(grows).collect()
        }
        Ask::New { kind, region, takes, apart } => sites
            .filter(|(site, there)| {
                there.ready
                    && there.kind == kind
                    && region.is_none_or(|region| region == there.region)
                    && there.usable.covers(&takes)
                    && !apart
                        .is_some_and(|_| layout.guests.iter().any(|each| each.home == *site && each.apart == apart))
            })
            .map(|(site, _)| Target { site, need: takes, apart, own: Cost::default() })
            .collect(),
    }
}

/// The resource of which all nodes that could help together have too little free; moves don't make any.
fn short_in_all(layout: &Layout, ask: &Ask, targets: &[Target]) -> Option<Resource> {
    let need = match *ask {
        Ask::Grow { guest, to } => to.minus(layout.guest(guest)?.takes),
        Ask::Leave { guest } => layout.guest(guest)?.takes,
        Ask::New { takes, .. } => takes,
    };
    let reach: std::collections::BTreeSet<(HypervisorKind, u32)> =
        targets.iter().filter_map(|each| layout.site(each.site)).map(|site| (site.kind, site.region)).collect();
    let home = targets.iter().find(|each| each.own.moves == 0).map(|each| each.site);
    let free = (0_u32..)
        .zip(&layout.sites)
        .filter(|(at, site)| (site.ready || Some(*at) == home) && reach.contains(&(site.kind, site.region)))
        .fold(Resources::ZERO, |sum, (_, site)| sum.plus(site.free()));
    Resource::ALL.into_iter().find(|&resource| need.get(resource) > free.get(resource))
}

/// The largest lack of a resource in thousandths of what is usable.
fn missing(layout: &Layout, target: &Target) -> u64 {
    let Some(site) = layout.site(target.site) else { return u64::MAX };
    let (lack, usable) = (target.need.minus(site.free()), site.usable);
    let share = |resource| u128::from(lack.get(resource)) * 1000 / u128::from(usable.get(resource).max(1));
    u64::try_from(Resource::ALL.into_iter().map(share).max().unwrap_or(0)).unwrap_or(u64::MAX)
}

/// The guests of each site, by position.
pub(super) fn residents(layout: &Layout) -> Vec<Vec<u32>> {
    let mut residents = vec![Vec::new(); layout.sites.len()];
    for (position, guest) in (0_u32..).zip(&layout.guests) {
        let home = usize::try_from(guest.home).ok().and_then(|at| residents.get_mut(at));
        if let Some(home) = home {
            home.push(position);
        }
    }
    residents
}

fn describe(
    layout: &Layout,
    asking: Option<u32>,
    target: &Target,
    chosen: &[(u32, u32)],
    cost: Cost,
    cheapest: bool,
) -> Option<RoomPlan> {
    let own = asking.filter(|_| target.own.moves > 0).map(|guest| (guest, target.site));
    let moves: Option<Vec<Move>> =
        chosen.iter().copied().chain(own).map(|(guest, to)| layout.describe(layout.guest(guest)?, to)).collect();
    Some(RoomPlan { node: layout.site(target.site)?.id, moves: moves?, cost, cheapest })
}

impl RoomPlan {
    /// Whether a running VM is shut down on the way.
    pub fn interrupts(&self) -> bool {
        self.moves.iter().any(|each| each.manner == Manner::Cold)
    }
}
