//! The store: one trait, one implementation a database. Only this folder's implementations use `sqlx`.
//!
//! Times are given by the caller. A method that changes something is one transaction.

#[cfg(test)]
mod contract;
pub mod rows;
pub mod sqlite;

use async_trait::async_trait;
use grid::node::{Administration, Node, NodeSettings};
use grid::offer::{Offer, Quota};
use grid::operation::{Operation, OperationKind, OperationState, StepState};
use grid::plan::Estimate;
use grid::relocation::{MoveConsent, MoveGiven, Relocation, RelocationState};
use grid::sample::Source;
use grid::schedule::ScheduledResize;
use grid::vm::{Maxima, Vm, VmState};
use grid::{NodeId, OperationId, RelocationId, Resources, ScheduleId, Size, TenantId, UnixMillis, UserId, VmId};
use rows::{
    AuditRow, Claim, LastSample, LeaseRow, MetricPoint, MetricSeries, NewOperation, NewUser, OperationFilter,
    OperationWait, RoomCheck, ScheduleEnd, SessionRow, TenantStanding, UserRow, VmRecord,
};

/// Accounts, sessions and audit.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Makes the tenant where it isn't there; sets its quota.
    async fn tenant_put(&self, tenant: TenantId, name: &str, quota: Quota) -> Result<(), StoreError>;
    /// [`StoreError::NotFound`] where it isn't there.
    async fn tenant_standing(&self, tenant: TenantId) -> Result<TenantStanding, StoreError>;
    /// [`StoreError::Conflict`] where the email is taken.
    async fn user_create(&self, user: &NewUser) -> Result<(), StoreError>;
    async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError>;
    async fn user_get(&self, user: UserId) -> Result<Option<UserRow>, StoreError>;

    /// A seed has been planted here, as a whole.
    async fn seeded_set(&self, now: UnixMillis) -> Result<(), StoreError>;
    async fn seeded(&self) -> Result<bool, StoreError>;

    async fn session_put(&self, session: &SessionRow) -> Result<(), StoreError>;
    /// Changes a session that is there; answers whether it is, so that one that was ended stays so.
    async fn session_update(&self, session: &SessionRow) -> Result<bool, StoreError>;
    async fn session_get(&self, id: &str) -> Result<Option<SessionRow>, StoreError>;
    async fn session_delete(&self, id: &str) -> Result<(), StoreError>;
    async fn sessions_delete_of(&self, user: UserId) -> Result<u64, StoreError>;
    async fn sessions_delete_expired(&self, now: UnixMillis) -> Result<u64, StoreError>;

    async fn audit_add(&self, row: &AuditRow) -> Result<(), StoreError>;
    /// Newest first.
    async fn audit_list(&self, limit: u32) -> Result<Vec<AuditRow>, StoreError>;
}

/// Nodes and offers.
#[async_trait]
pub trait NodeStore: Send + Sync {
    /// Makes or updates the node of this name (kind, region, URI); id, settings, administration and failure domain only
    /// at first sight.
    /// Answers the node as it is now.
    async fn node_put(&self, node: &Node) -> Result<Node, StoreError> {
        self.nodes_put(std::slice::from_ref(node)).await?.pop().ok_or(StoreError::NotFound)
    }
    /// The same of many nodes, all of them or none.
    async fn nodes_put(&self, nodes: &[Node]) -> Result<Vec<Node>, StoreError>;
    async fn node_list(&self) -> Result<Vec<Node>, StoreError>;
    /// One transaction with this row of the audit, as the next three.
    async fn node_settings_set(&self, node: NodeId, settings: NodeSettings, audit: &AuditRow)
    -> Result<(), StoreError>;
    /// Of a node that isn't fenced; [`StoreError::Conflict`] of one that is.
    async fn node_administration_set(
        &self,
        node: NodeId,
        to: Administration,
        audit: &AuditRow,
    ) -> Result<(), StoreError>;
    /// Fences it, or takes that back and leaves it cordoned. [`StoreError::Conflict`] where it is so already.
    async fn node_fenced_set(&self, node: NodeId, fenced: bool, audit: &AuditRow) -> Result<(), StoreError>;
    /// None where nothing is known to fail together with it.
    async fn node_failure_domain_set(&self, node: NodeId, to: Option<&str>, audit: &AuditRow)
    -> Result<(), StoreError>;
    /// What was usable on each node, less what is held outside the store, when room was last given there; without bound
    /// for a resource of which none was.
    async fn grant_list(&self) -> Result<Vec<(NodeId, Resources)>, StoreError>;
    /// What running operations hold, node by node.
    async fn reservation_list(&self) -> Result<Vec<(NodeId, OperationId, Resources)>, StoreError>;

    /// Frees what operations hold that are over, of which there should be nothing; answers how many there were.
    async fn reservation_free_ended(&self) -> Result<u64, StoreError>;

    async fn offer_put(&self, offer: &Offer) -> Result<(), StoreError>;
    async fn offer_list(&self) -> Result<Vec<Offer>, StoreError>;

    /// Keys and one-time tokens of utility modules, by their hashes.
    /// A node has one key: a new one takes the place of the one before.
    async fn utility_key_put(&self, node: NodeId, hash: &str, now: UnixMillis) -> Result<(), StoreError>;
    async fn utility_key_find(&self, hash: &str) -> Result<Option<NodeId>, StoreError>;
    /// A node has one token: a new one takes the place of the one before.
    async fn utility_token_put(&self, node: NodeId, hash: &str, expires: UnixMillis) -> Result<(), StoreError>;
    /// Takes the token away; `None` where it is unknown, used or expired.
    async fn utility_token_take(&self, hash: &str, now: UnixMillis) -> Result<Option<NodeId>, StoreError>;
}

/// VMs. What is written for an operation carries its claim, and is [`StoreError::Fenced`] where another has taken the
/// operation over, or [`StoreError::Conflict`] where it is over.
#[async_trait]
pub trait VmStore: Send + Sync {
    async fn vm_get(&self, vm: VmId) -> Result<Option<Vm>, StoreError>;
    /// The VM, and what works on it and holds something for it, all as of one moment.
    async fn vm_record(&self, vm: VmId) -> Result<VmRecord, StoreError>;
    /// All of them, or one tenant's, by name.
    async fn vm_list(&self, tenant: Option<TenantId>) -> Result<Vec<Vm>, StoreError>;
    /// Whether the VM runs; of an unknown one ([`VmState::Unknown`]), whether it did when that was known last.
    async fn vm_ran(&self, vm: VmId) -> Result<bool, StoreError>;
    /// Once a VM is no longer [`VmState::Deploying`] it takes its room by itself, and its operation reserves that much
    /// less. A failed one ([`VmState::Failed`]) takes nothing of its node or of its tenant's quota.
    async fn vm_state_set(&self, vm: VmId, state: VmState, by: Option<Claim>) -> Result<(), StoreError>;
    /// After verification: size, maxima and home. What the VM now takes of its home, its running operation no longer
    /// reserves there; what it took of a home that it left, that operation reserves until it ends, because what is
    /// left there is removed after this. The same call again changes nothing.
    async fn vm_settle(
        &self,
        vm: VmId,
        node: NodeId,
        size: Size,
        maxima: Maxima,
        by: Option<Claim>,
    ) -> Result<(), StoreError>;
    /// Forgets it; does nothing where it isn't there.
    async fn vm_remove(&self, vm: VmId, by: Option<Claim>) -> Result<(), StoreError>;
}

/// Operations.
#[async_trait]
pub trait OperationStore: Send + Sync {
    /// One transaction: an operation with this key is there already (answers its id), the VM is free of other running
    /// operations and of the generation that was planned for, the tenant's quota admits it, each node of `room` still
    /// has the room (usable less what is committed, reserved and held outside the store); then writes the VM (for a
    /// deploy, with the next free address), reservations, operation, steps and audit row. A VM that is being
    /// deployed takes nothing by itself, the operation reserves for it at least what it will take. With one that waits for
    /// room the relocation that makes it begins, under the same id. What is refused leaves an audit row and nothing else. [`StoreError::NotFound`] where the VM or the tenant isn't there.
    async fn operation_begin(&self, new: &NewOperation, room: &[RoomCheck]) -> Result<Begun, StoreError>;
    /// There is room for an operation that waited for it: in one transaction that is checked again and reserved, and
    /// this plan with these steps takes the place of the one that it was accepted with. [`Begun::Started`],
    /// [`Begun::NoRoom`], or [`Begun::Changed`] where the VM is not the one that was planned for.
    /// [`StoreError::Conflict`] where it waits for no room, or was cancelled.
    async fn operation_room_made(
        &self,
        operation: OperationId,
        kind: &OperationKind,
        steps: &[&'static str],
        room: &RoomCheck,
    ) -> Result<Begun, StoreError>;
    /// The operation that this person's key already stands for.
    async fn operation_by_key(&self, actor: UserId, key: &str) -> Result<Option<OperationId>, StoreError>;
    async fn operation_get(&self, operation: OperationId) -> Result<Option<Operation>, StoreError>;
    /// Newest first: of one VM in the order in which they were accepted, whatever the clock said; else by their times.
    async fn operation_list(&self, filter: &OperationFilter) -> Result<Vec<Operation>, StoreError>;
    /// Those that aren't over, oldest first.
    async fn operation_unfinished(&self) -> Result<Vec<Operation>, StoreError>;
    /// Takes the operation over: raises its epoch, and answers it. Writes with an older epoch fail with
    /// [`StoreError::Fenced`]. [`StoreError::Conflict`] where it is over or waits for the operator.
    async fn operation_claim(&self, operation: OperationId) -> Result<u64, StoreError>;
    /// The same for one that waits for the operator, and for no other: it goes on waiting.
    async fn operation_claim_waiting(&self, operation: OperationId) -> Result<u64, StoreError>;
    /// It waits for the operator from now on, and holds what it holds; the audit gets its row.
    async fn operation_wait(&self, operation: OperationId, epoch: u64, wait: &OperationWait) -> Result<(), StoreError>;
    /// An operator has it tried again: the step that failed counts as begun, and whoever claims it goes on. One
    /// transaction with this row of the audit. [`StoreError::Conflict`] where it doesn't wait.
    async fn operation_resume(&self, operation: OperationId, audit: &AuditRow) -> Result<(), StoreError>;
    /// It is to turn back: whoever carries it out sees it. One transaction with this row of the audit.
    /// [`StoreError::Conflict`] where it is over, is taken back, waits, or was cancelled before.
    async fn operation_cancel(&self, operation: OperationId, by: UserId, audit: &AuditRow) -> Result<(), StoreError>;
    /// `None` leaves the note as it is. The step started when it was first so; it ended when it was last done, failed
    /// or undone.
    async fn step_set(
        &self,
        operation: OperationId,
        epoch: u64,
        position: u32,
        state: StepState,
        note: Option<&str>,
        now: UnixMillis,
    ) -> Result<(), StoreError>;
    /// Not for the states in which it is over or waits: see `operation_end` and `operation_wait`.
    async fn operation_state_set(
        &self,
        operation: OperationId,
        epoch: u64,
        state: OperationState,
    ) -> Result<(), StoreError>;
    /// Remembers a fact that a later step or a restarted server needs (frozen once written is not required).
    async fn operation_fact_set(
        &self,
        operation: OperationId,
        epoch: u64,
        key: &str,
        value: &str,
    ) -> Result<(), StoreError>;
    async fn operation_fact_get(&self, operation: OperationId, key: &str) -> Result<Option<String>, StoreError>;
    /// Ends it: state, reasons, measures; frees all its reservations; writes the audit row. The same end again does
    /// nothing; another is a [`StoreError::Conflict`].
    async fn operation_end(
        &self,
        operation: OperationId,
        epoch: u64,
        end: &rows::OperationEnd,
    ) -> Result<(), StoreError>;
}

/// Work that is made of moves, each an operation that knows what it belongs to ([`NewOperation::relocation`]).
#[async_trait]
pub trait RelocationStore: Send + Sync {
    /// Writes it, sets the node that it empties draining, and writes this row of the audit, in one transaction. The same
    /// id again does nothing. [`StoreError::Conflict`] where the node is fenced or being emptied already, or VMs are being
    /// evened out already.
    async fn relocation_begin(&self, new: &Relocation, audit: &AuditRow) -> Result<(), StoreError>;
    async fn relocation_get(&self, id: RelocationId) -> Result<Option<Relocation>, StoreError>;
    /// What empties this node now, else the newest that did; of none, the same of what evens out.
    async fn relocation_newest(&self, node: Option<NodeId>) -> Result<Option<Relocation>, StoreError>;
    /// All that ever were, oldest first.
    async fn relocation_list(&self) -> Result<Vec<Relocation>, StoreError>;
    /// Those that aren't over, oldest first.
    async fn relocation_unfinished(&self) -> Result<Vec<Relocation>, StoreError>;
    /// Its moves, oldest first.
    async fn relocation_operations(&self, id: RelocationId) -> Result<Vec<Operation>, StoreError>;
    /// No move is begun any more. [`StoreError::Conflict`] where it is over or was cancelled before.
    async fn relocation_cancel(&self, id: RelocationId, by: UserId, audit: &AuditRow) -> Result<(), StoreError>;
    /// Ends it; does nothing where it is over.
    async fn relocation_end(
        &self,
        id: RelocationId,
        state: RelocationState,
        reason: Option<&str>,
        audit: &AuditRow,
    ) -> Result<(), StoreError>;
}

/// Owners who are asked whether a drain may shut their VMs down for a move.
#[async_trait]
pub trait ConsentStore: Send + Sync {
    /// Does nothing where it was asked already. [`StoreError::Conflict`] where the relocation isn't there.
    async fn consent_ask(
        &self,
        relocation: RelocationId,
        vm: VmId,
        expected: Estimate,
        now: UnixMillis,
    ) -> Result<(), StoreError>;
    /// In the place of what was agreed to before; none takes that back. One transaction with this row of the audit.
    /// [`StoreError::Conflict`] where it was not asked, or the relocation is over or was cancelled.
    async fn consent_set(
        &self,
        of: (RelocationId, VmId),
        given: Option<&MoveGiven>,
        audit: &AuditRow,
    ) -> Result<(), StoreError>;
    /// All who were asked, the first first.
    async fn consent_list(&self, relocation: RelocationId) -> Result<Vec<MoveConsent>, StoreError>;
    /// What is asked of this VM's owner by a relocation that goes on.
    async fn consent_asked(&self, vm: VmId) -> Result<Option<MoveConsent>, StoreError>;
}

/// Resizes that were agreed to for later.
#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// One transaction with this row of the audit. The same id again does nothing. [`StoreError::Conflict`] where another
    /// waits for the VM, [`StoreError::NotFound`] where the VM isn't there.
    async fn schedule_add(&self, new: &ScheduledResize, audit: &AuditRow) -> Result<(), StoreError>;
    async fn schedule_get(&self, id: ScheduleId) -> Result<Option<ScheduledResize>, StoreError>;
    /// A VM's, newest first.
    async fn schedule_list(&self, vm: VmId, limit: u32) -> Result<Vec<ScheduledResize>, StoreError>;
    /// Those that wait, the first that opens first.
    async fn schedule_waiting(&self) -> Result<Vec<ScheduledResize>, StoreError>;
    /// Why it could not be started just now; does nothing where it is over.
    async fn schedule_note(&self, id: ScheduleId, reason: &str) -> Result<(), StoreError>;
    /// One transaction with this row of the audit. [`StoreError::Conflict`] where it is over.
    async fn schedule_end(&self, id: ScheduleId, end: &ScheduleEnd, audit: &AuditRow) -> Result<(), StoreError>;
}

/// What [`OperationStore::operation_begin`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    Started(OperationId),
    /// The same key was used before.
    Already(OperationId),
    /// Another operation works on the VM.
    Busy(OperationId),
    /// The VM changed since it was planned for.
    Changed,
    NoRoom {
        node: NodeId,
        asked: Resources,
        available: Resources,
    },
    OverQuota {
        limit: Resources,
        used: Resources,
    },
    TooManyVms {
        limit: u32,
    },
    NameTaken,
    NoAddressLeft,
}

/// History of samples, in a database file of its own.
#[async_trait]
pub trait HistoryStore: Send + Sync {
    async fn metrics_add(&self, points: &[MetricPoint]) -> Result<(), StoreError>;
    /// Points of a series between two times, at most `limit`, evenly thinned by averaging, oldest first.
    async fn metrics_read(
        &self,
        series: &MetricSeries,
        from: UnixMillis,
        to: UnixMillis,
        limit: u32,
    ) -> Result<Vec<(UnixMillis, f64)>, StoreError>;
    async fn metrics_forget(&self, before: UnixMillis) -> Result<u64, StoreError>;
    /// The last raw sample of a node by source, as JSON, so that a restarted server knows what it knew.
    async fn sample_put(&self, node: NodeId, source: Source, at: UnixMillis, json: &str) -> Result<(), StoreError>;
    async fn sample_get(&self, node: NodeId, source: Source) -> Result<Option<(UnixMillis, String)>, StoreError>;
    /// The last samples of all nodes, in the order of nodes and sources: those that come after this one, at most `limit`.
    async fn sample_list(&self, after: Option<(NodeId, Source)>, limit: u32) -> Result<Vec<LastSample>, StoreError>;
}

/// Which server carries operations out; see [`crate::lease`].
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// Takes the lease, or renews it where it is `holder`'s; also where it stands as `over` says, which the caller knows to
    /// be over. Answers who has it otherwise.
    async fn lease_take(&self, holder: &str, over: Option<&LeaseRow>) -> Result<Option<LeaseRow>, StoreError>;
    /// Nothing where it is not `holder`'s.
    async fn lease_give_back(&self, holder: &str) -> Result<(), StoreError>;
}

/// Everything that a database does for Hostgrid.
pub trait Store:
    AccountStore
    + NodeStore
    + VmStore
    + OperationStore
    + RelocationStore
    + ConsentStore
    + ScheduleStore
    + HistoryStore
    + LeaseStore
    + std::fmt::Debug
{
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("not found")]
    NotFound,
    #[error("conflict: {0}")]
    Conflict(&'static str),
    /// Another holder has taken the operation over.
    #[error("the operation was taken over")]
    Fenced,
    #[error("the database is newer than the program, or was changed by hand: {0}")]
    Schema(String),
    /// Where nothing shall be changed.
    #[error("the database has migration {applied}, and this program {known}: use the program that serves it")]
    Version { applied: i64, known: i64 },
    #[error("{0} is too large a number for the database")]
    TooLarge(u64),
    #[error("a row can't be read: {0}")]
    Corrupt(String),
    #[error("the database failed: {0}")]
    Database(String),
}
