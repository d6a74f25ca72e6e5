//! What can be chosen, and the quota, in words.

use crate::AppError;
use crate::server_side::door::Door;
use crate::server_side::session;
use crate::view::catalogue::{DeployView, OfferView, QuotaLine, QuotaView, RegionView};
use grid::offer::Quota;
use grid::{HypervisorKind, Resource};

/// Everything that the deploy page offers.
pub async fn deploy(door: &Door) -> Result<DeployView, AppError> {
    let (manager, principal) = (&door.manager, &door.principal);
    let offers = door.pass(manager.offer_list(principal).await)?;
    let regions = door.pass(manager.region_list(principal).await)?;
    Ok(DeployView {
        images: door.pass(manager.image_list(principal).await)?,
        offers: offers.into_iter().map(|offer| OfferView { name: offer.name, size: offer.size }).collect(),
        regions: regions.into_iter().map(region).collect(),
        quota: quota(door.pass(manager.quota(principal).await)?),
        idempotency_key: key(),
        flash: session::flash_take("deploy").await?,
    })
}

fn region((name, kinds): (String, Vec<HypervisorKind>)) -> RegionView {
    RegionView { name, kinds: kinds.into_iter().map(|kind| kind.as_str().to_owned()).collect() }
}

/// What a tenant holds of what it may hold.
pub fn quota(quota: manager::catalogue::QuotaView) -> QuotaView {
    let line = |resource: Resource| {
        let (used, limit) = (quota.used.get(resource), quota.quota.limit.get(resource));
        QuotaLine { resource, used, limit: (limit < Quota::NO_LIMIT).then_some(limit) }
    };
    // What one can do without, isn't limited in, and has none of, is nothing to tell.
    let is_told =
        |line: &QuotaLine| !line.resource.is_optional() || line.used > 0 || line.limit.is_some_and(|it| it > 0);
    QuotaView {
        lines: Resource::ALL.into_iter().map(line).filter(is_told).collect(),
        vms_used: quota.used_vms,
        vms_limit: quota.quota.vms,
    }
}

/// A form's own key: posted twice, it is one operation.
pub fn key() -> String {
    uuid::Uuid::new_v4().to_string()
}
