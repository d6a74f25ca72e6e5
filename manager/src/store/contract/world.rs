//! A small world to tell the story in: a tenant with its user, two nodes, and how to ask for things there.

use super::super::rows::{NewOperation, NewUser, NewVm, OperationEnd, RoomCheck};
use super::super::{Begun, Store};
use crate::accounts::Role;
use grid::node::{Administration, Node, NodeSettings};
use grid::offer::Quota;
use grid::operation::{OperationKind, OperationState};
use grid::plan::{Estimate, Plan, PlanKind};
use grid::vm::{Maxima, Vm, VmState, commitment};
use grid::{
    Gib, HypervisorKind, Mbit, Mib, NodeId, OperationId, Resource, Resources, Size, TenantId, UnixMillis, UserId,
    Vcpus, VmId,
};
use std::net::Ipv4Addr;
use std::sync::Arc;
use uuid::Uuid;

/// The time at which the story plays.
pub(in crate::store) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// 2 vCPUs, 1 GiB of memory, 4 GiB of disk.
pub(in crate::store) const SMALL: Size = Size { network: Mbit(100), ..Size::new(Vcpus(2), Mib(1024), Gib(4)) };

/// 4 vCPUs, 4 GiB of memory, 8 GiB of disk.
pub(in crate::store) const LARGE: Size = Size { network: Mbit(300), ..Size::new(Vcpus(4), Mib(4096), Gib(8)) };

pub(in crate::store) const MAXIMA: Maxima = Maxima { vcpus: Vcpus(8), memory: Mib(8192) };

/// Enough for anything.
pub(in crate::store) const PLENTY: Resources =
    Resources::new(1000, 1_000_000, 10_000_000).with(Resource::Network, 100_000);

#[derive(Clone)]
pub(in crate::store) struct World {
    pub(in crate::store) store: Arc<dyn Store>,
    pub(in crate::store) tenant: TenantId,
    pub(in crate::store) user: UserId,
    pub(in crate::store) here: NodeId,
    pub(in crate::store) there: NodeId,
}

pub(in crate::store) fn node(name: &str) -> Node {
    Node {
        id: NodeId(Uuid::new_v4()),
        name: name.to_owned(),
        kind: HypervisorKind::Qemu,
        region: "north".to_owned(),
        uri: format!("simulated:///{name}"),
        settings: NodeSettings::default(),
        administration: Administration::Open,
        failure_domain: None,
    }
}

pub(in crate::store) fn new_user(tenant: TenantId, email: &str) -> NewUser {
    NewUser {
        id: UserId(Uuid::new_v4()),
        tenant,
        email: email.to_owned(),
        password_hash: "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA".to_owned(),
        role: Role::Customer,
    }
}

impl World {
    pub(in crate::store) async fn new() -> Self {
        Self::over(super::empty().await).await
    }

    pub(in crate::store) async fn over(store: Arc<dyn Store>) -> Self {
        let tenant = TenantId(Uuid::new_v4());
        store.tenant_put(tenant, "Acme", Quota { limit: PLENTY, vms: 1000 }).await.unwrap();
        let user = new_user(tenant, "ada@example.org");
        store.user_create(&user).await.unwrap();
        let here = store.node_put(&node("here")).await.unwrap().id;
        let there = store.node_put(&node("there")).await.unwrap().id;
        Self { store, tenant, user: user.id, here, there }
    }

    pub(in crate::store) async fn quota_set(&self, limit: Resources, vms: u32) {
        self.store.tenant_put(self.tenant, "Acme", Quota { limit, vms }).await.unwrap();
    }

    /// What the tenant takes of its quota: sizes, and number of VMs.
    pub(in crate::store) async fn used(&self) -> (Resources, u32) {
        let standing = self.store.tenant_standing(self.tenant).await.unwrap();
        (standing.used, standing.vms)
    }

    pub(in crate::store) fn vm(&self, name: &str) -> Vm {
        let id = VmId(Uuid::new_v4());
        Vm {
            id,
            name: name.to_owned(),
            tenant: self.tenant,
            owner: self.user,
            node: self.here,
            kind: HypervisorKind::Qemu,
            region: "north".to_owned(),
            image: "tiny".to_owned(),
            size: SMALL,
            maxima: MAXIMA,
            state: VmState::Deploying,
            mac: format!("mac of {id}"),
            address: Ipv4Addr::UNSPECIFIED,
            keys: String::new(),
            created_at: NOW,
            generation: 0,
        }
    }

    fn new_operation(&self, kind: OperationKind, key: &str) -> NewOperation {
        NewOperation {
            id: OperationId(Uuid::new_v4()),
            kind,
            tenant: self.tenant,
            actor: self.user,
            idempotency_key: key.to_owned(),
            generation: None,
            deploy: None,
            reservations: Vec::new(),
            quota_delta: Resources::ZERO,
            steps: vec!["prepare", "work", "verify"],
            relocation: None,
            now: NOW,
        }
    }

    /// A deploy of `vm`, as a use case asks for it: the reservation is the VM's whole commitment.
    pub(in crate::store) fn deploy(&self, vm: &Vm, key: &str) -> NewOperation {
        NewOperation {
            deploy: Some(NewVm {
                vm: vm.clone(),
                addresses: (Ipv4Addr::new(10, 0, 0, 10), Ipv4Addr::new(10, 0, 9, 250)),
            }),
            reservations: vec![(vm.node, commitment(vm.kind, vm.size))],
            quota_delta: vm.size.into(),
            ..self.new_operation(OperationKind::Deploy { vm: vm.id, node: vm.node, size: vm.size }, key)
        }
    }

    pub(in crate::store) fn start(&self, vm: VmId, key: &str) -> NewOperation {
        self.new_operation(OperationKind::Start { vm }, key)
    }

    /// A resize of `vm` to `to`; on its node, or onto `destination`.
    pub(in crate::store) fn resize(&self, vm: &Vm, to: Size, destination: Option<NodeId>, key: &str) -> NewOperation {
        let plan = Plan {
            vm: vm.id,
            kind: if destination.is_some() { PlanKind::MoveLive } else { PlanKind::InPlaceLive },
            from: vm.size,
            to,
            source: vm.node,
            destination,
            running: true,
            estimate: Estimate { duration_ms: 1000, downtime_ms: 0 },
            generation: vm.generation,
            room: None,
        };
        let all = commitment(vm.kind, to);
        let reservation = match destination {
            Some(destination) => (destination, all),
            None => (vm.node, all.minus(vm.commitment())),
        };
        NewOperation {
            generation: Some(vm.generation),
            reservations: vec![reservation],
            quota_delta: Resources::from(to).minus(vm.size.into()),
            ..self.new_operation(OperationKind::Resize { plan, force_off: false, not_after: None }, key)
        }
    }

    /// Asks for room on the first node that the operation reserves something on.
    pub(in crate::store) async fn begin(&self, new: &NewOperation, usable: Resources) -> Begun {
        let room: Vec<_> = new.reservations.iter().map(|(node, asked)| room(*node, usable, *asked)).collect();
        self.store.operation_begin(new, &room).await.unwrap()
    }

    /// A VM that was deployed and runs.
    pub(in crate::store) async fn running(&self, name: &str) -> Vm {
        let vm = self.vm(name);
        let new = self.deploy(&vm, &format!("deploy {name}"));
        assert_eq!(self.begin(&new, PLENTY).await, Begun::Started(new.id));
        self.store.vm_state_set(vm.id, VmState::Running, None).await.unwrap();
        self.end(new.id, OperationState::Succeeded).await;
        self.get(vm.id).await
    }

    pub(in crate::store) async fn get(&self, vm: VmId) -> Vm {
        self.store.vm_get(vm).await.unwrap().unwrap()
    }

    /// Claims the operation and ends it.
    pub(in crate::store) async fn end(&self, operation: OperationId, state: OperationState) {
        let epoch = self.store.operation_claim(operation).await.unwrap();
        self.store.operation_end(operation, epoch, &end(state)).await.unwrap();
    }

    /// What running operations hold on a node.
    pub(in crate::store) async fn reserved(&self, node: NodeId) -> Resources {
        let all = self.store.reservation_list().await.unwrap();
        all.into_iter().filter(|(on, ..)| *on == node).fold(Resources::ZERO, |sum, (.., held)| sum.plus(held))
    }

    /// What VMs commit on a node, and what running operations hold there: as the store itself counts, asked by a
    /// start that needs more room than there is.
    pub(in crate::store) async fn taken(&self, node: NodeId) -> (Resources, Resources) {
        let probe = self.deploy(&Vm { node, ..self.vm("probe") }, &Uuid::new_v4().to_string());
        let endless = Resources::all(u64::MAX);
        let asked = room(node, endless, endless);
        let nothing_taken = Begun::Started(probe.id);
        let reserved = self.reserved(node).await;
        match self.store.operation_begin(&probe, &[asked]).await.unwrap() {
            Begun::NoRoom { available, .. } => (endless.minus(available).minus(reserved), reserved),
            begun => {
                assert_eq!(begun, nothing_taken);
                self.store.vm_remove(probe.kind.vm(), None).await.unwrap();
                self.end(probe.id, OperationState::Undone).await;
                (Resources::ZERO, Resources::ZERO)
            }
        }
    }
}

pub(in crate::store) fn room(node: NodeId, usable: Resources, asked: Resources) -> RoomCheck {
    RoomCheck { node, usable, outside: Resources::ZERO, asked }
}

pub(in crate::store) fn end(state: OperationState) -> OperationEnd {
    OperationEnd {
        state,
        reason: None,
        detail: None,
        downtime_ms: Some(7),
        called_ms: 40,
        given_up_by: None,
        now: UnixMillis(NOW.0 + 900),
    }
}
