//! Nodes: what is recorded of a machine with one hypervisor.

use crate::index::Vector;
use crate::wording::Grouped;
use crate::{HypervisorKind, NodeId, PerResource, Resource, Resources};
use serde::{Deserialize, Serialize};

/// A node as the store has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub id: NodeId,
    /// Unique, short, shown to admins only.
    pub name: String,
    pub kind: HypervisorKind,
    /// Where it stands, as customers choose it.
    pub region: String,
    /// libvirt's connection URI, or `simulated:///NAME`.
    pub uri: String,
    /// The address at which other nodes' hypervisors reach it for a live move; from the URI where it has one.
    pub settings: NodeSettings,
    pub administration: Administration,
    /// What fails together with it (a rack, a power feed), by a word that the admin chose; where nobody told, it is one
    /// by itself.
    #[serde(default)]
    pub failure_domain: Option<String>,
}

/// Whether `word` can name a failure domain: letters, digits, `-`, `_` and `.`, 1 to 63 characters.
pub fn is_failure_domain(word: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=63).contains(&word.len()) && word.bytes().all(inner)
}

/// What the admin set about a node's capacity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// Kept back from the physical capacity for the host itself.
    pub reserve: Resources,
    pub overcommit: Overcommit,
    /// What its network carries each way, in Mbit/s; 0 where nobody said: then it takes no VM that asks for some.
    #[serde(default)]
    pub network_mbit: u64,
}

/// How many times over each resource is sold, in thousandths: 1000 sells what is there, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overcommit(pub PerResource<u32>);

impl Overcommit {
    /// The largest ratio that makes sense: a hundred times over.
    pub const MOST_PERMILLE: u32 = 100_000;

    pub const fn permille(&self, resource: Resource) -> u32 {
        self.0.get(resource)
    }

    /// The same with another ratio for one resource.
    #[must_use]
    pub const fn with(self, resource: Resource, permille: u32) -> Self {
        Self(self.0.with(resource, permille))
    }
}

impl Default for Overcommit {
    fn default() -> Self {
        Self(PerResource::all(1000))
    }
}

impl NodeSettings {
    /// What can't be kept, by its field, and why.
    pub fn wrong(&self) -> Vec<(&'static str, String)> {
        let too_much = Resource::ALL.into_iter().filter(|each| self.reserve.get(*each) > Vector::MOST);
        let ratios = 1..=Overcommit::MOST_PERMILLE;
        let off = Resource::ALL.into_iter().filter(|each| !ratios.contains(&self.overcommit.permille(*each)));
        let network = (self.network_mbit > Vector::MOST).then_some("network_mbit");
        too_much
            .map(Resource::reserve_field)
            .chain(network)
            .map(|field| (field, format!("At most {}.", Grouped(Vector::MOST))))
            .chain(
                off.map(|each| {
                    (each.overcommit_field(), format!("From 0.001 to {}.", Overcommit::MOST_PERMILLE / 1000))
                }),
            )
            .collect()
    }

    /// Usable capacity: physical, less the reserve, times the overcommit ratio. Saturates at both ends.
    pub fn usable(&self, physical: Resources) -> Resources {
        let ratio = Resources::each(|resource| u64::from(self.overcommit.permille(resource)));
        physical.minus(self.reserve).zip(ratio, |amount, permille| {
            u64::try_from(u128::from(amount) * u128::from(permille) / 1000).unwrap_or(u64::MAX)
        })
    }
}

/// What the admin decided about new VMs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Administration {
    /// Takes VMs.
    Open,
    /// Takes no new VM; what is there stays.
    Cordoned,
    /// Takes no new VM and is being emptied.
    Draining,
    /// Cut off, by an admin's word: nothing there executes any more, nothing it says is believed, nothing is done there.
    Fenced,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_no_node_can_have_are_named_in_the_forms_own_unit() {
        let ratios = |vcpus, memory, disk| {
            let some = Overcommit::default().with(Resource::Vcpus, vcpus);
            some.with(Resource::Memory, memory).with(Resource::Disk, disk)
        };
        let overcommit = ratios(100_000, 1, 64);
        let reserve = Resources::ZERO.with(Resource::Memory, Vector::MOST);
        let most = NodeSettings { reserve, overcommit, network_mbit: Vector::MOST };
        assert_eq!(most.wrong(), []);
        let reserve = Resources::ZERO.with(Resource::Memory, 1 << 63);
        let overcommit = ratios(100_001, 0, 64);
        let wrong = NodeSettings { reserve, overcommit, network_mbit: 1 << 63 }.wrong();
        let ratio = || "From 0.001 to 100.".to_owned();
        let reserved = ("reserve_memory_mib", "At most 2,147,483,646.".to_owned());
        let network = ("network_mbit", reserved.1.clone());
        assert_eq!(wrong, [reserved, network, ("overcommit_vcpus", ratio()), ("overcommit_memory", ratio())]);
    }

    #[test]
    fn a_failure_domain_is_a_plain_word() {
        assert!(["rack-1", "R2", "feed_a.2"].into_iter().all(is_failure_domain));
        let long = "a".repeat(64);
        for wrong in ["", "a b", "<b>", "rack/1", "\u{202e}x", "ä", "a\0", &long] {
            assert!(!is_failure_domain(wrong), "{wrong:?}");
        }
    }
}
