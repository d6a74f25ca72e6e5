//! How amounts read in sentences: thousands separators, units, times.

use crate::Resource;
use std::fmt;

/// A number with a comma between each three digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                formatter.write_str(",")?;
            }
            write!(formatter, "{digit}")?;
        }
        Ok(())
    }
}

/// An amount of a resource in the units of [`crate::Resources`]: `4 vCPUs`, `65,536 MiB`; disk that is a whole number
/// of GiB in GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub Resource, pub u64);

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Resource::Vcpus, 1) => formatter.write_str("1 vCPU"),
            (Resource::Vcpus, count) => write!(formatter, "{} vCPUs", Grouped(count)),
            (Resource::Disk, mib) if mib.is_multiple_of(1024) => write!(formatter, "{} GiB", Grouped(mib / 1024)),
            (Resource::Memory | Resource::Disk, mib) => write!(formatter, "{} MiB", Grouped(mib)),
        }
    }
}

/// Milliseconds as a person says them: `400 ms`, `12 s`, `3 min`, `2 h`, `5 d`; the largest unit of which there is at
/// least two, rounded down, but seconds from one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub u64);

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SECOND: u64 = 1000;
        const MINUTE: u64 = 60 * SECOND;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        let (count, unit) = match self.0 {
            ms if ms >= 2 * DAY => (ms / DAY, "d"),
            ms if ms >= 2 * HOUR => (ms / HOUR, "h"),
            ms if ms >= 2 * MINUTE => (ms / MINUTE, "min"),
            ms if ms >= SECOND => (ms / SECOND, "s"),
            ms => (ms, "ms"),
        };
        write!(formatter, "{} {unit}", Grouped(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown: Vec<String> = [0, 999, 1000, 65_536, 1_234_567].map(|n| Grouped(n).to_string()).into();
        assert_eq!(shown, ["0", "999", "1,000", "65,536", "1,234,567"]);
        assert_eq!(Grouped(u64::MAX).to_string(), "18,446,744,073,709,551,615");
    }

    #[test]
    fn amounts_carry_their_units() {
        assert_eq!(Amount(Resource::Vcpus, 1).to_string(), "1 vCPU");
        assert_eq!(Amount(Resource::Vcpus, 0).to_string(), "0 vCPUs");
        assert_eq!(Amount(Resource::Memory, 65_536).to_string(), "65,536 MiB");
        assert_eq!(Amount(Resource::Disk, 20_480).to_string(), "20 GiB");
        assert_eq!(Amount(Resource::Disk, 20_482).to_string(), "20,482 MiB");
    }

    #[test]
    fn times_are_said_in_the_unit_that_suits() {
        let shown = [0, 400, 1000, 59_999, 119_000, 120_000, 7_200_000, 200_000_000].map(|ms| Seconds(ms).to_string());
        assert_eq!(shown, ["0 ms", "400 ms", "1 s", "59 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
