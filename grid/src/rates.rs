//! Rates: what counters say per second, for charts and for ranking nodes. Made of two samples of one hypervisor.
//!
//! A counter that went backwards (the domain was restarted, or the node lies) gives no rate for that interval.

use crate::VmId;
use crate::sample::{DomainSample, HypervisorSample};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a domain did between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRate {
    pub id: VmId,
    /// Busy share of its vCPUs: 1000 is all of them, all the time.
    pub cpu_permille: u32,
    /// Bytes per second, rounded down; of its disks where both samples tell them.
    pub block_read: Option<u64>,
    pub block_write: Option<u64>,
    pub network_receive: u64,
    pub network_transmit: u64,
}

/// The rates of all domains that are in both samples, by id; none where no time passed.
pub fn rates(previous: &HypervisorSample, current: &HypervisorSample) -> Vec<DomainRate> {
    let elapsed_ms = current.taken_at.since(previous.taken_at);
    let before: BTreeMap<VmId, &DomainSample> = previous.domains.iter().map(|domain| (domain.id, domain)).collect();
    let pairs = current.domains.iter().filter_map(|domain| Some((*before.get(&domain.id)?, domain)));
    pairs.filter_map(|(before, now)| domain_rate(before, now, elapsed_ms)).collect()
}

/// Busy share of the node's CPUs between two samples, `0..=1000`; none where the driver doesn't tell it, where no
/// time passed, or where a counter went backwards.
pub fn node_cpu_permille(previous: &HypervisorSample, current: &HypervisorSample) -> Option<u32> {
    let busy = current.cpu_busy_ns?.checked_sub(previous.cpu_busy_ns?)?;
    let idle = current.cpu_idle_ns?.checked_sub(previous.cpu_idle_ns?)?;
    permille(u128::from(busy), u128::from(busy) + u128::from(idle))
}

/// What went over the interfaces of all domains between two samples, in Mbit/s, rounded up: each domain's busier way.
pub fn network_mbit(previous: &HypervisorSample, current: &HypervisorSample) -> u64 {
    let busier = |rate: DomainRate| rate.network_receive.max(rate.network_transmit);
    let bytes = rates(previous, current).into_iter().map(busier).fold(0, u64::saturating_add);
    bytes.div_ceil(125_000)
}

fn domain_rate(before: &DomainSample, now: &DomainSample, elapsed_ms: u64) -> Option<DomainRate> {
    let cpu_ns = now.cpu_time_ns.checked_sub(before.cpu_time_ns)?;
    let could_ns = u128::from(elapsed_ms) * 1_000_000 * u128::from(now.vcpus_current.max(1));
    let per_second = |before: u64, now: u64| {
        let bytes = u128::from(now.checked_sub(before)?);
        u64::try_from((bytes * 1000).checked_div(u128::from(elapsed_ms))?).ok()
    };
    let where_told = |before: Option<u64>, now: Option<u64>| match (before, now) {
        (Some(before), Some(now)) => per_second(before, now).map(Some),
        _ => Some(None),
    };
    Some(DomainRate {
        id: now.id,
        cpu_permille: permille(u128::from(cpu_ns), could_ns)?,
        block_read: where_told(before.block_read_bytes, now.block_read_bytes)?,
        block_write: where_told(before.block_write_bytes, now.block_write_bytes)?,
        network_receive: per_second(before.network_receive_bytes, now.network_receive_bytes)?,
        network_transmit: per_second(before.network_transmit_bytes, now.network_transmit_bytes)?,
    })
}

/// `part` of `whole` in thousandths, at most 1000; none of nothing.
fn permille(part: u128, whole: u128) -> Option<u32> {
    let share = part.checked_mul(1000)?.checked_div(whole)?;
    Some(u32::try_from(share.min(1000)).unwrap_or(1000))
}
