//! Where a row lies on a curve that fills the space of free amounts (Hilbert's, by Skilling's method), so that nodes
//! with much the same amounts of every resource stand side by side.
//!
//! Each resource is an axis, scaled by its worth: at first one step is a sixteenth of a vCPU, 256 MiB of memory, 1.25 GiB
//! of disk; with every doubling beyond 64 steps they are twice as long, so that few bits tell both small and huge amounts
//! apart. What lies beyond the last step stands at the last step: the order only makes searches fast, never right or
//! wrong.

use super::lanes::Columns;
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
    let [place] = places_of(free.0.map(|amount| [amount]));
    place
}

/// The places of all rows of a block; nothing that means anything where there is no row.
pub(super) fn places<const WIDTH: usize>(free: &Columns<WIDTH>) -> [u64; WIDTH] {
    places_of(free.0.each_ref().map(|column| column.0))
}

/// Side by side, so that the processor works on several at once.
#[inline]
fn places_of<const WIDTH: usize>(free: [[i32; WIDTH]; Vector::LEN]) -> [u64; WIDTH] {
    let mut axes = [[0_u32; WIDTH]; Vector::LEN];
    for ((axis, amounts), worth) in axes.iter_mut().zip(free).zip(WORTH) {
        for (axis, amount) in axis.iter_mut().zip(amounts) {
            *axis = step(u64::from(amount.max(0).cast_unsigned()) * worth / STEP);
        }
    }
    transpose(&mut axes);
    let mut places = [0; WIDTH];
    for bit in (0..BITS).rev() {
        for axis in axes {
            for (place, axis) in places.iter_mut().zip(axis) {
                *place = *place << 1 | u64::from(axis >> bit & 1);
            }
        }
    }
    places
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
fn transpose<const WIDTH: usize>(axes: &mut [[u32; WIDTH]; Vector::LEN]) {
    let mut bit = 1 << (BITS - 1);
    while bit > 1 {
        let below = bit - 1;
        let mut first = axes[0];
        for axis in axes.iter_mut() {
            for (axis, first) in axis.iter_mut().zip(&mut first) {
                // Without branches: where the bit is set the first axis is turned, else the low bits are exchanged.
                let set = u32::from(*axis & bit != 0);
                let turned = set.wrapping_neg() & below;
                let exchanged = (*first ^ *axis) & below & !turned;
                *first ^= turned ^ exchanged;
                *axis ^= exchanged;
            }
        }
        axes[0] = first;
        bit >>= 1;
    }
    let mut before = axes[0];
    for axis in axes.iter_mut().skip(1) {
        for (axis, before) in axis.iter_mut().zip(&mut before) {
            *axis ^= *before;
            *before = *axis;
        }
    }
    let mut turn = [0; WIDTH];
    let mut bit = 1 << (BITS - 1);
    while bit > 1 {
        for (turn, before) in turn.iter_mut().zip(before) {
            *turn ^= u32::from(before & bit != 0) * (bit - 1);
        }
        bit >>= 1;
    }
    for axis in axes.iter_mut() {
        for (axis, turn) in axis.iter_mut().zip(turn) {
            *axis ^= turn;
        }
    }
}
