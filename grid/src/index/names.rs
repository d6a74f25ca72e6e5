//! Names as small numbers: regions, failure domains, and what a live move compares. A number, once given, stays.

/// A region by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionNumber(pub u32);

/// A failure domain by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DomainNumber(pub u32);

/// A class of nodes among which live moves go the same ways, by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassNumber(pub u32);
