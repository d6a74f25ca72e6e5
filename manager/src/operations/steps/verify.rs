//! Verifying: what was asked for is what the hypervisor says, of the running domain and of its persistent
//! configuration.

use crate::hypervisor::Observation;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::Size;
use grid::operation::OperationKind;
use grid::sample::DomainState;
use std::time::Duration;
use tokio::time::Instant;

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The VM is where and what it is to be.
pub(in crate::operations) struct Verify {
    /// Whether it is to run.
    pub(in crate::operations) running: bool,
}

#[async_trait]
impl Step for Verify {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.verify + pace.short_step
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let node = run.place().await?;
        let wanted = match &run.operation.kind {
            OperationKind::Deploy { size, .. } | OperationKind::Rebuild { size, .. } => *size,
            OperationKind::Resize { plan, .. } => plan.to,
            _ => run.vm().await?.size,
        };
        let until = Instant::now() + run.pace().verify;
        loop {
            let seen = run.observe(node).await?;
            let Some(lacks) = lacks(seen.as_ref(), wanted, self.running) else { return Ok(Some(wanted.to_string())) };
            if Instant::now() >= until {
                return Err(StepError::new("the hypervisor does not show what was asked for").detail(lacks));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// What is not as it should be.
fn lacks(seen: Option<&Observation>, wanted: Size, running: bool) -> Option<String> {
    let Some(seen) = seen else { return Some("it does not know the VM".into()) };
    if running != (seen.state == DomainState::Running) {
        return Some(format!("the VM is {:?}", seen.state));
    }
    let shows = |told: Option<Size>| told.is_some_and(|told| is_same(told, wanted));
    if running && !shows(seen.live) {
        return Some(format!("the running domain has {}", told(seen.live)));
    }
    (!shows(seen.persistent)).then(|| format!("the persistent configuration has {}", told(seen.persistent)))
}

fn told(size: Option<Size>) -> String {
    size.map_or_else(|| "no size".into(), |size| size.to_string())
}

/// Whether two sizes are the same, as far as a hypervisor tells memory exactly.
pub(in crate::operations) fn is_same(told: Size, wanted: Size) -> bool {
    let apart = told.memory.0.abs_diff(wanted.memory.0);
    told.vcpus == wanted.vcpus
        && told.disk == wanted.disk
        && told.network == wanted.network
        && apart < Size::MEMORY_STEP.0
}
