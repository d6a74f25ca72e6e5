//! What is asked in the bench: ordinary requests, limited ones, scarce ones (fewer than ten nodes fit), and such as
//! nothing fits, often by very little.

use crate::chance::Chance;
use crate::fill::{KINDS, REGIONS};
use crate::flavours::Flavours;
use crate::scan::Scan;
use grid::index::{DomainNumber, Query, RegionNumber, Row, Vector};
use grid::policy::Policy;
use grid::vm::commitment;
use grid::{HypervisorKind, Resource, Resources};

/// Of how many nodes and domains a limited request keeps away.
const APART: usize = 16;

pub(crate) struct Requests<'a> {
    pub(crate) flavours: &'a Flavours,
    pub(crate) policy: Policy,
    pub(crate) domains: u32,
}

impl Requests<'_> {
    pub(crate) fn ordinary(&self, chance: &mut Chance) -> Query {
        let kind = KINDS[chance.below(KINDS.len())];
        self.query(kind, commitment(kind, self.flavours.draw(chance)))
    }

    pub(crate) fn in_region(&self, chance: &mut Chance) -> Query {
        self.ordinary(chance).in_region(RegionNumber(u16::try_from(chance.below(usize::from(REGIONS))).unwrap_or(0)))
    }

    pub(crate) fn in_domain(&self, chance: &mut Chance) -> Query {
        self.ordinary(chance).in_domains([self.domain(chance)])
    }

    /// Apart from a group that is just where the policy would put it: on the best nodes, and in domains.
    pub(crate) fn apart(&self, scan: &Scan, chance: &mut Chance) -> Query {
        let mut query = self.ordinary(chance);
        let domains = [(); APART].map(|()| self.domain(chance));
        query = query.without_domains(domains);
        for _ in 0..if scan.rows.len() > 100_000 { 1 } else { 4 } {
            if let Some(best) = scan.choose(&query) {
                query = query.without_nodes([best.node]);
            }
        }
        let others = [(); APART].map(|()| scan.rows[chance.below(scan.rows.len())].id);
        query.without_nodes(others)
    }

    /// One that one to nine nodes can take.
    pub(crate) fn scarce(&self, scan: &Scan, chance: &mut Chance) -> Query {
        loop {
            let (fits, _) = self.edge(scan, chance);
            if (1..10).contains(&scan.count(&fits)) {
                return fits;
            }
        }
    }

    /// One that nothing can take: a step beyond what is there, or beyond what one domain or region has.
    pub(crate) fn unmet(&self, scan: &Scan, chance: &mut Chance) -> Query {
        if chance.one_in(3) {
            return self.unmet_in_domain(scan, chance);
        }
        self.edge(scan, chance).1
    }

    fn unmet_in_domain(&self, scan: &Scan, chance: &mut Chance) -> Query {
        let domain = self.domain(chance);
        let rows: Vec<&Row> = scan.rows.iter().filter(|row| row.domain == domain).collect();
        let kind = KINDS[chance.below(KINDS.len())];
        let most = rows.iter().filter(|row| row.kind == kind).fold(Vector::ZERO, |most, row| most.larger(row.free));
        let mut asked = commitment(kind, self.flavours.draw(chance));
        let resource = Resource::ALL[chance.below(Resource::ALL.len())];
        asked.set(resource, most.get(resource) + 1);
        self.query(kind, asked).in_domains([domain])
    }

    /// From a request like some node's free amounts outwards, step by step, until nothing fits: the last that some node
    /// can take, and the first that none can.
    fn edge(&self, scan: &Scan, chance: &mut Chance) -> (Query, Query) {
        let row = scan.rows[chance.below(scan.rows.len())];
        let mut fits = self.query(row.kind, row.free.resources());
        let resource = Resource::ALL[chance.below(Resource::ALL.len())];
        loop {
            let next = self.query(row.kind, larger(fits.asked.resources(), resource, chance));
            if scan.choose(&next).is_none() {
                return (fits, next);
            }
            fits = next;
        }
    }

    fn query(&self, kind: HypervisorKind, asked: Resources) -> Query {
        Query::new(kind, self.policy, Vector::of_request(asked))
    }

    fn domain(&self, chance: &mut Chance) -> DomainNumber {
        DomainNumber(number_below(self.domains, chance))
    }
}

/// A little more of everything, and of one resource a good deal more.
fn larger(asked: Resources, most: Resource, chance: &mut Chance) -> Resources {
    let mut next = asked;
    for resource in Resource::ALL {
        let percent = if resource == most { chance.within(8..16) } else { chance.within(0..4) };
        let amount = asked.get(resource);
        next.set(resource, amount + (amount * percent / 100).max(u64::from(resource == most)));
    }
    next
}

fn number_below(end: u32, chance: &mut Chance) -> u32 {
    u32::try_from(chance.within(0..u64::from(end.max(1)))).unwrap_or(0)
}
