//! Groups of VMs in a layout: which places one occupies, and whether it lets one of its VMs go to a node. A place is a
//! node, or a failure domain, as the group's rule says.

use super::Layout;
use crate::map::ResourceMap;
use crate::placement::{Group, Rule};
use crate::{NodeId, VmId};
use serde::{Deserialize, Serialize};

/// A group; its VMs name it by its position in [`Layout::groups`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutGroup {
    pub name: String,
    pub rule: Rule,
    /// Places that it occupies beyond the homes of its VMs: where one is being deployed or is about to arrive.
    pub held: Vec<u32>,
}

impl LayoutGroup {
    pub(super) const fn keeps_apart(&self) -> bool {
        matches!(self.rule, Rule::ApartByNode | Rule::ApartByFailureDomain)
    }
}

/// The VMs of each group, by position.
#[derive(Debug)]
pub(super) struct Members(Vec<Vec<u32>>);

impl Members {
    pub(super) fn of(layout: &Layout) -> Self {
        let mut members = vec![Vec::new(); layout.groups.len()];
        for (position, guest) in (0_u32..).zip(&layout.guests) {
            for &group in &guest.groups {
                if let Some(found) = usize::try_from(group).ok().and_then(|at| members.get_mut(at)) {
                    found.push(position);
                }
            }
        }
        Self(members)
    }

    pub(super) fn of_group(&self, group: u32) -> &[u32] {
        usize::try_from(group).ok().and_then(|at| self.0.get(at)).map_or(&[], Vec::as_slice)
    }
}

impl Layout {
    /// The same, with these VMs in a group. The group's nodes and failure domains are what it occupies beyond them.
    #[must_use]
    pub fn with_group(mut self, map: &ResourceMap, group: &Group, members: &[VmId]) -> Self {
        let number = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        // A place that is no node's any more still counts as one.
        let site = |id: NodeId| self.find_site(id);
        let domain_of_node = |id: NodeId| site(id).and_then(|at| self.site(at)).map(|site| site.domain);
        let domain = |name: &String| {
            let node = map.iter().find(|node| node.failure_domain.as_ref() == Some(name));
            node.and_then(|node| domain_of_node(node.node.id))
        };
        let nodes = group.nodes.iter().copied();
        let held: Vec<Option<u32>> = match group.rule {
            Rule::ApartByNode | Rule::TogetherOnNode => {
                nodes.map(site).chain(group.failure_domains.iter().map(|_| None)).collect()
            }
            Rule::ApartByFailureDomain | Rule::TogetherInFailureDomain => {
                nodes.map(domain_of_node).chain(group.failure_domains.iter().map(domain)).collect()
            }
        };
        let held = held.into_iter().map(|place| place.unwrap_or(u32::MAX)).collect();
        self.groups.push(LayoutGroup { name: group.name.clone(), rule: group.rule, held });
        for guest in self.guests.iter_mut().filter(|guest| members.contains(&guest.id)) {
            guest.groups.push(number);
        }
        self
    }

    pub fn group(&self, number: u32) -> Option<&LayoutGroup> {
        self.groups.get(usize::try_from(number).ok()?)
    }

    /// What a group's rule takes for the place of a node.
    pub(super) fn place(&self, rule: Rule, site: u32) -> u32 {
        match rule {
            Rule::ApartByNode | Rule::TogetherOnNode => site,
            Rule::ApartByFailureDomain | Rule::TogetherInFailureDomain => {
                self.site(site).map_or(u32::MAX, |site| site.domain)
            }
        }
    }

    /// The first of these groups that keeps its VM away from a node, its others being at these homes. `mover` is the
    /// VM's position; a new one has none.
    pub(super) fn kept_away(
        &self,
        members: &Members,
        groups: &[u32],
        mover: Option<u32>,
        to: u32,
        home: impl Fn(u32) -> Option<u32>,
    ) -> Option<u32> {
        let keeps_away = |number: u32| {
            let Some(group) = self.group(number) else { return false };
            let others = members.of_group(number).iter().copied().filter(|&each| Some(each) != mover);
            let homes = others.filter_map(&home).map(|site| self.place(group.rule, site));
            let mut occupied = homes.chain(group.held.iter().copied()).peekable();
            let place = self.place(group.rule, to);
            if group.keeps_apart() {
                occupied.any(|each| each == place)
            } else {
                occupied.peek().is_some() && occupied.all(|each| each != place)
            }
        };
        groups.iter().copied().find(|&number| keeps_away(number))
    }

    /// Whether one of these groups keeps its VM away from a node whoever else moves: the node's place is held, or none
    /// of the VMs that it has to stay with is there, of whom the first to come would have been alone.
    pub(super) fn never_admits(&self, members: &Members, groups: &[u32], to: u32) -> bool {
        let never = |number: u32| {
            let Some(group) = self.group(number) else { return false };
            let (place, members) = (self.place(group.rule, to), members.of_group(number));
            let held = group.held.contains(&place);
            if group.keeps_apart() {
                return held;
            }
            // One alone can go anywhere, and a new one can follow it.
            let alone = group.held.is_empty() && members.len() <= 1;
            let mut homes = members.iter().filter_map(|&other| self.guest(other)).map(|each| each.home);
            !alone && !held && !homes.any(|home| self.place(group.rule, home) == place)
        };
        groups.iter().any(|&number| never(number))
    }

    /// As [`Self::kept_away`], with all VMs where they are.
    pub(super) fn kept_away_now(&self, members: &Members, groups: &[u32], mover: Option<u32>, to: u32) -> Option<u32> {
        self.kept_away(members, groups, mover, to, |other| self.guest(other).map(|each| each.home))
    }
}
