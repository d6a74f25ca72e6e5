//! Trials, for tests only: a step fails, hangs as if the program had died there, or is carried out twice, on order.

use super::step::StepError;
use std::sync::{Mutex, PoisonError};

/// Where in a step something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    /// All that the step does is done, and nothing of it recorded.
    After,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Orders {
    /// The step at this position fails.
    pub(crate) fail: Option<(u32, Moment)>,
    /// The do of the step at this position never comes back.
    pub(crate) hang: Option<(u32, Moment)>,
    /// The same of its undo.
    pub(crate) hang_undo: Option<(u32, Moment)>,
    /// Every do and every undo is carried out twice.
    pub(crate) twice: bool,
}

/// What was ordered; nothing by default.
#[derive(Debug, Default)]
pub(crate) struct Trial(Mutex<Orders>);

impl Trial {
    pub(crate) fn order(&self, orders: Orders) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = orders;
    }

    fn orders(&self) -> Orders {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn twice(&self) -> bool {
        self.orders().twice
    }

    /// Meets what was ordered for a do.
    pub(crate) async fn meet(&self, position: u32, moment: Moment) -> Result<(), StepError> {
        let orders = self.orders();
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
        if self.orders().hang_undo == Some((position, moment)) {
            std::future::pending::<()>().await;
        }
    }
}
