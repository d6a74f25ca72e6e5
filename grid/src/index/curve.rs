//! Where a row lies on a curve that fills the space of free amounts (Hilbert's, by Skilling's method), so that nodes
//! with much the same amounts of every resource stand side by side.
//!
//! Each resource is an axis, scaled by its worth: one step is a sixteenth of a vCPU, 256 MiB of memory, 1.25 GiB of disk.
//! What lies beyond the last step stands at the last step: the order only makes searches fast, never right or wrong.

use super::vector::Vector;
use crate::policy::WORTH;

/// Bits for each resource: all of them make one number.
#[expect(clippy::cast_possible_truncation, reason = "there are few resources")]
const BITS: u32 = {
    // Some bits are left for other things.
    let fair = 60 / Vector::LEN as u32;
    if fair < 16 { fair } else { 16 }
};
const STEP: u64 = 1280;

/// The place on the curve of a node with this much free.
pub(super) fn place(free: Vector) -> u64 {
    const LAST: u64 = (1 << BITS) - 1;
    let mut axes = [0_u32; Vector::LEN];
    for ((axis, amount), worth) in axes.iter_mut().zip(free.amounts()).zip(WORTH) {
        *axis = u32::try_from((amount * worth / STEP).min(LAST)).unwrap_or(u32::MAX);
    }
    transpose(&mut axes);
    let mut place = 0;
    for bit in (0..BITS).rev() {
        for axis in axes {
            place = place << 1 | u64::from(axis >> bit & 1);
        }
    }
    place
}

/// J. Skilling, Programming the Hilbert curve, AIP Conference Proceedings 707 (2004).
fn transpose(axes: &mut [u32; Vector::LEN]) {
    let mut bit = 1 << (BITS - 1);
    while bit > 1 {
        let below = bit - 1;
        let mut first = axes.first().copied().unwrap_or(0);
        for axis in axes.iter_mut() {
            // Without branches: where the bit is set the first axis is turned, else the low bits are exchanged.
            let set = u32::from(*axis & bit != 0);
            let turned = set.wrapping_neg() & below;
            let exchanged = (first ^ *axis) & below & !turned;
            first ^= turned ^ exchanged;
            *axis ^= exchanged;
        }
        if let Some(slot) = axes.first_mut() {
            *slot = first;
        }
        bit >>= 1;
    }
    let mut before = axes.first().copied().unwrap_or(0);
    for axis in axes.iter_mut().skip(1) {
        *axis ^= before;
        before = *axis;
    }
    let mut turn = 0;
    let mut bit = 1 << (BITS - 1);
    while bit > 1 {
        turn ^= u32::from(before & bit != 0) * (bit - 1);
        bit >>= 1;
    }
    for axis in axes.iter_mut() {
        *axis ^= turn;
    }
}
