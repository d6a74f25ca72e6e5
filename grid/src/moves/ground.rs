//! What a search for room looks up again and again, made once for it.

use super::Layout;
use super::groups::Members;
use crate::{HypervisorKind, Resource, Resources};
use std::cmp::Reverse;
use std::collections::BTreeMap;

pub(super) struct Ground {
    pub(super) members: Members,
    /// The guests of each site, those that are alike side by side.
    residents: Vec<Vec<u32>>,
    /// The most that one movable guest of the site takes, resource by resource.
    heaviest: Vec<Resources>,
    pool_of: Vec<usize>,
    pools: Vec<Pool>,
}

/// The nodes between which VMs can move: those of one kind and region.
#[derive(Default)]
pub(super) struct Pool {
    /// Those that take VMs, the one with the most free memory first.
    pub(super) takers: Vec<u32>,
    /// The most that one of them has free, resource by resource.
    pub(super) most_free: Resources,
    /// For each resource: no VM is moved without interruption for fewer bytes than this for each unit that it takes.
    bytes_a_unit: Option<Resources>,
}

impl Ground {
    pub(super) fn of(layout: &Layout) -> Self {
        let mut ground = Self {
            members: Members::of(layout),
            residents: vec![Vec::new(); layout.sites.len()],
            heaviest: vec![Resources::ZERO; layout.sites.len()],
            pool_of: Vec::new(),
            pools: Vec::new(),
        };
        ground.add_sites(layout);
        ground.add_guests(layout);
        ground
    }

    fn add_sites(&mut self, layout: &Layout) {
        let mut numbers: BTreeMap<(HypervisorKind, u32), usize> = BTreeMap::new();
        for (position, site) in (0_u32..).zip(&layout.sites) {
            let next = numbers.len();
            let number = *numbers.entry((site.kind, site.region)).or_insert(next);
            if number == next {
                self.pools.push(Pool::default());
            }
            self.pool_of.push(number);
            if let Some(pool) = self.pools.get_mut(number)
                && site.ready
            {
                pool.takers.push(position);
                pool.most_free = pool.most_free.larger(site.free());
            }
        }
        for pool in &mut self.pools {
            pool.takers.sort_by_key(|&at| Reverse(layout.site(at).map(|site| site.free().memory_mib)));
        }
    }

    fn add_guests(&mut self, layout: &Layout) {
        for (position, guest) in (0_u32..).zip(&layout.guests) {
            let Ok(home) = usize::try_from(guest.home) else { continue };
            let Some((residents, heaviest)) = self.residents.get_mut(home).zip(self.heaviest.get_mut(home)) else {
                continue;
            };
            residents.push(position);
            if !guest.movable {
                continue;
            }
            *heaviest = heaviest.larger(guest.takes);
            let memory_bytes = if guest.running { guest.memory_bytes } else { 0 };
            let bytes = guest.disk_bytes.saturating_add(memory_bytes);
            // What it doesn't take never tells of bytes.
            let a_unit = guest.takes.zip(Resources::ZERO, |takes, _| bytes.checked_div(takes).unwrap_or(u64::MAX));
            if let Some(pool) = self.pool_of.get(home).and_then(|&pool| self.pools.get_mut(pool)) {
                pool.bytes_a_unit = Some(pool.bytes_a_unit.map_or(a_unit, |known| known.smaller(a_unit)));
            }
        }
        for residents in &mut self.residents {
            residents.sort_by_cached_key(|&at| (layout.guest(at).map(likeness), at));
        }
    }

    pub(super) fn residents(&self, site: u32) -> &[u32] {
        usize::try_from(site).ok().and_then(|at| self.residents.get(at)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn pool(&self, site: u32) -> Option<&Pool> {
        self.pools.get(*self.pool_of.get(usize::try_from(site).ok()?)?)
    }

    /// How many VMs have to leave a site, at least, that holds this much too much.
    pub(super) fn must_leave(&self, site: u32, lack: Resources) -> u64 {
        let heaviest = usize::try_from(site).ok().and_then(|at| self.heaviest.get(at)).copied().unwrap_or_default();
        let leave = |resource: Resource| match lack.get(resource) {
            0 => 0,
            lack => lack
                .checked_div(heaviest.get(resource))
                .map_or(u64::MAX, |whole| whole.saturating_add(u64::from(lack % heaviest.get(resource).max(1) > 0))),
        };
        Resource::ALL.map(leave).into_iter().max().unwrap_or(0)
    }
}

impl Pool {
    /// The least bytes for which this much can be moved away without interrupting anyone.
    pub(super) fn least_bytes(&self, lack: Resources) -> u64 {
        let bytes = lack.zip(self.bytes_a_unit.unwrap_or_default(), u64::saturating_mul);
        Resource::ALL.map(|resource| bytes.get(resource)).into_iter().max().unwrap_or(0)
    }
}

/// Two VMs of one node that are alike in all this can stand for each other in a plan.
pub(super) type Likeness<'a> = ([u64; 3], u64, u64, bool, bool, Option<u32>, &'a [u32]);

pub(super) fn likeness(guest: &super::Guest) -> Likeness<'_> {
    (
        Resource::ALL.map(|resource| guest.takes.get(resource)),
        guest.memory_bytes,
        guest.disk_bytes,
        guest.running,
        guest.movable,
        guest.domain,
        &guest.groups,
    )
}
