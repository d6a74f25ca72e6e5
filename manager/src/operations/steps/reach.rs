//! A look at the destination before anything is made there, and right before what disturbs the VM or can't be given up:
//! a hypervisor that hangs would keep a live move's call waiting for as long as it hangs, let a VM be stopped for a
//! move that can't be ended, and keep what was made there from being taken back.

use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use async_trait::async_trait;

pub(in crate::operations) struct ReachDestination;

#[async_trait]
impl Step for ReachDestination {
    fn name(&self) -> &'static str {
        "reach-destination"
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        run.observe(run.destination()?).await.map(|_| None)
    }
}
