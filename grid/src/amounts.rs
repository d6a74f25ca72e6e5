//! Amounts of resources: the unit is in the type.

use crate::wording::{Amount, Named};
use crate::{Resource, Resources};
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

amount!(
    /// Megabits (millions of them) a second.
    Mbit(u64), |amount, formatter| write!(formatter, "{amount} Mbit/s")
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
    /// What it may receive, and send, of the customers' network; 0 where nothing was promised and nothing is limited.
    /// Older programs don't tell it.
    #[serde(default)]
    pub network: Mbit,
}

impl Size {
    /// What a VM has at least.
    pub const SMALLEST: Self = Self { vcpus: Vcpus(1), memory: Mib(16), disk: Gib(1), network: Mbit(0) };
    /// What a VM can be asked to have at most.
    pub const LARGEST: Self =
        Self { vcpus: Vcpus(1024), memory: Mib(16_777_216), disk: Gib(1_048_576), network: Mbit(100_000) };
    /// Memory is a multiple of this. virtio-mem plugs blocks of 2 MiB, and a Linux guest takes them in units of its
    /// page allocator's largest block, which is 4 MiB on older kernels.
    pub const MEMORY_STEP: Mib = Mib(4);

    /// These amounts, and none of what a VM can do without.
    pub const fn new(vcpus: Vcpus, memory: Mib, disk: Gib) -> Self {
        Self { vcpus, memory, disk, network: Mbit(0) }
    }

    /// The largest size within these amounts: disk in whole GiB.
    pub fn within(amounts: Resources) -> Self {
        Self {
            vcpus: Vcpus(u32::try_from(amounts.vcpus()).unwrap_or(u32::MAX)),
            memory: Mib(amounts.memory_mib()),
            disk: Gib(amounts.disk_mib() / 1024),
            network: Mbit(amounts.network_mbit()),
        }
    }

    /// The sum, which stops at the largest numbers.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            vcpus: Vcpus(self.vcpus.0.saturating_add(other.vcpus.0)),
            memory: Mib(self.memory.0.saturating_add(other.memory.0)),
            disk: Gib(self.disk.0.saturating_add(other.disk.0)),
            network: Mbit(self.network.0.saturating_add(other.network.0)),
        }
    }

    /// The smaller of the two, resource by resource.
    #[must_use]
    pub fn smaller(self, other: Self) -> Self {
        Self {
            vcpus: self.vcpus.min(other.vcpus),
            memory: self.memory.min(other.memory),
            disk: self.disk.min(other.disk),
            network: self.network.min(other.network),
        }
    }

    /// The larger of the two, resource by resource.
    #[must_use]
    pub fn larger(self, other: Self) -> Self {
        Self {
            vcpus: self.vcpus.max(other.vcpus),
            memory: self.memory.max(other.memory),
            disk: self.disk.max(other.disk),
            network: self.network.max(other.network),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Resources::from(*self).parts().map(|(resource, amount)| Named(resource, amount).to_string());
        formatter.write_str(&named.collect::<Vec<String>>().join(", "))
    }
}
