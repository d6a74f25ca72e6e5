//! Names as small numbers: regions, failure domains, and what a live move compares. A number, once given, stays; a clone
//! shares all names.

use crate::placement::missing_for_live_move;
use crate::sample::Compatibility;
use imbl::{OrdMap, Vector};
use std::sync::Arc;

/// A region by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionNumber(pub u32);

/// A failure domain by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DomainNumber(pub u32);

impl DomainNumber {
    /// Of nodes whose failure domain nobody told: each is one by itself.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// A class of nodes among which live moves go the same ways, by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassNumber(pub u32);

impl ClassNumber {
    /// Of nodes whose hypervisor never told anything: no live move goes there or from there.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// What a live move compares, and the hypervisor's version.
type Class = (Compatibility, u64);

/// All names of an index.
#[derive(Clone, Debug, Default)]
pub struct Names {
    regions: OrdMap<Arc<str>, u32>,
    domains: OrdMap<Arc<str>, u32>,
    classes: OrdMap<Arc<Class>, u32>,
    /// By class, where live moves go from it.
    reached: Vector<Vec<ClassNumber>>,
}

impl Names {
    pub fn region(&self, name: &str) -> Option<RegionNumber> {
        self.regions.get(name).copied().map(RegionNumber)
    }

    pub fn domain(&self, name: &str) -> Option<DomainNumber> {
        self.domains.get(name).copied().map(DomainNumber)
    }

    /// The classes to which live moves go from this one.
    pub fn reached_live_from(&self, class: ClassNumber) -> &[ClassNumber] {
        let position = usize::try_from(class.0).unwrap_or(usize::MAX);
        self.reached.get(position).map_or(&[], Vec::as_slice)
    }

    pub(super) fn number_region(&mut self, name: &str) -> RegionNumber {
        RegionNumber(number(&mut self.regions, name))
    }

    pub(super) fn number_domain(&mut self, name: Option<&str>) -> DomainNumber {
        name.map_or(DomainNumber::UNKNOWN, |name| DomainNumber(number(&mut self.domains, name)))
    }

    pub(super) fn number_class(&mut self, told: Option<(&Compatibility, u64)>) -> ClassNumber {
        let Some((compatibility, version)) = told else { return ClassNumber::UNKNOWN };
        let class = (compatibility.clone(), version);
        if let Some(known) = self.classes.get(&class) {
            return ClassNumber(*known);
        }
        let new = ClassNumber(next(self.classes.len()));
        let goes =
            |from: &Class, to: &Class| missing_for_live_move(Some((&from.0, from.1)), Some((&to.0, to.1))).is_empty();
        let mut from_new = vec![new];
        for (known, number) in &self.classes {
            if goes(known, &class)
                && let Some(reached) = self.reached.get_mut(usize::try_from(*number).unwrap_or(usize::MAX))
            {
                reached.push(new);
            }
            if goes(&class, known) {
                from_new.push(ClassNumber(*number));
            }
        }
        self.reached.push_back(from_new);
        self.classes.insert(Arc::new(class), new.0);
        new
    }
}

fn number(numbers: &mut OrdMap<Arc<str>, u32>, name: &str) -> u32 {
    if let Some(known) = numbers.get(name) {
        return *known;
    }
    let new = next(numbers.len());
    numbers.insert(Arc::from(name), new);
    new
}

/// The highest number is kept for what is not known; a grid has fewer names than that.
fn next(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).min(u32::MAX - 1)
}
