//! The compact picture that plans of moves are tried on: nodes and VMs by position, what is taken kept as a sum.

use super::groups::LayoutGroup;
use super::{Cost, Manner, Move};
use crate::map::{Condition, MapNode, ResourceMap};
use crate::placement::missing_for_live_move;
use crate::vm::{Vm, VmState, commitment};
use crate::{HypervisorKind, NodeId, Resources, VmId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A node, as far as moves are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    pub id: NodeId,
    pub kind: HypervisorKind,
    /// Nodes of one region have the same number.
    pub region: u32,
    /// Nodes of one failure domain have the same number; a node whose domain nobody told has one by itself.
    pub domain: u32,
    /// Nodes of the same number can pass a running VM to each other; others as [`Layout::passes`] says.
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
    /// The failure domain that it was asked to be in; any where there is none.
    pub domain: Option<u32>,
    /// The groups that it belongs to, by position in [`Layout::groups`].
    pub groups: Vec<u32>,
}

/// Nodes and the VMs on them. A site's `taken` includes what its guests take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    pub sites: Vec<Site>,
    pub guests: Vec<Guest>,
    pub groups: Vec<LayoutGroup>,
    /// From nodes of the first compatibility to nodes of the second a running VM can pass, too.
    pub passes: BTreeSet<(u32, u32)>,
}

impl Layout {
    /// From the map and the recorded VMs. Only VMs that the map counts at their home can be moved, and of these not
    /// the ones in `opted_out` nor any that is neither running nor stopped. Groups come in by [`Self::with_group`].
    pub fn of(map: &ResourceMap, vms: &[Vm], opted_out: &dyn Fn(VmId) -> bool) -> Self {
        let (sites, passes) = sites(map);
        let positions: BTreeMap<NodeId, u32> = (0_u32..).zip(&sites).map(|(at, site)| (site.id, at)).collect();
        let guest = |vm: &Vm| {
            let (&home, node) = positions.get(&vm.node).zip(map.get(vm.node))?;
            let held = node.committed_to(vm.id);
            let counted = held != Resources::ZERO && held.covers(&commitment(vm.kind, vm.size));
            let settled = matches!(vm.state, VmState::Running | VmState::Stopped);
            Some(Guest {
                id: vm.id,
                home,
                takes: held,
                memory_bytes: vm.size.memory.bytes(),
                disk_bytes: vm.size.disk.bytes(),
                running: vm.state == VmState::Running,
                movable: counted && settled && !opted_out(vm.id),
                domain: None,
                groups: Vec::new(),
            })
        };
        let guests = vms.iter().filter_map(guest).collect();
        Self { sites, guests, groups: Vec::new(), passes }
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

    /// How a VM would be carried, and how many bytes; none where constraints other than room and groups forbid it.
    pub(super) fn way(&self, guest: &Guest, to: u32) -> Option<(Manner, u64)> {
        let (from, there) = self.site(guest.home).zip(self.site(to))?;
        let allowed = guest.home != to
            && from.answers
            && there.ready
            && there.kind == from.kind
            && there.region == from.region
            && guest.domain.is_none_or(|only| only == there.domain);
        let passes = from.compatibility == there.compatibility
            || self.passes.contains(&(from.compatibility, there.compatibility));
        let live = from.kind.moves_live() && passes;
        allowed.then(|| match (guest.running, live) {
            (false, _) => (Manner::Stopped, guest.disk_bytes),
            (true, true) => (Manner::Live, guest.disk_bytes.saturating_add(guest.memory_bytes)),
            (true, false) => (Manner::Cold, guest.disk_bytes),
        })
    }

    /// What it costs to carry a VM there without interrupting it; none where that can't be.
    pub(super) fn without_interruption(&self, guest: &Guest, to: u32) -> Option<Cost> {
        let (manner, bytes) = self.way(guest, to).filter(|(manner, _)| *manner != Manner::Cold)?;
        Some(Cost::of(manner, bytes))
    }

    /// How a move can be carried out as things are: none where its VM is elsewhere or may not be moved, or there is no
    /// room for it. Leaves groups to whoever planned it.
    pub fn can(&self, each: &Move) -> Option<Manner> {
        let (guest, to) = self.guest(self.find_guest(each.vm)?).zip(self.find_site(each.to))?;
        let (home, there) = self.site(guest.home).zip(self.site(to))?;
        let fits = guest.movable && home.id == each.from && there.free().covers(&guest.takes);
        self.way(guest, to).filter(|_| fits).map(|(manner, _)| manner)
    }

    /// The move as a plan lists it.
    pub(super) fn describe(&self, guest: &Guest, to: u32) -> Option<Move> {
        let (manner, bytes) = self.way(guest, to)?;
        let (from, there) = self.site(guest.home).zip(self.site(to))?;
        Some(Move { vm: guest.id, from: from.id, to: there.id, manner, bytes })
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

    fn change(&mut self, site: u32, with: impl Fn(Resources) -> Resources) {
        let found = usize::try_from(site).ok().and_then(|at| self.sites.get_mut(at));
        if let Some(site) = found {
            site.taken = with(site.taken);
        }
    }
}

/// Numbers that stand for names, in the order in which they come.
struct Numbers<T>(Vec<T>);

impl<T: PartialEq> Numbers<T> {
    fn of(&mut self, name: T) -> u32 {
        let known = self.0.iter().position(|each| *each == name);
        let at = known.unwrap_or_else(|| {
            self.0.push(name);
            self.0.len().saturating_sub(1)
        });
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

/// The nodes of a map, and between which different compatibilities a running VM can pass.
fn sites(map: &ResourceMap) -> (Vec<Site>, BTreeSet<(u32, u32)>) {
    let (mut regions, mut classes) = (Numbers(Vec::new()), Numbers(Vec::new()));
    let mut domains: BTreeMap<&str, u32> = BTreeMap::new();
    let mut sites = Vec::new();
    for (position, node) in (0_u32..).zip(map.iter()) {
        // A domain has the number of its first node, so that no two have the same.
        let domain = node.failure_domain.as_deref().map_or(position, |name| *domains.entry(name).or_insert(position));
        // Of a node that never told anything nothing passes to another.
        let silent = node.told().is_none().then_some(position);
        sites.push(Site {
            id: node.node.id,
            kind: node.kind(),
            region: regions.of(node.node.region.as_str()),
            domain,
            compatibility: classes.of((node.kind(), node.told(), silent)),
            ready: node.condition == Condition::Ready,
            answers: answers(node),
            usable: node.usable,
            taken: node.committed.plus(node.reserved),
        });
    }
    let numbered = || (0_u32..).zip(&classes.0);
    let pairs = numbered().flat_map(|one| numbered().map(move |other| (one, other)));
    let passes = pairs.filter(|((one, (kind, source, _)), (other, (there, destination, _)))| {
        one != other && kind == there && missing_for_live_move(*source, *destination).is_empty()
    });
    (sites, passes.map(|((one, _), (other, _))| (one, other)).collect())
}

fn answers(node: &MapNode) -> bool {
    node.condition.can_grow_in_place() && node.condition.utility_answers()
}
