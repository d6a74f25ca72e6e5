//! Summaries: for a request the node that was chosen, the runners-up, and for all others the reasons, grouped and counted.

use super::filters::Filters;
use super::{Candidate, Rejection, Request, Rule, score};
use crate::map::{Condition, ResourceMap};
use crate::{NodeId, Resource};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why the chosen node was chosen, and why all others weren't.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub chosen: Option<Candidate>,
    /// The next best, best first; a few.
    pub runners_up: Vec<Candidate>,
    /// How many nodes could have taken it, chosen and runners-up with them.
    pub candidates: u64,
    /// Every other node once, under its first reason; the most frequent first.
    pub reasons: Vec<(Why, u64)>,
}

/// A sort of reason that many nodes may share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    Excluded,
    OtherKind,
    OtherRegion,
    OtherFailureDomain,
    Group {
        group: String,
        rule: Rule,
    },
    /// By the word for its condition.
    NotReady {
        condition: String,
    },
    /// Too little of these resources.
    NoRoom {
        lacks: Vec<Lack>,
    },
    Incompatible,
}

/// A resource of which nodes have too little, and the most that any of them has free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lack {
    pub resource: Resource,
    pub asked: u64,
    pub most_free: u64,
    pub most_free_on: NodeId,
}

/// Looks at every node, but keeps no list of them: that is what [`super::place`] is for.
pub fn summarise(map: &ResourceMap, request: &Request, runners_up: usize) -> Tally {
    let filters = Filters::new(map, request);
    let mut best: BTreeMap<(u64, u16, NodeId), Candidate> = BTreeMap::new();
    let (mut candidates, mut groups, mut reasons) = (0_u64, BTreeMap::new(), Vec::new());
    for node in map.iter() {
        filters.first_against(node, &mut reasons);
        if reasons.is_empty() {
            candidates += 1;
            let candidate = score(map.policies(), node, request.resources);
            best.insert((candidate.cost, candidate.measured_bp, candidate.node), candidate);
            if best.len() > runners_up.saturating_add(1) {
                best.pop_last();
            }
        } else {
            count(&mut groups, node.node.id, &reasons);
        }
    }
    let mut best = best.into_values();
    let mut reasons: Vec<(Why, u64)> = groups.into_values().collect();
    reasons.sort_by(|(one, first), (other, second)| second.cmp(first).then_with(|| one.cmp(other)));
    Tally { chosen: best.next(), runners_up: best.collect(), candidates, reasons }
}

/// What makes two reasons the same: the sort, and what it is about.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Excluded,
    OtherKind,
    OtherRegion,
    OtherFailureDomain,
    Group(String, Rule),
    NotReady(&'static str),
    NoRoom(Vec<Resource>),
    Incompatible,
}

fn count(groups: &mut BTreeMap<Sort, (Why, u64)>, node: NodeId, reasons: &[Rejection]) {
    let Some(first) = reasons.first() else { return };
    let (sort, why) = match first {
        Rejection::Excluded => (Sort::Excluded, Why::Excluded),
        Rejection::OtherKind { .. } => (Sort::OtherKind, Why::OtherKind),
        Rejection::OtherRegion { .. } => (Sort::OtherRegion, Why::OtherRegion),
        Rejection::OtherFailureDomain { .. } => (Sort::OtherFailureDomain, Why::OtherFailureDomain),
        Rejection::Group { group, rule } => {
            (Sort::Group(group.clone(), *rule), Why::Group { group: group.clone(), rule: *rule })
        }
        Rejection::NotReady { condition } => {
            (Sort::NotReady(condition.as_str()), Why::NotReady { condition: word(*condition) })
        }
        Rejection::NoRoom { .. } => {
            let lacks = lacks(node, reasons);
            (Sort::NoRoom(lacks.iter().map(|lack| lack.resource).collect()), Why::NoRoom { lacks })
        }
        Rejection::Incompatible { .. } => (Sort::Incompatible, Why::Incompatible),
    };
    let group = groups.entry(sort).or_insert_with(|| (why.clone(), 0));
    group.1 += 1;
    if let (Why::NoRoom { lacks: known }, Why::NoRoom { lacks }) = (&mut group.0, why) {
        for (known, lack) in known.iter_mut().zip(lacks) {
            // The nodes come in the order of their ids: the first with the most stays.
            if lack.most_free > known.most_free {
                *known = lack;
            }
        }
    }
}

fn word(condition: Condition) -> String {
    condition.as_str().to_owned()
}

fn lacks(node: NodeId, reasons: &[Rejection]) -> Vec<Lack> {
    let lack = |reason: &Rejection| match reason {
        Rejection::NoRoom { resource, asked, available, .. } => {
            Some(Lack { resource: *resource, asked: *asked, most_free: *available, most_free_on: node })
        }
        _ => None,
    };
    reasons.iter().filter_map(lack).collect()
}

impl Tally {
    /// How many nodes there are of a kind other than asked, and so on: all that can't take it.
    pub fn rejected(&self) -> u64 {
        self.reasons.iter().map(|(_, nodes)| nodes).sum()
    }
}
