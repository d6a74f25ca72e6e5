//! Where a row lies on a curve that fills the space of free amounts (Hilbert's, by Skilling's method), so that nodes
//! with much the same amounts of every resource stand side by side.
//!
//! Each resource is an axis, scaled by its worth: at first one step is a sixteenth of a vCPU, 256 MiB of memory, 1.25 GiB
//! of disk; with every doubling beyond 64 steps they are twice as long, so that few bits tell both small and huge amounts
//! apart. What lies beyond the last step stands at the last step: the order only makes searches fast, never right or
//! wrong.

use super::lanes::{Columns, Lane};
use super::vector::Vector;
use crate::policy::WORTH;

#[expect(clippy::cast_possible_truncation, reason = "there are few resources")]
const AXES: u32 = Vector::LEN as u32;
/// Bits for each resource: all of them make one number.
const BITS: u32 = {
    let fair = 60 / AXES;
    if fair < 10 { fair } else { 10 }
};
const STEP: u32 = 1280;
/// So many bits of an amount tell it from the others of its doubling.
const FINE: u32 = BITS - 4;
#[expect(clippy::cast_possible_truncation, reason = "a unit of a resource is worth far less")]
const WORTH_32: [u32; Vector::LEN] = {
    let (mut worths, mut position) = ([0; Vector::LEN], 0);
    while position < Vector::LEN {
        worths[position] = WORTH[position] as u32;
        assert!(WORTH[position] > 0 && WORTH[position] <= u32::MAX as u64, "a worth has 32 bits");
        let most = u32::MAX / worths[position] * worths[position];
        assert!(most / STEP >= 1 << (FINE + 15), "what is cut to 32 bits is beyond the last step");
        position += 1;
    }
    worths
};

const _: () = assert!((BITS - BITS / 2) * AXES <= u32::BITS, "half a place has 32 bits");

/// The place on the curve of a node with this much free.
pub(super) fn place(free: Vector) -> u64 {
    let [place] = places_of(free.0.map(|amount| [amount]));
    place
}

/// The places of all rows of a block; nothing that means anything where there is no row.
pub(super) fn places<const WIDTH: usize>(free: &Columns<WIDTH>) -> [u64; WIDTH] {
    const { assert!(WIDTH.is_multiple_of(ABREAST), "rows are worked on in whole blocks") };
    let mut places = [0; WIDTH];
    for (block, places) in places.as_chunks_mut::<ABREAST>().0.iter_mut().enumerate() {
        let rows = |column: &Lane<i32, WIDTH>| column.0.as_chunks::<ABREAST>().0[block];
        *places = places_of(free.0.each_ref().map(rows));
    }
    places
}

/// So many rows at once stay in the processor's registers.
const ABREAST: usize = 8;

/// Side by side, so that the processor works on several at once.
#[inline]
fn places_of<const WIDTH: usize>(free: [[i32; WIDTH]; Vector::LEN]) -> [u64; WIDTH] {
    let mut axes = [[0_u32; WIDTH]; Vector::LEN];
    for ((axis, amounts), worth) in axes.iter_mut().zip(free).zip(WORTH_32) {
        for (axis, amount) in axis.iter_mut().zip(amounts) {
            // What is too much for 32 bits is beyond the last step.
            *axis = step(amount.max(0).cast_unsigned().min(u32::MAX / worth) * worth / STEP);
        }
    }
    transpose(&mut axes);
    // The upper and the lower half of a place, each in 32 bits: the processor works on twice as many at once.
    let mut halves = [[0_u32; WIDTH]; 2];
    for (half, bits) in halves.iter_mut().zip([BITS / 2..BITS, 0..BITS / 2]) {
        for bit in bits.rev() {
            for axis in axes {
                for (place, axis) in half.iter_mut().zip(axis) {
                    *place = *place << 1 | axis >> bit & 1;
                }
            }
        }
    }
    let mut places = [0; WIDTH];
    for (place, (upper, lower)) in places.iter_mut().zip(halves[0].into_iter().zip(halves[1])) {
        *place = u64::from(upper) << (BITS / 2 * AXES) | u64::from(lower);
    }
    places
}

/// Steps of one length as steps that grow; never decreases.
const fn step(amount: u32) -> u32 {
    const LAST: u32 = (1 << BITS) - 1;
    let doublings = (amount >> FINE | 1).ilog2();
    let beyond = (amount >= 1 << FINE) as u32;
    let step = ((doublings + beyond) << FINE) + (amount >> doublings) - (beyond << FINE);
    if step > LAST { LAST } else { step }
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
