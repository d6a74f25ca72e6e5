//! Drain plans: every VM of a node to other nodes, the largest first; where one fits nowhere, room is made for it.

use super::groups::{LayoutGroup, Members};
use super::room::{Ask, Budget, RoomAnswer, make_room};
use super::{Cost, Layout, Move};
use crate::placement::Rule;
use crate::{NodeId, Resource, Resources, VmId};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::fmt;

/// How a node is emptied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainPlan {
    /// In the order in which they are carried out.
    pub moves: Vec<Move>,
    pub cost: Cost,
    /// VMs that stay, and why; the node is emptied where there are none.
    pub stuck: Vec<(VmId, Stuck)>,
}

/// Why a VM can't leave its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Stuck {
    /// It opted out, or is neither running nor stopped.
    NotMovable,
    /// Its node doesn't answer.
    NodeSilent,
    /// No other node of its kind, region and failure domain takes VMs.
    NoOtherNode,
    /// This group keeps it away from every other node.
    Group { group: String, rule: Rule },
    /// Every other node has too little of something; `most` is the most that one of them has free.
    NoRoom { resource: Resource, asked: u64, most: u64 },
    /// Each resource is there, but no node has all of them, nor were moves found that make room.
    NoNodeHasAll,
}

impl fmt::Display for Stuck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMovable => formatter.write_str("it may not be moved"),
            Self::NodeSilent => formatter.write_str("its node doesn't answer"),
            Self::Group { group, rule } => write!(formatter, "its group {group}: everywhere else, {rule}"),
            Self::NoOtherNode => formatter.write_str("no other node of its kind and region takes VMs"),
            Self::NoRoom { resource, asked, most } => {
                let (name, unit) = (resource.as_str(), resource.unit().as_str());
                let space = if unit.is_empty() { "" } else { " " };
                write!(formatter, "{name}: it takes {asked}{space}{unit}, most free is {most}{space}{unit}")
            }
            Self::NoNodeHasAll => formatter.write_str("no node has room in all resources, and no room could be made"),
        }
    }
}

/// Plans to empty a node; `budget` bounds each search for room. None where the layout doesn't have the node.
pub fn drain(layout: &Layout, node: NodeId, budget: Budget) -> Option<DrainPlan> {
    let site = layout.find_site(node)?;
    let mut now = layout.clone();
    Some(drain_site(&mut now, site, budget, |_| true))
}

/// Every node that could not be emptied now, with the VMs that stay and why.
pub fn not_drainable(layout: &Layout, budget: Budget) -> Vec<(NodeId, Vec<(VmId, Stuck)>)> {
    let plans = layout.sites.iter().filter_map(|site| Some((site.id, drain(layout, site.id, budget)?.stuck)));
    plans.filter(|(_, stuck)| !stuck.is_empty()).collect()
}

/// Empties a site of `now` onto those that `may` take its VMs.
pub(super) fn drain_site(now: &mut Layout, site: u32, budget: Budget, may: impl Fn(u32) -> bool) -> DrainPlan {
    let mut plan = DrainPlan::default();
    let barred: Vec<u32> = (0_u32..).take(now.sites.len()).filter(|&each| each == site || !may(each)).collect();
    for &each in &barred {
        if let Some(found) = usize::try_from(each).ok().and_then(|at| now.sites.get_mut(at)) {
            found.ready = false;
        }
    }
    let mut leaving: Vec<u32> =
        (0_u32..).zip(&now.guests).filter(|(_, each)| each.home == site).map(|(at, _)| at).collect();
    leaving.sort_by_key(|&at| (now.guest(at).map(|each| Reverse(weight(each.takes, now, site))), at));
    for guest in leaving {
        // Room for one that went before may have taken it along.
        if now.guest(guest).is_none_or(|each| each.home != site) {
            continue;
        }
        match place(now, guest, budget) {
            Ok(moves) => plan.moves.extend(moves),
            Err((vm, stuck)) => plan.stuck.push((vm, stuck)),
        }
    }
    plan.cost = Cost::sum(&plan.moves);
    plan
}

/// Moves one VM away, making room for it where needed.
fn place(now: &mut Layout, position: u32, budget: Budget) -> Result<Vec<Move>, (VmId, Stuck)> {
    let Some(guest) = now.guest(position).cloned() else { return Ok(Vec::new()) };
    if !guest.movable {
        return Err((guest.id, Stuck::NotMovable));
    }
    let answer = make_room(now, &Ask::Leave { guest: position }, budget);
    let moves = match answer {
        RoomAnswer::Room { plan } if !plan.moves.is_empty() => plan.moves,
        _ => return Err((guest.id, why(now, position))),
    };
    for each in &moves {
        if let Some((vm, to)) = now.find_guest(each.vm).zip(now.find_site(each.to)) {
            now.carry(vm, to);
        }
    }
    Ok(moves)
}

/// What a VM takes of its node, in thousandths, of the resource of which that is most.
fn weight(takes: Resources, layout: &Layout, site: u32) -> u64 {
    let usable = layout.site(site).map_or(Resources::ZERO, |each| each.usable);
    let share = |resource| u128::from(takes.get(resource)) * 1000 / u128::from(usable.get(resource).max(1));
    u64::try_from(Resource::ALL.into_iter().map(share).max().unwrap_or(0)).unwrap_or(u64::MAX)
}

fn why(layout: &Layout, position: u32) -> Stuck {
    let Some(guest) = layout.guest(position) else { return Stuck::NoOtherNode };
    if layout.site(guest.home).is_none_or(|home| !home.answers) {
        return Stuck::NodeSilent;
    }
    let members = Members::of(layout);
    let (mut free, mut group) = (Vec::new(), None);
    for (at, site) in (0_u32..).zip(&layout.sites).filter(|&(at, _)| layout.way(guest, at).is_some()) {
        match layout.kept_away_now(&members, &guest.groups, Some(position), at) {
            Some(number) => group = group.or(layout.group(number)),
            None => free.push(site.free()),
        }
    }
    if free.is_empty() {
        let by_group = |group: &LayoutGroup| Stuck::Group { group: group.name.clone(), rule: group.rule };
        return group.map_or(Stuck::NoOtherNode, by_group);
    }
    let most = free.into_iter().fold(Resources::ZERO, Resources::larger);
    let short = Resource::ALL.into_iter().find(|&each| guest.takes.get(each) > most.get(each));
    short.map_or(Stuck::NoNodeHasAll, |resource| Stuck::NoRoom {
        resource,
        asked: guest.takes.get(resource),
        most: most.get(resource),
    })
}
