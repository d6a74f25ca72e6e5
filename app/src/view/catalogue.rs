//! What a customer can choose from, and how much of it is left to them.

use crate::form::Flash;
use grid::{Resource, Size};
use serde::{Deserialize, Serialize};

/// A size for sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferView {
    pub name: String,
    pub size: Size,
}

/// A place to deploy to, and what runs VMs there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionView {
    pub name: String,
    pub kinds: Vec<String>,
}

/// One line of the quota: used and limit, in the resource's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaLine {
    pub resource: Resource,
    pub used: u64,
    /// None where it isn't limited.
    pub limit: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaView {
    pub lines: Vec<QuotaLine>,
    pub vms_used: u32,
    pub vms_limit: u32,
}

/// The deploy page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployView {
    pub images: Vec<String>,
    pub offers: Vec<OfferView>,
    pub regions: Vec<RegionView>,
    pub quota: QuotaView,
    pub idempotency_key: String,
    /// What came back from a post without scripts.
    pub flash: Flash,
}
