//! Trials: VMs placed one after another on a copy of the index, to see what would fit. The map stays as it is.

use super::Request;
use crate::index::{Index, Vector};
use crate::map::ResourceMap;
use crate::{NodeId, Resources};

/// A copy of a map's index in which VMs are placed. The copy costs next to nothing.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    map: &'a ResourceMap,
    index: Index,
}

impl<'a> Trial<'a> {
    pub fn of(map: &'a ResourceMap) -> Self {
        Self { map, index: map.index().clone() }
    }

    /// A node takes no more VMs.
    pub fn close(&mut self, node: NodeId) {
        self.index.remove(node);
    }

    /// Places a VM on the node that placement would choose; tells which.
    pub fn place(&mut self, request: &Request) -> Option<NodeId> {
        let node = self.index.choose(&request.query(self.map)?)?.node;
        self.take(node, request.resources);
        Some(node)
    }

    fn take(&mut self, node: NodeId, resources: Resources) {
        if let Some(mut row) = self.index.get(node) {
            row.free = row.free.minus(Vector::of_request(resources));
            self.index.put(&row);
        }
    }
}
