//! Where a row lies on a curve that fills the space of free amounts (Hilbert's, by Skilling's method), so that nodes
//! with much the same amounts of every resource stand side by side.
//!
//! Each resource is an axis, scaled by its worth: at first one step is a sixteenth of a vCPU, 256 MiB of memory, 1.25 GiB
//! of disk; with every doubling beyond 64 steps they are twice as long, so that few bits tell both small and huge amounts
//! apart. What lies beyond the last step stands at the last step: the order only makes searches fast, never right or
//! wrong.

use super::vector::Vector;
use crate::policy::WORTH;

/// Bits for each resource: all of them make one number.
#[expect(clippy::cast_possible_truncation, reason = "there are few resources")]
const BITS: u32 = {
    let fair = 60 / Vector::LEN as u32;
    if fair < 10 { fair } else { 10 }
};
const STEP: u64 = 1280;
/// So many bits of an amount tell it from the others of its doubling.
const FINE: u32 = BITS - 4;

/// The place on the curve of a node with this much free.
pub(super) fn place(free: Vector) -> u64 {
    let mut axes = [0_u32; Vector::LEN];
    for ((axis, amount), worth) in axes.iter_mut().zip(free.amounts()).zip(WORTH) {
        *axis = step(amount * worth / STEP);
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

/// Steps of one length as steps that grow; never decreases.
#[expect(clippy::cast_possible_truncation, reason = "the last step has few bits")]
const fn step(amount: u64) -> u32 {
    const LAST: u64 = (1 << BITS) - 1;
    let doublings = (amount >> FINE | 1).ilog2();
    let beyond = amount >= 1 << FINE;
    let step = ((doublings as u64 + beyond as u64) << FINE) + (amount >> doublings) - ((beyond as u64) << FINE);
    (if step > LAST { LAST } else { step }) as u32
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
