//! The store under torture: the real one, in a file, each of whose calls is over before anything else happens, so that
//! a schedule is the same each time; and each commit of an operation passes the script.

use crate::script::{Fault, Script, Site};
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
use manager::store::rows::{
    AuditRow, Claim, LastSample, LeaseRow, MetricPoint, MetricSeries, NewOperation, NewUser, OperationEnd,
    OperationFilter, OperationWait, RoomCheck, ScheduleEnd, SessionRow, TenantStanding, UserRow, VmRecord,
};
use manager::store::sqlite::SqliteStore;
use manager::store::{
    AccountStore, Begun, ConsentStore, HistoryStore, LeaseStore, NodeStore, OperationStore, RelocationStore,
    ScheduleStore, Store, StoreError, VmStore,
};
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle, Runtime};

/// Where the database's own threads and timers live: in real time.
#[derive(Debug)]
pub(crate) struct Backstage(Runtime);

impl Backstage {
    pub(crate) fn new() -> Self {
        Self(Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
    }

    pub(crate) fn open(&self, directory: &Path) -> Arc<SqliteStore> {
        Arc::new(self.0.block_on(SqliteStore::open(directory)).unwrap())
    }

    pub(crate) fn handle(&self) -> Handle {
        self.0.handle().clone()
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.block_on(work)
    }
}

#[derive(Debug)]
pub(crate) struct TorturedStore {
    pub(crate) inner: Arc<SqliteStore>,
    pub(crate) backstage: Handle,
    pub(crate) script: Arc<Script>,
}

impl Store for TorturedStore {}

impl TorturedStore {
    async fn read<T>(
        &self,
        _: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let done = {
            let _entered = self.backstage.enter();
            futures::executor::block_on(tokio::task::unconstrained(work))
        };
        tokio::task::yield_now().await;
        done
    }

    async fn commit<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let error = |_: Fault| StoreError::Database("as the script says".into());
        self.script.pass((Site::Commit, name), error, self.read(name, work)).await
    }
}

macro_rules! forward {
    ($trait:ident { $($way:ident $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* }) => {
        #[async_trait]
        impl $trait for TorturedStore {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.$way(stringify!($name), self.inner.$name($($argument),*)).await
            })*
        }
    };
}

forward!(AccountStore {
    read tenant_put(tenant: TenantId, name: &str, quota: Quota) -> ();
    read tenant_standing(tenant: TenantId) -> TenantStanding;
    read user_create(user: &NewUser) -> ();
    read user_by_email(email: &str) -> Option<UserRow>;
    read user_get(user: UserId) -> Option<UserRow>;
    read seeded_set(now: UnixMillis) -> ();
    read seeded() -> bool;
    read session_put(session: &SessionRow) -> ();
    read session_update(session: &SessionRow) -> bool;
    read session_get(id: &str) -> Option<SessionRow>;
    read session_delete(id: &str) -> ();
    read sessions_delete_of(user: UserId) -> u64;
    read sessions_delete_expired(now: UnixMillis) -> u64;
    commit audit_add(row: &AuditRow) -> ();
    read audit_list(limit: u32) -> Vec<AuditRow>;
});

forward!(NodeStore {
    read nodes_put(nodes: &[Node]) -> Vec<Node>;
    read node_list() -> Vec<Node>;
    read node_settings_set(node: NodeId, settings: NodeSettings, audit: &AuditRow) -> ();
    read node_administration_set(node: NodeId, to: Administration, audit: &AuditRow) -> ();
    read node_fenced_set(node: NodeId, fenced: bool, audit: &AuditRow) -> ();
    read node_failure_domain_set(node: NodeId, to: Option<&str>, audit: &AuditRow) -> ();
    read grant_list() -> Vec<(NodeId, Resources)>;
    read reservation_list() -> Vec<(NodeId, OperationId, Resources)>;
    read reservation_free_ended() -> u64;
    read offer_put(offer: &Offer) -> ();
    read offer_list() -> Vec<Offer>;
    read utility_key_put(node: NodeId, hash: &str, now: UnixMillis) -> ();
    read utility_key_find(hash: &str) -> Option<NodeId>;
    read utility_token_put(node: NodeId, hash: &str, expires: UnixMillis) -> ();
    read utility_token_take(hash: &str, now: UnixMillis) -> Option<NodeId>;
});

forward!(VmStore {
    read vm_get(vm: VmId) -> Option<Vm>;
    read vm_record(vm: VmId) -> VmRecord;
    read vm_list(tenant: Option<TenantId>) -> Vec<Vm>;
    read vm_ran(vm: VmId) -> bool;
    commit vm_state_set(vm: VmId, state: VmState, by: Option<Claim>) -> ();
    commit vm_settle(vm: VmId, node: NodeId, size: Size, maxima: Maxima, by: Option<Claim>) -> ();
    commit vm_remove(vm: VmId, by: Option<Claim>) -> ();
});

forward!(LeaseStore {
    read lease_take(holder: &str, over: Option<&LeaseRow>) -> Option<LeaseRow>;
    read lease_give_back(holder: &str) -> ();
});

forward!(RelocationStore {
    commit relocation_begin(new: &Relocation, audit: &AuditRow) -> ();
    read relocation_get(id: RelocationId) -> Option<Relocation>;
    read relocation_newest(node: Option<NodeId>) -> Option<Relocation>;
    read relocation_list() -> Vec<Relocation>;
    read relocation_unfinished() -> Vec<Relocation>;
    read relocation_operations(id: RelocationId) -> Vec<Operation>;
    commit relocation_cancel(id: RelocationId, by: UserId, audit: &AuditRow) -> ();
    commit relocation_end(id: RelocationId, state: RelocationState, reason: Option<&str>, audit: &AuditRow) -> ();
});

forward!(ConsentStore {
    commit consent_ask(relocation: RelocationId, vm: VmId, expected: Estimate, now: UnixMillis) -> ();
    commit consent_set(of: (RelocationId, VmId), given: Option<&MoveGiven>, audit: &AuditRow) -> ();
    read consent_list(relocation: RelocationId) -> Vec<MoveConsent>;
    read consent_asked(vm: VmId) -> Option<MoveConsent>;
});

forward!(ScheduleStore {
    commit schedule_add(new: &ScheduledResize, audit: &AuditRow) -> ();
    read schedule_get(id: ScheduleId) -> Option<ScheduledResize>;
    read schedule_list(vm: VmId, limit: u32) -> Vec<ScheduledResize>;
    read schedule_waiting() -> Vec<ScheduledResize>;
    commit schedule_note(id: ScheduleId, reason: &str) -> ();
    commit schedule_end(id: ScheduleId, end: &ScheduleEnd, audit: &AuditRow) -> ();
});

forward!(OperationStore {
    commit operation_begin(new: &NewOperation, room: &[RoomCheck]) -> Begun;
    commit operation_room_made(
        operation: OperationId,
        kind: &OperationKind,
        steps: &[&'static str],
        room: &RoomCheck
    ) -> Begun;
    read operation_by_key(actor: UserId, key: &str) -> Option<OperationId>;
    read operation_get(operation: OperationId) -> Option<Operation>;
    read operation_list(filter: &OperationFilter) -> Vec<Operation>;
    read operation_unfinished() -> Vec<Operation>;
    commit operation_claim(operation: OperationId) -> u64;
    commit operation_claim_waiting(operation: OperationId) -> u64;
    commit operation_wait(operation: OperationId, epoch: u64, wait: &OperationWait) -> ();
    commit operation_cancel(operation: OperationId, by: UserId, audit: &AuditRow) -> ();
    commit operation_resume(operation: OperationId, audit: &AuditRow) -> ();
    commit step_set(
        operation: OperationId,
        epoch: u64,
        position: u32,
        state: StepState,
        note: Option<&str>,
        now: UnixMillis
    ) -> ();
    commit operation_state_set(operation: OperationId, epoch: u64, state: OperationState) -> ();
    commit operation_fact_set(operation: OperationId, epoch: u64, key: &str, value: &str) -> ();
    read operation_fact_get(operation: OperationId, key: &str) -> Option<String>;
    commit operation_end(operation: OperationId, epoch: u64, end: &OperationEnd) -> ();
});

forward!(HistoryStore {
    read metrics_add(points: &[MetricPoint]) -> ();
    read metrics_read(series: &MetricSeries, from: UnixMillis, to: UnixMillis, limit: u32) -> Vec<(UnixMillis, f64)>;
    read metrics_forget(before: UnixMillis) -> u64;
    read sample_put(node: NodeId, source: Source, at: UnixMillis, json: &str) -> ();
    read sample_get(node: NodeId, source: Source) -> Option<(UnixMillis, String)>;
    read sample_list(after: Option<(NodeId, Source)>, limit: u32) -> Vec<LastSample>;
});
