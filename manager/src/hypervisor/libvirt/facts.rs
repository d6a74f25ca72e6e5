//! What a domain's XML says: sizes, maxima, addresses, disks. Live XML says what is, inactive XML what will be.

use super::kind::{Cpu, Memory, Traits};
use super::resize::{KILOBYTES_A_MBIT, PERIOD_US, is_virtio_mem};
use super::xml::{Element, mib_of};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) vcpus: u32,
    pub(super) vcpus_maximum: u32,
    pub(super) memory_mib: u64,
    pub(super) memory_maximum_mib: u64,
    /// Of the first interface; empty where there is none.
    pub(super) mac: String,
    /// To what the first interface is limited, the narrower way; 0 where it isn't.
    pub(super) network_mbit: u64,
    /// Names of the interfaces on the node, of a running domain.
    pub(super) interfaces: Vec<String>,
    /// Directories that a container's root is mounted at; the first is `/`.
    pub(super) root: Option<String>,
    /// The memory limit of the domain's process, where there is one.
    pub(super) limit_mib: Option<u64>,
}

impl Facts {
    /// `live`: whether this is the XML of a running domain.
    pub(super) fn read(domain: &Element, traits: &Traits, live: bool) -> Self {
        let limit_mib = domain.find(&["memtune", "hard_limit"]).and_then(mib_of);
        let (vcpus, vcpus_maximum) = vcpus(domain, traits);
        let (memory_mib, memory_maximum_mib) = memory(domain, traits, live, limit_mib);
        let devices = domain.find(&["devices"]);
        let interfaces: Vec<&Element> = devices.iter().flat_map(|it| it.named("interface")).collect();
        let named = |element: &&Element, path: &str, attribute: &str| {
            element.find(&[path]).and_then(|it| it.get(attribute)).map(str::to_owned)
        };
        let root = devices
            .iter()
            .flat_map(|it| it.named("filesystem"))
            .find(|file_system| file_system.find(&["target"]).and_then(|it| it.get("dir")) == Some("/"));
        Self {
            vcpus,
            vcpus_maximum,
            memory_mib,
            memory_maximum_mib,
            network_mbit: interfaces.first().and_then(|it| bandwidth(it)).unwrap_or(0),
            mac: interfaces.first().and_then(|it| named(it, "mac", "address")).unwrap_or_default(),
            interfaces: interfaces.iter().filter_map(|it| named(it, "target", "dev")).collect(),
            root: root.as_ref().and_then(|it| named(it, "source", "dir")),
            limit_mib,
        }
    }
}

/// In Mbit/s, rounded down; none where a way isn't limited.
fn bandwidth(interface: &Element) -> Option<u64> {
    let average = |way: &str| -> Option<u64> { interface.find(&["bandwidth", way])?.get("average")?.parse().ok() };
    Some(average("inbound")?.min(average("outbound")?) / KILOBYTES_A_MBIT)
}

fn vcpus(domain: &Element, traits: &Traits) -> (u32, u32) {
    let vcpu = domain.find(&["vcpu"]);
    let maximum: u32 = vcpu.and_then(|it| it.text_of().parse().ok()).unwrap_or(1);
    let current = match traits.cpu {
        Cpu::HotPlug => vcpu.and_then(|it| it.get("current")).and_then(|it| it.parse().ok()),
        Cpu::Quota => quota_vcpus(domain),
    };
    (current.unwrap_or(maximum), maximum)
}

/// A quota in whole CPUs, rounded up; `None` where CPU time is not limited.
fn quota_vcpus(domain: &Element) -> Option<u32> {
    let number = |name: &str| domain.find(&["cputune", name]).and_then(|it| it.text_of().parse::<u64>().ok());
    let quota = number("quota").filter(|quota| *quota > 0)?;
    let period = number("period").filter(|period| *period > 0).unwrap_or(PERIOD_US);
    u32::try_from(quota.div_ceil(period)).ok()
}

fn memory(domain: &Element, traits: &Traits, live: bool, limit_mib: Option<u64>) -> (u64, u64) {
    let amount = |name: &str| domain.find(&[name]).and_then(mib_of);
    let total = amount("memory").unwrap_or(0);
    let current = match traits.memory {
        Memory::VirtioMem => {
            let devices: Vec<&Element> = domain
                .find(&["devices"])
                .into_iter()
                .flat_map(Element::children)
                .filter(|it| is_virtio_mem(it))
                .collect();
            let sum = |name: &str| {
                let parts = devices.iter().filter_map(|it| it.find(&["target", name]).and_then(mib_of));
                parts.fold(0, u64::saturating_add)
            };
            let there = if live { sum("current") } else { sum("requested") };
            // A domain of another's making may have a balloon instead.
            let without = if devices.is_empty() { amount("currentMemory").unwrap_or(total) } else { total };
            without.saturating_sub(sum("size")).saturating_add(there)
        }
        Memory::Balloon => amount("currentMemory").unwrap_or(total),
        Memory::Limit => limit_mib.or_else(|| amount("currentMemory")).unwrap_or(total).min(total),
    };
    (current, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::HypervisorKind;

    #[test]
    fn live_memory_is_what_is_plugged_and_not_what_was_asked_for() {
        let text = "<domain><memory unit='KiB'>2097152</memory><devices><memory model='virtio-mem'><target>\
            <size unit='KiB'>1835008</size><requested unit='KiB'>262144</requested><current unit='KiB'>131072</current>\
            </target></memory></devices></domain>";
        let xml = Element::parse(text).unwrap();
        let traits = Traits::of(HypervisorKind::Qemu).unwrap();
        assert_eq!(Facts::read(&xml, &traits, true).memory_mib, 256 + 128);
        assert_eq!(Facts::read(&xml, &traits, false).memory_mib, 256 + 256);
        assert_eq!(Facts::read(&xml, &traits, true).memory_maximum_mib, 2048);
    }

    #[test]
    fn nonsense_is_read_as_little_and_never_panics() {
        let text = "<domain><memory unit='KiB'>-5</memory><vcpu current='x'>99999999999</vcpu>\
            <cputune><quota>-1</quota></cputune></domain>";
        let xml = Element::parse(text).unwrap();
        for kind in [HypervisorKind::Qemu, HypervisorKind::Lxc, HypervisorKind::Xen] {
            let facts = Facts::read(&xml, &Traits::of(kind).unwrap(), true);
            assert_eq!((facts.vcpus, facts.memory_mib), (1, 0));
        }
    }
}
