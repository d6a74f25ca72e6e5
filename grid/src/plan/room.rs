//! The largest size that would really be planned: for the VM, what each node could give it, cut to what was asked; of
//! these the one that is least short, tried on the planner itself.

use super::planner::Question;
use crate::map::MapNode;
use crate::vm::largest_size;
use crate::{HypervisorKind, Mib, Resource, Resources, Size};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// How many sizes are tried on the planner, the best first, before the VM's own is taken. Most often the first works;
/// each is a search over all nodes.
const TRIED: usize = 64;

impl Question<'_> {
    /// The largest size within `to` and the quota that the VM could have now; its own size where it can't grow, None
    /// where nothing can be done to it.
    pub(super) fn largest(&self, to: Size, quota_left: Option<Resources>) -> Option<Size> {
        let vm = self.vm;
        let home = self.map.get(vm.node).filter(|home| home.condition.hypervisor_answers())?;
        let most = quota_left.map_or(to, |left| to.smaller(within_quota(vm.size, left)));
        let elsewhere = self.map.iter().filter(|node| node.node.id != vm.node && node.kind() == vm.kind);
        let rooms = elsewhere.map(MapNode::available).filter_map(|room| largest_size(vm.kind, room));
        let at_home = largest_size(vm.kind, home.available().plus(home.committed_to(vm.id)));
        // What it has it can keep, be it in steps or not.
        let kept = at_home.map(|room| room.larger(vm.size));
        let own = vm.size.smaller(most);
        // Its bandwidth is not what a resize is about: where that isn't free, nothing of it helps.
        let sizes = rooms.chain(at_home).chain(kept).map(|room| room.smaller(most));
        let sizes: BTreeSet<Size> = sizes.filter(|size| size.network == most.network).collect();
        let mut sizes: Vec<Size> = sizes.into_iter().collect();
        sizes.sort_by_key(|&size| (shortage(to, size), Reverse(size)));
        let works = |size: &Size| *size == vm.size || self.decide(*size).is_some();
        sizes.into_iter().take(TRIED).chain([own]).find(works)
    }
}

/// The largest new VM within `asked` that any of these nodes takes.
pub(super) fn largest_new<'a>(
    kind: HypervisorKind,
    asked: Size,
    nodes: impl Iterator<Item = &'a MapNode>,
) -> Option<Size> {
    let sizes = nodes.filter_map(|node| largest_size(kind, node.available())).map(|room| room.smaller(asked));
    sizes.min_by_key(|&size| (shortage(asked, size), Reverse(size)))
}

/// The resource of which `has` is shortest of `asked`, by share; none where it isn't.
pub(super) fn shortest(asked: Size, has: Size) -> Option<Resource> {
    let shares = shares_missing(asked, has);
    let worst = *shares.iter().max()?;
    Resource::ALL.into_iter().zip(shares).find(|&(_, share)| share == worst && share > 0).map(|(resource, _)| resource)
}

/// How short `has` is of `asked`: the largest share that is missing of a resource, then all shares together.
fn shortage(asked: Size, has: Size) -> (u64, u64) {
    let shares = shares_missing(asked, has);
    (shares.into_iter().max().unwrap_or(0), shares.into_iter().fold(0, u64::saturating_add))
}

/// The missing share of each resource, in millionths, rounded up.
fn shares_missing(asked: Size, has: Size) -> [u64; Resource::COUNT] {
    let (asked, has) = (Resources::from(asked), Resources::from(has));
    Resource::ALL.map(|resource| {
        let missing = u128::from(asked.get(resource).saturating_sub(has.get(resource)));
        let share = (missing * 1_000_000).div_ceil(u128::from(asked.get(resource).max(1)));
        u64::try_from(share).unwrap_or(u64::MAX)
    })
}

/// What the VM may have by its tenant's quota: its size and what is left, in whole steps.
fn within_quota(size: Size, left: Resources) -> Size {
    let left = Size::within(left);
    size.plus(Size { memory: Mib(left.memory.0 / Size::MEMORY_STEP.0 * Size::MEMORY_STEP.0), ..left })
}
