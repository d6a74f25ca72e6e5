//! Marks: what is known in short of a node's region, failure domain and class. A block without a mark that is looked for
//! can be passed by; one with it may still have others only.

use super::names::{ClassNumber, DomainNumber, RegionNumber};
use super::row::Row;

/// The marks of a row: six bits of its failure domain, five of its region, five of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(u16);

const DOMAIN_BITS: u32 = u64::BITS.ilog2();
const OTHER_BITS: u32 = u32::BITS.ilog2();

impl Mark {
    /// Where there is no row.
    pub(super) const PADDING: Self = Self(0);

    #[expect(clippy::cast_possible_truncation, reason = "six bits are left")]
    pub(super) const fn of(row: &Row) -> Self {
        let domain = (row.domain.0 % u64::BITS) as u16;
        let region = row.region.0 % u32::BITS as u16;
        let class = row.class.0 % u32::BITS as u16;
        Self(domain | region << DOMAIN_BITS | class << (DOMAIN_BITS + OTHER_BITS))
    }
}

/// A bit for each mark among a number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    domains: u64,
    regions: u32,
    classes: u32,
}

impl Marks {
    pub(super) const NONE: Self = Self { domains: 0, regions: 0, classes: 0 };
    pub(super) const ALL: Self = Self { domains: u64::MAX, regions: u32::MAX, classes: u32::MAX };

    pub(super) const fn of(mark: Mark) -> Self {
        Self {
            domains: 1 << (mark.0 as u32 % u64::BITS),
            regions: 1 << ((mark.0 as u32 >> DOMAIN_BITS) % u32::BITS),
            classes: 1 << (mark.0 as u32 >> (DOMAIN_BITS + OTHER_BITS)),
        }
    }

    /// Of these rows and the others.
    pub(super) const fn with(self, other: Self) -> Self {
        Self {
            domains: self.domains | other.domains,
            regions: self.regions | other.regions,
            classes: self.classes | other.classes,
        }
    }

    /// Whether a row with these marks may be one with those.
    pub(super) const fn meet(self, others: Self) -> bool {
        self.domains & others.domains != 0 && self.regions & others.regions != 0 && self.classes & others.classes != 0
    }

    pub(super) fn only_region(self, RegionNumber(number): RegionNumber) -> Self {
        Self { regions: 1 << (u32::from(number) % u32::BITS), ..self }
    }

    pub(super) fn only_domains(self, numbers: &[DomainNumber]) -> Self {
        Self { domains: numbers.iter().fold(0, |bits, number| bits | 1 << (number.0 % u64::BITS)), ..self }
    }

    pub(super) fn only_classes(self, numbers: &[ClassNumber]) -> Self {
        Self { classes: numbers.iter().fold(0, |bits, number| bits | 1 << (u32::from(number.0) % u32::BITS)), ..self }
    }
}
