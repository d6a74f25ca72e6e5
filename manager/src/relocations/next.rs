//! What a drain moves next: the plan drawn anew over the map as it is now.

use super::PlannedMove;
use crate::ManagerError;
use grid::map::ResourceMap;
use grid::moves::{Budget, DrainPlan, Layout, Manner, Move, drain};
use grid::vm::Vm;
use grid::{NodeId, VmId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// How far the search for room goes for each VM.
pub(super) const BUDGET: Budget = Budget { moves: 3, work: 200_000 };
pub(super) const NEEDS_CONSENT: &str =
    "it would have to be shut down for its move, which waits for its owner's consent";
const HAS_FAILED: &str = "its move failed";

/// A plan, with what it was drawn over.
pub(super) struct Drawn {
    map: Arc<ResourceMap>,
    pub(super) vms: BTreeMap<VmId, Vm>,
    pub(super) plan: DrainPlan,
    left_out: BTreeSet<VmId>,
    /// The moves that interrupt their VMs, to which nobody has agreed.
    cold: BTreeMap<VmId, Move>,
}

impl Drawn {
    pub(super) fn moves(&self) -> Vec<PlannedMove> {
        named(&self.map, &self.vms, &self.plan.moves)
    }

    pub(super) fn stay(&self) -> Vec<(String, String)> {
        let why = |(vm, stuck): &(VmId, grid::moves::Stuck)| {
            let why = match () {
                () if self.cold.contains_key(vm) => NEEDS_CONSENT.to_owned(),
                () if self.left_out.contains(vm) => HAS_FAILED.to_owned(),
                () => stuck.to_string(),
            };
            (vm_name(&self.vms, *vm), why)
        };
        self.plan.stuck.iter().map(why).collect()
    }

    /// What stays because nobody has agreed to its being interrupted, and how it would be moved.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Vm, &Move)> {
        self.plan.stuck.iter().filter_map(|(vm, _)| Some((self.vms.get(vm)?, self.cold.get(vm)?)))
    }
}

/// Moves by the names of what they move, and from where to where.
pub(super) fn named(map: &ResourceMap, vms: &BTreeMap<VmId, Vm>, moves: &[Move]) -> Vec<PlannedMove> {
    let node = |id: NodeId| map.get(id).map_or_else(|| id.to_string(), |node| node.node.name.clone());
    let told = |each: &Move| PlannedMove {
        vm: vm_name(vms, each.vm),
        from: node(each.from),
        to: node(each.to),
        manner: each.manner,
    };
    moves.iter().map(told).collect()
}

fn vm_name(vms: &BTreeMap<VmId, Vm>, vm: VmId) -> String {
    vms.get(&vm).map_or_else(|| vm.to_string(), |vm| vm.name.clone())
}

/// Plans to empty a node without moving `left_out`, and with cold moves of none but those that have `agreed`. Another VM
/// that could only be moved cold stays, and so the plan is drawn again without it, until all of it can be carried out.
pub(super) async fn draw(
    map: Arc<ResourceMap>,
    vms: Vec<Vm>,
    node: NodeId,
    left_out: Vec<VmId>,
    agreed: BTreeSet<VmId>,
) -> Result<Drawn, ManagerError> {
    let drawing = spawn_blocking(move || {
        let left_out: BTreeSet<VmId> = left_out.into_iter().collect();
        let mut cold: BTreeMap<VmId, Move> = BTreeMap::new();
        loop {
            let stays = |vm: VmId| left_out.contains(&vm) || cold.contains_key(&vm);
            let plan = drain(&Layout::of(&map, &vms, &stays), node, BUDGET).unwrap_or_default();
            let interrupts = |each: &&Move| each.manner == Manner::Cold && !agreed.contains(&each.vm);
            let interrupted: Vec<Move> = plan.moves.iter().filter(interrupts).copied().collect();
            if interrupted.is_empty() {
                let vms = vms.into_iter().map(|vm| (vm.id, vm)).collect();
                return Drawn { map, vms, plan, left_out, cold };
            }
            cold.extend(interrupted.into_iter().map(|each| (each.vm, each)));
        }
    });
    drawing.await.map_err(|error| {
        tracing::error!(%error, "a drain could not be planned");
        ManagerError::Internal
    })
}

/// Why what is left stays, VM by VM.
pub(super) fn reason(drawn: &Drawn) -> String {
    let each: Vec<String> = drawn.stay().into_iter().map(|(vm, why)| format!("{vm}: {why}")).collect();
    if each.is_empty() { "what is left there can't be moved now".to_owned() } else { each.join("; ") }
}
