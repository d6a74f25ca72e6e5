//! The sizes of VMs, as often as the trace of arrivals has them.

use crate::chance::Chance;
use grid::{Gib, Mbit, Mib, Size, Vcpus};
use std::fs;
use std::path::{Path, PathBuf};

/// vCPUs, MiB, and how many of 1.2 million arrivals of Azure's public data set V1 (Cortez et al., SOSP'17) have it.
const KNOWN: [(u32, u64, u64); 16] = [
    (1, 768, 27_882),
    (1, 1_792, 512_172),
    (1, 2_048, 435),
    (16, 114_688, 121),
    (2, 14_336, 154),
    (2, 16_384, 15),
    (2, 3_584, 334_058),
    (2, 4_096, 175),
    (4, 28_672, 289),
    (4, 32_768, 32),
    (4, 7_168, 135_875),
    (4, 8_192, 48),
    (8, 14_336, 134_230),
    (8, 16_384, 9),
    (8, 57_344, 55_497),
    (8, 65_536, 6),
];

pub(crate) struct Flavours {
    sizes: Vec<Size>,
    /// Sums of the counts up to each.
    up_to: Vec<u64>,
    pub(crate) source: String,
}

impl Flavours {
    /// Those of the trace, or the same ones from memory where it isn't there.
    pub(crate) fn read() -> Self {
        let folder = std::env::var_os("HOSTGRID_TRACES")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces"), PathBuf::from);
        let told = counted(&folder.join("azure-v1-rnn"));
        let source = match &told {
            Some(_) => "VM sizes counted in the trace azure-v1-rnn (Azure public data set V1, CC-BY 4.0)",
            None => "no trace found: VM sizes by a seeded generator with the flavours of azure-v1-rnn",
        };
        let counts = told.unwrap_or_else(|| KNOWN.to_vec());
        let sizes = counts.iter().map(|&(vcpus, memory, _)| size(vcpus, memory)).collect();
        let sums = counts.iter().scan(0, |sum, &(_, _, count)| {
            *sum += count;
            Some(*sum)
        });
        Self { sizes, up_to: sums.collect(), source: source.to_owned() }
    }

    pub(crate) fn draw(&self, chance: &mut Chance) -> Size {
        let all = self.up_to.last().copied().unwrap_or(1).max(1);
        let drawn = chance.within(0..all);
        let position = self.up_to.partition_point(|up_to| *up_to <= drawn);
        self.sizes.get(position).copied().unwrap_or(Size::SMALLEST)
    }
}

/// 20 GiB of disk a vCPU, and 25 Mbit/s where there are several: the trace has neither.
fn size(vcpus: u32, memory: u64) -> Size {
    let network = Mbit(if vcpus > 1 { 25 * u64::from(vcpus) } else { 0 });
    Size { network, ..Size::new(Vcpus(vcpus), Mib(memory), Gib(20 * u64::from(vcpus))) }
}

/// Each flavour of the map, with how often it arrives.
fn counted(folder: &Path) -> Option<Vec<(u32, u64, u64)>> {
    let map = fs::read_to_string(folder.join("flav_map.txt")).ok()?;
    let arrivals = fs::read_to_string(folder.join("v1.train.txt")).ok()?;
    let mut times = [0_u64; 256];
    for word in arrivals.split([',', ' ', '\n']) {
        if let [letter] = word.as_bytes() {
            times[usize::from(*letter)] += 1;
        }
    }
    map.lines().map(|line| flavour(line, &times)).collect()
}

/// A line like `1,1.75 b`.
fn flavour(line: &str, times: &[u64; 256]) -> Option<(u32, u64, u64)> {
    let (amounts, letter) = line.split_once(' ')?;
    let (vcpus, gigabytes) = amounts.split_once(',')?;
    let (whole, part) = gigabytes.split_once('.').unwrap_or((gigabytes, "0"));
    let hundredths: u64 = format!("{part:0<2}").parse().ok()?;
    let memory = whole.parse::<u64>().ok()? * 1024 + hundredths * 1024 / 100;
    let count = letter.bytes().next().map_or(0, |letter| times[usize::from(letter)]);
    Some((vcpus.parse().ok()?, memory, count))
}
