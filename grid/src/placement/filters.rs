//! Filters: each knows one sort of reason against a node. They are asked in a fixed order, the most fundamental first.

use super::groups::Resolved;
use super::{Rejection, Request, missing_for_live_move};
use crate::index::Vector;
use crate::map::{Condition, MapNode, ResourceMap};
use crate::{NodeId, Resource, Resources};
use std::collections::BTreeSet;

/// Adds what speaks against a node.
type Filter = fn(&Filters<'_>, &MapNode, &mut Vec<Rejection>);

const FILTERS: [Filter; 8] = [excluded, kind, region, failure_domain, groups, readiness, room, live_move];

/// A request made ready to be asked about many nodes.
pub(super) struct Filters<'a> {
    request: &'a Request,
    excluded: BTreeSet<NodeId>,
    groups: Vec<Resolved<'a>>,
    source: Option<&'a MapNode>,
}

impl<'a> Filters<'a> {
    pub(super) fn new(map: &'a ResourceMap, request: &'a Request) -> Self {
        Self {
            request,
            excluded: request.excluded.iter().copied().collect(),
            groups: request.groups.iter().map(|group| Resolved::new(group, map)).collect(),
            source: request.live_from.and_then(|source| map.get(source)),
        }
    }

    /// All reasons against a node; none where it can take it.
    pub(super) fn reasons_against(&self, node: &MapNode) -> Vec<Rejection> {
        let mut reasons = Vec::new();
        for filter in FILTERS {
            filter(self, node, &mut reasons);
        }
        reasons
    }

    /// The reasons of the first filter that has any.
    pub(super) fn first_against(&self, node: &MapNode, reasons: &mut Vec<Rejection>) {
        reasons.clear();
        for filter in FILTERS {
            filter(self, node, reasons);
            if !reasons.is_empty() {
                return;
            }
        }
    }
}

fn excluded(filters: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    if filters.excluded.contains(&node.node.id) {
        reasons.push(Rejection::Excluded);
    }
}

fn kind(filters: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    if node.kind() != filters.request.kind {
        reasons.push(Rejection::OtherKind { has: node.kind() });
    }
}

fn region(filters: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    if filters.request.region.as_ref().is_some_and(|region| *region != node.node.region) {
        reasons.push(Rejection::OtherRegion { region: node.node.region.clone() });
    }
}

fn failure_domain(filters: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    if filters.request.failure_domain.is_some() && filters.request.failure_domain != node.failure_domain {
        reasons.push(Rejection::OtherFailureDomain { has: node.failure_domain.clone() });
    }
}

fn groups(filters: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    let against = filters.groups.iter().filter(|each| !each.admits(node)).map(|each| each.group);
    reasons.extend(against.map(|group| Rejection::Group { group: group.name.clone(), rule: group.rule }));
}

fn readiness(_: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    if node.condition != Condition::Ready {
        reasons.push(Rejection::NotReady { condition: node.condition });
    }
}

fn room(filters: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    reasons.extend(lacking(node, filters.request.resources));
}

fn live_move(filters: &Filters<'_>, node: &MapNode, reasons: &mut Vec<Rejection>) {
    if filters.request.live_from.is_some() {
        let missing = missing_for_live_move(filters.source.and_then(MapNode::told), node.told());
        if !missing.is_empty() {
            reasons.push(Rejection::Incompatible { missing });
        }
    }
}

/// One reason for each resource of which the node has too little available. A node counts for at most
/// [`Vector::MOST`] of each.
pub(crate) fn lacking(node: &MapNode, asked: Resources) -> impl Iterator<Item = Rejection> {
    let (available, reserved) = (node.available(), node.reserved);
    let most = move |resource: Resource| available.get(resource).min(Vector::MOST);
    Resource::ALL.into_iter().filter(move |&resource| asked.get(resource) > most(resource)).map(move |resource| {
        Rejection::NoRoom {
            resource,
            asked: asked.get(resource),
            available: most(resource),
            reserved: reserved.get(resource),
        }
    })
}
