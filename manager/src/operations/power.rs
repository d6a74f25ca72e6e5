//! Starting and stopping a VM.

use super::run::Run;
use super::step::{Note, Step, StepError};
use super::steps::power::{Start, switch_off};
use super::steps::settle::Settle;
use crate::options::Pace;
use async_trait::async_trait;
use std::time::Duration;

pub(super) fn start_steps() -> Vec<Box<dyn Step>> {
    vec![Box::new(Start { no_return: false }), Box::new(Settle { no_return: false })]
}

pub(super) fn stop_steps(force: bool) -> Vec<Box<dyn Step>> {
    vec![Box::new(Stop { force }), Box::new(Settle { no_return: false })]
}

/// The guest is asked; one that does not obey goes on running, or is forced off where that was agreed to.
struct Stop {
    force: bool,
}

#[async_trait]
impl Step for Stop {
    fn name(&self) -> &'static str {
        "shut-down"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.shut_down + pace.short_step
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let node = run.place().await?;
        switch_off(run, node, self.force).await
    }
}
