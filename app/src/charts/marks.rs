//! Where an axis has its marks: at round numbers of its unit, and at round times.

use grid::UnixMillis;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use std::ops::Range;

/// An axis of values has at most this many stretches between its marks.
const MOST_STRETCHES: f64 = 4.0;
/// An axis of time has at most this many.
const MOST_TIMES: i64 = 5;

/// An axis of values from 0, with its marks. plotters' own way to choose marks knows no axis of fractions.
pub(super) struct Values {
    axis: RangedCoordf64,
    marks: Vec<f64>,
}

impl Values {
    pub(super) fn new(top: f64, is_of_bytes: bool) -> Self {
        Self { axis: (0.0..top).into(), marks: of_values(top, is_of_bytes) }
    }
}

impl Ranged for Values {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.axis.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.axis.range()
    }
}

/// Round numbers from 0 to `top`: powers of two where the unit is one of bytes, else 1, 2 or 5 of a power of ten.
fn of_values(top: f64, is_of_bytes: bool) -> Vec<f64> {
    let step = if is_of_bytes { binary_step(top) } else { decimal_step(top) };
    std::iter::successors(Some(0.0), |mark| Some(mark + step)).take_while(|mark| *mark <= top).collect()
}

/// A quarter at least: less is written as hundredths.
fn binary_step(top: f64) -> f64 {
    steps(0.25, &[2.0]).find(|step| top / step <= MOST_STRETCHES).unwrap_or(top)
}

fn decimal_step(top: f64) -> f64 {
    steps(1.0, &[2.0, 2.5, 2.0]).find(|step| top / step <= MOST_STRETCHES).unwrap_or(top)
}

/// `first`, and each next one by the next of the factors, round and round; few enough for any number that is drawn.
fn steps(first: f64, factors: &[f64]) -> impl Iterator<Item = f64> {
    const FEW_ENOUGH: usize = 200;
    let growing = factors.iter().cycle().scan(first, |step, factor| {
        let this = *step;
        *step *= factor;
        Some(this)
    });
    growing.take(FEW_ENOUGH)
}

/// Round times of the day within the range, in UTC.
pub(super) fn of_times(from: UnixMillis, to: UnixMillis) -> Vec<i64> {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const STEPS: [i64; 12] = [
        MINUTE,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        15 * MINUTE,
        30 * MINUTE,
        HOUR,
        2 * HOUR,
        3 * HOUR,
        6 * HOUR,
        12 * HOUR,
        24 * HOUR,
    ];
    let length = to.0.saturating_sub(from.0);
    let Some(step) = STEPS.into_iter().find(|step| length / step <= MOST_TIMES) else { return vec![from.0, to.0] };
    let before = from.0.saturating_sub(1).div_euclid(step).saturating_mul(step);
    std::iter::successors(before.checked_add(step), |at| at.checked_add(step)).take_while(|at| *at <= to.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_few() {
        assert_eq!(of_values(3.24, true), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(of_values(1000.0, true), [0.0, 256.0, 512.0, 768.0]);
        assert_eq!(of_values(1.1, true), [0.0, 0.5, 1.0]);
        assert_eq!(of_values(2.0, false), [0.0, 1.0, 2.0]);
        assert_eq!(of_values(54.0, false), [0.0, 20.0, 40.0]);
        assert_eq!(of_values(108.0, false), [0.0, 50.0, 100.0]);
        for top in [0.1, 2.0, 7.0, 4096.0, 1e9, 1e15] {
            for is_of_bytes in [false, true] {
                assert!((1..=5).contains(&of_values(top, is_of_bytes).len()), "{top}");
            }
        }
    }

    #[test]
    fn times_are_round_times_of_the_day() {
        let minute = |count: i64| UnixMillis(1_790_164_800_000 + count * 60_000);
        let marks: Vec<i64> = [15, 30, 45, 60].map(|count| minute(count).0).into();
        assert_eq!(of_times(minute(2), minute(62)), marks);
        assert_eq!(of_times(minute(0), minute(60)).len(), 5);
        assert_eq!(of_times(minute(0), minute(0)), [minute(0).0]);
        assert_eq!(of_times(UnixMillis(i64::MIN), UnixMillis(i64::MAX)).len(), 2);
    }
}
