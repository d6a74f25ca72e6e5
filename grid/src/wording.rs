//! How amounts read in sentences: thousands separators, units, times.

use crate::{Resource, Unit};
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

/// So many of something: `1 node`, `1,000 nodes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted<'a>(pub u64, pub &'a str);

impl fmt::Display for Counted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, word) = *self;
        write!(formatter, "{} {word}{}", Grouped(count), if count == 1 { "" } else { "s" })
    }
}

/// An amount of a resource in the units of [`crate::Resources`]: `4 vCPUs`, `65,536 MiB`; disk that is a whole number
/// of GiB in GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub Resource, pub u64);

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.unit(), self.1) {
            (Unit::Vcpus, 1) => formatter.write_str("1 vCPU"),
            (Unit::Vcpus, count) => write!(formatter, "{} vCPUs", Grouped(count)),
            (Unit::Gib, mib) if mib.is_multiple_of(1024) => write!(formatter, "{} GiB", Grouped(mib / 1024)),
            (Unit::Mib | Unit::Gib, mib) => write!(formatter, "{} MiB", Grouped(mib)),
            (Unit::Mbit, mbit) => write!(formatter, "{} Mbit/s", Grouped(mbit)),
        }
    }
}

/// The same with the resource's name, where the unit doesn't say it: `4 vCPUs`, `65,536 MiB memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named(pub Resource, pub u64);

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = Amount(self.0, self.1);
        match self.0.unit() {
            Unit::Vcpus => amount.fmt(formatter),
            Unit::Mib | Unit::Gib | Unit::Mbit => write!(formatter, "{amount} {}", self.0.as_str()),
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

/// Milliseconds as they were measured: `340 ms`, `5.5 s`, `13 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; below a minute
/// rounded to what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured(pub u64);

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenths, seconds) = (self.0.saturating_add(50) / 100, self.0.saturating_add(500) / 1000);
        let mut two = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
            0 => write!(formatter, "{large} {large_unit}"),
            _ => write!(formatter, "{large} {large_unit} {small} {small_unit}"),
        };
        match (self.0, seconds) {
            (0..1000, _) => write!(formatter, "{} ms", self.0),
            _ if tenths < 100 && tenths % 10 != 0 => write!(formatter, "{}.{} s", tenths / 10, tenths % 10),
            (_, 0..60) => write!(formatter, "{seconds} s"),
            (_, 60..3600) => two(seconds / 60, "min", seconds % 60, "s"),
            (_, 3600..86_400) => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
            _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
        }
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
        assert_eq!(Named(Resource::Network, 2_500).to_string(), "2,500 Mbit/s network");
    }

    #[test]
    fn measured_times_are_rounded_to_what_is_shown() {
        let shown = [0, 999, 1000, 5482, 9_949, 9_950, 12_900, 59_600, 200_000, 3_600_000, 7_500_000];
        let shown = shown.map(|ms| Measured(ms).to_string());
        let said =
            ["0 ms", "999 ms", "1 s", "5.5 s", "9.9 s", "10 s", "13 s", "1 min", "3 min 20 s", "1 h", "2 h 5 min"];
        assert_eq!(shown, said);
        assert!(Measured(u64::MAX).to_string().contains('d'));
    }

    #[test]
    fn times_are_said_in_the_unit_that_suits() {
        let shown = [0, 400, 1000, 59_999, 119_000, 120_000, 7_200_000, 200_000_000].map(|ms| Seconds(ms).to_string());
        assert_eq!(shown, ["0 ms", "400 ms", "1 s", "59 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
