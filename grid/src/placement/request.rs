//! Requests: what is looked for, and the same in the numbers of a map's index.

use super::groups::{Group, Rule};
use crate::index::{DomainNumber, Query, Vector};
use crate::map::ResourceMap;
use crate::{HypervisorKind, NodeId, Resources};
use serde::{Deserialize, Serialize};

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub kind: HypervisorKind,
    /// Only nodes of this region; any where there is none.
    pub region: Option<String>,
    /// All that it takes on the node, overhead included.
    pub resources: Resources,
    /// Nodes that are out of the question (the VM's own home).
    pub excluded: Vec<NodeId>,
    /// For a live move: the node whose compatibility the destination must meet.
    pub live_from: Option<NodeId>,
    /// Only nodes of this failure domain; any where there is none.
    #[serde(default)]
    pub failure_domain: Option<String>,
    /// The groups that the VM belongs to.
    #[serde(default)]
    pub groups: Vec<Group>,
}

impl Request {
    /// Any node of the kind with this much room.
    pub const fn new(kind: HypervisorKind, resources: Resources) -> Self {
        Self {
            kind,
            region: None,
            resources,
            excluded: Vec::new(),
            live_from: None,
            failure_domain: None,
            groups: Vec::new(),
        }
    }

    /// The same in the numbers of the map's index; nothing where no node can take it for its name's sake.
    pub(super) fn query(&self, map: &ResourceMap) -> Option<Query> {
        let (index, names) = (map.index(), map.index().names());
        let policy = map.policies().of(self.kind);
        let mut query = Query::new(self.kind, policy, Vector::of_request(self.resources));
        if let Some(region) = &self.region {
            query = query.in_region(names.region(region)?);
        }
        if let Some(domain) = &self.failure_domain {
            query = query.in_domains([names.domain(domain)?]);
        }
        if let Some(source) = self.live_from {
            query = query.in_classes(names.reached_live_from(index.get(source)?.class).iter().copied());
        }
        if !self.excluded.is_empty() {
            query = query.without_nodes(self.excluded.iter().copied());
        }
        Some(self.groups.iter().fold(query, |query, group| limit(query, group, map)))
    }
}

/// The same query, limited by a group.
fn limit(query: Query, group: &Group, map: &ResourceMap) -> Query {
    let nodes = group.nodes.iter().copied();
    let domains = || group.domains_in(map).filter_map(|domain| map.index().names().domain(domain));
    match group.rule {
        Rule::ApartByNode => query.without_nodes(nodes),
        Rule::ApartByFailureDomain => query.without_domains(domains()).without_nodes(nodes),
        _ if group.is_empty() => query,
        Rule::TogetherOnNode => query.on_nodes(nodes),
        Rule::TogetherInFailureDomain => {
            let domains: Vec<DomainNumber> = domains().collect();
            let alone = nodes.filter(|id| map.get(*id).is_none_or(|node| node.failure_domain.is_none()));
            let alone: Vec<NodeId> = alone.collect();
            if alone.is_empty() {
                query.in_domains(domains)
            } else {
                query.on_nodes(map.index().nodes_of(&domains).into_iter().chain(alone))
            }
        }
    }
}
