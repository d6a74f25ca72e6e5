//! A size in a domain's XML: written into a new configuration or an existing one, whose other parts are kept.

use super::kind::{Cpu, Guest, Memory, Traits, base_memory};
use super::xml::Element;
use grid::vm::Maxima;
use grid::{Mbit, Mib, Size, Vcpus};

/// virtio-mem gives and takes in blocks of this many MiB.
pub(super) const BLOCK_MIB: u64 = 2;
/// One vCPU is this much CPU time (microseconds) of every [`PERIOD_US`].
pub(super) const PERIOD_US: u64 = 100_000;

/// libvirt limits an interface in kilobytes a second: so many are a Mbit/s.
pub(super) const KILOBYTES_A_MBIT: u64 = 125;

/// Writes vCPUs and memory with their maxima, and the bandwidth of the network. The disk is a file and not in the XML.
pub(super) fn apply_size(domain: &mut Element, traits: &Traits, size: Size, maxima: Maxima) {
    apply_vcpus(domain, traits, size.vcpus, maxima.vcpus);
    apply_bandwidth(domain, size.network);
    match traits.memory {
        Memory::VirtioMem => apply_virtio_mem(domain, size, maxima),
        Memory::Limit | Memory::Balloon => {
            domain.replace(Element::mib("memory", maxima.memory.0));
            domain.replace(Element::mib("currentMemory", size.memory.0));
            if traits.memory == Memory::Limit {
                domain.entry("memtune").replace(Element::mib("hard_limit", size.memory.0));
            }
        }
    }
}

fn apply_vcpus(domain: &mut Element, traits: &Traits, vcpus: Vcpus, maximum: Vcpus) {
    let vcpu = domain.entry("vcpu");
    vcpu.set_text(maximum.0.to_string());
    vcpu.remove_attribute("current");
    match traits.cpu {
        Cpu::HotPlug => vcpu.set("current", vcpus.0.to_string()),
        Cpu::Quota => {
            let tune = domain.entry("cputune");
            tune.replace(Element::new("period").text(PERIOD_US.to_string()));
            tune.replace(Element::new("quota").text((u64::from(vcpus.0) * PERIOD_US).to_string()));
        }
    }
    // A list of single vCPUs would contradict the count; libvirt makes a new one.
    domain.remove(|child| child.name == "vcpus");
    if let Guest::Machine { .. } = traits.guest {
        if let Some(cell) = domain.find_mut(&["cpu", "numa", "cell"]) {
            cell.set("cpus", cpu_range(maximum));
        }
        if let Some(cpu) = domain.find_mut(&["cpu"]) {
            cpu.remove(|child| child.name == "topology");
        }
    }
}

/// Both ways, on the interface on the customers' network; none where nothing is promised.
fn apply_bandwidth(domain: &mut Element, network: Mbit) {
    let Some(interface) = domain.find_mut(&["devices", "interface"]) else { return };
    if network == Mbit(0) {
        interface.remove(|child| child.name == "bandwidth");
        return;
    }
    let average = network.0.saturating_mul(KILOBYTES_A_MBIT).to_string();
    let bandwidth = interface.entry("bandwidth");
    for way in ["inbound", "outbound"] {
        bandwidth.replace(Element::new(way).with("average", average.clone()));
    }
}

fn cpu_range(vcpus: Vcpus) -> String {
    match vcpus.0 {
        0 | 1 => "0".into(),
        many => format!("0-{}", many - 1),
    }
}

/// A base that stays, and a device that reaches the maximum; both in one NUMA cell, which virtio-mem needs.
fn apply_virtio_mem(domain: &mut Element, size: Size, maxima: Maxima) {
    let base = base_memory(size, maxima.memory);
    let pluggable = blocks(maxima.memory.0.saturating_sub(base.0));
    let total = base.0 + pluggable;
    let cell = Element::new("cell")
        .with("id", "0")
        .with("cpus", cpu_range(maxima.vcpus))
        .with("memory", base.0.to_string())
        .with("unit", "MiB");
    domain.entry("cpu").replace(Element::new("numa").child(cell));
    domain.replace(Element::mib("maxMemory", total).with("slots", "1"));
    domain.replace(Element::mib("memory", total));
    domain.replace(Element::mib("currentMemory", total));
    let devices = domain.entry("devices");
    let old = devices.children().find(|it| is_virtio_mem(it)).cloned();
    devices.remove(is_virtio_mem);
    if pluggable == 0 {
        domain.remove(|child| child.name == "maxMemory");
        return;
    }
    let mut device = old.unwrap_or_else(|| Element::new("memory").with("model", "virtio-mem"));
    let target = device.entry("target");
    target.replace(Element::mib("size", pluggable));
    target.replace(Element::new("node").text("0"));
    target.replace(Element::mib("block", BLOCK_MIB));
    target.replace(Element::mib("requested", requested(size.memory, base)));
    target.remove(|child| child.name == "current");
    devices.push(device);
}

pub(super) fn is_virtio_mem(element: &Element) -> bool {
    element.name == "memory" && element.get("model") == Some("virtio-mem")
}

/// What the device must plug for the whole to be `memory`.
pub(super) fn requested(memory: Mib, base: Mib) -> u64 {
    blocks(memory.0.saturating_sub(base.0))
}

fn blocks(mib: u64) -> u64 {
    mib.next_multiple_of(BLOCK_MIB)
}

#[cfg(test)]
mod tests {
    use super::super::facts::Facts;
    use super::*;
    use grid::{Gib, HypervisorKind};
    use proptest::prelude::*;

    const KNOWN: &str = "<domain type='qemu'><name>x</name><cpu mode='custom'><model>qemu64</model>\
        <numa><cell id='0' cpus='0-1' memory='262144' unit='KiB'/></numa></cpu><vcpu placement='static'>2</vcpu>\
        <devices><odd:thing xmlns:odd='o'/><memory model='virtio-mem'><target><size>1</size></target>\
        <address type='pci' bus='0x05'/></memory></devices></domain>";

    #[test]
    fn a_new_size_keeps_what_is_not_known() {
        let traits = Traits::of(HypervisorKind::Qemu).unwrap();
        let mut domain = Element::parse(KNOWN).unwrap();
        let size = Size::new(Vcpus(3), Mib(1024), Gib(1));
        apply_size(&mut domain, &traits, size, Maxima { vcpus: Vcpus(6), memory: Mib(4096) });
        let devices = domain.find(&["devices"]).unwrap();
        assert!(devices.find(&["odd:thing"]).is_some());
        let memory: Vec<_> = devices.named("memory").collect();
        assert_eq!(memory.len(), 1);
        assert_eq!(memory[0].find(&["address"]).and_then(|it| it.get("bus")), Some("0x05"));
        assert_eq!(domain.find(&["vcpu"]).and_then(|it| it.get("placement")), Some("static"));
        assert_eq!(domain.find(&["cpu", "model"]).map(Element::text_of).as_deref(), Some("qemu64"));
        assert_eq!(domain.find(&["cpu", "numa", "cell"]).and_then(|it| it.get("cpus")), Some("0-5"));
    }

    #[test]
    fn a_limit_of_the_network_is_written_over_what_was_there_and_goes_where_none_is_promised() {
        let traits = Traits::of(HypervisorKind::Lxc).unwrap();
        let text = "<domain><devices><interface type='bridge'><mac address='52:54:00:00:00:01'/><bandwidth>\
            <inbound average='1' peak='2'/><odd/></bandwidth><odd/></interface></devices></domain>";
        let mut domain = Element::parse(text).unwrap();
        let maxima = Maxima { vcpus: Vcpus(1), memory: Mib(64) };
        let size = Size { network: Mbit(8), ..Size::new(Vcpus(1), Mib(64), Gib(1)) };
        apply_size(&mut domain, &traits, size, maxima);
        let inbound = domain.find(&["devices", "interface", "bandwidth", "inbound"]).unwrap();
        assert_eq!((inbound.get("average"), inbound.get("peak")), (Some("1000"), None));
        assert!(domain.find(&["devices", "interface", "bandwidth", "odd"]).is_some());
        assert_eq!(Facts::read(&domain, &traits, false).network_mbit, 8);
        apply_size(&mut domain, &traits, Size { network: Mbit(0), ..size }, maxima);
        let interface = domain.find(&["devices", "interface"]).unwrap();
        assert!(interface.find(&["bandwidth"]).is_none() && interface.find(&["odd"]).is_some());
        for hostile in ["<inbound average='-8'/><outbound average='8'/>", "<outbound average='999'/>", "x"] {
            let text =
                format!("<domain><devices><interface><bandwidth>{hostile}</bandwidth></interface></devices></domain>");
            assert_eq!(Facts::read(&Element::parse(&text).unwrap(), &traits, true).network_mbit, 0, "{hostile}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(vcpus in 1_u32..64, more in 0_u32..64, memory in 64_u64..100_000, up in 0_u64..100_000) {
            let (memory, up) = (memory * 2, up * 2);
            let size = Size::new(Vcpus(vcpus), Mib(memory), Gib(1));
            let maxima = Maxima { vcpus: Vcpus(vcpus + more), memory: Mib(memory + up) };
            for kind in [HypervisorKind::Qemu, HypervisorKind::Lxc] {
                let traits = Traits::of(kind).unwrap();
                let mut domain = Element::parse(KNOWN).unwrap();
                apply_size(&mut domain, &traits, size, maxima);
                let read = Element::parse(&domain.write().unwrap()).unwrap();
                let facts = Facts::read(&read, &traits, false);
                prop_assert_eq!((facts.vcpus, facts.vcpus_maximum), (vcpus, vcpus + more));
                prop_assert_eq!((facts.memory_mib, facts.memory_maximum_mib), (memory, memory + up));
            }
        }
    }
}
