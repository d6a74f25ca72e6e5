//! Has scheduled resizes started when their windows open: looks at those that wait, on a clock.
//!
//! What is to be known is in the rows: a schedule, and the operation that its key stands for. So after a crash between the
//! start and its mark it is marked, and nothing is started twice; nor by a wall clock that jumps, for what is over stays
//! so. One looks at a time, and who cancels waits for it.

use crate::store::StoreError;
use crate::store::rows::{AuditRow, ScheduleEnd};
use crate::vms::Tried;
use crate::{Change, Manager, ManagerError, clock};
use grid::schedule::{ScheduleState, ScheduledResize};
use grid::{OperationId, ScheduleId, UnixMillis};
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const MISSED: &str = "Hostgrid was not running while the window was open, so nothing was started.";

/// Cheap to clone; clones are the same scheduler.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduler {
    starting: Arc<Mutex<()>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Scheduler {
    pub(crate) fn start(&self, manager: Manager) {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(async move {
            loop {
                // By who holds the lease, and by nobody else.
                manager.shared.lease.until_held().await;
                if let Err(error) = manager.schedules_look().await {
                    tracing::error!(%error, "scheduled resizes are looked at again soon");
                }
                tokio::time::sleep(manager.shared.pace.schedule_every).await;
            }
        }));
    }

    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Held while one is looked at.
    pub(crate) async fn starting(&self) -> MutexGuard<'_, ()> {
        self.starting.lock().await
    }
}

impl Manager {
    async fn schedules_look(&self) -> Result<(), ManagerError> {
        for it in self.shared.store.schedule_waiting().await? {
            // One that can't be looked at keeps no other from its window.
            if let Err(error) = self.schedule_look(it.id, clock::now()).await {
                tracing::error!(schedule = %it.id, %error, "a scheduled resize is looked at again soon");
            }
        }
        Ok(())
    }

    /// What is to be done about one at this time.
    pub(crate) async fn schedule_look(&self, id: ScheduleId, now: UnixMillis) -> Result<(), ManagerError> {
        let _starting = self.scheduler.starting().await;
        let Some(it) = self.shared.store.schedule_get(id).await?.filter(|found| !found.state.is_over()) else {
            return Ok(());
        };
        if let Some(operation) = self.scheduled_operation(&it).await? {
            return self.schedule_started(&it, operation).await;
        }
        if self.shared.store.vm_get(it.vm).await?.is_none() {
            return self.schedule_over(&it, ScheduleState::Ended, "The VM is not there any more.").await;
        }
        if it.window.is_over(now) {
            return match &it.reason {
                Some(reason) => self.schedule_over(&it, ScheduleState::Ended, reason).await,
                None => self.schedule_over(&it, ScheduleState::Missed, MISSED).await,
            };
        }
        if !it.window.is_open(now) || !self.shared.lease.is_held() {
            return Ok(());
        }
        match self.scheduled_start(&it).await? {
            Tried::Started(operation) => self.schedule_started(&it, operation).await,
            Tried::Never(why) => self.schedule_over(&it, ScheduleState::Ended, &why).await,
            Tried::NotNow(why) if it.reason.as_ref() == Some(&why) => Ok(()),
            Tried::NotNow(why) => {
                self.shared.store.schedule_note(it.id, &why).await?;
                self.shared.tell(Change::Vm(it.vm));
                Ok(())
            }
        }
    }

    async fn schedule_started(&self, it: &ScheduledResize, operation: OperationId) -> Result<(), ManagerError> {
        let state = ScheduleState::Started;
        let end = ScheduleEnd { state, reason: None, operation: Some(operation), now: clock::now() };
        self.schedule_end(it, &end, format!("started: {operation}")).await
    }

    async fn schedule_over(&self, it: &ScheduledResize, state: ScheduleState, why: &str) -> Result<(), ManagerError> {
        let end = ScheduleEnd { state, reason: Some(why.to_owned()), operation: None, now: clock::now() };
        self.schedule_end(it, &end, format!("{}: {why}", state.as_str())).await
    }

    async fn schedule_end(&self, it: &ScheduledResize, end: &ScheduleEnd, outcome: String) -> Result<(), ManagerError> {
        let row = AuditRow {
            at: end.now,
            actor: Some(it.actor),
            tenant: Some(it.tenant),
            action: "resize_schedule".to_owned(),
            target: it.vm.to_string(),
            outcome,
        };
        match self.shared.store.schedule_end(it.id, end, &row).await {
            // It is over by another's word.
            Ok(()) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.shared.tell(Change::Vm(it.vm));
        Ok(())
    }
}
