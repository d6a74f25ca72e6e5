//! One checker a promise. Each tells all that it finds.

use super::facts::{Facts, twice};
use super::{Broken, Promise};
use crate::hypervisor::Observation;
use crate::operations::steps_of;
use grid::operation::{Operation, OperationState, OperationStep, StepState};
use grid::sample::DomainState;
use grid::vm::{Vm, VmState};
use grid::{Resource, Resources, Size};
use std::collections::{BTreeMap, BTreeSet};

/// I1: over all nodes, each UUID executes once at most.
pub(super) fn one_executes(facts: &Facts, broken: &mut Vec<Broken>) {
    for (vm, nodes) in twice(&facts.nodes) {
        let names: Vec<String> = nodes.into_iter().map(|node| facts.name(node)).collect();
        say(broken, Promise::OneExecutes, format!("VM {vm} executes on {}", names.join(" and ")));
    }
}

/// I2: on each node, what VMs commit and operations reserve is within what was usable when room was last given there.
pub(super) fn room_is_there(facts: &Facts, broken: &mut Vec<Broken>) {
    for (node, granted) in &facts.grants {
        let committed = facts.vms.iter().filter(|vm| vm.node == *node).map(Vm::commitment);
        let reserved = facts.reservations.iter().filter(|(on, ..)| on == node).map(|(.., held)| *held);
        let taken = committed.chain(reserved).fold(Resources::ZERO, Resources::plus);
        for resource in Resource::ALL.into_iter().filter(|it| taken.get(*it) > granted.get(*it)) {
            let (name, taken, usable) = (facts.name(*node), taken.get(resource), granted.get(resource));
            let what = format!("{name}: {taken} of {resource:?} are promised, and {usable} were usable");
            say(broken, Promise::RoomIsThere, what);
        }
    }
}

/// I3: every operation is going on, waits with its reason, or has ended in a way that its steps bear out; what it held
/// is free; and no VM is in a state that only an operation could bring it out of.
pub(super) fn none_is_lost(facts: &Facts, broken: &mut Vec<Broken>) {
    for operation in &facts.operations {
        if let Some(what) = unsound(operation) {
            let (id, kind) = (operation.id, operation.kind.as_str());
            say(broken, Promise::NoneIsLost, format!("{kind} {id} is {}, but {what}", operation.state.as_str()));
        }
    }
    let over: BTreeSet<_> = facts.operations.iter().filter(|it| it.state.is_over()).map(|it| it.id).collect();
    for (node, operation, held) in facts.reservations.iter().filter(|(_, operation, _)| over.contains(operation)) {
        let what = format!("{}: operation {operation} is over and still reserves {held:?}", facts.name(*node));
        say(broken, Promise::NoneIsLost, what);
    }
    for vm in facts.vms.iter().filter(|vm| matches!(vm.state, VmState::Deploying | VmState::Deleting)) {
        if !facts.worked_on.contains(&vm.id) {
            let what = format!("VM {} ({}) is {}, and nothing works on it", vm.name, vm.id, vm.state.as_str());
            say(broken, Promise::NoneIsLost, what);
        }
    }
}

/// What does not go together in an operation's row and its steps.
fn unsound(operation: &Operation) -> Option<String> {
    let may_fail = |step: &OperationStep| {
        let steps = steps_of(&operation.kind);
        let step = usize::try_from(step.position).ok().and_then(|position| steps.get(position));
        step.is_some_and(|step| step.may_fail())
    };
    let step = |wrong: &dyn Fn(&OperationStep) -> bool| {
        let found = operation.steps.iter().find(|step| wrong(step))?;
        Some(format!("its step {} is {}", found.name, found.state.as_str()))
    };
    let needs_reason =
        matches!(operation.state, OperationState::Waiting | OperationState::Undone | OperationState::Failed);
    if needs_reason && operation.reason.is_none() {
        return Some("says no reason".into());
    }
    match operation.state {
        OperationState::Succeeded => {
            step(&|step| step.state != StepState::Done && !(step.state == StepState::Failed && may_fail(step)))
        }
        OperationState::Undone => {
            step(&|step| matches!(step.state, StepState::Started | StepState::Done | StepState::UndoStarted))
        }
        _ => None,
    }
}

/// I4: each VM's disk is in the pool of its home, as long as the VM is; also while it is being moved.
pub(super) fn data_is_kept(facts: &Facts, broken: &mut Vec<Broken>) {
    for vm in facts.vms.iter().filter(|vm| has_data(vm)) {
        let Some((at, disks)) = facts.nodes.get(&vm.node).and_then(|node| node.disks.as_ref()) else { continue };
        if facts.touched_since(vm.id, *at) {
            continue;
        }
        let bytes = disks.iter().find(|disk| disk.vm == vm.id).map(|disk| disk.virtual_bytes);
        let what = match bytes {
            None => "it is not there".to_owned(),
            Some(bytes) if bytes < vm.size.disk.bytes() => format!("it has {bytes} bytes"),
            Some(_) => continue,
        };
        let (name, node) = (&vm.name, facts.name(vm.node));
        say(
            broken,
            Promise::DataIsKept,
            format!("VM {name} ({}) has its disk of {} on {node}, but {what}", vm.id, vm.size.disk),
        );
    }
}

fn has_data(vm: &Vm) -> bool {
    matches!(vm.state, VmState::Running | VmState::Stopped | VmState::Unknown)
}

/// I5: one row that accepts each operation, and one for each end.
pub(super) fn audit_is_whole(facts: &Facts, broken: &mut Vec<Broken>) {
    let mut accepted: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut ended: BTreeMap<String, i64> = BTreeMap::new();
    for operation in &facts.operations {
        let vm = operation.kind.vm().to_string();
        if operation.created_at.0 < facts.began.0 {
            *accepted.entry((format!("vm_{}", operation.kind.as_str()), vm.clone())).or_default() += 1;
        }
        if operation.ended_at.is_some_and(|ended| ended.0 < facts.began.0) {
            *ended.entry(vm).or_default() += 1;
        }
    }
    for row in facts.audit.iter().filter(|row| row.at.0 < facts.began.0) {
        let of_vm = row.action.starts_with("vm_");
        if of_vm && row.outcome == "accepted" {
            *accepted.entry((row.action.clone(), row.target.clone())).or_default() -= 1;
        }
        let is_end = ["succeeded", "undone", "failed"].iter().any(|word| row.outcome.starts_with(word));
        if is_end && (of_vm || row.action == "operation_give_up") {
            *ended.entry(row.target.clone()).or_default() -= 1;
        }
    }
    for ((action, vm), left) in accepted.into_iter().filter(|(_, left)| *left != 0) {
        say(broken, Promise::AuditIsWhole, format!("{action} of VM {vm}: {}", wrong_count(left, "accepted")));
    }
    for (vm, left) in ended.into_iter().filter(|(_, left)| *left != 0) {
        say(broken, Promise::AuditIsWhole, format!("operations of VM {vm}: {}", wrong_count(left, "ended")));
    }
}

fn wrong_count(left: i64, word: &str) -> String {
    let many = left.unsigned_abs();
    if left > 0 { format!("{many} {word} without a row") } else { format!("{many} rows too many of {word} ones") }
}

/// I6: what is recorded of a VM that nothing works on is what its home's hypervisor says. One whose state is recorded
/// as unknown is flagged already.
pub(super) fn record_is_true(facts: &Facts, broken: &mut Vec<Broken>) {
    let idle = facts.vms.iter().filter(|vm| !facts.worked_on.contains(&vm.id));
    for vm in idle.filter(|vm| matches!(vm.state, VmState::Running | VmState::Stopped)) {
        let Some(seen) = facts.homes.get(&vm.id) else { continue };
        if let Some(what) = differs(vm, seen.as_ref()) {
            let node = facts.name(vm.node);
            say(broken, Promise::RecordIsTrue, format!("VM {} ({}) on {node}: {what}", vm.name, vm.id));
        }
    }
}

/// What a home says of its VM that is not what is recorded.
fn differs(vm: &Vm, seen: Option<&Observation>) -> Option<String> {
    let Some(seen) = seen else { return Some("its home does not know it".into()) };
    let runs = matches!(seen.state, DomainState::Running | DomainState::Paused);
    if runs != (vm.state == VmState::Running) {
        return Some(format!("it is recorded as {} and is {:?}", vm.state.as_str(), seen.state));
    }
    let other = other_size(vm, seen)?;
    Some(format!("it is recorded with {} and has {other}", vm.size))
}

/// The size that a home has its VM configured with, where it is another than is recorded. Memory is plugged only when the guest
/// has booted, so that what runs tells only where no configuration is kept.
pub(crate) fn other_size(vm: &Vm, seen: &Observation) -> Option<Size> {
    seen.persistent.or(seen.live).filter(|told| !is_same(*told, vm.size))
}

/// Whether two sizes are the same, as far as a hypervisor tells memory exactly.
fn is_same(told: Size, recorded: Size) -> bool {
    let apart = told.memory.0.abs_diff(recorded.memory.0);
    told.vcpus == recorded.vcpus
        && told.disk == recorded.disk
        && told.network == recorded.network
        && apart < Size::MEMORY_STEP.0
}

pub(super) fn say(broken: &mut Vec<Broken>, promise: Promise, what: String) {
    broken.push(Broken { promise, what });
}
