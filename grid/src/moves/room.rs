//! Make room: the cheapest safe sequence of moves of other VMs after which a VM fits that fits nowhere now.

use super::ground::Ground;
use super::search::{Search, Target, used_permille};
use super::{Cost, Layout, Manner, Move};
use crate::{HypervisorKind, NodeId, Resource, Resources};
use serde::{Deserialize, Serialize};

/// What shall fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// The VM at this position shall take this much: at home, or on another node if it moves there as the last move. There it
    /// takes `arrives` at first.
    Grow { guest: u32, arrives: Resources, to: Resources },
    /// The VM at this position shall have another home, at its size.
    Leave { guest: u32 },
    /// A new VM of this kind, in this region and this failure domain if they are named, of these groups of the layout.
    New { kind: HypervisorKind, region: Option<u32>, domain: Option<u32>, takes: Resources, groups: Vec<u32> },
}

impl Ask {
    /// A new VM of this kind, anywhere.
    pub const fn new_vm(kind: HypervisorKind, takes: Resources) -> Self {
        Self::New { kind, region: None, domain: None, takes, groups: Vec::new() }
    }

    /// The VM that asks, where it is there already.
    const fn guest(&self) -> Option<u32> {
        match self {
            Self::Grow { guest, .. } | Self::Leave { guest } => Some(*guest),
            Self::New { .. } => None,
        }
    }

    fn groups<'a>(&'a self, layout: &'a Layout) -> &'a [u32] {
        match self {
            Self::Grow { guest, .. } | Self::Leave { guest } => {
                layout.guest(*guest).map_or(&[], |each| each.groups.as_slice())
            }
            Self::New { groups, .. } => groups,
        }
    }
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
    /// In the order in which they are carried out. The asking VM's own move is the last.
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

/// The work that each node is worth, though another share of it would be fair.
const LEAST_WORK: u64 = 1_000;

/// Looks for the cheapest plan: VMs interrupted, then bytes carried, then moves. No moves where it fits already.
pub fn make_room(layout: &Layout, ask: &Ask, budget: Budget) -> RoomAnswer {
    let ground = Ground::of(layout);
    let mut targets = targets(layout, &ground, ask);
    if let Some(resource) = short_in_all(layout, ask, &targets) {
        return RoomAnswer::None { resource: Some(resource) };
    }
    targets.sort_by_cached_key(|each| (each.own, missing(layout, each), worsens(layout, each), each.site));
    let mut search = Search::new(layout, &ground, ask.guest(), ask.groups(layout));
    let most = usize::from(budget.moves.min(Budget::MOVES));
    let (mut left, mut cut) = (budget.work, false);
    for moves in 0..=most {
        cut = false;
        // Early depths are cheap; the last may use all that is left.
        let rounds = u64::try_from(most.saturating_sub(moves)).unwrap_or(0).saturating_add(1);
        let mut share = left / rounds;
        for (at, target) in targets.iter().enumerate() {
            let own = usize::try_from(target.own.moves).unwrap_or(usize::MAX);
            let Some(others) = moves.checked_sub(own) else { continue };
            let fair = share / u64::try_from(targets.len().saturating_sub(at)).unwrap_or(1).max(1);
            let used = search.look(*target, others, fair.max(LEAST_WORK).min(left));
            (left, share) = (left.saturating_sub(used), share.saturating_sub(used));
            cut |= search.cut;
        }
    }
    let (found, cost) = (search.best, search.limit);
    match found.and_then(|(target, chosen)| describe(layout, ask.guest(), &target, &chosen, cost, !cut)) {
        Some(plan) => RoomAnswer::Room { plan },
        None if cut => RoomAnswer::GaveUp,
        None => RoomAnswer::None { resource: None },
    }
}

/// Every node that may take it, with what it would have to take in.
fn targets(layout: &Layout, ground: &Ground, ask: &Ask) -> Vec<Target> {
    let never = |to| layout.never_admits(&ground.members, ask.groups(layout), to);
    let sites = (0_u32..).zip(&layout.sites);
    match *ask {
        Ask::Leave { guest } => {
            let Some(to) = layout.guest(guest).map(|each| each.takes) else { return Vec::new() };
            let mut all = targets(layout, ground, &Ask::Grow { guest, arrives: to, to });
            all.retain(|each| each.arrives);
            all
        }
        Ask::Grow { guest, arrives, to } => {
            let Some(found) = layout.guest(guest) else { return Vec::new() };
            let grows = |(site, there): (u32, &super::Site)| {
                if site == found.home {
                    let fits = there.answers && there.usable.plus(found.takes).covers(&to);
                    let need = to.minus(found.takes);
                    return fits.then_some(Target { site, need, arrives: false, own: Cost::default() });
                }
                let (manner, bytes) = layout.way(found, site)?;
                let need = to.larger(arrives);
                let barred = !there.usable.covers(&need) || !found.movable || never(site);
                (!barred).then_some(Target { site, need, arrives: true, own: Cost::of(manner, bytes) })
            };
            sites.filter_map(grows).collect()
        }
        Ask::New { kind, region, domain, takes, .. } => sites
            .filter(|(site, there)| {
                there.ready
                    && there.kind == kind
                    && region.is_none_or(|region| region == there.region)
                    && domain.is_none_or(|domain| domain == there.domain)
                    && there.usable.covers(&takes)
                    && !never(*site)
            })
            .map(|(site, _)| Target { site, need: takes, arrives: true, own: Cost::default() })
            .collect(),
    }
}

/// The resource of which all nodes that could help together have too little free; moves don't make any.
fn short_in_all(layout: &Layout, ask: &Ask, targets: &[Target]) -> Option<Resource> {
    let need = match *ask {
        Ask::Grow { guest, to, .. } => to.minus(layout.guest(guest)?.takes),
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

/// What taking it in costs the node of its scarcest resource, then how much of that is used up, in thousandths. What is
/// free of the others is no use without it: once it is gone on all nodes, no VM can move any more.
fn worsens(layout: &Layout, target: &Target) -> (u64, u64) {
    let Some(site) = layout.site(target.site) else { return (u64::MAX, u64::MAX) };
    let used = |free| used_permille(free, site.usable);
    let after = used(site.free().minus(target.need));
    (after.saturating_sub(used(site.free())), after)
}

fn describe(
    layout: &Layout,
    asking: Option<u32>,
    target: &Target,
    chosen: &[(u32, u32)],
    cost: Cost,
    cheapest: bool,
) -> Option<RoomPlan> {
    let own = asking.filter(|_| target.arrives).map(|guest| (guest, target.site));
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
