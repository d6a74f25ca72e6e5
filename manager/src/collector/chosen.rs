//! What is chosen, and not in the store yet: it counts in the map at once, so that the next one who looks chooses by it.

use super::Collector;
use crate::clock;
use crate::store::rows::VmRecord;
use grid::{NodeId, OperationId, Resources, VmId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A choice that counts as long as this is held; then by what the store has recorded, or not at all.
#[derive(Debug)]
pub(crate) struct Chosen<'a> {
    collector: &'a Collector,
    operation: OperationId,
    holds: Vec<(NodeId, Resources)>,
    /// Of a VM that is new.
    mac: Option<String>,
}

/// Room on a node, of one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomOn {
    pub(crate) usable: Resources,
    /// Committed by what the store doesn't record.
    pub(crate) outside: Resources,
}

impl Collector {
    /// Counts what an operation will hold, before the store has it. To be called by whoever decides, in that one's turn.
    pub(crate) fn choose(
        &self,
        operation: OperationId,
        holds: &[(NodeId, Resources)],
        mac: Option<&str>,
    ) -> Chosen<'_> {
        let now = clock::now();
        let mut heard = self.heard();
        let mut map = self.map();
        for (node, amount) in holds {
            heard.chosen(operation, *node, *amount);
            map = Arc::new(map.with_reservation(now, *node, *amount));
        }
        heard.macs_chosen.extend(mac.map(str::to_owned));
        self.map.store(map);
        Chosen { collector: self, operation, holds: holds.to_vec(), mac: mac.map(str::to_owned) }
    }

    /// What the store's own sums are to be compared with.
    pub(crate) fn room_on(&self, node: NodeId) -> Option<RoomOn> {
        // The map of this moment is made of what is known at this moment.
        let heard = self.heard();
        let map = self.map();
        let entry = map.get(node)?;
        let recorded = crate::operations::recorded(&heard.records.vms, node);
        Some(RoomOn { usable: entry.usable, outside: entry.committed.minus(recorded) })
    }
}

impl Chosen<'_> {
    /// The store has it, and this is what it has recorded of the VM.
    pub(crate) fn counts_as(mut self, vm: VmId, record: VmRecord) {
        self.over(Some((vm, record)));
    }

    /// From now on it counts by what is recorded, all at once; or no more.
    fn over(&mut self, recorded: Option<(VmId, VmRecord)>) {
        let (operation, mac) = (self.operation, self.mac.take());
        let holds = std::mem::take(&mut self.holds);
        self.collector.count(|heard| {
            let mut nodes: BTreeSet<NodeId> = holds.iter().map(|(node, _)| *node).collect();
            let counted: Vec<_> = nodes.iter().map(|node| (*node, heard.reserved(*node))).collect();
            let new = mac.as_ref().and(recorded.as_ref()).map(|(vm, _)| *vm);
            if let Some((vm, record)) = recorded {
                let asked = heard.records_asked();
                nodes.extend(heard.record_came(asked, vm, record));
            }
            for node in &nodes {
                heard.chosen_no_more(operation, *node);
            }
            if let Some(mac) = mac {
                heard.macs_chosen.remove(&mac);
            }
            if let Some(vm) = new {
                // While it is deployed a new VM counts by what its operation holds, and that counts already.
                let counts = |node: &NodeId| counted.contains(&(*node, heard.reserved(*node)));
                nodes.retain(|node| !counts(node) || heard.shows(*node, vm));
            }
            nodes
        });
    }
}

impl Drop for Chosen<'_> {
    fn drop(&mut self) {
        // What is over has nothing left.
        if !self.holds.is_empty() || self.mac.is_some() {
            self.over(None);
            // Who went away before the answer may have been accepted all the same.
            self.collector.something_was_missed();
        }
    }
}
