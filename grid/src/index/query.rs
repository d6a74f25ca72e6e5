//! Queries: what is looked for, in the index's numbers.

use super::marks::Marks;
use super::names::{ClassNumber, DomainNumber, RegionNumber};
use super::vector::Vector;
use crate::policy::Policy;
use crate::{HypervisorKind, NodeId};

/// What is looked for. Made for one version of the index; the numbers of later ones mean the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub kind: HypervisorKind,
    pub policy: Policy,
    pub asked: Vector,
    limits: Limits,
}

/// All that limits the nodes but room. Lists are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Limits {
    region: Option<RegionNumber>,
    domains: Option<Vec<DomainNumber>>,
    classes: Option<Vec<ClassNumber>>,
    nodes: Option<Vec<NodeId>>,
    avoided_domains: Vec<DomainNumber>,
    avoided_nodes: Vec<NodeId>,
}

impl Query {
    /// Any node of a kind with this much room.
    pub fn new(kind: HypervisorKind, policy: Policy, asked: Vector) -> Self {
        Self { kind, policy, asked, limits: Limits::default() }
    }

    /// Only nodes of this region.
    #[must_use]
    pub fn in_region(mut self, region: RegionNumber) -> Self {
        self.limits.region = Some(region);
        self
    }

    /// Only nodes of these failure domains, and of those asked for before.
    #[must_use]
    pub fn in_domains(mut self, domains: impl IntoIterator<Item = DomainNumber>) -> Self {
        self.limits.domains = Some(both(self.limits.domains.take(), domains));
        self
    }

    /// Only nodes of these classes.
    #[must_use]
    pub fn in_classes(mut self, classes: impl IntoIterator<Item = ClassNumber>) -> Self {
        self.limits.classes = Some(both(self.limits.classes.take(), classes));
        self
    }

    /// Only these nodes, of those asked for before.
    #[must_use]
    pub fn on_nodes(mut self, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        self.limits.nodes = Some(both(self.limits.nodes.take(), nodes));
        self
    }

    /// None of these nodes.
    #[must_use]
    pub fn without_nodes(mut self, nodes: impl IntoIterator<Item = NodeId>) -> Self {
        self.limits.avoided_nodes.extend(nodes);
        self.limits.avoided_nodes.sort_unstable();
        self
    }

    /// No node of these failure domains.
    #[must_use]
    pub fn without_domains(mut self, domains: impl IntoIterator<Item = DomainNumber>) -> Self {
        self.limits.avoided_domains.extend(domains);
        self.limits.avoided_domains.sort_unstable();
        self
    }

    /// The nodes that alone come into question, where they are named.
    pub(super) fn named(&self) -> Option<&[NodeId]> {
        self.limits.nodes.as_deref()
    }

    /// The failure domains that alone come into question, where there are such.
    pub(super) fn domains(&self) -> Option<&[DomainNumber]> {
        self.limits.domains.as_deref()
    }

    /// The marks of which a node that may take it has some.
    pub(super) fn marks(&self) -> Marks {
        let Limits { region, domains, classes, .. } = &self.limits;
        let mut marks = Marks::ALL;
        if let Some(region) = region {
            marks = marks.only_region(*region);
        }
        if let Some(domains) = domains {
            marks = marks.only_domains(domains);
        }
        if let Some(classes) = classes {
            marks = marks.only_classes(classes);
        }
        marks
    }

    /// Whether nothing but room limits the nodes.
    pub(super) fn is_plain(&self) -> bool {
        self.limits == Limits::default()
    }

    /// Whether a node may take it, if it is of the kind, is ready, and has room.
    #[inline]
    pub(super) fn admits(&self, node: NodeId, region: RegionNumber, domain: DomainNumber, class: ClassNumber) -> bool {
        let limits = &self.limits;
        limits.region.is_none_or(|only| only == region)
            && limits.domains.as_ref().is_none_or(|only| only.binary_search(&domain).is_ok())
            && limits.classes.as_ref().is_none_or(|only| only.binary_search(&class).is_ok())
            && limits.nodes.as_ref().is_none_or(|only| only.binary_search(&node).is_ok())
            && limits.avoided_domains.binary_search(&domain).is_err()
            && limits.avoided_nodes.binary_search(&node).is_err()
    }
}

/// What is in both lists; sorted.
fn both<T: Ord>(first: Option<Vec<T>>, second: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut second: Vec<T> = second.into_iter().collect();
    second.sort_unstable();
    match first {
        None => second,
        Some(mut first) => {
            first.retain(|each| second.binary_search(each).is_ok());
            first
        }
    }
}
