//! Nodes that came back: a VM that ran and is seen off at the first look at its node is to run again. It did not stop;
//! its node did, or all of it.
//!
//! And an operation that waits since nobody knew what happened there is tried again.
//!
//! The first look is the first fresh sample of a node since this process began, or since the node was silent. A VM
//! that is seen to go off while it is watched has stopped by its guest's or customer's will, and stays off; unless its
//! hypervisor knows no reason, for then its node went down and was back before it was missed.

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
    /// VMs that are about to be started again: that they are seen off says nothing new of them.
    starting: BTreeSet<VmId>,
}

impl CameBack {
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
    pub(super) fn is_silent(&mut self, node: NodeId) {
        self.watched.remove(&node);
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NODE: NodeId = NodeId(Uuid::from_u128(1));
    const VM: VmId = VmId(Uuid::from_u128(7));

    #[test]
    fn only_the_first_look_is_one() {
        let mut back = CameBack::default();
        back.looks(NODE, [VM]);
        assert!(back.is_undecided(VM));
        back.looks(NODE, [VM]);
        assert!(back.is_undecided(VM), "until it is decided");
        back.is_decided(VM);
        back.looks(NODE, [VM]);
        assert!(!back.is_undecided(VM));
        back.is_silent(NODE);
        back.looks(NODE, [VM]);
        assert!(back.is_undecided(VM));
    }

    #[test]
    fn a_start_that_could_not_be_begun_is_tried_again() {
        let mut back = CameBack::default();
        back.looks(NODE, [VM]);
        for is_seen_to in [false, true] {
            assert!(back.is_undecided(VM));
            back.starts(VM);
            assert!(back.is_starting(VM));
            back.has_started(VM, is_seen_to);
            assert!(!back.is_starting(VM));
        }
        assert!(!back.is_undecided(VM));
    }
}
