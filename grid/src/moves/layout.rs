//! The compact picture that plans of moves are tried on: nodes and VMs by position, what is taken kept as a sum.

use super::{Manner, Move};
use crate::map::{Condition, ResourceMap};
use crate::vm::{Vm, VmState, commitment};
use crate::{HypervisorKind, NodeId, Resources, VmId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A node, as far as moves are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    pub id: NodeId,
    pub kind: HypervisorKind,
    /// Nodes of one region have the same number.
    pub region: u32,
    /// Nodes of the same number can pass a running VM to each other.
    pub compatibility: u32,
    /// Whether it takes VMs.
    pub ready: bool,
    /// Whether its VMs can be moved away: its hypervisor and its utility module answer.
    pub answers: bool,
    pub usable: Resources,
    /// Committed and reserved.
    pub taken: Resources,
}

impl Site {
    /// Nothing where more is taken than usable.
    pub fn free(&self) -> Resources {
        self.usable.minus(self.taken)
    }
}

/// A VM, as far as moves are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    pub id: VmId,
    /// The position of its home among the sites.
    pub home: u32,
    /// All that it takes there, overhead included.
    pub takes: Resources,
    pub memory_bytes: u64,
    pub disk_bytes: u64,
    pub running: bool,
    /// Whether it may be moved for another's sake.
    pub movable: bool,
    /// VMs of the same number are never on one node.
    pub apart: Option<u32>,
}

/// Nodes and the VMs on them. A site's `taken` includes what its guests take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    pub sites: Vec<Site>,
    pub guests: Vec<Guest>,
}

impl Layout {
    /// From the map and the recorded VMs. Only VMs that the map counts at their home can be moved, and of these not
    /// the ones in `opted_out` nor any that is neither running nor stopped.
    pub fn of(map: &ResourceMap, vms: &[Vm], opted_out: &dyn Fn(VmId) -> bool) -> Self {
        let mut regions = BTreeMap::new();
        let mut classes: Vec<_> = Vec::new();
        let mut positions = BTreeMap::new();
        let mut layout = Self::default();
        for (position, node) in (0_u32..).zip(map.iter()) {
            let next = u32::try_from(regions.len()).unwrap_or(u32::MAX);
            let region = *regions.entry(node.node.region.as_str()).or_insert(next);
            let version = node.hypervisor.as_ref().map(|reading| reading.sample.hypervisor_version);
            let class = (node.kind(), node.compatibility(), version);
            let known = classes.iter().position(|each| *each == class);
            let compatibility = known.unwrap_or_else(|| {
                classes.push(class);
                classes.len().saturating_sub(1)
            });
            positions.insert(node.node.id, position);
            layout.sites.push(Site {
                id: node.node.id,
                kind: node.kind(),
                region,
                compatibility: u32::try_from(compatibility).unwrap_or(u32::MAX),
                ready: node.condition == Condition::Ready,
                answers: node.condition.can_grow_in_place() && node.condition.utility_answers(),
                usable: node.usable,
                taken: node.committed.plus(node.reserved),
            });
        }
        for vm in vms {
            let Some((&home, node)) = positions.get(&vm.node).zip(map.get(vm.node)) else { continue };
            let held = node.committed_to(vm.id);
            let counted = held != Resources::ZERO && held.covers(&commitment(vm.kind, vm.size));
            let settled = matches!(vm.state, VmState::Running | VmState::Stopped);
            layout.guests.push(Guest {
                id: vm.id,
                home,
                takes: held,
                memory_bytes: vm.size.memory.bytes(),
                disk_bytes: vm.size.disk.bytes(),
                running: vm.state == VmState::Running,
                movable: counted && settled && !opted_out(vm.id),
                apart: None,
            });
        }
        layout
    }

    pub fn site(&self, position: u32) -> Option<&Site> {
        self.sites.get(usize::try_from(position).ok()?)
    }

    pub fn guest(&self, position: u32) -> Option<&Guest> {
        self.guests.get(usize::try_from(position).ok()?)
    }

    /// The position of a VM.
    pub fn find_guest(&self, vm: VmId) -> Option<u32> {
        self.guests.iter().position(|each| each.id == vm).and_then(|at| u32::try_from(at).ok())
    }

    /// The position of a node.
    pub fn find_site(&self, node: NodeId) -> Option<u32> {
        self.sites.iter().position(|each| each.id == node).and_then(|at| u32::try_from(at).ok())
    }

    /// How a VM would be carried, and how many bytes; none where constraints other than room forbid it.
    pub(super) fn way(&self, guest: &Guest, to: u32) -> Option<(Manner, u64)> {
        let (from, there) = self.site(guest.home).zip(self.site(to))?;
        let allowed =
            guest.home != to && from.answers && there.ready && there.kind == from.kind && there.region == from.region;
        let live = from.kind.moves_live() && from.compatibility == there.compatibility;
        allowed.then(|| match (guest.running, live) {
            (false, _) => (Manner::Stopped, guest.disk_bytes),
            (true, true) => (Manner::Live, guest.disk_bytes.saturating_add(guest.memory_bytes)),
            (true, false) => (Manner::Cold, guest.disk_bytes),
        })
    }

    /// The move as a plan lists it.
    pub(super) fn describe(&self, guest: &Guest, to: u32) -> Option<Move> {
        let (manner, bytes) = self.way(guest, to)?;
        let (from, there) = self.site(guest.home).zip(self.site(to))?;
        Some(Move { vm: guest.id, from: from.id, to: there.id, manner, bytes })
    }

    /// Whether a VM of this group is on the node, other than `besides`.
    pub(super) fn meets(&self, apart: Option<u32>, to: u32, besides: VmId) -> bool {
        apart.is_some() && self.guests.iter().any(|each| each.home == to && each.apart == apart && each.id != besides)
    }

    /// Carries it out: takes at the destination, frees at the source, and the home changes.
    pub(super) fn carry(&mut self, guest: u32, to: u32) {
        let Some(position) = usize::try_from(guest).ok() else { return };
        let Some((home, takes)) = self.guests.get(position).map(|each| (each.home, each.takes)) else { return };
        self.change(home, |taken| taken.minus(takes));
        self.change(to, |taken| taken.plus(takes));
        if let Some(found) = self.guests.get_mut(position) {
            found.home = to;
        }
    }

    pub(super) fn change(&mut self, site: u32, with: impl Fn(Resources) -> Resources) {
        let found = usize::try_from(site).ok().and_then(|at| self.sites.get_mut(at));
        if let Some(site) = found {
            site.taken = with(site.taken);
        }
    }
}
