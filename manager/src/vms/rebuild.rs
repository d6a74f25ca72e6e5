//! Rebuilding a VM whose node is fenced: anew from its image, on another node of the same kind, as who it was (name,
//! addresses, keys, size), with an empty disk. The old disk is in the dead node's pool, where nobody can read it: whoever
//! may act on the VM decides whether to wait for it or to begin anew, and types the VM's name to say so.

use super::deploy::invalid;
use crate::accounts::{Principal, Role};
use crate::attempt::Refused;
use crate::operations::{Wanted, begin};
use crate::{Manager, ManagerError};
use grid::map::{MapNode, ResourceMap};
use grid::operation::OperationKind;
use grid::placement::{Request, choose};
use grid::plan::refuse_new;
use grid::vm::{Vm, VmState, commitment};
use grid::work::ImageFamily;
use grid::{NodeId, OperationId, VmId};

impl Manager {
    /// Chooses another node, reserves the room, and starts the rebuilding. `confirmed` is the VM's name, as it was typed.
    pub async fn vm_rebuild(
        &self,
        principal: &Principal,
        vm: VmId,
        confirmed: &str,
        key: &str,
    ) -> Result<OperationId, ManagerError> {
        let begun = self.rebuild(principal, vm, confirmed, key).await;
        self.attempted(principal, "vm_rebuild", &vm.to_string(), begun).await
    }

    async fn rebuild(
        &self,
        principal: &Principal,
        vm: VmId,
        confirmed: &str,
        key: &str,
    ) -> Result<OperationId, Refused> {
        // One chooses at a time, and the choice is in the store before the next one looks.
        let _turn = self.chooser.turn().await;
        if let Some(known) = self.known_key(principal, key, "rebuild", Some(vm)).await? {
            return Ok(known);
        }
        let (vm, kind) = self.rebuilt(principal, vm, confirmed).await?;
        let wanted = Wanted { principal, kind, key, vm, is_new: false, relocation: None };
        let operation = begin(&self.shared, &self.collector, wanted).await?;
        self.driver.spawn(operation);
        Ok(operation)
    }

    /// The VM and what is to be done, where that may be.
    async fn rebuilt(
        &self,
        principal: &Principal,
        vm: VmId,
        confirmed: &str,
    ) -> Result<(Vm, OperationKind), ManagerError> {
        let vm = self.vm_allowed(principal, vm).await?;
        if confirmed.trim() != vm.name {
            let message = format!("Type {}, to confirm that it begins anew without its data.", vm.name);
            return Err(invalid("confirmed", &message));
        }
        if !self.is_fenced(vm.node) {
            return Err(unavailable("the VM's node is not out of service, so nothing is started elsewhere"));
        }
        self.not_busy(vm.id).await?;
        if !matches!(vm.state, VmState::Running | VmState::Stopped | VmState::Unknown) {
            return Err(unavailable(&format!("the VM is {}", vm.state.as_str())));
        }
        if self.shared.images.find(ImageFamily::of(vm.kind), &vm.image).is_none() {
            return Err(unavailable("its image is not there any more"));
        }
        let node = place_elsewhere(principal, &self.map(), &vm)?;
        let kind = OperationKind::Rebuild { vm: vm.id, from: vm.node, node, size: vm.size };
        Ok((vm, kind))
    }
}

/// The best other node on which nothing of the VM is left.
fn place_elsewhere(principal: &Principal, map: &ResourceMap, vm: &Vm) -> Result<NodeId, ManagerError> {
    let without = |excluded: Vec<NodeId>| Request {
        region: Some(vm.region.clone()),
        excluded,
        ..Request::new(vm.kind, commitment(vm.kind, vm.size))
    };
    let holders = map.iter().filter(|node| holds(node, vm.id)).map(|node| node.node.id);
    if let Some(chosen) = choose(map, &without(holders.chain([vm.node]).collect())) {
        return Ok(chosen.node);
    }
    let elsewhere = without(vec![vm.node]);
    if choose(map, &elsewhere).is_some() {
        return Err(unavailable("where there is room for it something of it is still listed: try again in a moment"));
    }
    let refusal = refuse_new(map, &elsewhere, vm.size);
    let refusal = if principal.role == Role::Admin { refusal } else { refusal.for_customer() };
    Err(ManagerError::Refused { refusal: Box::new(refusal) })
}

/// Whether either source lists something of the VM on the node.
fn holds(node: &MapNode, vm: VmId) -> bool {
    let defines = |node: &MapNode| node.hypervisor.iter().flat_map(|it| &it.sample.domains).any(|it| it.id == vm);
    defines(node) || node.utility.iter().flat_map(|it| &it.sample.disks).any(|disk| disk.vm == vm)
}

fn unavailable(reason: &str) -> ManagerError {
    ManagerError::Unavailable { reason: reason.to_owned() }
}
