//! Offers: the sizes for sale; quotas: how much of them a tenant may hold.

use crate::{Resources, Size};
use serde::{Deserialize, Serialize};

/// A size for sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Unique; also what is shown.
    pub name: String,
    pub size: Size,
}

/// What a tenant may hold at most, summed over its VMs (a move's second copy is never charged).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    pub limit: Resources,
    pub vms: u32,
}

impl Quota {
    /// The limit of a resource that isn't limited.
    pub const NO_LIMIT: u64 = i64::MAX as u64;
}
