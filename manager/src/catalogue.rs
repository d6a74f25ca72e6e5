//! What can be chosen from: offers, images, regions; and how much of a tenant's quota is left.

use crate::accounts::Principal;
use crate::{Manager, ManagerError};
use grid::offer::{Offer, Quota};
use grid::work::ImageFamily;
use grid::{HypervisorKind, Resources};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a tenant may hold, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaView {
    pub quota: Quota,
    pub used: Resources,
    pub used_vms: u32,
}

impl Manager {
    pub async fn offer_list(&self, _principal: &Principal) -> Result<Vec<Offer>, ManagerError> {
        Ok(self.shared.store.offer_list().await?)
    }

    /// The regions and the hypervisor kinds that each has.
    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn region_list(
        &self,
        _principal: &Principal,
    ) -> Result<Vec<(String, Vec<HypervisorKind>)>, ManagerError> {
        let map = self.map();
        let mut regions: BTreeMap<&str, BTreeSet<HypervisorKind>> = BTreeMap::new();
        for node in map.iter() {
            regions.entry(&node.node.region).or_default().insert(node.kind());
        }
        let named = regions.into_iter().map(|(name, kinds)| (name.to_owned(), kinds.into_iter().collect()));
        Ok(named.collect())
    }

    /// The images that a VM can be deployed from, by name: those for which there is a node.
    #[expect(clippy::unused_async, reason = "use cases are asynchronous, whatever they wait for today")]
    pub async fn image_list(&self, _principal: &Principal) -> Result<Vec<String>, ManagerError> {
        let families: BTreeSet<&str> = self.map().iter().map(|node| ImageFamily::of(node.kind()).as_str()).collect();
        let of_use = [ImageFamily::Disk, ImageFamily::Root].into_iter().filter(|it| families.contains(it.as_str()));
        let names: BTreeSet<String> =
            of_use.flat_map(|family| self.shared.images.list(family)).map(|image| image.name).collect();
        Ok(names.into_iter().collect())
    }

    pub async fn quota(&self, principal: &Principal) -> Result<QuotaView, ManagerError> {
        let quota = self.shared.store.tenant_quota(principal.tenant).await?;
        let (used, used_vms) = self.shared.store.tenant_usage(principal.tenant).await?;
        Ok(QuotaView { quota, used, used_vms })
    }
}
