//! Rebalance plans: evening out, consolidating or gathering what is free, only where it gains enough. After such a plan a
//! second one finds nothing to do, unless the first stopped at its bound on moves.

use super::drain::drain_site;
use super::gather::best_gathering;
use super::groups::Members;
use super::join::join;
use super::room::Budget;
use super::{Cost, Layout, Move};
use crate::{NodeId, Resource, Resources};
use serde::{Deserialize, Serialize};

/// What a rebalance is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "goal", rename_all = "kebab-case")]
pub enum Goal {
    /// Move VMs from fuller to emptier nodes; each move lowers the fuller one of the two by at least so many
    /// thousandths of its usable capacity, in its fullest resource.
    EvenOut { least_gain_permille: u32 },
    /// Empty nodes whose VMs find room on nodes that are in use, for at most so many bytes carried a node.
    Consolidate { most_bytes: u64 },
    /// Bring together what is free, so that VMs fit: each move raises what two nodes have free of all resources at once,
    /// by at least so many millionths of the largest node of their kind.
    Gather { room_for: RoomFor, least_gain_millionths: u32 },
}

/// What shall fit where free room is gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomFor {
    /// VMs that grow where they are: what is free of all resources at once counts alike wherever it is.
    Growth,
    /// New VMs, large ones among them: it counts for more, the more of it is in one place.
    NewVms,
}

/// What to move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalancePlan {
    pub moves: Vec<Move>,
    pub cost: Cost,
    /// Nodes that are empty afterwards.
    pub emptied: Vec<NodeId>,
    /// Whether it stopped because the bound on moves was reached.
    pub cut: bool,
}

/// Plans a rebalance of at most `most` moves; `budget` bounds each search for room while consolidating. No VM is
/// interrupted for it.
pub fn rebalance(layout: &Layout, goal: Goal, most: usize, budget: Budget) -> RebalancePlan {
    let mut plan = match goal {
        Goal::EvenOut { least_gain_permille } => even_out(layout, u64::from(least_gain_permille.max(1)), most),
        Goal::Consolidate { most_bytes } => consolidate(layout, most_bytes, most, budget),
        Goal::Gather { room_for, least_gain_millionths } => {
            gather(layout, room_for, u64::from(least_gain_millionths.max(1)), most)
        }
    };
    plan.cost = Cost::sum(&plan.moves);
    plan
}

/// Each move makes the fuller of two nodes less full, so it ends.
fn even_out(start: &Layout, gain: u64, most: usize) -> RebalancePlan {
    one_by_one(start, most, |now, members| best_evening(now, members, gain))
}

/// Each move raises what all that is free is worth, so it ends.
fn gather(start: &Layout, room_for: RoomFor, gain: u64, most: usize) -> RebalancePlan {
    one_by_one(start, most, |now, members| best_gathering(now, members, room_for, gain))
}

fn one_by_one(start: &Layout, most: usize, best: impl Fn(&Layout, &Members) -> Option<(u32, u32)>) -> RebalancePlan {
    let (mut now, mut plan) = (start.clone(), RebalancePlan::default());
    let members = Members::of(start);
    while let Some((guest, to)) = best(&now, &members) {
        if plan.moves.len() >= most {
            plan.cut = true;
            break;
        }
        plan.moves.extend(now.guest(guest).and_then(|each| now.describe(each, to)));
        now.carry(guest, to);
    }
    plan
}

/// The move that lowers the fullest node most; fewest bytes among equals.
fn best_evening(now: &Layout, members: &Members, gain: u64) -> Option<(u32, u32)> {
    let fullness: Vec<u64> = now.sites.iter().map(|site| fullest(site.taken, site.usable)).collect();
    let of = |site: u32| fullness.get(usize::try_from(site).ok()?).copied();
    let mut best = None;
    for (position, guest) in (0_u32..).zip(&now.guests).filter(|(_, guest)| guest.movable) {
        let Some((before, home)) = of(guest.home).zip(now.site(guest.home)) else { continue };
        let left = fullest(home.taken.minus(guest.takes), home.usable);
        for (to, site) in (0_u32..).zip(&now.sites) {
            if of(to).is_none_or(|there| there.saturating_add(gain) > before) || !site.free().covers(&guest.takes) {
                continue;
            }
            let Some(cost) = now.without_interruption(guest, to) else { continue };
            let after = fullest(site.taken.plus(guest.takes), site.usable).max(left);
            let kept_away = || now.kept_away_now(members, &guest.groups, Some(position), to).is_some();
            if after.saturating_add(gain) > before || kept_away() {
                continue;
            }
            let key = (u64::MAX - before, after, cost, position, to);
            if best.is_none_or(|known| key < known) {
                best = Some(key);
            }
        }
    }
    best.map(|(_, _, _, position, to)| (position, to))
}

/// Each step leaves one node more without VMs, so it ends.
fn consolidate(start: &Layout, most_bytes: u64, most: usize, budget: Budget) -> RebalancePlan {
    let (mut now, mut plan) = (start.clone(), RebalancePlan::default());
    loop {
        let used = loads(&now);
        let mut sites: Vec<(u64, u32)> = (0_u32..).zip(&used).map(|(at, &bytes)| (bytes, at)).collect();
        sites.retain(|&(bytes, _)| bytes > 0 && bytes <= most_bytes);
        sites.sort_unstable();
        let mut progress = false;
        for (_, site) in sites {
            let ready: Vec<bool> = now.sites.iter().map(|each| each.ready).collect();
            let mut trial = now.clone();
            let in_use =
                |other: u32| usize::try_from(other).ok().and_then(|at| used.get(at)).is_some_and(|&each| each > 0);
            let tried = drain_site(&mut trial, site, budget, in_use);
            let worth = tried.stuck.is_empty() && tried.cost.interrupted == 0 && tried.cost.bytes <= most_bytes;
            if !worth {
                continue;
            }
            if plan.moves.len().saturating_add(tried.moves.len()) > most {
                plan.cut = true;
                continue;
            }
            for (each, ready) in trial.sites.iter_mut().zip(ready) {
                each.ready = ready;
            }
            plan.emptied.extend(trial.site(site).map(|each| each.id));
            plan.moves.extend(tried.moves);
            now = trial;
            progress = true;
            break;
        }
        if !progress {
            plan.moves = join(start, plan.moves);
            return plan;
        }
    }
}

/// The bytes of the VMs on each site; at least 1 where there is a VM.
fn loads(layout: &Layout) -> Vec<u64> {
    let mut loads = vec![0_u64; layout.sites.len()];
    for guest in &layout.guests {
        if let Some(load) = usize::try_from(guest.home).ok().and_then(|at| loads.get_mut(at)) {
            *load = load.saturating_add(guest.memory_bytes).saturating_add(guest.disk_bytes).saturating_add(1);
        }
    }
    loads
}

/// How full, in thousandths, in the fullest resource; more than full counts as it is.
fn fullest(taken: Resources, usable: Resources) -> u64 {
    let share = |resource| u128::from(taken.get(resource)) * 1000 / u128::from(usable.get(resource).max(1));
    u64::try_from(Resource::ALL.into_iter().map(share).max().unwrap_or(0)).unwrap_or(u64::MAX)
}
