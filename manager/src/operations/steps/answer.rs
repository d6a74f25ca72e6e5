//! Waiting for the guest's answer after what was done to the VM: part of the verification, where its address answered
//! before. A guest that never answered, or that no utility module can ask, is verified by its hypervisor alone.

use super::watch::{Heard, heard, is_silenced};
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use async_trait::async_trait;
use grid::plan::Plan;
use std::time::Duration;

pub(in crate::operations) struct AwaitAnswer;

#[async_trait]
impl Step for AwaitAnswer {
    fn name(&self) -> &'static str {
        "await-answer"
    }

    /// Twice the patience: where the watch is gone with its module, the address is asked anew.
    fn deadline(&self, pace: &Pace) -> Duration {
        pace.answer * 2 + pace.short_step
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let note = match heard(run).await? {
            Heard::Again { .. } => "its address answers again",
            Heard::NeverBefore => "its address did not answer before",
            Heard::NotAsked => "no utility module can ask its address",
            Heard::Silence => return Err(silence(run.plan()?, run.pace())),
        };
        Ok(Some(note.into()))
    }
    // No undo: nothing was changed.
}

/// Before a VM moves that has given something back: a guest that was silenced by that stays where it is, and has it again.
pub(in crate::operations) struct StillAnswers;

#[async_trait]
impl Step for StillAnswers {
    fn name(&self) -> &'static str {
        "still-answers"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.answer + pace.short_step
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        if is_silenced(run).await? {
            return Err(silent("with less", run.pace()));
        }
        Ok(None)
    }
    // No undo: nothing was changed.
}

fn silence(plan: &Plan, pace: &Pace) -> StepError {
    silent(if plan.destination.is_some() { "after its move" } else { "at its new size" }, pace)
}

fn silent(when: &str, pace: &Pace) -> StepError {
    StepError::new(format!("the guest did not answer {when} within {} s", pace.answer.as_secs()))
}
