//! Gathering what is free, so that it is of use: vCPUs free on one node and memory free on another serve no VM, and many
//! small parts serve no large one. Here it is said what a node's free room is worth, and which move gathers most.

use super::ground::likeness;
use super::groups::Members;
use super::{Cost, Guest, Layout, RoomFor, Site};
use crate::{HypervisorKind, Resource, Resources};
use std::cmp::Reverse;
use std::collections::BTreeMap;

const WHOLE: u64 = 1_000_000;

/// What free room is measured by.
struct Yardsticks {
    room_for: RoomFor,
    /// Of each hypervisor kind the most that a node has of each resource. A share of each node's own would call it a gain
    /// when a VM goes from a small node to a large one.
    largest: BTreeMap<HypervisorKind, Resources>,
}

impl Yardsticks {
    fn of(layout: &Layout, room_for: RoomFor) -> Self {
        let mut largest: BTreeMap<HypervisorKind, Resources> = BTreeMap::new();
        for site in &layout.sites {
            let known = largest.entry(site.kind).or_default();
            *known = known.larger(site.usable);
        }
        Self { room_for, largest }
    }

    /// What a site has free when so much of it is taken, in millionths: the share `x` of its scarcest resource, since no
    /// VM can use more. For new VMs `x²` is added, so that it is worth more the more of it is in one place.
    fn worth(&self, site: &Site, taken: Resources) -> u64 {
        let (free, largest) = (site.usable.minus(taken), self.largest.get(&site.kind).copied().unwrap_or_default());
        let share = |resource: Resource| match site.usable.get(resource) {
            // Of what VMs can do without, none at all is not used up.
            0 if resource.is_optional() => WHOLE,
            _ => {
                let share =
                    u128::from(free.get(resource)) * u128::from(WHOLE) / u128::from(largest.get(resource).max(1));
                u64::try_from(share).unwrap_or(WHOLE)
            }
        };
        let share = Resource::ALL.map(share).into_iter().min().unwrap_or(0);
        match self.room_for {
            RoomFor::Growth => share,
            RoomFor::NewVms => share.saturating_add(share.saturating_mul(share) / WHOLE),
        }
    }

    /// How much more a VM's home is worth without it; none where it has no home.
    fn frees(&self, now: &Layout, guest: &Guest) -> Option<u64> {
        let home = now.site(guest.home)?;
        Some(self.worth(home, home.taken.minus(guest.takes)).saturating_sub(self.worth(home, home.taken)))
    }
}

/// The move that raises most what is free is worth on all nodes together, by at least so many millionths; fewest bytes
/// among equals. Nobody is interrupted by it.
pub(super) fn best_gathering(now: &Layout, members: &Members, room_for: RoomFor, least: u64) -> Option<(u32, u32)> {
    let yardsticks = Yardsticks::of(now, room_for);
    let leaving = leaving(now, &yardsticks, least);
    let takers = takers(now, &leaving);
    let mut best: Option<(Reverse<u64>, Cost, u32, u32)> = None;
    for (frees, position, guest) in leaving {
        // No move gains more than it frees.
        let most = best.map_or(least, |(Reverse(most), ..)| most);
        if frees < most {
            break;
        }
        for &(to, site, _) in takers.iter().filter(|(.., free)| free.covers(&guest.takes)) {
            let loses = yardsticks.worth(site, site.taken);
            let loses = loses.saturating_sub(yardsticks.worth(site, site.taken.plus(guest.takes)));
            let gains = frees.saturating_sub(loses);
            let Some(cost) = now.without_interruption(guest, to).filter(|_| gains >= most) else { continue };
            let key = (Reverse(gains), cost, position, to);
            let kept_away = || now.kept_away_now(members, &guest.groups, Some(position), to).is_some();
            if best.is_none_or(|known| key < known) && !kept_away() {
                best = Some(key);
            }
        }
    }
    best.map(|(_, _, position, to)| (position, to))
}

/// The VMs whose leaving frees enough, the one that frees most first: how much, the VM's position, and the VM. Of those of
/// one node that are alike the first stands for all.
fn leaving<'a>(now: &'a Layout, yardsticks: &Yardsticks, least: u64) -> Vec<(u64, u32, &'a Guest)> {
    let movable = (0_u32..).zip(&now.guests).filter(|(_, guest)| guest.movable);
    let mut leaving: Vec<(u64, u32, &Guest)> =
        movable.filter_map(|(position, guest)| Some((yardsticks.frees(now, guest)?, position, guest))).collect();
    leaving.retain(|&(frees, ..)| frees >= least);
    leaving.sort_unstable_by_key(|&(frees, position, guest)| (Reverse(frees), guest.home, likeness(guest), position));
    leaving.dedup_by_key(|(_, _, guest)| (guest.home, likeness(guest)));
    leaving
}

/// The sites where one of these has room, and what each has free.
fn takers<'a>(now: &'a Layout, leaving: &[(u64, u32, &Guest)]) -> Vec<(u32, &'a Site, Resources)> {
    let Some(smallest) = leaving.iter().map(|(.., guest)| guest.takes).reduce(Resources::smaller) else {
        return Vec::new();
    };
    let ready = (0_u32..).zip(&now.sites).filter(|(_, site)| site.ready);
    ready.map(|(to, site)| (to, site, site.free())).filter(|(.., free)| free.covers(&smallest)).collect()
}
