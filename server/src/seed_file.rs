//! The seed file: what a grid is to be seeded with, as TOML.

use grid::offer::Quota;
use grid::{Gib, Mbit, Mib, Resource, Resources, Size, Vcpus};
use manager::accounts::Role;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeedFile {
    #[serde(rename = "offer")]
    pub(crate) offers: Vec<OfferEntry>,
    #[serde(rename = "tenant")]
    pub(crate) tenants: Vec<TenantEntry>,
    #[serde(rename = "user")]
    pub(crate) users: Vec<UserEntry>,
    #[serde(rename = "vm")]
    pub(crate) vms: Vec<VmEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfferEntry {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) size: SizeEntry,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SizeEntry {
    pub(crate) vcpus: u32,
    pub(crate) memory_mib: u64,
    pub(crate) disk_gib: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network_mbit: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantEntry {
    pub(crate) name: String,
    pub(crate) quota: QuotaEntry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaEntry {
    pub(crate) vcpus: u64,
    pub(crate) memory_mib: u64,
    pub(crate) disk_gib: u64,
    /// Not limited where nothing is said.
    pub(crate) network_mbit: Option<u64>,
    pub(crate) vms: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserEntry {
    pub(crate) email: String,
    pub(crate) tenant: String,
    pub(crate) role: Role,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VmEntry {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) image: String,
    pub(crate) offer: String,
}

impl From<SizeEntry> for Size {
    fn from(entry: SizeEntry) -> Self {
        let (vcpus, memory, disk) = (Vcpus(entry.vcpus), Mib(entry.memory_mib), Gib(entry.disk_gib));
        Self { vcpus, memory, disk, network: Mbit(entry.network_mbit.unwrap_or_default()) }
    }
}

impl From<Size> for SizeEntry {
    fn from(size: Size) -> Self {
        let network = size.network.0;
        Self {
            vcpus: size.vcpus.0,
            memory_mib: size.memory.0,
            disk_gib: size.disk.0,
            network_mbit: (network > 0).then_some(network),
        }
    }
}

impl From<&QuotaEntry> for Quota {
    fn from(entry: &QuotaEntry) -> Self {
        let needed = Resources::new(entry.vcpus, entry.memory_mib, Gib(entry.disk_gib).to_mib().0);
        let network = entry.network_mbit.unwrap_or(Self::NO_LIMIT);
        Self { limit: needed.with(Resource::Network, network), vms: entry.vms }
    }
}
