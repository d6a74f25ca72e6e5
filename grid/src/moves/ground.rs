//! What a search for room looks up again and again, made once for it.

use super::groups::Members;
use super::{Guest, Layout};
use crate::{HypervisorKind, Resource, Resources};
use std::cmp::Reverse;
use std::collections::BTreeMap;

pub(super) struct Ground {
    pub(super) members: Members,
    residents: Vec<Vec<u32>>,
    pool_of: Vec<usize>,
    pools: Vec<Pool>,
}

/// The nodes between which VMs can move: those of one kind and region.
#[derive(Default)]
pub(super) struct Pool {
    /// Those that take VMs, the one with the most free memory first.
    pub(super) takers: Vec<u32>,
    /// Those of them where there could be a VM that has room now; all others take none until one of theirs has left.
    pub(super) open: Vec<u32>,
}

/// What is found out about a site when VMs of it have to leave.
pub(super) struct Residents {
    /// Its guests, those that are alike side by side.
    pub(super) vms: Vec<u32>,
    /// The most that one that can be moved takes, resource by resource.
    heaviest: Resources,
}

impl Ground {
    pub(super) fn of(layout: &Layout) -> Self {
        let mut ground = Self {
            members: Members::of(layout),
            residents: vec![Vec::new(); layout.sites.len()],
            pool_of: Vec::new(),
            pools: Vec::new(),
        };
        ground.add_sites(layout);
        ground.find_open(layout);
        for (position, guest) in (0_u32..).zip(&layout.guests) {
            let home = usize::try_from(guest.home).ok().and_then(|at| ground.residents.get_mut(at));
            if let Some(home) = home {
                home.push(position);
            }
        }
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
            if let Some(pool) = self.pools.get_mut(number).filter(|_| site.ready) {
                pool.takers.push(position);
            }
        }
        for pool in &mut self.pools {
            pool.takers.sort_by_key(|&at| Reverse(layout.site(at).map(|site| site.free().memory_mib())));
        }
    }

    fn find_open(&mut self, layout: &Layout) {
        // What no VM of a pool takes less of, resource by resource.
        let mut least: Vec<Option<Resources>> = vec![None; self.pools.len()];
        for guest in layout.guests.iter().filter(|guest| guest.movable) {
            let pool = usize::try_from(guest.home).ok().and_then(|home| self.pool_of.get(home));
            if let Some(known) = pool.and_then(|&pool| least.get_mut(pool)) {
                *known = Some(known.map_or(guest.takes, |known| known.zip(guest.takes, u64::min)));
            }
        }
        for (pool, least) in self.pools.iter_mut().zip(least) {
            let fits =
                |&at: &u32| least.is_some_and(|least| layout.site(at).is_some_and(|site| site.free().covers(&least)));
            pool.open = pool.takers.iter().copied().filter(fits).collect();
        }
    }

    pub(super) fn residents(&self, site: u32) -> &[u32] {
        usize::try_from(site).ok().and_then(|at| self.residents.get(at)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn pool(&self, site: u32) -> Option<&Pool> {
        self.pools.get(*self.pool_of.get(usize::try_from(site).ok()?)?)
    }

    pub(super) fn sorted(&self, layout: &Layout, site: u32) -> Residents {
        let mut vms = self.residents(site).to_vec();
        vms.sort_by_cached_key(|&at| (layout.guest(at).map(likeness), at));
        let movable = vms.iter().filter_map(|&at| layout.guest(at)).filter(|guest| guest.movable);
        let heaviest = movable.fold(Resources::ZERO, |most, guest| most.larger(guest.takes));
        Residents { vms, heaviest }
    }
}

impl Residents {
    /// How many VMs have to leave, at least, where the site holds this much too much.
    pub(super) fn must_leave(&self, lack: Resources) -> u64 {
        let leave = |resource: Resource| match (lack.get(resource), self.heaviest.get(resource)) {
            (0, _) => 0,
            (_, 0) => u64::MAX,
            (lack, heaviest) => lack.div_ceil(heaviest),
        };
        Resource::ALL.map(leave).into_iter().max().unwrap_or(0)
    }
}

/// For each resource: no VM of the kind is moved without interruption for fewer bytes than this for each unit of it that
/// it takes.
pub(super) fn bytes_a_unit(layout: &Layout, kind: HypervisorKind) -> Resources {
    let most = Resources::all(u64::MAX);
    let here = |guest: &&Guest| guest.movable && layout.site(guest.home).is_some_and(|home| home.kind == kind);
    layout.guests.iter().filter(here).fold(most, |least, guest| {
        let memory_bytes = if guest.running { guest.memory_bytes } else { 0 };
        let bytes = guest.disk_bytes.saturating_add(memory_bytes);
        // What it doesn't take never tells of bytes.
        least.zip(guest.takes, |known, takes| bytes.checked_div(takes).map_or(known, |bytes| bytes.min(known)))
    })
}

/// Two VMs of one node that are alike in all this can stand for each other in a plan.
pub(super) type Likeness<'a> = ([u64; Resource::COUNT], u64, u64, bool, bool, Option<u32>, &'a [u32]);

pub(super) fn likeness(guest: &Guest) -> Likeness<'_> {
    (
        guest.takes.values(),
        guest.memory_bytes,
        guest.disk_bytes,
        guest.running,
        guest.movable,
        guest.domain,
        &guest.groups,
    )
}
