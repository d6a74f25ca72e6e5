//! The utility module's sample.

use super::checks::{Checks, MOST_BYTES, MOST_CPUS, MOST_ENTRIES, MOST_MIB};
use super::{Flag, Problem};
use crate::sample::UtilitySample;
use crate::{Gib, Size, UnixMillis};

/// Load of one CPU in thousandths, on every CPU there can be, a hundredfold.
const MOST_LOAD_PERMILLE: u64 = MOST_CPUS as u64 * 1000 * 100;
const HOUR_US: u64 = 60 * 60 * 1_000_000;
/// A century of uptime.
const MOST_UPTIME_S: u64 = 100 * 366 * 24 * 60 * 60;

/// The sample without what can't be true, and what that was. `previous` is the last sanitised one of the same node.
pub fn sanitise_utility(
    raw: UtilitySample,
    previous: Option<&UtilitySample>,
    now: UnixMillis,
) -> (UtilitySample, Vec<Flag>) {
    let mut sample = raw;
    let mut checks = Checks::default();
    checks.time(format_args!("taken_at"), &mut sample.taken_at, now);
    checks.text(format_args!("boot_id"), &mut sample.boot_id, 64);
    checks.text(format_args!("process_namespace"), &mut sample.process_namespace, 64);
    checks.text(format_args!("version"), &mut sample.version, 64);
    if let Some(before) = previous.filter(|before| before.boot_id == sample.boot_id) {
        checks.counter(format_args!("sequence"), before.sequence, sample.sequence);
        checks.counter(format_args!("uptime_seconds"), before.uptime_seconds, sample.uptime_seconds);
    }
    checks.taken(format_args!("uptime_seconds"), &mut sample.uptime_seconds, MOST_UPTIME_S);
    memory_and_load(&mut checks, &mut sample);
    pool(&mut checks, &mut sample);
    deployed(&mut checks, &mut sample);
    (sample, checks.flags)
}

fn memory_and_load(checks: &mut Checks, sample: &mut UtilitySample) {
    checks.has(format_args!("own_memory_total_mib"), &mut sample.own_memory_total_mib, MOST_MIB);
    let own = sample.own_memory_total_mib;
    checks.free(format_args!("own_memory_available_mib"), &mut sample.own_memory_available_mib, own);
    checks.taken_of(format_args!("own_resident_mib"), &mut sample.own_resident_mib, own);
    if let Some(total) = &mut sample.node_memory_total_mib {
        checks.has(format_args!("node_memory_total_mib"), total, MOST_MIB);
    }
    let total = sample.node_memory_total_mib.unwrap_or(0);
    if let Some(free) = &mut sample.node_memory_free_mib {
        checks.free(format_args!("node_memory_free_mib"), free, total);
    }
    if let Some(available) = &mut sample.node_memory_available_mib {
        checks.free(format_args!("node_memory_available_mib"), available, total);
    }
    checks.taken(format_args!("load_permille"), &mut sample.load_permille, MOST_LOAD_PERMILLE);
    checks.taken_of(format_args!("steal_permille"), &mut sample.steal_permille, 1000);
}

fn pool(checks: &mut Checks, sample: &mut UtilitySample) {
    checks.has(format_args!("pool.capacity_mib"), &mut sample.pool.capacity_mib, MOST_MIB);
    checks.free(format_args!("pool.free_mib"), &mut sample.pool.free_mib, sample.pool.capacity_mib);
    checks.taken(format_args!("write_latency_us"), &mut sample.write_latency_us, HOUR_US);

    checks.list(format_args!("disks"), &mut sample.disks, MOST_ENTRIES);
    checks.unique(format_args!("disks"), &mut sample.disks, |disk| disk.vm);
    for disk in &mut sample.disks {
        checks.taken(format_args!("disks.{}.virtual_bytes", disk.vm), &mut disk.virtual_bytes, MOST_BYTES);
        checks.taken(format_args!("disks.{}.real_bytes", disk.vm), &mut disk.real_bytes, MOST_BYTES);
    }

    checks.list(format_args!("images"), &mut sample.images, MOST_ENTRIES);
    for image in &mut sample.images {
        checks.text(format_args!("images.name"), &mut image.name, 128);
        checks.taken(format_args!("images.bytes"), &mut image.bytes, MOST_BYTES);
    }
    sample.images.retain(|image| {
        let good = is_checksum(&image.checksum);
        if !good {
            checks.flag(format_args!("images.{}", image.name), Problem::BadChecksum);
        }
        good
    });
}

fn deployed(checks: &mut Checks, sample: &mut UtilitySample) {
    checks.list(format_args!("deployed"), &mut sample.deployed, MOST_ENTRIES);
    checks.unique(format_args!("deployed"), &mut sample.deployed, |deployed| deployed.vm);
    for each in &mut sample.deployed {
        let (vm, size) = (each.vm, &mut each.size);
        checks.taken_vcpus(format_args!("deployed.{vm}.vcpus"), &mut size.vcpus.0);
        checks.taken(format_args!("deployed.{vm}.memory"), &mut size.memory.0, MOST_MIB);
        let Gib(disk) = &mut size.disk;
        checks.taken(format_args!("deployed.{vm}.disk"), disk, MOST_MIB / 1024);
        checks.taken(format_args!("deployed.{vm}.network"), &mut size.network.0, Size::LARGEST.network.0);
    }
}

/// SHA-256 in lower-case hexadecimal.
fn is_checksum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
