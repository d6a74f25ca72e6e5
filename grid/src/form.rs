//! What a person types into the fields of a form, and what is wrong with it. The same code answers in the browser and
//! at the server, so that both say the same.
//!
//! Amounts are whole numbers in the digits 0 to 9; spaces around them are forgiven, anything else is not guessed at.
//! vCPUs 1 to 1,024; memory 16 to 16,777,216 MiB in steps of 4 MiB (see [`Size::MEMORY_STEP`]); disk 1 to
//! 1,048,576 GiB.

use crate::wording::Grouped;
use crate::{Gib, Mbit, Mib, Resource, Size, Vcpus};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is wrong with a typed amount. Its `Display` stands beside the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{problem}")]
pub struct AmountError {
    pub resource: Resource,
    pub problem: AmountProblem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum AmountProblem {
    #[error("Enter a number.")]
    Empty,
    #[error("Enter a whole number, in the digits 0 to 9.")]
    NotANumber,
    #[error("Use the digits 0 to 9.")]
    ForeignDigits,
    #[error("It can't be negative.")]
    Negative,
    #[error("Enter a whole number, without a point or a comma.")]
    Fraction,
    #[error("Enter the number alone, without a unit.")]
    Unit,
    #[error("At least {}.", Grouped(*.least))]
    TooSmall { least: u64 },
    #[error("At most {}.", Grouped(*.most))]
    TooLarge { most: u64 },
    #[error("In steps of {step}: {} or {}.", Grouped(*.below), Grouped(*.above))]
    NotInSteps { step: u64, below: u64, above: u64 },
}

/// What is wrong with each field of a size; at least one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeErrors {
    pub vcpus: Option<AmountError>,
    pub memory: Option<AmountError>,
    pub disk: Option<AmountError>,
}

/// A number of vCPUs.
pub fn parse_vcpus(text: &str) -> Result<Vcpus, AmountError> {
    let count = parse(Resource::Vcpus, text, u64::from(Size::SMALLEST.vcpus.0), u64::from(Size::LARGEST.vcpus.0))?;
    Ok(Vcpus(u32::try_from(count).unwrap_or(u32::MAX)))
}

/// Memory in MiB.
pub fn parse_memory_mib(text: &str) -> Result<Mib, AmountError> {
    let mib = parse(Resource::Memory, text, Size::SMALLEST.memory.0, Size::LARGEST.memory.0)?;
    let step = Size::MEMORY_STEP.0;
    if !mib.is_multiple_of(step) {
        let below = mib / step * step;
        let problem = AmountProblem::NotInSteps { step, below, above: below + step };
        return Err(AmountError { resource: Resource::Memory, problem });
    }
    Ok(Mib(mib))
}

/// Disk in GiB.
pub fn parse_disk_gib(text: &str) -> Result<Gib, AmountError> {
    parse(Resource::Disk, text, Size::SMALLEST.disk.0, Size::LARGEST.disk.0).map(Gib)
}

/// Network bandwidth in Mbit/s; 0 for none.
pub fn parse_network_mbit(text: &str) -> Result<Mbit, AmountError> {
    parse(Resource::Network, text, Size::SMALLEST.network.0, Size::LARGEST.network.0).map(Mbit)
}

/// All three of a resize at once, so that a form can show all that is wrong.
pub fn parse_size(vcpus: &str, memory_mib: &str, disk_gib: &str) -> Result<Size, SizeErrors> {
    match (parse_vcpus(vcpus), parse_memory_mib(memory_mib), parse_disk_gib(disk_gib)) {
        (Ok(vcpus), Ok(memory), Ok(disk)) => Ok(Size::new(vcpus, memory, disk)),
        (vcpus, memory, disk) => Err(SizeErrors { vcpus: vcpus.err(), memory: memory.err(), disk: disk.err() }),
    }
}

fn parse(resource: Resource, text: &str, least: u64, most: u64) -> Result<u64, AmountError> {
    let wrong = |problem| AmountError { resource, problem };
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong(what_it_is(text)));
    }
    match text.parse::<u64>() {
        Ok(amount) if amount < least => Err(wrong(AmountProblem::TooSmall { least })),
        Ok(amount) if amount <= most => Ok(amount),
        // Digits only: what doesn't parse has too many of them.
        Ok(_) | Err(_) => Err(wrong(AmountProblem::TooLarge { most })),
    }
}

/// What a text is that isn't digits alone.
fn what_it_is(text: &str) -> AmountProblem {
    let unsigned = text.trim_start_matches(['-', '\u{2212}']);
    let after_digits = unsigned.trim_start_matches(|each: char| each.is_ascii_digit());
    let digits_first = after_digits.len() < unsigned.len();
    let rest = after_digits.trim_start();
    if text.is_empty() {
        AmountProblem::Empty
    } else if text.chars().any(|each| each.is_numeric() && !each.is_ascii_digit()) {
        AmountProblem::ForeignDigits
    } else if unsigned.len() < text.len() && digits_first {
        AmountProblem::Negative
    } else if after_digits.starts_with(['.', ',']) {
        AmountProblem::Fraction
    } else if digits_first && !rest.is_empty() && rest.chars().all(char::is_alphabetic) {
        AmountProblem::Unit
    } else {
        AmountProblem::NotANumber
    }
}

/// What is wrong with a typed name of a VM. Never repeats what was typed: it may be made to deceive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum NameError {
    #[error("Enter a name.")]
    Empty,
    #[error("At most 63 characters; these are {}.", Grouped(*.characters))]
    TooLong { characters: u64 },
    #[error("Use the letters a to z, digits and hyphens only.")]
    BadCharacter,
    #[error("Use small letters only.")]
    Capital,
    #[error("A name begins and ends with a letter or a digit.")]
    OuterHyphen,
}

/// A VM's name: a host name, see [`crate::vm::is_host_name`]. Spaces around it are forgiven.
pub fn parse_vm_name(text: &str) -> Result<String, NameError> {
    let name = text.trim();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() {
        Err(NameError::Empty)
    } else if name.chars().count() > 63 {
        Err(NameError::TooLong { characters: u64::try_from(name.chars().count()).unwrap_or(u64::MAX) })
    } else if !name.bytes().all(allowed) {
        Err(NameError::BadCharacter)
    } else if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Err(NameError::Capital)
    } else if name.starts_with('-') || name.ends_with('-') {
        Err(NameError::OuterHyphen)
    } else {
        Ok(name.to_owned())
    }
}

impl SizeErrors {
    /// The errors in the order of the fields.
    pub fn iter(&self) -> impl Iterator<Item = AmountError> {
        [self.vcpus, self.memory, self.disk].into_iter().flatten()
    }
}

/// All of them in one line, each with its field's name.
impl fmt::Display for SizeErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            write!(formatter, "{space}{}: {error}", error.resource.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::is_host_name;
    use proptest::prelude::*;

    fn said<T: fmt::Debug>(result: Result<T, AmountError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn amounts_are_read_with_spaces_around_them_and_leading_zeros() {
        assert_eq!(parse_vcpus(" 4 "), Ok(Vcpus(4)));
        assert_eq!(parse_memory_mib("\t0512\n"), Ok(Mib(512)));
        assert_eq!(parse_disk_gib("1048576"), Ok(Gib(1_048_576)));
    }

    #[test]
    fn every_bad_amount_has_its_own_message() {
        assert_eq!(said(parse_vcpus("")), "Enter a number.");
        assert_eq!(said(parse_vcpus("   ")), "Enter a number.");
        assert_eq!(said(parse_vcpus("0")), "At least 1.");
        assert_eq!(said(parse_vcpus("-3")), "It can't be negative.");
        assert_eq!(said(parse_vcpus("\u{2212}3")), "It can't be negative.");
        assert_eq!(said(parse_vcpus("1.5")), "Enter a whole number, without a point or a comma.");
        assert_eq!(said(parse_memory_mib("1,024")), "Enter a whole number, without a point or a comma.");
        assert_eq!(said(parse_memory_mib("9223372036854775808")), "At most 16,777,216.");
        assert_eq!(said(parse_memory_mib(&"9".repeat(10_000))), "At most 16,777,216.");
        assert_eq!(said(parse_vcpus("４")), "Use the digits 0 to 9.");
        assert_eq!(said(parse_vcpus("٤")), "Use the digits 0 to 9.");
        assert_eq!(said(parse_memory_mib("512MiB")), "Enter the number alone, without a unit.");
        assert_eq!(said(parse_disk_gib("20 GiB")), "Enter the number alone, without a unit.");
        assert_eq!(said(parse_memory_mib("1001")), "In steps of 4: 1,000 or 1,004.");
        for text in ["two", "1e3", "0x10", "+4", "1 024", "4\0", "<4>", "-", "NaN", "--", "\u{202e}4"] {
            assert_eq!(said(parse_vcpus(text)), "Enter a whole number, in the digits 0 to 9.", "{text:?}");
        }
    }

    #[test]
    fn limits_hold_on_both_sides() {
        assert_eq!(parse_vcpus("1024"), Ok(Vcpus(1024)));
        assert_eq!(said(parse_vcpus("1025")), "At most 1,024.");
        assert_eq!(parse_memory_mib("16"), Ok(Mib(16)));
        assert_eq!(said(parse_memory_mib("12")), "At least 16.");
        assert_eq!(said(parse_disk_gib("1048577")), "At most 1,048,576.");
        assert_eq!([parse_network_mbit("0"), parse_network_mbit("100000")], [Ok(Mbit(0)), Ok(Mbit(100_000))]);
        assert_eq!(said(parse_network_mbit("100001")), "At most 100,000.");
    }

    #[test]
    fn a_form_shows_all_that_is_wrong_at_once() {
        let errors = parse_size("0", "512", "1.5").unwrap_err();
        assert_eq!(errors.to_string(), "vCPUs: At least 1. disk: Enter a whole number, without a point or a comma.");
    }

    #[test]
    fn every_bad_name_has_a_message() {
        let said = |text: &str| parse_vm_name(text).unwrap_err().to_string();
        assert_eq!(parse_vm_name(" web-1 "), Ok("web-1".to_owned()));
        assert_eq!(said(""), "Enter a name.");
        assert_eq!(said(&"a".repeat(10_000)), "At most 63 characters; these are 10,000.");
        assert_eq!(said("Web"), "Use small letters only.");
        assert_eq!(said("-web"), "A name begins and ends with a letter or a digit.");
        for name in ["<b>", "]]>", "a\0b", "../etc", "\u{202e}bew", "we b", "wéb", "a_b", "a.b"] {
            assert_eq!(said(name), "Use the letters a to z, digits and hyphens only.", "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_answered(text in any::<String>()) {
            let (vcpus, memory, disk) = (parse_vcpus(&text), parse_memory_mib(&text), parse_disk_gib(&text));
            prop_assert!(vcpus.is_err() || Size::SMALLEST.vcpus <= vcpus.unwrap() && vcpus.unwrap() <= Size::LARGEST.vcpus);
            prop_assert!(memory.is_err() || memory.unwrap().0 % Size::MEMORY_STEP.0 == 0);
            prop_assert!(disk.is_err() || disk.unwrap() <= Size::LARGEST.disk);
        }

        #[test]
        fn a_name_that_is_taken_is_a_host_name(text in "[ -~]{0,70}|[a-z0-9-]{0,64}") {
            prop_assert_eq!(parse_vm_name(&text).is_ok(), is_host_name(text.trim()));
        }

        #[test]
        fn numbers_within_the_limits_are_taken(mib in 4_u64..=4_194_304) {
            prop_assert_eq!(parse_memory_mib(&(mib * 4).to_string()), Ok(Mib(mib * 4)));
        }
    }
}
