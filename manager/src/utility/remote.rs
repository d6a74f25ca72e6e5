//! A module that lives in its utility VM: work for it waits in the hub until it calls.

use super::orders::Outcome;
use super::{UtilityError, UtilityHub, UtilityModule};
use async_trait::async_trait;
use grid::NodeId;
use grid::identity::WorkId;
use grid::work::{Work, WorkDone, WorkOrder};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

/// A module that calls at the manager's door.
#[derive(Debug)]
pub(super) struct RemoteModule {
    hub: Arc<UtilityHub>,
    node: NodeId,
}

impl RemoteModule {
    pub(super) const fn new(hub: Arc<UtilityHub>, node: NodeId) -> Self {
        Self { hub, node }
    }
}

/// Takes the order back when nobody waits for its answer any more.
struct Waiting<'a> {
    module: &'a RemoteModule,
    id: WorkId,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.module.hub.order_give_up(self.module.node, self.id);
    }
}

#[async_trait]
impl UtilityModule for RemoteModule {
    fn node(&self) -> NodeId {
        self.node
    }

    async fn carry_out(&self, work: Work, deadline: Duration) -> Result<WorkDone, UtilityError> {
        let until = Instant::now() + deadline;
        if Instant::now() >= self.hub.silent_at(self.node) {
            return Err(UtilityError::Silent);
        }
        let id = WorkId(Uuid::now_v7());
        let order = WorkOrder { id, work };
        let mut answer = self.hub.order_add(self.node, order).ok_or(UtilityError::Busy)?;
        let _waiting = Waiting { module: self, id };
        loop {
            let silent_at = self.hub.silent_at(self.node);
            tokio::select! {
                outcome = &mut answer => return finished(outcome.ok()),
                () = sleep_until(until.min(silent_at)) => {
                    let now = Instant::now();
                    if now >= until {
                        return Err(UtilityError::Deadline);
                    }
                    if now >= self.hub.silent_at(self.node) {
                        return Err(UtilityError::Silent);
                    }
                }
            }
        }
    }
}

fn finished(outcome: Option<Outcome>) -> Result<WorkDone, UtilityError> {
    outcome.ok_or(UtilityError::Deadline)?.map_err(UtilityError::Failed)
}
