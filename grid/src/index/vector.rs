//! Amounts of all resources as fixed-point integers of 31 bits: what the index keeps of a node, and what it compares.
//!
//! The resources are those of [`Resource::ALL`], in that order, in the units of [`Resources`]. A node counts for at most
//! [`Vector::MOST`] of each (2 PiB of memory or disk); more than that fits nowhere.

use crate::{Resource, Resources};

/// An amount of each resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vector(pub(crate) [i32; Vector::LEN]);

impl Default for Vector {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Vector {
    /// How many resources there are.
    pub const LEN: usize = Resource::COUNT;
    pub const ZERO: Self = Self([0; Self::LEN]);
    /// The most that a node counts for, of any resource.
    pub const MOST: u64 = (i32::MAX - 1) as u64;

    /// What a node has; more than [`Self::MOST`] counts as that.
    pub fn of_node(amounts: Resources) -> Self {
        Self(Resource::ALL.map(|resource| i32::try_from(amounts.get(resource)).unwrap_or(i32::MAX).min(i32::MAX - 1)))
    }

    /// What is asked; more than [`Self::MOST`] is more than any node has.
    pub fn of_request(amounts: Resources) -> Self {
        Self(Resource::ALL.map(|resource| i32::try_from(amounts.get(resource)).unwrap_or(i32::MAX)))
    }

    /// The amount of one resource.
    pub fn get(self, resource: Resource) -> u64 {
        u64::from(self.0[resource.place()].cast_unsigned())
    }

    /// Resource by resource, in the order of [`Resource::ALL`].
    pub fn amounts(self) -> [u64; Self::LEN] {
        self.0.map(|amount| u64::from(amount.max(0).cast_unsigned()))
    }

    pub fn resources(self) -> Resources {
        let amounts = self.amounts();
        Resources::each(|resource| amounts[resource.place()])
    }

    /// Whether there is as much of every resource as `asked`.
    pub fn covers(self, asked: Self) -> bool {
        self.0.iter().zip(asked.0).all(|(has, asked)| *has >= asked)
    }

    /// The difference, which stops at zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, |one, other| one.saturating_sub(other).max(0))
    }

    /// The smaller of the two, resource by resource.
    #[must_use]
    pub fn smaller(self, other: Self) -> Self {
        self.zip(other, i32::min)
    }

    /// The larger of the two, resource by resource.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        self.zip(other, i32::max)
    }

    fn zip(self, other: Self, f: impl Fn(i32, i32) -> i32) -> Self {
        let mut both = self;
        for (one, other) in both.0.iter_mut().zip(other.0) {
            *one = f(*one, other);
        }
        both
    }
}
