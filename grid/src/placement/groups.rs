//! Groups of VMs that stay together or apart.

use crate::NodeId;
use crate::map::{MapNode, ResourceMap};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A group that a VM belongs to, and where its other VMs are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub rule: Rule,
    /// The nodes that the group occupies.
    pub nodes: Vec<NodeId>,
    /// The failure domains that it occupies beyond those of its nodes (of nodes that left the map).
    pub failure_domains: Vec<String>,
}

/// What a group asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// No two on one node.
    ApartByNode,
    /// No two in one failure domain. A node whose domain nobody told is one by itself.
    ApartByFailureDomain,
    /// All on the node (one of the nodes) that the group occupies; anywhere while it occupies none.
    TogetherOnNode,
    /// All in the failure domain (one of the domains) that the group occupies; anywhere while it occupies none.
    TogetherInFailureDomain,
}

impl Group {
    /// Whether it occupies nothing yet.
    pub const fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.failure_domains.is_empty()
    }

    /// The failure domains that it occupies, some of them more than once.
    pub(super) fn domains_in<'a>(&'a self, map: &'a ResourceMap) -> impl Iterator<Item = &'a str> {
        let of_nodes = self.nodes.iter().filter_map(|id| map.get(*id)?.failure_domain.as_deref());
        of_nodes.chain(self.failure_domains.iter().map(String::as_str))
    }
}

/// A group made ready to be asked about many nodes.
pub(super) struct Resolved<'a> {
    pub(super) group: &'a Group,
    nodes: BTreeSet<NodeId>,
    domains: BTreeSet<&'a str>,
}

impl<'a> Resolved<'a> {
    pub(super) fn new(group: &'a Group, map: &'a ResourceMap) -> Self {
        Self { group, nodes: group.nodes.iter().copied().collect(), domains: group.domains_in(map).collect() }
    }

    pub(super) fn admits(&self, node: &MapNode) -> bool {
        let on_node = self.nodes.contains(&node.node.id);
        let in_domain = node.failure_domain.as_deref().is_some_and(|domain| self.domains.contains(domain));
        match self.group.rule {
            Rule::ApartByNode => !on_node,
            Rule::ApartByFailureDomain => !on_node && !in_domain,
            _ if self.group.is_empty() => true,
            Rule::TogetherOnNode => on_node,
            Rule::TogetherInFailureDomain => on_node || in_domain,
        }
    }
}
