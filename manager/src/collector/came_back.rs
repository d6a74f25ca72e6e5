//! Nodes that came back: a VM that ran and is seen off at the first look at its node is to run again. It did not stop;
//! its node did, or all of it.
//!
//! And an operation that waits since nobody knew what happened there is tried again.
//!
//! The first look is the first fresh sample of a node since this process began, or since the node was silent. A VM
//! that is seen to go off while it is watched has stopped by its guest's or customer's will, and stays off; unless its
//! hypervisor knows no reason, for then its node went down and was back before it was missed.

use grid::vm::{Vm, VmState};
use grid::{NodeId, VmId};
use std::collections::BTreeSet;

/// What is to be seen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    /// It ran when its node went down, and is seen off now.
    Vm(VmId),
    /// It gave no answer, and answers again.
    Node(NodeId),
}

#[derive(Debug, Default)]
pub(super) struct CameBack {
    /// Nodes that have been looked at and are being watched.
    watched: BTreeSet<NodeId>,
    /// VMs of which the first look has not said yet what becomes of them.
    undecided: BTreeSet<VmId>,
    /// VMs that ran when their nodes fell silent.
    ran: BTreeSet<VmId>,
    /// VMs that are about to be started again: that they are seen off says nothing new of them.
    starting: BTreeSet<VmId>,
}

impl CameBack {
    /// These ran when their nodes fell silent, as an earlier run of the program has recorded.
    pub(super) fn new(ran: impl IntoIterator<Item = VmId>) -> Self {
        Self { ran: ran.into_iter().collect(), ..Self::default() }
    }

    /// A fresh sample of the node, which is the home of these VMs, is there.
    pub(super) fn looks(&mut self, node: NodeId, vms: impl IntoIterator<Item = VmId>) {
        if self.watched.insert(node) {
            self.undecided.extend(vms);
        }
    }

    /// Whether the first look at its node is still to say what becomes of it.
    pub(super) fn is_undecided(&self, vm: VmId) -> bool {
        self.undecided.contains(&vm)
    }

    /// It is said what becomes of it.
    pub(super) fn is_decided(&mut self, vm: VmId) {
        self.undecided.remove(&vm);
    }

    /// Nothing fresh is known of the node.
    pub(super) fn is_silent(&mut self, node: NodeId, vms: &[Vm]) {
        self.watched.remove(&node);
        for vm in vms {
            match vm.state {
                VmState::Running => self.ran.insert(vm.id),
                // What it was before, it may still be.
                VmState::Unknown => false,
                _ => self.ran.remove(&vm.id),
            };
        }
    }

    /// It is known again what they are: that they ran before a silence says nothing any more.
    pub(super) fn are_known(&mut self, vms: impl IntoIterator<Item = VmId>) {
        for vm in vms {
            self.ran.remove(&vm);
        }
    }

    /// Whether a VM that is seen off at a first look is to run again.
    pub(super) fn ran(&mut self, vm: &Vm) -> bool {
        self.ran.remove(&vm.id) || vm.state == VmState::Running
    }

    /// It is about to be started again.
    pub(super) fn starts(&mut self, vm: VmId) {
        self.starting.insert(vm);
    }

    pub(super) fn is_starting(&self, vm: VmId) -> bool {
        self.starting.contains(&vm)
    }

    /// Its start has begun, or is not wanted any more; or it could not be begun, and is tried again at the next look.
    pub(super) fn has_started(&mut self, vm: VmId, is_seen_to: bool) {
        self.starting.remove(&vm);
        if is_seen_to {
            self.is_decided(vm);
        } else {
            self.ran.insert(vm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::vm::Maxima;
    use grid::{Gib, HypervisorKind, Mib, Size, TenantId, UnixMillis, UserId, Vcpus};
    use std::net::Ipv4Addr;
    use uuid::Uuid;

    fn vm(state: VmState) -> Vm {
        let size = Size::new(Vcpus(1), Mib(256), Gib(1));
        Vm {
            id: VmId(Uuid::from_u128(7)),
            name: "shop".into(),
            tenant: TenantId(Uuid::nil()),
            owner: UserId(Uuid::nil()),
            node: NodeId(Uuid::from_u128(1)),
            kind: HypervisorKind::Qemu,
            region: "north".into(),
            image: "tiny".into(),
            size,
            maxima: Maxima { vcpus: size.vcpus, memory: size.memory },
            state,
            mac: String::new(),
            address: Ipv4Addr::LOCALHOST,
            keys: String::new(),
            created_at: UnixMillis(0),
            generation: 0,
        }
    }

    #[test]
    fn only_the_first_look_is_one() {
        let mut back = CameBack::default();
        let node = NodeId(Uuid::from_u128(1));
        let id = vm(VmState::Running).id;
        back.looks(node, [id]);
        assert!(back.is_undecided(id));
        back.looks(node, [id]);
        assert!(back.is_undecided(id), "until it is decided");
        back.is_decided(id);
        back.looks(node, [id]);
        assert!(!back.is_undecided(id));
        back.is_silent(node, &[]);
        back.looks(node, [id]);
        assert!(back.is_undecided(id));
    }

    #[test]
    fn a_start_that_could_not_be_begun_is_tried_again() {
        let mut back = CameBack::default();
        let vm = vm(VmState::Unknown);
        back.is_silent(vm.node, &[Vm { state: VmState::Running, ..vm.clone() }]);
        back.looks(vm.node, [vm.id]);
        for is_seen_to in [false, true] {
            assert!(back.is_undecided(vm.id) && back.ran(&vm));
            back.starts(vm.id);
            assert!(back.is_starting(vm.id));
            back.has_started(vm.id, is_seen_to);
            assert!(!back.is_starting(vm.id));
        }
        assert!(!back.is_undecided(vm.id) && !back.ran(&vm));
    }

    #[test]
    fn what_ran_before_the_silence_runs_again_and_what_was_stopped_does_not() {
        let mut back = CameBack::default();
        let node = NodeId(Uuid::from_u128(1));
        back.is_silent(node, &[vm(VmState::Running)]);
        assert!(back.ran(&vm(VmState::Unknown)));
        assert!(!back.ran(&vm(VmState::Unknown)), "once");
        back.is_silent(node, &[vm(VmState::Running)]);
        back.are_known([vm(VmState::Running).id]);
        assert!(!back.ran(&vm(VmState::Unknown)), "it came back running; what stopped it afterwards was meant");
        back.is_silent(node, &[vm(VmState::Stopped)]);
        assert!(!back.ran(&vm(VmState::Unknown)));
        assert!(!back.ran(&vm(VmState::Stopped)));
    }
}
