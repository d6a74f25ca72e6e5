//! What goes into and comes out of the store beside the types of `grid`.

use crate::accounts::Role;
use grid::offer::Quota;
use grid::operation::{OperationKind, OperationState};
use grid::sample::Source;
use grid::schedule::ScheduleState;
use grid::vm::Vm;
use grid::{NodeId, OperationId, RelocationId, Resources, TenantId, UnixMillis, UserId, VmId};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

#[derive(Clone, Debug)]
pub struct NewUser {
    pub id: UserId,
    pub tenant: TenantId,
    /// Lower case.
    pub email: String,
    /// PHC string of argon2id.
    pub password_hash: String,
    pub role: Role,
}

#[derive(Clone, Debug)]
pub struct UserRow {
    pub id: UserId,
    pub tenant: TenantId,
    pub email: String,
    pub password_hash: String,
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The SHA-256 of the cookie's id, in hexadecimal: a stolen database gives no sessions.
    pub id: String,
    /// Whose it is, once signed in.
    pub user: Option<UserId>,
    /// JSON.
    pub data: String,
    pub expires: UnixMillis,
}

/// One row for each attempt to change something, the refused ones too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub at: UnixMillis,
    pub actor: Option<UserId>,
    pub tenant: Option<TenantId>,
    /// Noun first: `vm_resize`.
    pub action: String,
    /// The VM's, node's or user's id.
    pub target: String,
    /// `accepted`, `refused: …`, `succeeded`, `undone: …`.
    pub outcome: String,
}

/// A tenant's quota, and what it takes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantStanding {
    pub quota: Quota,
    /// The sizes of its VMs, without overhead, and what running operations will add.
    pub used: Resources,
    pub vms: u32,
}

/// All that is recorded of a VM which counts on nodes, as of one moment.
#[derive(Clone, Debug, Default)]
pub struct VmRecord {
    pub vm: Option<Vm>,
    /// The operation that works on it.
    pub operation: Option<(OperationId, OperationKind)>,
    /// What that operation holds.
    pub reservations: Vec<(NodeId, OperationId, Resources)>,
}

/// An operation to be accepted.
#[derive(Clone, Debug)]
pub struct NewOperation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub tenant: TenantId,
    pub actor: UserId,
    /// The actor's own key: the same key is the same operation.
    pub idempotency_key: String,
    /// The VM's generation that was planned for; none for a deploy.
    pub generation: Option<u64>,
    /// For a deploy: the VM to be recorded; its address is chosen from `addresses` in the transaction.
    pub deploy: Option<NewVm>,
    /// What it holds while it runs, on each node.
    pub reservations: Vec<(NodeId, Resources)>,
    /// What it adds to the tenant's usage when it is done.
    pub quota_delta: Resources,
    /// Names of its steps, in order.
    pub steps: Vec<&'static str>,
    /// What it is a move of.
    pub relocation: Option<RelocationId>,
    pub now: UnixMillis,
}

#[derive(Clone, Debug)]
pub struct NewVm {
    pub vm: Vm,
    /// The first and the last address that may be given out.
    pub addresses: (Ipv4Addr, Ipv4Addr),
}

/// Room that must still be there, inside the transaction.
#[derive(Clone, Copy, Debug)]
pub struct RoomCheck {
    pub node: NodeId,
    pub usable: Resources,
    /// Committed on the node by what the store doesn't record: the utility VM, strangers, the excess over recorded sizes.
    pub outside: Resources,
    pub asked: Resources,
}

#[derive(Clone, Debug, Default)]
pub struct OperationFilter {
    pub tenant: Option<TenantId>,
    pub vm: Option<VmId>,
    /// As source, destination or place of a deploy.
    pub node: Option<NodeId>,
    /// 0 is [`OperationFilter::DEFAULT_LIMIT`].
    pub limit: u32,
}

impl OperationFilter {
    pub const DEFAULT_LIMIT: u32 = 100;
}

/// Who has the lease, and how many times it was taken or renewed since there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    pub holder: String,
    pub renewals: u64,
}

/// By what right a VM's row is written: as who carries this operation out, as long as nobody else has taken it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub operation: OperationId,
    pub epoch: u64,
}

#[derive(Clone, Debug)]
pub struct OperationEnd {
    pub state: OperationState,
    pub reason: Option<String>,
    pub detail: Option<String>,
    pub downtime_ms: Option<u64>,
    pub called_ms: u64,
    /// The operator who gave it up; none where it ended by itself.
    pub given_up_by: Option<UserId>,
    pub now: UnixMillis,
}

/// What became of a scheduled resize.
#[derive(Clone, Debug)]
pub struct ScheduleEnd {
    pub state: ScheduleState,
    /// For the customer.
    pub reason: Option<String>,
    /// Where it started.
    pub operation: Option<OperationId>,
    pub now: UnixMillis,
}

/// Why an operation waits for the operator.
#[derive(Clone, Debug)]
pub struct OperationWait {
    /// For the customer.
    pub reason: String,
    /// For the operator.
    pub detail: String,
    pub now: UnixMillis,
}

/// A series of the history: what of whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MetricSeries {
    /// A node's, a VM's id, or a hypervisor kind's word.
    pub subject: String,
    /// `cpu_permille`, `memory_mib`, `available_memory_mib`…
    pub metric: String,
}

/// The last raw sample of a node from a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSample {
    pub node: NodeId,
    pub source: Source,
    pub at: UnixMillis,
    pub json: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    pub series: MetricSeries,
    pub at: UnixMillis,
    pub value: f64,
}
