//! VMs: what is recorded of a user's machine.
//!
//! ```text
//!   deploying ──> running <──> stopped
//!       │            │  ╲        │
//!       v            v   unknown │
//!     failed      deleting <─────┘
//! ```

use crate::{HypervisorKind, Mib, NodeId, Resource, Resources, Size, TenantId, UnixMillis, UserId, Vcpus, VmId};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A VM as the store has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    pub id: VmId,
    /// Its customer's name for it: a host name (see [`is_host_name`]).
    pub name: String,
    pub tenant: TenantId,
    pub owner: UserId,
    /// Its home. Changes after verification only.
    pub node: NodeId,
    pub kind: HypervisorKind,
    pub region: String,
    /// The image that it was deployed from.
    pub image: String,
    /// The size that was last verified at its hypervisor.
    pub size: Size,
    /// What it was started with; decides what can be hot-plugged and where it can go live.
    pub maxima: Maxima,
    pub state: VmState,
    /// `52:54:00:xx:xx:xx`; survives every move.
    pub mac: String,
    /// On the customers' network; survives every move.
    pub address: Ipv4Addr,
    /// Public keys that its owner gave, one a line, OpenSSH's format.
    pub keys: String,
    pub created_at: UnixMillis,
    /// Goes up at every change of size, home or state; guards against lost updates.
    pub generation: u64,
}

impl Vm {
    /// The size that a resize to this one gives it: what it was promised of the network stays as it is.
    pub const fn keeping(&self, to: Size) -> Size {
        Size { network: self.size.network, ..to }
    }

    /// What it takes from its home by itself: see [`commitment`]. Nothing while it is being deployed, when its
    /// operation's reservation stands for it, and nothing once that failed and was undone.
    pub fn commitment(&self) -> Resources {
        match self.state {
            VmState::Deploying | VmState::Failed => Resources::ZERO,
            VmState::Running | VmState::Stopped | VmState::Unknown | VmState::Deleting => {
                commitment(self.kind, self.size)
            }
        }
    }
}

/// The largest vCPUs and memory that a running VM can be given without a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maxima {
    pub vcpus: Vcpus,
    pub memory: Mib,
}

impl Maxima {
    /// Whether `size` can be reached without a restart.
    pub fn admit(&self, size: &Size) -> bool {
        size.vcpus <= self.vcpus && size.memory <= self.memory
    }

    /// The least memory that a running machine with these maxima can be brought down to: the part that its guest
    /// starts with, 256 MiB or an eighth of the maximum. The rest is plugged and can be taken back. Less than this
    /// is a restart. (A container has no such floor.)
    pub fn floor_memory(&self) -> Mib {
        Mib((self.memory.0 / 8).max(256) & !1)
    }
}

/// See the module's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VmState {
    Deploying,
    Running,
    Stopped,
    /// Not seen at its home; stays so until it is seen.
    Unknown,
    /// Its deployment failed and was undone; only deleting it is left.
    Failed,
    Deleting,
}

impl VmState {
    pub const ALL: [Self; 6] =
        [Self::Deploying, Self::Running, Self::Stopped, Self::Unknown, Self::Failed, Self::Deleting];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
        }
    }
}

/// What a VM of this size takes from a node of this kind: its size and the hypervisor's overhead for it.
///
/// Overhead: a QEMU process needs memory beyond its guest's (page tables, device models, the display's and the
/// migration's buffers); 64 MiB and one part in 64 of the guest's memory. A container needs its runtime, 8 MiB.
/// Both need 2 MiB of disk for the configuration seed.
pub fn commitment(kind: HypervisorKind, size: Size) -> Resources {
    let overhead_mib = if kind.is_container() { 8 } else { 64 + size.memory.0 / 64 };
    Resources::from(size).plus(Resources::new(0, overhead_mib, 2))
}

/// The largest size whose [`commitment`] these resources cover, within [`Size::SMALLEST`] and [`Size::LARGEST`], with
/// memory in steps of [`Size::MEMORY_STEP`]. None where not even the smallest fits.
pub fn largest_size(kind: HypervisorKind, resources: Resources) -> Option<Size> {
    if !resources.covers(&commitment(kind, Size::SMALLEST)) {
        return None;
    }
    let takes = |memory: Mib| commitment(kind, Size { memory, ..Size::SMALLEST }).memory_mib();
    // Memory grows with its steps, so the last step that fits is found by halving.
    let step = Size::MEMORY_STEP.0;
    let (mut fits, mut over) = (Size::SMALLEST.memory.0 / step, Size::LARGEST.memory.0 / step + 1);
    while over - fits > 1 {
        let middle = fits.midpoint(over);
        if takes(Mib(middle * step)) <= resources.memory_mib() { fits = middle } else { over = middle }
    }
    let seed_mib = commitment(kind, Size::SMALLEST).disk_mib() - Size::SMALLEST.disk.to_mib().0;
    let without_seed = resources.with(Resource::Disk, resources.disk_mib().saturating_sub(seed_mib));
    Some(Size { memory: Mib(fits * step), ..Size::within(without_seed).smaller(Size::LARGEST) })
}

/// Whether `name` is a host name by RFC 1123: letters, digits and inner hyphens, 1 to 63 characters, lower case.
pub fn is_host_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}
