//! Hypervisor kinds: two of them are never mixed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What runs the VMs of a node, as libvirt tells it by driver and domain type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HypervisorKind {
    /// QEMU with hardware acceleration.
    Kvm,
    /// QEMU by software emulation. Never the same as [`HypervisorKind::Kvm`].
    Qemu,
    /// Linux containers.
    Lxc,
    /// Xen.
    Xen,
    /// libvirt's own test driver.
    Test,
}

impl HypervisorKind {
    /// All kinds, in the order in which pages list them.
    pub const ALL: [Self; 5] = [Self::Kvm, Self::Qemu, Self::Lxc, Self::Xen, Self::Test];

    /// The kind's word: libvirt's domain type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Qemu => "qemu",
            Self::Lxc => "lxc",
            Self::Xen => "xen",
            Self::Test => "test",
        }
    }

    /// Whether its guests are containers, which share the node's kernel.
    pub const fn is_container(self) -> bool {
        matches!(self, Self::Lxc)
    }

    /// Whether a running VM can move to another node without stopping.
    pub const fn moves_live(self) -> bool {
        !matches!(self, Self::Lxc)
    }

    /// Whether a running VM can be given fewer vCPUs. Under software emulation QEMU 7.2 crashes after the guest has
    /// given one back, so there it takes a restart.
    pub const fn unplugs_vcpus(self) -> bool {
        !matches!(self, Self::Qemu)
    }
}

impl fmt::Display for HypervisorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A word that names no hypervisor kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown hypervisor kind")]
pub struct UnknownKind;

impl FromStr for HypervisorKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}
