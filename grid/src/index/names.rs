//! Names as small numbers: regions, failure domains, and what a live move compares. A number, once given, stays; a clone
//! shares all names.

use crate::placement::missing_for_live_move;
use crate::sample::Compatibility;
use imbl::{OrdMap, Vector};
use std::sync::Arc;

/// A region by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionNumber(pub u16);

impl RegionNumber {
    /// Of nodes whose region came when all numbers were given: no request finds them.
    const BEYOND: Self = Self(u16::MAX);
}

/// A failure domain by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DomainNumber(pub u32);

impl DomainNumber {
    /// Of nodes whose failure domain nobody told: each is one by itself.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// A class of nodes among which live moves go the same ways, by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassNumber(pub u16);

impl ClassNumber {
    /// Of nodes whose hypervisor never told anything, or something new when all numbers were given: no live move goes
    /// there or from there.
    pub const UNKNOWN: Self = Self(u16::MAX);
}

/// What a live move compares, and the hypervisor's version.
type Class = (Compatibility, u64);

/// All names of an index.
#[derive(Clone, Debug, Default)]
pub struct Names {
    regions: OrdMap<Arc<str>, RegionNumber>,
    domains: OrdMap<Arc<str>, DomainNumber>,
    classes: OrdMap<Arc<Class>, ClassNumber>,
    /// By class, where live moves go from it.
    reached: Vector<Vec<ClassNumber>>,
}

impl Names {
    pub fn region(&self, name: &str) -> Option<RegionNumber> {
        self.regions.get(name).copied()
    }

    pub fn domain(&self, name: &str) -> Option<DomainNumber> {
        self.domains.get(name).copied()
    }

    /// The classes to which live moves go from this one.
    pub fn reached_live_from(&self, class: ClassNumber) -> &[ClassNumber] {
        self.reached.get(usize::from(class.0)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn number_region(&mut self, name: &str) -> RegionNumber {
        let new = next(self.regions.len(), u16::MAX).map(RegionNumber);
        number(&mut self.regions, name, new).unwrap_or(RegionNumber::BEYOND)
    }

    pub(super) fn number_domain(&mut self, name: Option<&str>) -> DomainNumber {
        let new = next(self.domains.len(), u32::MAX).map(DomainNumber);
        name.and_then(|name| number(&mut self.domains, name, new)).unwrap_or(DomainNumber::UNKNOWN)
    }

    pub(super) fn number_class(&mut self, told: Option<(&Compatibility, u64)>) -> ClassNumber {
        let Some((compatibility, version)) = told else { return ClassNumber::UNKNOWN };
        let class = (compatibility.clone(), version);
        if let Some(known) = self.classes.get(&class) {
            return *known;
        }
        let Some(new) = next(self.classes.len(), u16::MAX).map(ClassNumber) else { return ClassNumber::UNKNOWN };
        let goes =
            |from: &Class, to: &Class| missing_for_live_move(Some((&from.0, from.1)), Some((&to.0, to.1))).is_empty();
        let mut from_new = vec![new];
        for (known, number) in &self.classes {
            if goes(known, &class)
                && let Some(reached) = self.reached.get_mut(usize::from(number.0))
            {
                reached.push(new);
            }
            if goes(&class, known) {
                from_new.push(*number);
            }
        }
        self.reached.push_back(from_new);
        self.classes.insert(Arc::new(class), new);
        new
    }
}

/// The number of a name; `new` where it has none yet.
fn number<N: Copy>(numbers: &mut OrdMap<Arc<str>, N>, name: &str, new: Option<N>) -> Option<N> {
    if let Some(known) = numbers.get(name) {
        return Some(*known);
    }
    numbers.insert(Arc::from(name), new?);
    new
}

/// The number that comes after so many; none once all are given but the highest, which is kept for what is not known.
fn next<N: TryFrom<usize> + PartialOrd>(count: usize, highest: N) -> Option<N> {
    N::try_from(count).ok().filter(|next| *next < highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_when_all_numbers_are_given_gets_none_and_takes_nobody_elses() {
        assert_eq!(next(65_534, u16::MAX), Some(65_534));
        assert_eq!(next(65_535, u16::MAX), None);
        let mut names = Names::default();
        let numbers: Vec<RegionNumber> = (0..65_600).map(|name| names.number_region(&format!("r-{name}"))).collect();
        assert_eq!(numbers[65_534], RegionNumber(65_534));
        assert!(numbers[65_535..].iter().all(|number| *number == RegionNumber::BEYOND));
        assert_eq!((names.region("r-65534"), names.region("r-65535")), (Some(RegionNumber(65_534)), None));
        assert_eq!(names.number_region("r-7"), RegionNumber(7));
    }
}
