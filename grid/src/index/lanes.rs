//! Lanes: the columns of a block of the index, wide enough for the processor's vector instructions and padded so that no
//! length has to be looked at.

use super::vector::Vector;

/// How many rows a leaf has at most.
pub(super) const ROWS: usize = 32;

/// How many children a branch has at most.
pub(super) const CHILDREN: usize = 16;

/// The position in a block of the first of these bits.
pub(super) const fn first(bits: u32) -> usize {
    bits.trailing_zeros() as usize
}

/// A column of a block.
#[derive(Clone, Debug)]
pub(super) struct Lane<T, const WIDTH: usize>(pub(super) [T; WIDTH]);

impl<T: Copy, const WIDTH: usize> Lane<T, WIDTH> {
    pub(super) const fn of(value: T) -> Self {
        Self([value; WIDTH])
    }

    /// Positions are those of a block: below its width.
    #[inline]
    pub(super) const fn get(&self, position: usize) -> T {
        self.0[position % WIDTH]
    }

    #[inline]
    pub(super) const fn set(&mut self, position: usize, value: T) {
        self.0[position % WIDTH] = value;
    }

    /// Makes a gap at a position: all from there on go one further, the last falls off.
    pub(super) fn open(&mut self, position: usize) {
        let position = position % WIDTH;
        self.0.copy_within(position..WIDTH - 1, position + 1);
    }

    /// Keeps what stands in so many positions from one on; what comes in after them is `padding`.
    pub(super) fn keep(&mut self, from: usize, count: usize, padding: T) {
        let (from, count) = (from.min(WIDTH), count.min(WIDTH - from.min(WIDTH)));
        self.0.copy_within(from..from + count, 0);
        self.0[count..].fill(padding);
    }

    /// Closes the gap at a position; what comes in at the end is `padding`.
    pub(super) fn close(&mut self, position: usize, padding: T) {
        let position = position % WIDTH;
        self.0.copy_within(position + 1.., position);
        self.0[WIDTH - 1] = padding;
    }
}

/// A column for each resource.
#[derive(Clone, Debug)]
pub(super) struct Columns<const WIDTH: usize>(pub(super) [Lane<i32, WIDTH>; Vector::LEN]);

/// What stands in an empty position: less than any request asks.
pub(super) const NOTHING: Vector = Vector([-1; Vector::LEN]);

impl<const WIDTH: usize> Columns<WIDTH> {
    pub(super) const fn empty() -> Self {
        Self([const { Lane::of(-1) }; Vector::LEN])
    }

    #[inline]
    pub(super) fn get(&self, position: usize) -> Vector {
        let mut amounts = Vector::ZERO;
        for (amount, column) in amounts.0.iter_mut().zip(&self.0) {
            *amount = column.get(position);
        }
        amounts
    }

    #[inline]
    pub(super) fn set(&mut self, position: usize, amounts: Vector) {
        for (column, amount) in self.0.iter_mut().zip(amounts.0) {
            column.set(position, amount);
        }
    }

    pub(super) fn open(&mut self, position: usize) {
        self.0.iter_mut().for_each(|column| column.open(position));
    }

    pub(super) fn close(&mut self, position: usize) {
        self.0.iter_mut().for_each(|column| column.close(position, -1));
    }

    pub(super) fn keep(&mut self, from: usize, count: usize) {
        self.0.iter_mut().for_each(|column| column.keep(from, count, -1));
    }

    /// The positions (a bit each) that have as much of every resource as is asked.
    #[inline]
    pub(super) fn covering(&self, asked: Vector) -> u32 {
        let mut short = [0_i32; WIDTH];
        for (column, asked) in self.0.iter().zip(asked.0) {
            // Never beyond an i32: what is there is -1 or more, what is asked 0 or more.
            for (short, has) in short.iter_mut().zip(&column.0) {
                *short |= has.wrapping_sub(asked);
            }
        }
        !signs(&short) & used::<WIDTH>()
    }

    /// The most in any position, resource by resource; -1 where all are empty.
    pub(super) fn highest(&self) -> Vector {
        let mut highest = NOTHING;
        for (highest, column) in highest.0.iter_mut().zip(&self.0) {
            *highest = column.0.iter().copied().fold(-1, i32::max);
        }
        highest
    }

    /// The least in any position that isn't empty.
    pub(super) fn lowest(&self) -> Vector {
        let mut lowest = NOTHING;
        for (lowest, column) in lowest.0.iter_mut().zip(&self.0) {
            // An empty position's -1 becomes the largest number, and so never the least.
            let least = column.0.iter().map(|amount| amount.cast_unsigned()).fold(u32::MAX, u32::min);
            *lowest = least.cast_signed();
        }
        lowest
    }
}

/// A bit for each position of a block.
const fn used<const WIDTH: usize>() -> u32 {
    if WIDTH < 32 { (1 << WIDTH) - 1 } else { u32::MAX }
}

/// A bit for each negative lane.
#[inline]
fn signs<const WIDTH: usize>(lanes: &[i32; WIDTH]) -> u32 {
    let mut bits = 0;
    for (position, lane) in lanes.iter().enumerate() {
        bits |= (lane >> 31).cast_unsigned() & 1 << position;
    }
    bits
}
