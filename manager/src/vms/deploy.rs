//! Deploying a VM: what may be asked, and where it goes.

use super::change::key_is_sound;
use super::keys;
use crate::accounts::{Principal, Role};
use crate::attempt::Refused;
use crate::operations::{Decided, Wanted, commit, decide, maxima, quota_left};
use crate::{Manager, ManagerError, clock};
use grid::form::parse_vm_name;
use grid::map::ResourceMap;
use grid::operation::OperationKind;
use grid::plan::{Refusal, RefusalReason, place_new};
use grid::vm::{Vm, VmState};
use grid::work::ImageFamily;
use grid::{HypervisorKind, NodeId, OperationId, Resources, Size, VmId};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use uuid::Uuid;

/// What a customer asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployRequest {
    /// A host name.
    pub name: String,
    /// One of [`Manager::image_list`].
    pub image: String,
    /// One of [`Manager::offer_list`], by name.
    pub offer: String,
    /// One of [`Manager::region_list`].
    pub region: String,
    /// Public keys in OpenSSH's format, one a line; may be empty.
    pub keys: String,
    /// The caller's own: the same key is the same deployment.
    pub idempotency_key: String,
}

impl Manager {
    /// Chooses a node, reserves the room, and starts the deployment.
    pub async fn vm_deploy(
        &self,
        principal: &Principal,
        request: DeployRequest,
    ) -> Result<(VmId, OperationId), ManagerError> {
        let begun = self.deploy(principal, &request).await;
        self.attempted(principal, "vm_deploy", &request.name, begun).await
    }

    async fn deploy(&self, principal: &Principal, request: &DeployRequest) -> Result<(VmId, OperationId), Refused> {
        key_is_sound(&request.idempotency_key)?;
        let key = self.chooser.key(principal.user, &request.idempotency_key).await;
        if key.has_waited
            && let Some(known) = self.known_deploy(principal, request).await?
        {
            return Ok(known);
        }
        let (vm, decided) = match self.decide_deploy(principal, request).await {
            Ok(decided) => decided,
            // What was accepted before stays so, whatever is the case by now.
            Err(error) => return self.known_deploy(principal, request).await?.ok_or(Refused::Untold(error)),
        };
        let accepted = commit(&self.shared, decided).await?;
        if !accepted.is_new {
            return Ok(self.known_deploy(principal, request).await?.ok_or(ManagerError::NotFound)?);
        }
        self.driver.spawn(accepted.operation);
        Ok((vm, accepted.operation))
    }

    /// One chooses at a time, and the choice is in the map before the next one looks.
    async fn decide_deploy(
        &self,
        principal: &Principal,
        request: &DeployRequest,
    ) -> Result<(VmId, Decided<'_>), ManagerError> {
        let (name, keys) = checked(request)?;
        let wish = self.wish(principal, request).await?;
        let _turn = self.chooser.turn().await;
        let (node, kind) = self.choose(principal, request, &wish)?;
        // Ids grow with time, so that new rows of the store come to stand together.
        let id = VmId(Uuid::now_v7());
        let vm = self.new_vm(principal, request, id, (node, kind, wish.size), (name, keys));
        let kind = OperationKind::Deploy { vm: id, node, size: wish.size };
        let wanted = Wanted { principal, kind, key: &request.idempotency_key, vm, is_new: true, relocation: None };
        Ok((id, decide(&self.shared, &self.collector, wanted)?))
    }

    /// The deployment that the caller's key already stands for.
    async fn known_deploy(
        &self,
        principal: &Principal,
        request: &DeployRequest,
    ) -> Result<Option<(VmId, OperationId)>, ManagerError> {
        let known = self.known_key(principal, &request.idempotency_key, "deploy", None).await?;
        let Some(known) = known else { return Ok(None) };
        let operation = self.shared.store.operation_get(known).await?.ok_or(ManagerError::NotFound)?;
        Ok(Some((operation.kind.vm(), known)))
    }

    /// What can be said of the request before one's turn.
    async fn wish(&self, principal: &Principal, request: &DeployRequest) -> Result<Wish, ManagerError> {
        let (offers, left) =
            tokio::try_join!(self.shared.store.offer_list(), quota_left(&self.shared, principal.tenant))?;
        let offer = offers.into_iter().find(|offer| offer.name == request.offer);
        let size = offer.ok_or_else(|| invalid("offer", "There is no such offer."))?.size;
        let kinds = self.collector.kinds_in(&request.region);
        if kinds.is_empty() {
            return Err(invalid("region", "There is no such region."));
        }
        let known = |family| self.shared.images.find(family, &request.image).is_some();
        if !known(ImageFamily::Disk) && !known(ImageFamily::Root) {
            return Err(invalid("image", "There is no such image."));
        }
        let kinds = kinds.into_iter().filter(|kind| known(ImageFamily::of(*kind))).collect();
        Ok(Wish { size, kinds, left })
    }

    /// The node, of one of the kinds that the region has and the image is made for.
    fn choose(
        &self,
        principal: &Principal,
        request: &DeployRequest,
        wish: &Wish,
    ) -> Result<(NodeId, HypervisorKind), ManagerError> {
        place_in(&self.map(), &request.region, wish).map_err(|refusal| match (refusal, principal.role) {
            (None, _) => invalid("image", "No node of this region runs such an image."),
            (Some(refusal), Role::Admin) => ManagerError::Refused { refusal },
            (Some(refusal), Role::Customer) => ManagerError::Refused { refusal: Box::new(refusal.for_customer()) },
        })
    }

    fn new_vm(
        &self,
        principal: &Principal,
        request: &DeployRequest,
        id: VmId,
        (node, kind, size): (NodeId, HypervisorKind, Size),
        (name, keys): (String, String),
    ) -> Vm {
        let usable = self.map().get(node).map(|entry| entry.usable);
        Vm {
            id,
            name,
            tenant: principal.tenant,
            owner: principal.user,
            node,
            kind,
            region: request.region.clone(),
            image: request.image.clone(),
            size,
            maxima: maxima::choose(size, usable),
            state: VmState::Deploying,
            mac: self.collector.next_mac(),
            // Chosen in the transaction.
            address: Ipv4Addr::UNSPECIFIED,
            keys,
            created_at: clock::now(),
            generation: 0,
        }
    }
}

/// What a request comes to.
struct Wish {
    size: Size,
    /// Those that the region has and the image is made for.
    kinds: Vec<HypervisorKind>,
    /// What the tenant may still add.
    left: Resources,
}

/// The first kind that takes it; else the refusal of the one that came nearest: the last that was not for readiness.
fn place_in(map: &ResourceMap, region: &str, wish: &Wish) -> Result<(NodeId, HypervisorKind), Option<Box<Refusal>>> {
    let mut refused: Option<Box<Refusal>> = None;
    for kind in wish.kinds.iter().copied() {
        match place_new(map, kind, Some(region), wish.size, Some(wish.left)) {
            Ok(placement) => {
                if let Some(chosen) = placement.chosen {
                    return Ok((chosen.node, kind));
                }
            }
            Err(refusal) => {
                let for_readiness = matches!(refusal.reason, RefusalReason::NotReady { .. });
                if refused.is_none() || !for_readiness {
                    refused = Some(refusal);
                }
            }
        }
    }
    Err(refused)
}

/// What can be said of the request without looking at the grid; answers name and keys.
fn checked(request: &DeployRequest) -> Result<(String, String), ManagerError> {
    let name = parse_vm_name(&request.name).map_err(|error| invalid("name", &error.to_string()))?;
    let keys = keys::checked(&request.keys).map_err(|message| invalid("keys", &message))?;
    Ok((name, keys))
}

impl DeployRequest {
    /// All that is wrong with what was typed, by its field, as far as it can be said without looking at the grid;
    /// [`Manager::vm_deploy`] answers the first.
    pub fn wrong(&self) -> Vec<(&'static str, String)> {
        let name = parse_vm_name(&self.name).err().map(|error| ("name", error.to_string()));
        let keys = keys::checked(&self.keys).err().map(|message| ("keys", message));
        name.into_iter().chain(keys).collect()
    }
}

pub(super) fn invalid(field: &'static str, message: &str) -> ManagerError {
    ManagerError::Invalid { field, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::rig::Rig;
    use grid::sample::DiskSample;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_new_vm_counts_as_the_store_has_recorded_it_whatever_samples_show_meanwhile() {
        let rig = Rig::new().await;
        rig.manager.stop().await;
        let collector = &rig.manager.collector;
        for shown in [false, true] {
            let request = Rig::request(&format!("shown-{shown}"), "disk-tiny");
            let (vm, decided) = rig.manager.decide_deploy(&rig.customer, &request).await.unwrap();
            let nodes = rig.manager.map().nodes().clone();
            for entry in nodes.values().filter(|_| shown) {
                let mut sample = entry.utility.clone().unwrap().sample;
                sample.pool.free_mib /= 2;
                sample.disks.push(DiskSample { vm, virtual_bytes: 1 << 30, real_bytes: 1 << 30 });
                collector.utility_reported(entry.node.id, clock::now(), sample);
            }
            commit(&rig.manager.shared, decided).await.unwrap();
            let counted = rig.manager.map();
            collector.records_changed().await.unwrap();
            let recorded = rig.manager.map();
            assert!(recorded.version > counted.version);
            assert!(recorded.iter().any(|entry| entry.reserved != Resources::ZERO));
            for entry in recorded.iter() {
                assert_eq!(counted.get(entry.node.id), Some(entry), "shown: {shown}");
            }
        }
    }
}
