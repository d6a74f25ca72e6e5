//! A VM's domain XML, made whole: machines and containers.
//!
//! Disks are raw with the format written down, never probed. Autostart is left off: the manager decides where a VM
//! runs, so after a node's restart it is the manager that starts it again, once it has seen that it runs nowhere.

use super::kind::{CpuModel, Guest, Traits};
use super::resize::apply_size;
use super::xml::Element;
use crate::hypervisor::Definition;
use grid::VmId;

/// The pool's directory on every node.
pub(super) const POOL_DIRECTORY: &str = "/var/lib/hostgrid/pool";
/// The pool's name on every node.
pub(super) const POOL: &str = "hostgrid";
/// The bridge of the customers' network on every node.
pub(super) const CUSTOMERS_BRIDGE: &str = "vmbr0";
/// The bridge of the management network on every node; only utility modules are on it.
pub(super) const MANAGEMENT_BRIDGE: &str = "hgmgmt";
/// The first program of every root image.
const CONTAINER_INIT: &str = "/init";
/// Users and groups of a container, from 0 on, are these of the node.
const ID_MAP_TARGET: u32 = 100_000;
const ID_MAP_COUNT: u32 = 65_536;
/// Room for translated code in the emulator, in MiB; its own default would be a GiB.
const TRANSLATION_MIB: u64 = 128;

pub(super) fn domain_name(vm: VmId) -> String {
    format!("vm-{vm}")
}

/// A file or directory of the pool, as the node sees it.
pub(super) fn in_pool(name: &str) -> String {
    format!("{POOL_DIRECTORY}/{name}")
}

/// The whole configuration of a VM.
pub(super) fn domain(traits: &Traits, definition: &Definition) -> Element {
    let title: String = definition.title.chars().filter(|it| !it.is_control()).collect();
    let mut domain = Element::new("domain")
        .with("type", traits.domain_type)
        .child(Element::new("name").text(domain_name(definition.vm)))
        .child(Element::new("uuid").text(definition.vm.to_string()));
    if !title.is_empty() {
        domain.push(Element::new("title").text(title));
    }
    match traits.guest {
        Guest::Machine { machine, .. } => describe_machine(&mut domain, traits, machine),
        Guest::Container => describe_container(&mut domain),
    }
    for (event, action) in [("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")] {
        domain.push(Element::new(event).text(action));
    }
    domain.push(devices(traits, definition));
    apply_size(&mut domain, traits, definition.size, definition.maxima);
    domain
}

fn describe_machine(domain: &mut Element, traits: &Traits, machine: &str) {
    domain.push(
        Element::new("os")
            .child(Element::new("type").with("arch", "x86_64").with("machine", machine).text("hvm"))
            .child(Element::new("boot").with("dev", "hd")),
    );
    let mut features = Element::new("features").child(Element::new("acpi")).child(Element::new("apic"));
    match traits.cpu_model {
        CpuModel::HostModel => domain.push(Element::new("cpu").with("mode", "host-model").with("check", "partial")),
        CpuModel::Named(model) => {
            features.push(Element::new("tcg").child(Element::mib("tb-cache", TRANSLATION_MIB)));
            domain.push(
                Element::new("cpu")
                    .with("mode", "custom")
                    .with("match", "exact")
                    .child(Element::new("model").with("fallback", "forbid").text(model)),
            );
        }
        CpuModel::None => {}
    }
    domain.push(features);
    domain.push(Element::new("clock").with("offset", "utc"));
}

fn describe_container(domain: &mut Element) {
    domain.push(
        Element::new("os").child(Element::new("type").text("exe")).child(Element::new("init").text(CONTAINER_INIT)),
    );
    domain.push(Element::new("features").child(Element::new("privnet")));
    let map = |name: &str| {
        Element::new(name)
            .with("start", "0")
            .with("target", ID_MAP_TARGET.to_string())
            .with("count", ID_MAP_COUNT.to_string())
    };
    domain.push(Element::new("idmap").child(map("uid")).child(map("gid")));
}

fn devices(traits: &Traits, definition: &Definition) -> Element {
    let vm = definition.vm;
    let mut devices = Element::new("devices");
    match traits.guest {
        Guest::Machine { disk_bus, disk, seed, .. } => {
            devices.push(raw_disk(&in_pool(&format!("{vm}.raw")), disk, disk_bus));
            devices.push(raw_disk(&in_pool(&format!("{vm}.seed")), seed, disk_bus).child(Element::new("readonly")));
            devices.push(Element::new("controller").with("type", "usb").with("model", "none"));
            devices.push(interface(CUSTOMERS_BRIDGE, Some(&definition.mac), traits).child(anti_spoofing(definition)));
            devices.push(serial_console(&in_pool(&format!("{vm}.console"))));
            devices.push(Element::new("memballoon").with("model", "none"));
            devices.push(
                Element::new("rng")
                    .with("model", "virtio")
                    .child(Element::new("backend").with("model", "random").text("/dev/urandom")),
            );
        }
        Guest::Container => {
            devices.push(mount(&in_pool(&format!("roots/{vm}")), "/"));
            devices.push(
                mount(&in_pool(&format!("seeds/{vm}")), "/var/lib/cloud/seed/nocloud").child(Element::new("readonly")),
            );
            let interface = interface(CUSTOMERS_BRIDGE, Some(&definition.mac), traits)
                .child(Element::new("target").with("dev", interface_name(vm)))
                .child(Element::new("guest").with("dev", "eth0"))
                .child(anti_spoofing(definition));
            devices.push(interface);
            devices.push(Element::new("console").with("type", "pty"));
        }
    }
    devices
}

fn raw_disk(file: &str, target: &str, bus: &str) -> Element {
    Element::new("disk")
        .with("type", "file")
        .with("device", "disk")
        .child(
            Element::new("driver")
                .with("name", "qemu")
                .with("type", "raw")
                .with("cache", "none")
                .with("discard", "unmap"),
        )
        .child(Element::new("source").with("file", file))
        .child(Element::new("target").with("dev", target).with("bus", bus))
}

pub(super) fn mount(source: &str, target: &str) -> Element {
    Element::new("filesystem")
        .with("type", "mount")
        .with("accessmode", "passthrough")
        .child(Element::new("source").with("dir", source))
        .child(Element::new("target").with("dir", target))
}

pub(super) fn interface(bridge: &str, mac: Option<&str>, traits: &Traits) -> Element {
    let mut interface = Element::new("interface").with("type", "bridge");
    if let Some(mac) = mac {
        interface.push(Element::new("mac").with("address", mac));
    }
    interface.push(Element::new("source").with("bridge", bridge));
    if let Guest::Machine { network: Some(model), .. } = traits.guest {
        interface.push(Element::new("model").with("type", model));
    }
    interface
}

/// A container's interface as the node sees it: the filter needs it named beforehand, in 15 characters.
fn interface_name(vm: VmId) -> String {
    format!("hg{}", &vm.0.simple().to_string()[..12])
}

/// libvirt's own filter: frames leave with this MAC and this address only.
fn anti_spoofing(definition: &Definition) -> Element {
    Element::new("filterref")
        .with("filter", "clean-traffic")
        .child(Element::new("parameter").with("name", "IP").with("value", definition.address.to_string()))
}

/// A serial console that can be opened, and what it said in a file (bounded where virtlogd writes it, as by default). A
/// customer's VM has it in the pool, from which it goes with the VM.
pub(super) fn serial_console(log: &str) -> Element {
    Element::new("serial")
        .with("type", "pty")
        .child(Element::new("log").with("file", log).with("append", "on"))
        .child(Element::new("target").with("type", "isa-serial").with("port", "0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hypervisor::libvirt::facts::Facts;
    use grid::vm::Maxima;
    use grid::{Gib, HypervisorKind, Mbit, Mib, Size, Vcpus};
    use std::net::Ipv4Addr;

    fn definition(title: &str) -> Definition {
        Definition {
            vm: VmId(uuid::Uuid::from_u128(7)),
            title: title.into(),
            size: Size { network: Mbit(200), ..Size::new(Vcpus(2), Mib(512), Gib(1)) },
            maxima: Maxima { vcpus: Vcpus(4), memory: Mib(2048) },
            mac: "52:54:00:01:02:03".into(),
            address: Ipv4Addr::new(10, 77, 1, 5),
        }
    }

    #[test]
    fn every_kind_says_the_size_that_it_was_made_with() {
        for kind in [HypervisorKind::Kvm, HypervisorKind::Qemu, HypervisorKind::Lxc, HypervisorKind::Xen] {
            let traits = Traits::of(kind).unwrap();
            let written = domain(&traits, &definition("web")).write().unwrap();
            let facts = Facts::read(&Element::parse(&written).unwrap(), &traits, false);
            let seen = (facts.vcpus, facts.vcpus_maximum, facts.memory_mib, facts.memory_maximum_mib);
            assert_eq!(seen, (2, 4, 512, 2048), "{kind}");
            assert_eq!(facts.mac, "52:54:00:01:02:03");
        }
    }

    #[test]
    fn what_was_promised_of_the_network_limits_the_interface_both_ways() {
        for kind in [HypervisorKind::Kvm, HypervisorKind::Qemu, HypervisorKind::Lxc, HypervisorKind::Xen] {
            let traits = Traits::of(kind).unwrap();
            let made = domain(&traits, &definition("web"));
            let interface = made.find(&["devices", "interface"]).unwrap();
            let average = |way: &str| interface.find(&["bandwidth", way]).and_then(|it| it.get("average"));
            // 200 Mbit/s are 25,000 kilobytes a second.
            assert_eq!((average("inbound"), average("outbound")), (Some("25000"), Some("25000")), "{kind}");
            let read = Element::parse(&made.write().unwrap()).unwrap();
            assert_eq!(Facts::read(&read, &traits, true).network_mbit, 200, "{kind}");

            let mut plain = definition("web");
            plain.size.network = Mbit(0);
            let made = domain(&traits, &plain);
            assert!(made.find(&["devices", "interface", "bandwidth"]).is_none(), "{kind}");
            assert_eq!(Facts::read(&made, &traits, true).network_mbit, 0, "{kind}");
        }
    }

    #[test]
    fn a_hostile_title_stays_a_title() {
        let title = "</title><on_crash>restart</on_crash>\u{0}\n]]>&\u{202e}";
        let traits = Traits::of(HypervisorKind::Qemu).unwrap();
        let written = domain(&traits, &definition(title)).write().unwrap();
        let read = Element::parse(&written).unwrap();
        assert_eq!(read.named("on_crash").count(), 1);
        let kept = read.find(&["title"]).map(Element::text_of);
        assert_eq!(kept.as_deref(), Some("</title><on_crash>restart</on_crash>]]>&\u{202e}"));
    }

    #[test]
    fn disks_say_their_format_and_the_seed_cannot_be_written() {
        let traits = Traits::of(HypervisorKind::Kvm).unwrap();
        let made = domain(&traits, &definition("web"));
        let disks: Vec<_> = made.find(&["devices"]).unwrap().named("disk").collect();
        assert_eq!(disks.len(), 2);
        assert!(disks.iter().all(|disk| disk.find(&["driver"]).and_then(|it| it.get("type")) == Some("raw")));
        assert!(disks[1].find(&["readonly"]).is_some());
    }
}
