//! The second set of statistics: what this module sees of the node's pool, of the VMs that it deployed, of the node's
//! load and memory, and of itself.

use crate::pool::Pool;
use crate::{VERSION, kernel};
use grid::UnixMillis;
use grid::sample::{PoolSample, UtilitySample};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const MIB: u64 = 1 << 20;
const PAGE: u64 = 4096;

/// Makes one report after the other.
#[derive(Debug)]
pub struct Reporter {
    pool: Pool,
    container: bool,
    boot_id: String,
    process_namespace: String,
    begin: Instant,
    sequence: u64,
    processor: ProcessorTime,
    latency_us: u64,
}

impl Reporter {
    pub fn new(pool: Pool, container: bool, boot_id: String) -> Self {
        let process_namespace =
            std::fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
        let processor = ProcessorTime::read();
        let begin = Instant::now();
        Self { pool, container, boot_id, process_namespace, begin, sequence: 0, processor, latency_us: 0 }
    }

    /// Reads everything now. What can't be read of the pool is empty, so that nothing is promised on it.
    pub fn sample(&mut self) -> UtilitySample {
        self.sequence += 1;
        if !self.container {
            let_go_of_files();
        }
        let processor = ProcessorTime::read();
        let steal_permille = processor.steal_since(self.processor);
        self.processor = processor;
        match self.pool.write_latency() {
            Ok(latency) => self.latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
            Err(error) => crate::log(format_args!("the pool takes no write: {error}")),
        }
        let meminfo = Facts::of("/proc/meminfo");
        let node = self.container.then(node_memory).flatten();
        UtilitySample {
            taken_at: now(),
            sequence: self.sequence,
            boot_id: self.boot_id.clone(),
            process_namespace: self.process_namespace.clone(),
            version: VERSION.to_owned(),
            uptime_seconds: if self.container { self.begin.elapsed().as_secs() } else { uptime_seconds() },
            own_memory_total_mib: meminfo.kib("MemTotal:") / 1024,
            own_memory_available_mib: meminfo.kib("MemAvailable:") / 1024,
            own_resident_mib: Facts::of("/proc/self/status").kib("VmRSS:").div_ceil(1024),
            load_permille: load_permille(),
            steal_permille,
            sees_node: self.container,
            node_memory_total_mib: node.map(|node| node.total),
            node_memory_free_mib: node.map(|node| node.free),
            node_memory_available_mib: node.map(|node| node.available),
            pool: self.pool.space().unwrap_or(PoolSample { capacity_mib: 0, free_mib: 0 }),
            write_latency_us: self.latency_us,
            disks: self.pool.disks().unwrap_or_default(),
            images: self.pool.images().unwrap_or_default(),
            deployed: self.pool.deployed().unwrap_or_default(),
        }
    }
}

/// The VM's own kernel forgets the files that it has seen. What it remembers virtiofs keeps open on the node, and a
/// file that was removed there by somebody else would go on taking its space. 4: don't log it; 2: files' entries.
fn let_go_of_files() {
    for order in ["4", "2"] {
        let _ = std::fs::write("/proc/sys/vm/drop_caches", order);
    }
}

/// Identifies this start of the module. In a VM the kernel's; a container, whose kernel is the node's, makes one.
pub fn boot_id(container: bool) -> String {
    let file = if container { "uuid" } else { "boot_id" };
    let path = Path::new("/proc/sys/kernel/random").join(file);
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The machine's. In a container it would be the node's.
fn uptime_seconds() -> u64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}

fn load_permille() -> u64 {
    permille(std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default())
}

/// `1.25` in thousandths; 0 for what is no such number.
fn permille(text: &str) -> u64 {
    let Some((whole, part)) = text.split_once('.') else { return 0 };
    let digits = format!("{part:0<3.3}");
    match (whole.parse::<u64>(), digits.parse::<u64>()) {
        (Ok(whole), Ok(part)) => whole.saturating_mul(1000).saturating_add(part),
        _ => 0,
    }
}

/// The node's memory as a container on it can see it, in MiB.
#[derive(Clone, Copy)]
struct NodeMemory {
    total: u64,
    free: u64,
    available: u64,
}

/// `/proc/meminfo` is often the container's own; what `sysinfo` and `/proc/vmstat` tell is not hidden. Available is
/// reckoned as the kernel does it (`si_mem_available`): free, and page cache and reclaimable slabs but for the half,
/// or the reserve where that is less.
fn node_memory() -> Option<NodeMemory> {
    let memory = kernel::machine_memory().ok()?;
    let vmstat = Facts::of("/proc/vmstat");
    let bytes = |name| Some(vmstat.number(name)?.saturating_mul(PAGE));
    let reserve = Facts::of("/proc/sys/vm/min_free_kbytes").first().unwrap_or(0).saturating_mul(1024);
    let given_up = |bytes: u64| bytes - (bytes / 2).min(reserve);
    let cache = bytes("nr_active_file")?.saturating_add(bytes("nr_inactive_file")?);
    let reclaimable = given_up(cache).saturating_add(given_up(bytes("nr_slab_reclaimable")?));
    let available = memory.free.saturating_sub(reserve).saturating_add(reclaimable);
    Some(NodeMemory {
        total: memory.capacity / MIB,
        free: memory.free.min(memory.capacity) / MIB,
        available: available.min(memory.capacity) / MIB,
    })
}

/// CPU time of the machine since its start, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ProcessorTime {
    all: u64,
    steal: u64,
}

impl ProcessorTime {
    fn read() -> Self {
        Self::parse(&std::fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// The first line of `/proc/stat`: user nice system idle iowait irq softirq steal; guests' time is in user's.
    fn parse(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_ascii_whitespace().skip(1).take(8).map_while(|word| word.parse().ok()).collect();
        Self { all: ticks.iter().sum(), steal: ticks.get(7).copied().unwrap_or(0) }
    }

    fn steal_since(self, earlier: Self) -> u64 {
        let steal = self.steal.saturating_sub(earlier.steal).saturating_mul(1000);
        steal.checked_div(self.all.saturating_sub(earlier.all)).unwrap_or(0).min(1000)
    }
}

/// A file of `name value` lines.
struct Facts(String);

impl Facts {
    fn of(path: &str) -> Self {
        Self(std::fs::read_to_string(path).unwrap_or_default())
    }

    fn first(&self) -> Option<u64> {
        self.0.split_ascii_whitespace().next()?.parse().ok()
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.0.lines().find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            (words.next()? == name).then(|| words.next()?.parse().ok())?
        })
    }

    /// A value in KiB; 0 where there is none.
    fn kib(&self, name: &str) -> u64 {
        self.number(name).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grid::{Gib, Mib, Size, Vcpus, VmId};

    #[test]
    fn a_load_is_read_in_thousandths() {
        for (text, expected) in [("0.00", 0), ("1.25", 1250), ("12.5", 12_500), ("3.1416", 3141), ("x", 0), ("-1.0", 0)]
        {
            assert_eq!(permille(text), expected, "{text}");
        }
    }

    #[test]
    fn steal_is_a_part_of_the_interval_and_never_more_than_all() {
        let earlier = ProcessorTime::parse("cpu  100 0 100 700 0 0 0 100 0 0\ncpu0 1");
        assert_eq!(earlier, ProcessorTime { all: 1000, steal: 100 });
        assert_eq!(ProcessorTime { all: 2000, steal: 350 }.steal_since(earlier), 250);
        assert_eq!(ProcessorTime::default().steal_since(earlier), 0, "backwards");
        assert_eq!(earlier.steal_since(earlier), 0);
    }

    #[test]
    fn a_report_tells_what_is_in_the_pool() {
        let folder = tempfile::tempdir().unwrap();
        let pool = Pool::new(folder.path().to_owned());
        let vm = VmId(uuid::Uuid::from_u128(7));
        let size = Size::new(Vcpus(2), Mib(512), Gib(3));
        std::fs::File::create(pool.disk(vm)).unwrap().set_len(size.disk.bytes()).unwrap();
        pool.record_put(vm, size, None).unwrap();
        let checksum = "ab".repeat(32);
        let images = folder.path().join("images/disk");
        std::fs::create_dir_all(&images).unwrap();
        std::fs::write(images.join(format!("tiny-1-{checksum}.raw")), "image").unwrap();
        std::fs::write(images.join("stray.raw"), "no image").unwrap();
        std::fs::write(folder.path().join("not-a-uuid.raw"), "no disk").unwrap();

        let mut reporter = Reporter::new(pool, true, boot_id(true));
        let first = reporter.sample();
        assert_eq!(first.sequence, 1);
        assert_eq!(reporter.sample().sequence, 2);
        assert_eq!(first.disks.len(), 1);
        assert_eq!((first.disks[0].vm, first.disks[0].virtual_bytes, first.disks[0].real_bytes), (vm, 3 << 30, 0));
        assert_eq!(first.images.len(), 1);
        assert_eq!((first.images[0].name.as_str(), first.images[0].bytes), ("tiny-1", 5));
        assert_eq!(first.images[0].checksum, checksum);
        assert_eq!(first.deployed.len(), 1);
        assert_eq!((first.deployed[0].vm, first.deployed[0].size), (vm, size));
        assert!(first.pool.capacity_mib > 0 && first.write_latency_us > 0 && first.own_memory_total_mib > 0);
        assert!(first.process_namespace.starts_with("pid:["), "{}", first.process_namespace);
        let (total, available) = (first.node_memory_total_mib.unwrap(), first.node_memory_available_mib.unwrap());
        assert!(available > 0 && available <= total, "{available} of {total}");
        let free = first.node_memory_free_mib.unwrap();
        assert!(free > 0 && free <= total, "{free} of {total}");
    }

    #[test]
    fn a_containers_boot_id_is_its_own_at_each_start() {
        assert_ne!(boot_id(true), boot_id(true));
        assert_eq!(boot_id(false), boot_id(false));
    }
}
