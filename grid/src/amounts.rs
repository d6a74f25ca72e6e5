//! Amounts of resources: the unit is in the type.

use crate::wording::Amount;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident($inner:ty), $shown:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let shown: fn($inner, &mut fmt::Formatter<'_>) -> fmt::Result = $shown;
                shown(self.0, formatter)
            }
        }
    };
}

amount!(
    /// A number of virtual CPUs.
    Vcpus(u32), |count, formatter| Amount(Resource::Vcpus, u64::from(count)).fmt(formatter)
);
amount!(
    /// Mebibytes.
    Mib(u64), |amount, formatter| write!(formatter, "{amount} MiB")
);
amount!(
    /// Gibibytes.
    Gib(u64), |amount, formatter| write!(formatter, "{amount} GiB")
);

impl Gib {
    /// The same amount in mebibytes; saturates.
    pub const fn to_mib(self) -> Mib {
        Mib(self.0.saturating_mul(1024))
    }

    /// The same amount in bytes; saturates.
    pub const fn bytes(self) -> u64 {
        self.0.saturating_mul(1 << 30)
    }
}

impl Mib {
    /// The same amount in bytes; saturates.
    pub const fn bytes(self) -> u64 {
        self.0.saturating_mul(1 << 20)
    }
}

/// What a VM is configured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Size {
    pub vcpus: Vcpus,
    pub memory: Mib,
    pub disk: Gib,
}

impl Size {
    /// What a VM has at least.
    pub const SMALLEST: Self = Self { vcpus: Vcpus(1), memory: Mib(16), disk: Gib(1) };
    /// What a VM can be asked to have at most.
    pub const LARGEST: Self = Self { vcpus: Vcpus(1024), memory: Mib(16_777_216), disk: Gib(1_048_576) };
    /// Memory is a multiple of this. virtio-mem plugs blocks of 2 MiB, and a Linux guest takes them in units of its
    /// page allocator's largest block, which is 4 MiB on older kernels.
    pub const MEMORY_STEP: Mib = Mib(4);

    /// The smaller of the two, resource by resource.
    #[must_use]
    pub fn smaller(self, other: Self) -> Self {
        Self {
            vcpus: self.vcpus.min(other.vcpus),
            memory: self.memory.min(other.memory),
            disk: self.disk.min(other.disk),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amounts = Resources::from(*self);
        let [vcpus, memory, disk] = Resource::ALL.map(|resource| Amount(resource, amounts.get(resource)));
        write!(formatter, "{vcpus}, {memory} memory, {disk} disk")
    }
}

/// One of the resources that a node has and a VM takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    Vcpus,
    Memory,
    Disk,
}

impl Resource {
    /// All resources, in the order in which pages list them.
    pub const ALL: [Self; 3] = [Self::Vcpus, Self::Memory, Self::Disk];

    /// The word that a person reads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vcpus => "vCPUs",
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }

    /// The unit of its amounts in [`Resources`]; empty for vCPUs.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Vcpus => "",
            Self::Memory | Self::Disk => "MiB",
        }
    }
}

/// An amount of each resource: vCPUs as a count, memory and disk in MiB. Arithmetic saturates, so that no input
/// underflows or wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resources {
    pub vcpus: u64,
    pub memory_mib: u64,
    pub disk_mib: u64,
}

impl Resources {
    pub const ZERO: Self = Self { vcpus: 0, memory_mib: 0, disk_mib: 0 };

    /// The amount of one resource.
    pub const fn get(&self, resource: Resource) -> u64 {
        match resource {
            Resource::Vcpus => self.vcpus,
            Resource::Memory => self.memory_mib,
            Resource::Disk => self.disk_mib,
        }
    }

    /// Changes the amount of one resource.
    pub const fn set(&mut self, resource: Resource, amount: u64) {
        match resource {
            Resource::Vcpus => self.vcpus = amount,
            Resource::Memory => self.memory_mib = amount,
            Resource::Disk => self.disk_mib = amount,
        }
    }

    /// Resource by resource: `f(self, other)`.
    #[must_use]
    pub fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            vcpus: f(self.vcpus, other.vcpus),
            memory_mib: f(self.memory_mib, other.memory_mib),
            disk_mib: f(self.disk_mib, other.disk_mib),
        }
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
        Self { vcpus: u64::from(size.vcpus.0), memory_mib: size.memory.0, disk_mib: size.disk.to_mib().0 }
    }
}
