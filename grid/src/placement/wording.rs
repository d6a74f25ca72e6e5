//! Rejections and summaries in words, for admins.

use super::{Rejection, Rule};
use crate::Resource;
use crate::wording::Grouped;
use std::fmt;

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Excluded => formatter.write_str("excluded from the search"),
            Self::OtherKind { has } => write!(formatter, "another hypervisor kind: {has}"),
            Self::OtherRegion { region } => write!(formatter, "another region: {region}"),
            Self::OtherFailureDomain { has: Some(domain) } => write!(formatter, "another failure domain: {domain}"),
            Self::OtherFailureDomain { has: None } => formatter.write_str("its failure domain is not known"),
            Self::Group { group, rule } => write!(formatter, "group {group}: {rule}"),
            Self::NoRoom { resource, asked, available, reserved } => {
                let [asked, free, reserved] = [*asked, *available, *reserved].map(|amount| In(*resource, amount));
                write!(formatter, "{}: asked {asked}, free {free}, reserved {reserved}", resource.as_str())
            }
            Self::NotReady { condition } => write!(formatter, "{condition}"),
            Self::Incompatible { missing } => {
                write!(formatter, "no live move: it lacks {}", Few(missing))
            }
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::ApartByNode => "another VM of it is on this node",
            Self::ApartByFailureDomain => "another VM of it is in this failure domain",
            Self::TogetherOnNode => "its VMs are on another node",
            Self::TogetherInFailureDomain => "its VMs are in another failure domain",
        })
    }
}

/// An amount in the unit of its resource.
pub(super) struct In(pub(super) Resource, pub(super) u64);

impl fmt::Display for In {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.unit().as_str() {
            "" => write!(formatter, "{}", Grouped(self.1)),
            unit => write!(formatter, "{} {unit}", Grouped(self.1)),
        }
    }
}

/// The first few of a list, and how many more there are.
struct Few<'a>(&'a [String]);

impl fmt::Display for Few<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 6;
        let shown = self.0.get(..SHOWN).unwrap_or(self.0);
        formatter.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(shown.len()) {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}
