//! What the chosen moves make of the sites: what each takes in and holds in the end, and who has to leave for it.

use super::Search;
use crate::moves::groups::LayoutGroup;
use crate::{Resource, Resources};

/// What a change replaced: a site's amounts.
pub(super) type Kept = (u32, Resources, Resources);

impl Search<'_> {
    pub(super) fn change(
        &mut self,
        site: u32,
        net: impl Fn(Resources) -> Resources,
        comes: impl Fn(Resources) -> Resources,
    ) -> Kept {
        let kept = (site, self.net_of(site), self.comes_to(site));
        self.restore((site, net(kept.1), comes(kept.2)));
        kept
    }

    pub(super) fn restore(&mut self, (site, net, comes): Kept) {
        let Ok(at) = usize::try_from(site) else { return };
        if let Some((to_net, to_comes)) = self.net.get_mut(at).zip(self.comes.get_mut(at)) {
            (*to_net, *to_comes) = (net, comes);
        }
    }

    /// Adds a move to the chosen ones.
    pub(super) fn choose(&mut self, pair: (u32, u32)) -> [Kept; 2] {
        let (vm, to) = pair;
        self.chosen.push(pair);
        let (home, takes) = self.layout.guest(vm).map_or((to, Resources::ZERO), |each| (each.home, each.takes));
        let arrives = self.change(to, |net| net.plus(takes), |comes| comes.plus(takes));
        let leaves = self.change(home, |net| net.minus(takes), |comes| comes);
        [arrives, leaves]
    }

    pub(super) fn take_back(&mut self, [arrived, left]: [Kept; 2]) {
        self.chosen.pop();
        self.restore(left);
        self.restore(arrived);
    }

    pub(super) fn net_of(&self, site: u32) -> Resources {
        usize::try_from(site).ok().and_then(|at| self.net.get(at)).copied().unwrap_or_default()
    }

    fn comes_to(&self, site: u32) -> Resources {
        usize::try_from(site).ok().and_then(|at| self.comes.get(at)).copied().unwrap_or_default()
    }

    /// How much too much a node holds with this in addition; only of resources of which something comes in.
    pub(super) fn lack_with(&self, site: u32, more: Resources) -> Resources {
        let usable = self.layout.site(site).map_or(Resources::ZERO, |each| each.usable);
        let over = self.net_of(site).plus(more).minus(usable);
        self.comes_to(site).plus(more).zip(over, |comes, over| if comes > 0 { over } else { 0 })
    }

    /// The nodes that hold too much, and how much; the one that overflowed first comes first.
    pub(super) fn overfull(&self) -> Vec<(u32, Resources)> {
        let mut overfull: Vec<(u32, Resources)> = Vec::new();
        for site in [self.target.site].into_iter().chain(self.chosen.iter().map(|&(_, to)| to)) {
            let lack = self.lack_with(site, Resources::ZERO);
            if lack != Resources::ZERO && overfull.iter().all(|&(known, _)| known != site) {
                overfull.push((site, lack));
            }
        }
        overfull
    }

    pub(super) fn groups_of(&self, vm: u32) -> &[u32] {
        self.layout.guest(vm).map_or(&[], |each| &each.groups)
    }

    pub(super) fn is_chosen(&self, vm: u32) -> bool {
        self.chosen.iter().any(|&(other, _)| other == vm)
    }

    /// All arrivals: the VM's position (a new one has none), its groups, and where to.
    fn arrivals(&self) -> impl Iterator<Item = (Option<u32>, &[u32], u32)> {
        let asks = self.target.arrives.then_some((self.asking, self.groups, self.target.site));
        self.chosen.iter().map(|&(vm, to)| (Some(vm), self.groups_of(vm), to)).chain(asks)
    }

    /// The VMs that have to leave because one arrives from which their group keeps them apart; none where one of them
    /// can't.
    pub(super) fn opposed(&self) -> Option<Vec<u32>> {
        let mut opposed = Vec::new();
        if self.layout.groups.is_empty() {
            return Some(opposed);
        }
        for (vm, groups, to) in self.arrivals() {
            for (number, group) in groups.iter().filter_map(|&number| Some((number, self.layout.group(number)?))) {
                if !group.keeps_apart() {
                    continue;
                }
                let place = self.layout.place(group.rule, to);
                for &other in self.ground.members.of_group(number) {
                    let Some(found) = self.layout.guest(other) else { continue };
                    let there = self.layout.place(group.rule, found.home) == place;
                    if there && Some(other) != vm && !self.is_chosen(other) && !opposed.contains(&other) {
                        if !found.movable || Some(other) == self.asking {
                            return None;
                        }
                        opposed.push(other);
                    }
                }
            }
        }
        Some(opposed)
    }

    /// Whether a VM's groups keep it from a node whoever else moves, those who arrive there among them.
    pub(super) fn never_admits(&self, vm: u32, to: u32) -> bool {
        let groups = self.groups_of(vm);
        let meets = |number: u32, group: &LayoutGroup| {
            let place = self.layout.place(group.rule, to);
            self.arrivals()
                .any(|(_, theirs, there)| theirs.contains(&number) && self.layout.place(group.rule, there) == place)
        };
        let mut apart = groups.iter().filter_map(|&number| Some((number, self.layout.group(number)?)));
        apart.any(|(number, group)| group.keeps_apart() && meets(number, group))
            || self.layout.never_admits(&self.ground.members, groups, to)
    }
}

/// How much of its scarcest resource is used up, in thousandths.
pub(in crate::moves) fn used_permille(free: Resources, usable: Resources) -> u64 {
    let share = |resource: Resource| match usable.get(resource) {
        // Of what VMs can do without, none at all is not used up.
        0 if resource.is_optional() => 1000,
        0 => 0,
        usable => u64::try_from(u128::from(free.get(resource)) * 1000 / u128::from(usable)).unwrap_or(u64::MAX),
    };
    1000_u64.saturating_sub(Resource::ALL.map(share).into_iter().min().unwrap_or(0))
}
