//! The tight policy: a cost found by experiment on two traces of VMs, on servers of one shape each. It looks at the shares
//! of its vCPUs and of its memory that stay free on a node, in 960ths:
//!
//! ```text
//!   x = free vCPUs × 960 / usable      y = free memory × 960 / usable      (whole numbers, 0..=960; 0 where usable is 0)
//!   108·x − 16·y + 48·max(0, x − y) + 64·max(0, y − x) + 4·min(x, y) + max(0, 2x − y) − 54·(x·y / 960)
//!       + 32·VCPUS[x / 60] + 32·MEMORY[y / 60]
//! ```
//!
//! The tables hold what is left over that VMs of the usual sizes fill badly. Nothing in it is monotone, so that the bound
//! of a box takes each term at its best end: it is true, and loose where nodes are of many shapes.

use super::{Extent, Whole};
use crate::Resource;
use crate::index::Vector;

const PARTS: u64 = 960;
const VCPUS: [i64; 17] = [0, 34, -32, -32, 14, 99, 8, -29, -11, -4, 0, -20, 117, 15, -47, 146, -28];
const MEMORY: [i64; 17] = [0, -1, 27, -8, 16, 0, -26, 0, 39, -16, 0, 0, 8, 12, -14, 4, -18];
/// Keeps costs above zero.
const BASE: i64 = 1 << 32;

pub(super) fn cost(usable: Whole, free_after: Vector) -> u64 {
    let share = |resource: Resource, whole: i32| {
        let share = (free_after.get(resource) * PARTS).checked_div(amount(whole));
        share.map_or(0, |share| share.min(PARTS))
    };
    let (x, y) = (share(Resource::Vcpus, usable.vcpus), share(Resource::Memory, usable.memory));
    least((x, x), (y, y))
}

pub(super) fn bound(extent: &Extent) -> u64 {
    let shares = |resource: Resource, of: fn(Whole) -> i32| {
        let [low, high] = [extent.free_low, extent.free_high].map(|end| end.get(resource) * PARTS);
        match (amount(of(extent.usable_low)), amount(of(extent.usable_high))) {
            (_, 0) => (0, 0),
            (0, _) => (0, PARTS),
            (least, most) => ((low / most).min(PARTS), (high / least).min(PARTS)),
        }
    };
    least(shares(Resource::Vcpus, |whole| whole.vcpus), shares(Resource::Memory, |whole| whole.memory))
}

const fn amount(whole: i32) -> u64 {
    whole.cast_unsigned() as u64
}

/// The sum of the least that each term can be while both shares are between these ends; of single shares, the cost.
fn least((x_low, x_high): (u64, u64), (y_low, y_high): (u64, u64)) -> u64 {
    let [x0, x1, y0, y1] = [x_low, x_high, y_low, y_high].map(u64::cast_signed);
    let terms = [
        108 * x0,
        -16 * y1,
        48 * (x0 - y1).max(0),
        64 * (y0 - x1).max(0),
        4 * x0.min(y0),
        (2 * x0 - y1).max(0),
        -54 * (x1 * y1 / PARTS.cast_signed()),
        32 * least_of(&VCPUS, x_low, x_high),
        32 * least_of(&MEMORY, y_low, y_high),
    ];
    (BASE + terms.iter().sum::<i64>()).max(0).cast_unsigned()
}

/// The least entry for shares between these ends.
fn least_of(table: &[i64; 17], low: u64, high: u64) -> i64 {
    let position = |share: u64| usize::try_from(share / 60).unwrap_or(usize::MAX).min(table.len() - 1);
    table.get(position(low)..=position(high)).into_iter().flatten().copied().min().unwrap_or(0)
}
