//! A grid small enough to be sent to a browser: of each node what capacity questions need, of each VM its name and size.
//! Samples, keys and addresses stay behind.

use super::Scenario;
use crate::map::{Commitment, Condition, MapNode, ResourceMap};
use crate::node::{Administration, Node, NodeSettings};
use crate::policy::Policies;
use crate::vm::{Maxima, Vm, VmState};
use crate::{HypervisorKind, NodeId, Resources, Size, TenantId, UnixMillis, UserId, VmId};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use uuid::Uuid;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub as_of: UnixMillis,
    pub nodes: Vec<SnapshotNode>,
    pub vms: Vec<SnapshotVm>,
    policies: Policies,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotNode {
    pub id: NodeId,
    pub name: String,
    pub kind: HypervisorKind,
    pub region: String,
    pub failure_domain: Option<String>,
    pub settings: NodeSettings,
    condition: Condition,
    physical: Resources,
    usable: Resources,
    committed: Resources,
    reserved: Resources,
    measured: Resources,
    commitments: Vec<Commitment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotVm {
    pub id: VmId,
    pub name: String,
    pub size: Size,
    node: NodeId,
    kind: HypervisorKind,
}

impl Snapshot {
    pub fn of(map: &ResourceMap, vms: &[Vm]) -> Self {
        let vm = |vm: &Vm| SnapshotVm { id: vm.id, name: vm.name.clone(), size: vm.size, node: vm.node, kind: vm.kind };
        Self {
            as_of: map.as_of,
            nodes: map.iter().map(SnapshotNode::of).collect(),
            vms: vms.iter().map(vm).collect(),
            policies: map.policies(),
        }
    }

    /// What is, ready to be changed and asked.
    pub fn scenario(&self) -> Scenario {
        let map = ResourceMap::default().with_policies(self.policies);
        let map = map.with_nodes(self.as_of, self.nodes.iter().map(SnapshotNode::to_node));
        Scenario::new(map, self.vms.iter().map(SnapshotVm::to_vm).collect())
    }
}

impl SnapshotNode {
    fn of(node: &MapNode) -> Self {
        let record = &node.node;
        Self {
            id: record.id,
            name: record.name.clone(),
            kind: record.kind,
            region: record.region.clone(),
            failure_domain: node.failure_domain.clone(),
            settings: record.settings,
            condition: node.condition,
            physical: node.physical,
            usable: node.usable,
            committed: node.committed,
            reserved: node.reserved,
            measured: node.measured,
            commitments: node.commitments.clone(),
        }
    }

    fn to_node(&self) -> MapNode {
        let node = Node {
            id: self.id,
            name: self.name.clone(),
            kind: self.kind,
            region: self.region.clone(),
            uri: String::new(),
            settings: self.settings,
            administration: Administration::Open,
            failure_domain: self.failure_domain.clone(),
        };
        MapNode {
            node,
            hypervisor: None,
            utility: None,
            physical: self.physical,
            usable: self.usable,
            committed: self.committed,
            reserved: self.reserved,
            measured: self.measured,
            commitments: self.commitments.clone(),
            disagreements: Vec::new(),
            flags: Vec::new(),
            condition: self.condition,
            failure_domain: self.failure_domain.clone(),
        }
    }
}

impl SnapshotVm {
    /// As far as a scenario asks: whose it is and what runs in it is left out.
    fn to_vm(&self) -> Vm {
        Vm {
            id: self.id,
            name: self.name.clone(),
            tenant: TenantId(Uuid::nil()),
            owner: UserId(Uuid::nil()),
            node: self.node,
            kind: self.kind,
            region: String::new(),
            image: String::new(),
            size: self.size,
            maxima: Maxima { vcpus: self.size.vcpus, memory: self.size.memory },
            state: VmState::Running,
            mac: String::new(),
            address: Ipv4Addr::UNSPECIFIED,
            keys: String::new(),
            created_at: UnixMillis::default(),
            generation: 0,
        }
    }
}
