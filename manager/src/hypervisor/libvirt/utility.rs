//! The utility VM of a node: a machine from a kernel and an initial file system, or a container from a root file
//! system; with the node's pool inside, and a foot in the management network and one in the customers'.
//!
//! It is started afresh each time, as its token is good once.

use super::create::{CUSTOMERS_BRIDGE, MANAGEMENT_BRIDGE, POOL_DIRECTORY, in_pool, interface, mount, serial_console};
use super::errors::Failure;
use super::kind::{CpuModel, Guest, Traits};
use super::lane::Lane;
use super::xml::Element;
use super::{START, lookup, upload};
use crate::hypervisor::{HypervisorError, UtilityConfiguration};
use grid::sample::{DomainState, UTILITY_DOMAIN};
use std::time::Duration;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::ErrorNumber;

/// Longest upload of one file.
const UPLOAD: Duration = Duration::from_mins(3);
/// virtiofs' name for the pool, which the utility module mounts.
const POOL_TAG: &str = "pool";
/// Where a utility container has it.
const POOL_INSIDE: &str = "/pool";

pub(super) fn state(connection: &Connect) -> Result<Option<DomainState>, Failure> {
    find(connection)?.map(|domain| Ok(lookup::state(&domain)?.0)).transpose()
}

fn find(connection: &Connect) -> Result<Option<Domain>, Failure> {
    match connection.lookup_domain_by_name(UTILITY_DOMAIN).map_err(Failure::from) {
        Ok(domain) => Ok(Some(domain)),
        Err(failure) if failure.is(ErrorNumber::NoDomain) => Ok(None),
        Err(failure) => Err(failure),
    }
}

pub(super) async fn start(
    jobs: &Lane,
    traits: Traits,
    configuration: &UtilityConfiguration,
) -> Result<(), HypervisorError> {
    let images = configuration.images.clone();
    let files = match traits.guest {
        Guest::Machine { .. } => vec![(images.kernel, "kernel", ""), (images.initrd, "initrd", "")],
        Guest::Container => vec![(images.root, "root", ".raw")],
    };
    // Reading and hashing a file takes its time too, so it is done on the jobs' thread.
    let mut names = Vec::new();
    for (file, part, extension) in files {
        let sent = jobs.call(UPLOAD, move |connection| {
            let name = upload::name_of(&file, &format!("{UTILITY_DOMAIN}-{part}"), extension)?;
            upload::ensure(connection, &file, &name)?;
            Ok(name)
        });
        names.push(sent.await?);
    }
    let configuration = configuration.clone();
    jobs.call(START, move |connection| {
        remove_old(connection)?;
        let xml = domain(&traits, &configuration, &names).write()?;
        let domain = connection.define_domain_xml(&xml)?;
        domain.create()?;
        if let Err(failure) = upload::remove_others(connection, UTILITY_DOMAIN, &names) {
            tracing::debug!(error = %failure.into_error(true), "old files of the utility VM stay in the pool");
        }
        Ok(())
    })
    .await
}

fn remove_old(connection: &Connect) -> Result<(), Failure> {
    let Some(old) = find(connection)? else { return Ok(()) };
    if old.is_active()? {
        old.destroy()?;
    }
    // One that was never persistent is gone with that.
    if find(connection)?.is_some() {
        old.undefine()?;
    }
    Ok(())
}

/// `names`: its files in the pool, kernel and initrd or root.
fn domain(traits: &Traits, configuration: &UtilityConfiguration, names: &[String]) -> Element {
    let name_at = |index: usize| names.get(index).map(String::as_str).unwrap_or_default();
    let mut domain = Element::new("domain")
        .with("type", traits.domain_type)
        .child(Element::new("name").text(UTILITY_DOMAIN))
        .child(Element::new("title").text("Hostgrid's utility module"))
        .child(Element::mib("memory", configuration.memory.0))
        .child(Element::new("vcpu").text("1"));
    let mut devices = Element::new("devices");
    match traits.guest {
        Guest::Machine { machine, .. } => {
            domain.push(memory_for_sharing());
            domain.push(boot_files(machine, &in_pool(name_at(0)), &in_pool(name_at(1)), configuration));
            domain.push(Element::new("features").child(Element::new("acpi")).child(Element::new("apic")));
            if let CpuModel::Named(model) = traits.cpu_model {
                let model = Element::new("model").with("fallback", "forbid").text(model);
                domain.push(Element::new("cpu").with("mode", "custom").with("match", "exact").child(model));
            }
            devices.push(
                Element::new("filesystem")
                    .with("type", "mount")
                    .with("accessmode", "passthrough")
                    .child(Element::new("driver").with("type", "virtiofs"))
                    .child(Element::new("source").with("dir", POOL_DIRECTORY))
                    .child(Element::new("target").with("dir", POOL_TAG)),
            );
            devices.push(Element::new("controller").with("type", "usb").with("model", "none"));
            devices.push(serial_console(&format!("/var/log/libvirt/{UTILITY_DOMAIN}.console.log")));
            devices.push(Element::new("memballoon").with("model", "none"));
        }
        Guest::Container => {
            domain.push(init(configuration));
            domain.push(Element::new("features").child(Element::new("privnet")));
            let root = name_at(0).trim_end_matches(".raw");
            devices.push(mount(&in_pool(&format!("roots/{root}")), "/"));
            devices.push(mount(POOL_DIRECTORY, POOL_INSIDE));
            devices.push(Element::new("console").with("type", "pty"));
        }
    }
    // In this order they are eth0 and eth1 inside.
    devices.push(interface(MANAGEMENT_BRIDGE, None, traits));
    devices.push(interface(CUSTOMERS_BRIDGE, None, traits));
    for (event, action) in [("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")] {
        domain.push(Element::new(event).text(action));
    }
    domain.child(devices)
}

/// virtiofs needs the guest's memory to be shared with its daemon.
fn memory_for_sharing() -> Element {
    Element::new("memoryBacking")
        .child(Element::new("source").with("type", "memfd"))
        .child(Element::new("access").with("mode", "shared"))
}

/// What the module is told, as pairs.
fn words(configuration: &UtilityConfiguration) -> [(&'static str, &str); 4] {
    [
        ("manager", &configuration.manager),
        ("token", &configuration.token),
        ("address", &configuration.address),
        ("customers", "eth1"),
    ]
}

fn boot_files(machine: &str, kernel: &str, initrd: &str, configuration: &UtilityConfiguration) -> Element {
    // Under emulation on a busy machine the guest's TSC is measured wrongly, and its clock runs away; a tick
    // comes too late for the kernel's check of its timer, and the guest never boots.
    let mut line = String::from("console=ttyS0 panic=1 tsc=unstable no_timer_check");
    for (name, value) in words(configuration) {
        // A blank would end the word and begin another.
        let value: String = value.chars().filter(|it| !it.is_whitespace() && *it != '"').collect();
        line.extend([" hostgrid.", name, "=", value.as_str()]);
    }
    Element::new("os")
        .child(Element::new("type").with("arch", "x86_64").with("machine", machine).text("hvm"))
        .child(Element::new("kernel").text(kernel))
        .child(Element::new("initrd").text(initrd))
        .child(Element::new("cmdline").text(line))
}

fn init(configuration: &UtilityConfiguration) -> Element {
    let mut os = Element::new("os").child(Element::new("type").text("exe")).child(Element::new("init").text("/init"));
    for (name, value) in words(configuration) {
        let name = format!("HOSTGRID_{}", name.to_ascii_uppercase());
        os.push(Element::new("initenv").with("name", name).text(value));
    }
    os
}
