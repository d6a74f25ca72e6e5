//! Trials, for tests only: a step fails, hangs as if the program had died there, or is carried out twice, on order.
//!
//! A server with the feature `trial` takes its orders from the file that `HOSTGRID_TRIAL` names, as JSON (`{"die": [5,
//! "after"]}`), whenever it comes to a step; and where it is to die it does, without another word. The file is gone then.

use super::step::StepError;
use grid::operation::StepState;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Where in a step something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Moment {
    Before,
    /// All that the step does is done, and nothing of it recorded.
    After,
    /// It is recorded that it is done.
    Recorded,
}

#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Orders {
    /// The step at this position fails.
    pub(crate) fail: Option<(u32, Moment)>,
    /// The do of the step at this position never comes back.
    pub(crate) hang: Option<(u32, Moment)>,
    /// The same of its undo.
    pub(crate) hang_undo: Option<(u32, Moment)>,
    /// Every do and every undo is carried out twice.
    pub(crate) twice: bool,
    /// The program ends at the do of this step; at its undo; or so many milliseconds after its do has begun.
    pub(crate) die: Option<(u32, Moment)>,
    pub(crate) die_undo: Option<(u32, Moment)>,
    pub(crate) die_within: Option<(u32, u64)>,
}

/// What was ordered; nothing by default.
#[derive(Debug)]
pub(crate) struct Trial {
    orders: Mutex<Orders>,
    file: Option<PathBuf>,
}

impl Default for Trial {
    fn default() -> Self {
        Self { orders: Mutex::default(), file: std::env::var_os("HOSTGRID_TRIAL").map(PathBuf::from) }
    }
}

impl Trial {
    #[cfg(test)]
    pub(crate) fn order(&self, orders: Orders) {
        *self.orders.lock().unwrap_or_else(PoisonError::into_inner) = orders;
    }

    fn orders(&self) -> Orders {
        let told = self.file.as_ref().and_then(|file| std::fs::read(file).ok());
        let Some(told) = told else { return *self.orders.lock().unwrap_or_else(PoisonError::into_inner) };
        serde_json::from_slice(&told).unwrap_or_else(|error| {
            tracing::error!(%error, "HOSTGRID_TRIAL: these are no orders");
            Orders::default()
        })
    }

    pub(crate) fn twice(&self) -> bool {
        self.orders().twice
    }

    /// Meets what was ordered for a do.
    pub(crate) async fn meet(&self, position: u32, moment: Moment) -> Result<(), StepError> {
        let orders = self.orders();
        if orders.die == Some((position, moment)) {
            self.die();
        }
        if let (Some((at, millis)), Moment::Before) = (orders.die_within, moment)
            && at == position
        {
            let file = self.file.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Self { orders: Mutex::default(), file }.die();
            });
        }
        if orders.hang == Some((position, moment)) {
            return std::future::pending().await;
        }
        if orders.fail == Some((position, moment)) {
            return Err(StepError::new("it was ordered to fail"));
        }
        Ok(())
    }

    /// Meets what was ordered for an undo.
    pub(crate) async fn meet_undo(&self, position: u32, moment: Moment) {
        let orders = self.orders();
        if orders.die_undo == Some((position, moment)) {
            self.die();
        }
        if orders.hang_undo == Some((position, moment)) {
            std::future::pending::<()>().await;
        }
    }

    /// Meets what was ordered for when a step was recorded.
    pub(crate) fn recorded(&self, position: u32, state: StepState) {
        let orders = self.orders();
        let ordered = match state {
            StepState::Done => orders.die,
            StepState::Undone => orders.die_undo,
            _ => None,
        };
        if ordered == Some((position, Moment::Recorded)) {
            self.die();
        }
    }

    /// Nothing is written any more, and nobody told. Not what a test of this very process orders.
    fn die(&self) {
        let Some(file) = &self.file else { return };
        // The next program is to live.
        if std::fs::remove_file(file).is_ok() {
            std::process::abort();
        }
    }
}
