//! The planner: takes the first plan that works, in the order of [`PlanKind`].
//!
//! What each needs:
//!
//! | plan | VM | room | nodes |
//! |---|---|---|---|
//! | in-place-live | runs, asked within reach (its maxima; fewer vCPUs where the kind unplugs them; not below its floor of memory); no disk growth of a container | the difference, on its node | home's hypervisor answers |
//! | in-place-restart | any | the difference, on its node | the same; the utility module too where a disk grows offline |
//! | move-live | runs, kind moves live, asked within reach | the new size | destination ready and compatible |
//! | move-live-restart | the same, out of reach | the larger of old and new size | the same |
//! | move-cold | any | the new size | destination ready, both utility modules answer |
//!
//! A cordoned or draining node takes no new VM, but a VM that is there may grow in place. On a contradicting node
//! only what needs no room is done in place, for how much there is isn't known. Without its home's hypervisor
//! nothing can be done to a VM. A disk grows offline (through the utility module) where the VM is stopped or is a
//! container, else by the hypervisor.

use super::estimate::estimate;
use super::refusal::{self, Refusal, RefusalReason};
use super::{Pace, Plan, PlanAnswer, PlanKind};
use crate::map::{MapNode, ResourceMap};
use crate::placement::{Rejection, Request, choose, lacking};
use crate::vm::{Vm, VmState, commitment};
use crate::{NodeId, Resource, Resources, Size};

/// How `vm` gets the size `to`, or why it can't. `quota_left` is what its tenant may still add; without it no quota
/// counts.
pub fn plan(map: &ResourceMap, vm: &Vm, to: Size, quota_left: Option<Resources>, pace: &Pace) -> PlanAnswer {
    answer(Question { map, vm, pace, live: true }, to, quota_left)
}

/// The same for a VM that is not to move while it runs, as after a live move that did not converge.
pub fn plan_without_live_move(
    map: &ResourceMap,
    vm: &Vm,
    to: Size,
    quota_left: Option<Resources>,
    pace: &Pace,
) -> PlanAnswer {
    answer(Question { map, vm, pace, live: false }, to, quota_left)
}

fn answer(question: Question<'_>, to: Size, quota_left: Option<Resources>) -> PlanAnswer {
    let vm = question.vm;
    let to = vm.keeping(to);
    let refused = |refusal: Refusal| PlanAnswer::Refused { refusal: Box::new(refusal) };
    if !matches!(vm.state, VmState::Running | VmState::Stopped) {
        return refused(Refusal::plain(RefusalReason::NotNow { state: vm.state }, to));
    }
    // What an older size has between two steps, it keeps.
    let uneven = refusal::not_in_steps(to).filter(|_| to.memory != vm.size.memory);
    if let Some(reason) = refusal::out_of_limits(to).or(uneven) {
        return refused(Refusal::plain(reason, to));
    }
    if to == vm.size {
        return PlanAnswer::Nothing;
    }
    if to.disk < vm.size.disk {
        let reason = RefusalReason::DiskShrinks { has_gib: vm.size.disk.0, asked_gib: to.disk.0 };
        let largest = question.largest(Size { disk: vm.size.disk, ..to }, quota_left);
        return refused(Refusal { largest, ..Refusal::plain(reason, to) });
    }
    if let Some((resource, asked, left)) = over_quota(vm, to, quota_left) {
        let reason = RefusalReason::QuotaExceeded { resource, asked, left };
        return refused(Refusal { largest: question.largest(to, quota_left), ..Refusal::plain(reason, to) });
    }
    match question.decide(to) {
        Some(plan) => PlanAnswer::Planned { plan },
        None => refused(question.refuse(to)),
    }
}

/// The first resource by whose growth the tenant would hold more than it may: how much more was asked, and is left.
fn over_quota(vm: &Vm, to: Size, quota_left: Option<Resources>) -> Option<(Resource, u64, u64)> {
    let left = quota_left?;
    let growth = Resources::from(to).minus(Resources::from(vm.size));
    let over = |resource: &Resource| growth.get(*resource) > left.get(*resource);
    let resource = Resource::ALL.into_iter().find(over)?;
    Some((resource, growth.get(resource), left.get(resource)))
}

/// A VM that is to change, in a map.
pub(super) struct Question<'a> {
    pub(super) map: &'a ResourceMap,
    pub(super) vm: &'a Vm,
    pub(super) pace: &'a Pace,
    /// Whether it may move while it runs.
    pub(super) live: bool,
}

impl Question<'_> {
    pub(super) fn running(&self) -> bool {
        self.vm.state == VmState::Running
    }

    /// The first plan that works. Leaves quota and limits to [`plan`].
    pub(super) fn decide(&self, to: Size) -> Option<Plan> {
        if to.disk < self.vm.size.disk {
            return None;
        }
        let home = self.map.get(self.vm.node).filter(|home| home.condition.hypervisor_answers())?;
        if self.reasons_against_in_place(home, to).is_empty() {
            return Some(self.make(self.kind_in_place(to), home, to, None));
        }
        if let Some(request) = self.live_request(to)
            && let Some(chosen) = choose(self.map, &request)
        {
            return Some(self.make(self.kind_live(to), home, to, Some(chosen.node)));
        }
        if !home.condition.utility_answers() {
            return None;
        }
        let chosen = choose(self.map, &self.cold_request(to))?;
        Some(self.make(PlanKind::MoveCold, home, to, Some(chosen.node)))
    }

    /// Why it can't be done on its own node.
    pub(super) fn reasons_against_in_place(&self, home: &MapNode, to: Size) -> Vec<Rejection> {
        let needs = commitment(self.vm.kind, to).minus(home.committed_to(self.vm.id));
        let grows_offline = to.disk > self.vm.size.disk && (!self.running() || self.vm.kind.is_container());
        let blocked = !home.condition.hypervisor_answers()
            || (needs != Resources::ZERO && !home.condition.can_grow_in_place())
            || (grows_offline && !home.condition.utility_answers());
        let not_ready = blocked.then_some(Rejection::NotReady { condition: home.condition });
        not_ready.into_iter().chain(lacking(home, needs)).collect()
    }

    /// Whether the running VM can be given the size without a restart, its disk aside: within its maxima, no fewer
    /// vCPUs where the kind can't unplug them, no memory below what a machine started with.
    pub(super) fn within_reach(&self, to: Size) -> bool {
        let (vm, from) = (self.vm, self.vm.size);
        vm.maxima.admit(&to)
            && (to.vcpus >= from.vcpus || vm.kind.unplugs_vcpus())
            && (to.memory >= from.memory || to.memory >= vm.maxima.floor_memory() || vm.kind.is_container())
    }

    pub(super) fn kind_in_place(&self, to: Size) -> PlanKind {
        let disk_needs_restart = self.vm.kind.is_container() && to.disk > self.vm.size.disk;
        if self.running() && self.within_reach(to) && !disk_needs_restart {
            PlanKind::InPlaceLive
        } else {
            PlanKind::InPlaceRestart
        }
    }

    pub(super) fn kind_live(&self, to: Size) -> PlanKind {
        if self.within_reach(to) { PlanKind::MoveLive } else { PlanKind::MoveLiveRestart }
    }

    /// What a live move looks for: room for it as it arrives, and as it will be. None where it can't be.
    pub(super) fn live_request(&self, to: Size) -> Option<Request> {
        let cold = self.cold_request(to);
        let arriving = self.kind_live(to).arrives_with(self.vm.size, to);
        let both = cold.resources.larger(commitment(self.vm.kind, arriving));
        let possible = self.live && self.running() && self.vm.kind.moves_live();
        possible.then_some(Request { resources: both, live_from: Some(self.vm.node), ..cold })
    }

    pub(super) fn cold_request(&self, to: Size) -> Request {
        Request {
            region: Some(self.vm.region.clone()),
            excluded: vec![self.vm.node],
            ..Request::new(self.vm.kind, commitment(self.vm.kind, to))
        }
    }

    pub(super) fn make(&self, kind: PlanKind, home: &MapNode, to: Size, destination: Option<NodeId>) -> Plan {
        let vm = self.vm;
        Plan {
            vm: vm.id,
            kind,
            from: vm.size,
            to,
            source: vm.node,
            destination,
            running: self.running(),
            estimate: estimate(kind, vm, self.running(), to, home, self.pace),
            generation: vm.generation,
            room: None,
        }
    }
}
