//! A value for each resource; of amounts with arithmetic that saturates, so that no input underflows or wraps.

use crate::{Resource, Size};
use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A value for each resource. On a wire a map by [`Resource::field`]; what isn't in it is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PerResource<T>([T; Resource::COUNT]);

/// An amount of each resource: vCPUs as a count, memory and disk in MiB, network bandwidth in Mbit/s.
pub type Resources = PerResource<u64>;

impl<T> PerResource<T> {
    /// The value of each.
    pub fn each(value: impl FnMut(Resource) -> T) -> Self {
        Self(Resource::ALL.map(value))
    }
}

impl<T: Copy> PerResource<T> {
    /// The same value for each.
    pub const fn all(value: T) -> Self {
        Self([value; Resource::COUNT])
    }

    #[inline]
    pub const fn get(&self, resource: Resource) -> T {
        self.0[resource.place()]
    }

    pub const fn set(&mut self, resource: Resource, value: T) {
        self.0[resource.place()] = value;
    }

    /// The same with another value for one of them.
    #[must_use]
    pub const fn with(mut self, resource: Resource, value: T) -> Self {
        self.set(resource, value);
        self
    }

    /// In the order of [`Resource::ALL`].
    pub const fn values(&self) -> [T; Resource::COUNT] {
        self.0
    }
}

/// In the order of [`Resource::ALL`].
impl<T> From<[T; Resource::COUNT]> for PerResource<T> {
    fn from(values: [T; Resource::COUNT]) -> Self {
        Self(values)
    }
}

impl<T: Serialize> Serialize for PerResource<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Resource::ALL.iter().map(|resource| resource.field()).zip(&self.0))
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for PerResource<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut told: BTreeMap<String, T> = BTreeMap::deserialize(deserializer)?;
        let values = Self::each(|resource| told.remove(resource.field()).unwrap_or_default());
        match told.into_keys().next() {
            Some(name) => Err(D::Error::custom(format_args!("there is no resource {name:?}"))),
            None => Ok(values),
        }
    }
}

impl Resources {
    pub const ZERO: Self = Self::all(0);

    /// These amounts, and none of what a VM can do without.
    pub const fn new(vcpus: u64, memory_mib: u64, disk_mib: u64) -> Self {
        Self::ZERO.with(Resource::Vcpus, vcpus).with(Resource::Memory, memory_mib).with(Resource::Disk, disk_mib)
    }

    pub const fn vcpus(&self) -> u64 {
        self.get(Resource::Vcpus)
    }

    pub const fn memory_mib(&self) -> u64 {
        self.get(Resource::Memory)
    }

    pub const fn disk_mib(&self) -> u64 {
        self.get(Resource::Disk)
    }

    pub const fn network_mbit(&self) -> u64 {
        self.get(Resource::Network)
    }

    /// Each resource with its amount, as one tells what a VM has: without what it can do without and has none of.
    pub fn parts(self) -> impl Iterator<Item = (Resource, u64)> {
        let all = Resource::ALL.into_iter().map(move |resource| (resource, self.get(resource)));
        all.filter(|(resource, amount)| *amount > 0 || !resource.is_optional())
    }

    /// Resource by resource: `f(self, other)`.
    #[must_use]
    pub fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self::each(|resource| f(self.get(resource), other.get(resource)))
    }

    /// The sum, which stops at the largest number.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// The difference, which stops at zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    /// The smaller of the two, resource by resource.
    #[must_use]
    pub fn smaller(self, other: Self) -> Self {
        self.zip(other, u64::min)
    }

    /// The larger of the two, resource by resource.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        self.zip(other, u64::max)
    }

    /// Whether every resource of `asked` is there.
    pub fn covers(&self, asked: &Self) -> bool {
        Resource::ALL.into_iter().all(|resource| asked.get(resource) <= self.get(resource))
    }
}

impl From<Size> for Resources {
    fn from(size: Size) -> Self {
        let needed = Self::new(u64::from(size.vcpus.0), size.memory.0, size.disk.to_mib().0);
        needed.with(Resource::Network, size.network.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_cross_a_wire_by_their_names_and_what_is_not_told_is_none() {
        let amounts = Resources::new(2, 1024, 4096);
        let text = serde_json::to_string(&amounts).unwrap();
        assert!(text.starts_with(r#"{"vcpus":2,"memory_mib":1024,"disk_mib":4096"#), "{text}");
        assert_eq!(serde_json::from_str::<Resources>(&text).unwrap(), amounts);
        assert_eq!(serde_json::from_str::<Resources>(r#"{"disk_mib":3}"#).unwrap(), Resources::new(0, 0, 3));
        for wrong in [r#"{"vcpus":-1}"#, r#"{"memory":1}"#, "3"] {
            assert!(serde_json::from_str::<Resources>(wrong).is_err(), "{wrong}");
        }
    }
}
