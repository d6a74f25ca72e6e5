//! Resources: what a node has and a VM takes. Each is described here, and nowhere else; an amount of each stands in
//! [`crate::PerResource`], in the order of [`Resource::ALL`].
//!
//! A new one is a variant, its place in `ALL` and its description; then the compiler and the tests ask for its field in
//! [`crate::Size`], for what tells how much of it a node has (`map/build.rs`), and for its columns in the store.

use serde::{Deserialize, Serialize};

/// One of the resources that a node has and a VM takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    Vcpus,
    Memory,
    Disk,
    Network,
}

/// What an amount of a resource counts, and how a person gives and reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A count.
    Vcpus,
    /// MiB.
    Mib,
    /// MiB, given in GiB.
    Gib,
    /// Megabits (millions of them) a second.
    Mbit,
}

impl Unit {
    /// As it stands behind an amount; empty for a count.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vcpus => "",
            Self::Mib | Self::Gib => "MiB",
            Self::Mbit => "Mbit/s",
        }
    }
}

/// All that is to be known of a resource.
struct Description {
    /// Within a sentence.
    word: &'static str,
    /// At the head of a column.
    heading: &'static str,
    unit: Unit,
    /// Of an amount, on wires, in the store and in the history.
    field: &'static str,
    /// Of what a node's settings keep back of it, and of how many times over it is sold.
    reserve: &'static str,
    overcommit: &'static str,
    /// What a unit is worth, so that unlike amounts can be weighed: 1 vCPU is worth 4 GiB of memory, 20 GiB of disk, or
    /// 160 Mbit/s.
    worth: u64,
    /// Two words about what a VM has of it may differ by this much and still be the same.
    tolerance: u64,
    /// Whether a VM may have none of it.
    optional: bool,
}

impl Resource {
    /// All resources, in the order in which pages list them.
    pub const ALL: [Self; 4] = [Self::Vcpus, Self::Memory, Self::Disk, Self::Network];
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    const fn described(self) -> Description {
        match self {
            Self::Vcpus => Description {
                word: "vCPUs",
                heading: "vCPUs",
                unit: Unit::Vcpus,
                field: "vcpus",
                reserve: "reserve_vcpus",
                overcommit: "overcommit_vcpus",
                worth: 20_480,
                tolerance: 0,
                optional: false,
            },
            Self::Memory => Description {
                word: "memory",
                heading: "Memory",
                unit: Unit::Mib,
                field: "memory_mib",
                reserve: "reserve_memory_mib",
                overcommit: "overcommit_memory",
                worth: 5,
                tolerance: 16,
                optional: false,
            },
            Self::Disk => Description {
                word: "disk",
                heading: "Disk",
                unit: Unit::Gib,
                field: "disk_mib",
                reserve: "reserve_disk_mib",
                overcommit: "overcommit_disk",
                worth: 1,
                tolerance: 16,
                optional: false,
            },
            Self::Network => Description {
                word: "network",
                heading: "Network",
                unit: Unit::Mbit,
                field: "network_mbit",
                reserve: "reserve_network_mbit",
                overcommit: "overcommit_network",
                worth: 128,
                tolerance: 0,
                optional: true,
            },
        }
    }

    /// The word that a person reads within a sentence.
    pub const fn as_str(self) -> &'static str {
        self.described().word
    }

    /// The same at the head of a column.
    pub const fn heading(self) -> &'static str {
        self.described().heading
    }

    pub const fn unit(self) -> Unit {
        self.described().unit
    }

    /// What an amount of it is called on wires, in the store and in the history.
    pub const fn field(self) -> &'static str {
        self.described().field
    }

    /// The field of a node's settings that keeps some of it back.
    pub const fn reserve_field(self) -> &'static str {
        self.described().reserve
    }

    /// The field of a node's settings that says how many times over it is sold.
    pub const fn overcommit_field(self) -> &'static str {
        self.described().overcommit
    }

    /// What a unit of it is worth, in 20,480ths of a vCPU.
    pub const fn worth(self) -> u64 {
        self.described().worth
    }

    /// By how much two words about what a VM has of it may differ and still be the same.
    pub const fn tolerance(self) -> u64 {
        self.described().tolerance
    }

    /// Whether a VM may have none of it, and a node none that is known: then it isn't told of.
    pub const fn is_optional(self) -> bool {
        self.described().optional
    }

    /// Its place in [`Resource::ALL`].
    pub(crate) const fn place(self) -> usize {
        self as usize
    }
}

const _: () = {
    let mut place = 0;
    while place < Resource::COUNT {
        assert!(Resource::ALL[place].place() == place, "`ALL` has the order of the variants");
        place += 1;
    }
};
