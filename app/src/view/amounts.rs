//! Amounts as people read them. Pure, so that server and browser write the same.

use grid::wording::{Grouped, Measured};
use grid::{Resource, Resources, Size, Unit};

/// `512 MiB`, `1.5 GiB`, `2 TiB`: the largest unit of which there is at least one, two decimals at most.
pub fn mib(amount: u64) -> String {
    const GIB: u64 = 1 << 10;
    const TIB: u64 = 1 << 20;
    match amount {
        0..GIB => format!("{amount} MiB"),
        GIB..TIB => format!("{} GiB", fraction(amount, GIB)),
        _ => format!("{} TiB", fraction(amount, TIB)),
    }
}

/// Bytes in the unit that suits them.
pub fn bytes(amount: u64) -> String {
    const KIB: u64 = 1 << 10;
    const MIB: u64 = 1 << 20;
    match amount {
        0..KIB => format!("{amount} B"),
        KIB..MIB => format!("{} KiB", fraction(amount, KIB)),
        _ => mib(amount / MIB),
    }
}

/// `amount / unit` with at most two decimals, cut off, without trailing zeros.
fn fraction(amount: u64, unit: u64) -> String {
    let whole = amount / unit;
    let hundredths = (amount % unit) * 100 / unit;
    match (hundredths / 10, hundredths % 10) {
        (0, 0) => whole.to_string(),
        (tenths, 0) => format!("{whole}.{tenths}"),
        _ => format!("{whole}.{hundredths:02}"),
    }
}

/// `100 Mbit/s`, `25,000 Mbit/s`.
pub fn mbit(amount: u64) -> String {
    format!("{} Mbit/s", Grouped(amount))
}

/// `1 vCPU`, `4 vCPUs`.
pub fn vcpus(count: u64) -> String {
    if count == 1 { "1 vCPU".to_owned() } else { format!("{count} vCPUs") }
}

/// An amount of one resource, with its unit, as [`Resources`] holds it.
pub fn of(resource: Resource, amount: u64) -> String {
    match resource.unit() {
        Unit::Vcpus => vcpus(amount),
        Unit::Mib | Unit::Gib => mib(amount),
        Unit::Mbit => mbit(amount),
    }
}

/// The same where the resource is named beside it: a bare count for vCPUs.
pub fn bare(resource: Resource, amount: u64) -> String {
    match resource.unit() {
        Unit::Vcpus => amount.to_string(),
        Unit::Mib | Unit::Gib => mib(amount),
        Unit::Mbit => mbit(amount),
    }
}

/// `2 vCPUs · 1 GiB memory · 10 GiB disk`, and the bandwidth where it has some.
pub fn size(size: Size) -> String {
    all(size.into())
}

/// The same of amounts that are no size.
pub fn all(amounts: Resources) -> String {
    listed(amounts.parts(), " · ", of)
}

/// Amounts with their resources' names, where the unit doesn't say these: `3 vCPUs, 1,536 MiB memory`.
pub fn listed(
    amounts: impl Iterator<Item = (Resource, u64)>,
    between: &str,
    written: impl Fn(Resource, u64) -> String,
) -> String {
    let texts = amounts.map(|(resource, amount)| match resource.unit() {
        Unit::Vcpus => vcpus(amount),
        Unit::Mib | Unit::Gib | Unit::Mbit => format!("{} {}", written(resource, amount), resource.as_str()),
    });
    texts.collect::<Vec<String>>().join(between)
}

/// The same without what is none; `nothing` where all is.
pub fn listed_or_nothing(amounts: Resources, between: &str, written: impl Fn(Resource, u64) -> String) -> String {
    if amounts == Resources::ZERO {
        return "nothing".to_owned();
    }
    listed(amounts.parts().filter(|(_, amount)| *amount > 0), between, written)
}

/// An amount in the unit in which the size's form asks for it: memory in MiB, disk in GiB. Nothing is rounded away but
/// hundredths of a GiB, and these upwards: who reads it and gives so much gives enough.
pub fn asked(resource: Resource, amount: u64) -> String {
    in_form(resource, amount, u64::div_ceil)
}

/// The same of what is there, rounded down: who reads it finds so much.
pub fn free(resource: Resource, amount: u64) -> String {
    in_form(resource, amount, |amount, unit| amount / unit)
}

fn in_form(resource: Resource, amount: u64, divide: impl Fn(u64, u64) -> u64) -> String {
    match resource.unit() {
        Unit::Vcpus => Grouped(amount).to_string(),
        Unit::Mib => format!("{} MiB", Grouped(amount)),
        Unit::Mbit => mbit(amount),
        Unit::Gib => {
            let hundredths = divide(amount.saturating_mul(25), 256);
            let (whole, part) = (Grouped(hundredths / 100), hundredths % 100);
            match (part / 10, part % 10) {
                (0, 0) => format!("{whole} GiB"),
                (tenths, 0) => format!("{whole}.{tenths} GiB"),
                _ => format!("{whole}.{part:02} GiB"),
            }
        }
    }
}

/// The amounts of a size in the units of its form: `2 vCPUs · 65,536 MiB memory · 10 GiB disk`.
pub fn form_size(size: Size) -> String {
    listed(Resources::from(size).parts(), " · ", free)
}

/// A length of time: `340 ms`, `4.3 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(milliseconds: u64) -> String {
    Measured(milliseconds).to_string()
}

/// An expected length of time, in whole seconds rounded up; `none` where there is none.
pub fn expected(milliseconds: u64) -> String {
    match milliseconds {
        0 => "none".to_owned(),
        1..1000 => "under a second".to_owned(),
        _ => format!("about {}", duration(milliseconds.div_ceil(1000).saturating_mul(1000))),
    }
}

/// Thousandths as per cent, one decimal: `12.5 %`.
pub fn permille(value: u64) -> String {
    if value.is_multiple_of(10) { format!("{} %", value / 10) } else { format!("{}.{} %", value / 10, value % 10) }
}

/// Thousandths as a ratio: `1`, `1.5`, `0.125`.
pub fn times(permille: u32) -> String {
    let text = format!("{}.{:03}", permille / 1000, permille % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_take_the_largest_unit_with_at_most_two_decimals() {
        assert_eq!(mib(0), "0 MiB");
        assert_eq!(mib(1023), "1023 MiB");
        assert_eq!(mib(1024), "1 GiB");
        assert_eq!(mib(1536), "1.5 GiB");
        assert_eq!(mib(1280), "1.25 GiB");
        assert_eq!(mib(1034), "1 GiB");
        assert_eq!(mib(2 << 20), "2 TiB");
        assert_eq!(bytes(2048), "2 KiB");
    }

    #[test]
    fn times_are_short_and_never_longer_than_two_units() {
        assert_eq!(duration(340), "340 ms");
        assert_eq!(duration(4_250), "4.3 s");
        assert_eq!(duration(12_900), "13 s");
        assert_eq!(duration(200_000), "3 min 20 s");
        assert_eq!(duration(3_600_000), "1 h");
        assert_eq!(expected(0), "none");
        assert_eq!(expected(900), "under a second");
        assert_eq!(expected(12_001), "about 13 s");
    }

    #[test]
    fn amounts_of_a_form_keep_its_units_and_never_promise_too_much() {
        assert_eq!(asked(Resource::Memory, 65_536), "65,536 MiB");
        assert_eq!([asked(Resource::Disk, 10_242), free(Resource::Disk, 10_242)], ["10.01 GiB", "10 GiB"]);
        assert_eq!([asked(Resource::Disk, 1536), free(Resource::Disk, 1280)], ["1.5 GiB", "1.25 GiB"]);
        assert_eq!(free(Resource::Vcpus, 1024), "1,024");
        let plain = Size::SMALLEST;
        assert_eq!(size(plain), "1 vCPU · 16 MiB memory · 1 GiB disk");
        let with_network = Size { network: grid::Mbit(2_500), ..plain };
        assert_eq!(form_size(with_network), "1 vCPU · 16 MiB memory · 1 GiB disk · 2,500 Mbit/s network");
        assert!(asked(Resource::Disk, u64::MAX).ends_with("GiB"));
    }

    #[test]
    fn a_ratio_is_written_without_needless_zeros() {
        assert_eq!([1000, 1500, 125, 0, 10_000].map(times), ["1", "1.5", "0.125", "0", "10"]);
    }

    #[test]
    fn the_largest_numbers_are_written_without_a_panic() {
        assert!(mib(u64::MAX).ends_with("TiB"));
        assert!(duration(u64::MAX).contains('d'));
        assert!(expected(u64::MAX).contains('d'));
    }
}
