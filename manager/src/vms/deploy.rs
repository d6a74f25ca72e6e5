//! Deploying a VM: what may be asked, and where it goes.

use super::keys;
use crate::accounts::{Principal, Role};
use crate::operations::{Wanted, begin, maxima, quota_left};
use crate::{Manager, ManagerError, clock};
use grid::form::parse_vm_name;
use grid::map::{MapNode, ResourceMap};
use grid::operation::OperationKind;
use grid::plan::{Refusal, RefusalReason, place_new};
use grid::vm::{Vm, VmState};
use grid::work::ImageFamily;
use grid::{HypervisorKind, NodeId, OperationId, Resources, Size, VmId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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
        if let Some(known) = self.known_deploy(principal, &request).await? {
            return Ok(known);
        }
        let (name, keys) = match checked(&request) {
            Ok(checked) => checked,
            Err(error) => return self.refused(principal, "vm_deploy", &request.name, error).await,
        };
        // One chooses at a time, and the choice is in the store before the next one looks.
        let turn = self.chooser.turn().await;
        if let Some(known) = self.known_deploy(principal, &request).await? {
            return Ok(known);
        }
        let id = self.new_id();
        let (node, kind, size) = match self.choose(principal, &request).await {
            Ok(chosen) => chosen,
            Err(error) => return self.refused(principal, "vm_deploy", &request.name, error).await,
        };
        let vm = self.new_vm(principal, &request, id, (node, kind, size), (name, keys));
        let kind = OperationKind::Deploy { vm: id, node, size };
        let wanted = Wanted { principal, kind, key: &request.idempotency_key, vm, is_new: true, relocation: None };
        let operation = begin(&self.shared, &self.collector, wanted).await?;
        drop(turn);
        self.driver.spawn(operation);
        Ok((id, operation))
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

    /// A VM's id, such that its MAC is nobody else's.
    fn new_id(&self) -> VmId {
        loop {
            let id = VmId(Uuid::new_v4());
            if !self.collector.is_mac_taken(&mac(id)) {
                return id;
            }
        }
    }

    /// The node, of one of the kinds that the region has and the image is made for.
    async fn choose(
        &self,
        principal: &Principal,
        request: &DeployRequest,
    ) -> Result<(NodeId, HypervisorKind, Size), ManagerError> {
        let offers = self.shared.store.offer_list().await?;
        let offer = offers.into_iter().find(|offer| offer.name == request.offer);
        let size = offer.ok_or_else(|| invalid("offer", "There is no such offer."))?.size;
        let map = self.map();
        let kinds = kinds_in(&map, &request.region);
        if kinds.is_empty() {
            return Err(invalid("region", "There is no such region."));
        }
        let known = |family| self.shared.images.find(family, &request.image).is_some();
        if !known(ImageFamily::Disk) && !known(ImageFamily::Root) {
            return Err(invalid("image", "There is no such image."));
        }
        let left = quota_left(&self.shared, principal.tenant).await?;
        place_in(&map, &request.region, kinds.into_iter().filter(|kind| known(ImageFamily::of(*kind))), size, left)
            .map_err(|refusal| match (refusal, principal.role) {
                (None, _) => invalid("image", "No node of this region runs such an image."),
                (Some(refusal), Role::Admin) => ManagerError::Refused { refusal },
                (Some(refusal), Role::Customer) => ManagerError::Refused { refusal: Box::new(refusal.for_customer()) },
            })
            .map(|(node, kind)| (node, kind, size))
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
            mac: mac(id),
            // Chosen in the transaction.
            address: Ipv4Addr::UNSPECIFIED,
            keys,
            created_at: clock::now(),
            generation: 0,
        }
    }
}

fn kinds_in(map: &ResourceMap, region: &str) -> BTreeSet<HypervisorKind> {
    map.iter().filter(|node| node.node.region == region).map(MapNode::kind).collect()
}

/// The first kind that takes it; else the refusal of the one that came nearest: the last that was not for readiness.
fn place_in(
    map: &ResourceMap,
    region: &str,
    kinds: impl Iterator<Item = HypervisorKind>,
    size: Size,
    left: Resources,
) -> Result<(NodeId, HypervisorKind), Option<Box<Refusal>>> {
    let mut refused: Option<Box<Refusal>> = None;
    for kind in kinds {
        match place_new(map, kind, Some(region), size, Some(left)) {
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

/// An address of its own under the prefix that QEMU's makers have, from the VM's random id. The store keeps them
/// unique.
fn mac(id: VmId) -> String {
    let bytes = id.0.as_bytes();
    format!("52:54:00:{:02x}:{:02x}:{:02x}", bytes[13], bytes[14], bytes[15])
}
