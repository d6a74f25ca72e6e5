//! What differs from kind to kind, in one place: everything else in this folder asks here.
//!
//! A new kind is a new row. Xen's is here already; no Xen node has been seen yet, so nothing opens one.

use crate::hypervisor::HypervisorError;
use grid::{HypervisorKind, Mib, Size};

/// How memory is given to and taken from a running guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// A virtio-mem device beside a fixed base.
    VirtioMem,
    /// The control group's limit.
    Limit,
    /// The balloon that the kind's guests know.
    Balloon,
}

/// How vCPUs are given to and taken from a running guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cpu {
    HotPlug,
    /// CPU time: a vCPU is one whole CPU's worth of it.
    Quota,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    /// Boots its disk by itself on this machine.
    Machine {
        machine: &'static str,
        disk_bus: &'static str,
        disk: &'static str,
        seed: &'static str,
        network: Option<&'static str>,
    },
    /// Runs its init on the node's kernel, in a root that the node's hook has mounted.
    Container,
}

/// How the CPU of a machine looks to its guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CpuModel {
    /// The host's, as libvirt names it, so that equal hosts can exchange guests.
    HostModel,
    /// A named one that the emulator has whole, whatever the host is.
    Named(&'static str),
    None,
}

/// One kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traits {
    /// libvirt's domain type.
    pub(super) domain_type: &'static str,
    /// The drivers (schemes of a URI) that speak for this kind.
    pub(super) drivers: &'static [&'static str],
    pub(super) guest: Guest,
    pub(super) cpu_model: CpuModel,
    pub(super) memory: Memory,
    pub(super) cpu: Cpu,
    /// Whether a running guest's vCPUs can be taken away.
    pub(super) unplugs_vcpus: bool,
    /// Whether all domains' statistics come by one call.
    pub(super) bulk: bool,
    /// Whether a running guest's disk can grow.
    pub(super) grows_disk_live: bool,
    /// How a shutdown is asked for (`virDomainShutdownFlagValues`), in turn.
    pub(super) shutdown: &'static [u32],
    /// MiB of the emulator's own that its memory limit must leave beside the guest's memory, and one part in this
    /// many of the guest's memory.
    pub(super) limit_slack_mib: u64,
}

const MACHINE: Guest =
    Guest::Machine { machine: "q35", disk_bus: "virtio", disk: "vda", seed: "vdb", network: Some("virtio") };

const KVM: Traits = Traits {
    domain_type: "kvm",
    drivers: &["qemu"],
    guest: MACHINE,
    cpu_model: CpuModel::HostModel,
    memory: Memory::VirtioMem,
    cpu: Cpu::HotPlug,
    unplugs_vcpus: HypervisorKind::Kvm.unplugs_vcpus(),
    bulk: true,
    grows_disk_live: true,
    shutdown: &[virt_sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN],
    limit_slack_mib: 320,
};

/// As with acceleration, except that the emulator translates the guest's code and keeps what it translated.
const QEMU: Traits = Traits {
    domain_type: "qemu",
    cpu_model: CpuModel::Named("qemu64"),
    unplugs_vcpus: HypervisorKind::Qemu.unplugs_vcpus(),
    limit_slack_mib: 640,
    ..KVM
};

const LXC: Traits = Traits {
    domain_type: "lxc",
    drivers: &["lxc"],
    guest: Guest::Container,
    cpu_model: CpuModel::None,
    memory: Memory::Limit,
    cpu: Cpu::Quota,
    unplugs_vcpus: true,
    bulk: false,
    grows_disk_live: false,
    shutdown: &[virt_sys::VIR_DOMAIN_SHUTDOWN_INITCTL, virt_sys::VIR_DOMAIN_SHUTDOWN_SIGNAL],
    limit_slack_mib: 0,
};

const XEN: Traits = Traits {
    domain_type: "xen",
    drivers: &["xen"],
    guest: Guest::Machine { machine: "xenfv", disk_bus: "xen", disk: "xvda", seed: "xvdb", network: None },
    cpu_model: CpuModel::None,
    memory: Memory::Balloon,
    cpu: Cpu::HotPlug,
    unplugs_vcpus: true,
    bulk: true,
    grows_disk_live: false,
    shutdown: &[virt_sys::VIR_DOMAIN_SHUTDOWN_PARAVIRT, virt_sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN],
    limit_slack_mib: 0,
};

impl Traits {
    pub(super) fn of(kind: HypervisorKind) -> Result<Self, HypervisorError> {
        match kind {
            HypervisorKind::Kvm => Ok(KVM),
            HypervisorKind::Qemu => Ok(QEMU),
            HypervisorKind::Lxc => Ok(LXC),
            HypervisorKind::Xen => Ok(XEN),
            HypervisorKind::Test => Err(HypervisorError::Unsupported("libvirt's test driver runs no VM")),
        }
    }

    /// What the process of a VM of this size may take at most, in KiB; `None` where the limit is the size itself.
    pub(super) fn process_limit_kib(&self, size: Mib) -> Option<u64> {
        (self.memory == Memory::VirtioMem)
            .then(|| size.0.saturating_add(self.limit_slack_mib).saturating_add(size.0 / 32).saturating_mul(1024))
    }
}

/// The part of a VM's memory that is there from the start and can't be taken back while it runs; the rest is
/// virtio-mem's. It must hold the guest's kernel and the kernel's books on all that may be plugged.
pub(super) fn base_memory(size: Size, maximum: Mib) -> Mib {
    let wanted = grid::vm::Maxima { vcpus: size.vcpus, memory: maximum }.floor_memory();
    wanted.min(size.memory)
}
