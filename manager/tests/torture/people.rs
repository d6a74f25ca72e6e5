//! What people say in the middle of it all: an owner agrees to a cold move, somebody cancels, an operator decides about what
//! waits, though what is wrong may still be wrong.

use crate::trial::Trial;
use grid::operation::OperationState;
use manager::vms::MoveWhen;
use manager::{Manager, ManagerError};
use std::time::Duration;
use tokio::time::sleep;

/// What somebody says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    /// The customer, or an admin, cancels one of the operations that have not ended.
    Cancel { which: usize, by_admin: bool },
    /// An admin cancels all work that is made of moves.
    CancelMoves,
    /// An admin has one that waits tried again: as soon as one waits.
    Retry,
    /// The same, and gives it up.
    GiveUp,
}

impl Word {
    const fn accepted(self) -> &'static str {
        match self {
            Self::Cancel { .. } => "operation cancelled",
            Self::CancelMoves => "moves cancelled",
            Self::Retry => "tried again by an operator",
            Self::GiveUp => "given up by an operator",
        }
    }

    const fn refused(self) -> &'static str {
        match self {
            Self::Cancel { .. } | Self::CancelMoves => "cancel refused",
            Self::Retry | Self::GiveUp => "decision refused",
        }
    }

    const fn decides(self) -> bool {
        matches!(self, Self::Retry | Self::GiveUp)
    }
}

/// How often somebody looks for what waits.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Trial<'_> {
    /// Carries out what is said, when it is said, for as long as the program lives.
    pub(crate) async fn listen(&self, manager: &Manager) {
        loop {
            tokio::select! {
                biased;
                () = self.script.spoken() => {}
                // For what somebody would decide about.
                () = sleep(LOOK_EVERY), if self.script.has_words() => {}
            }
            let waiting = !self.unfinished(|it| it.state == OperationState::Waiting).is_empty();
            while let Some(word) = self.script.word(|word| waiting || !word.decides()) {
                let told = match self.carry_out(manager, word).await {
                    Ok(true) => word.accepted(),
                    Ok(false) => "nothing was there for it",
                    // It has come too far, or somebody was faster; or the script broke the call.
                    Err(ManagerError::Unavailable { .. } | ManagerError::Internal) => word.refused(),
                    Err(error) => {
                        self.script.unexpected(format!("{word:?}: {error}"));
                        continue;
                    }
                };
                self.script.answered(told);
                if word.decides() {
                    break;
                }
            }
        }
    }

    /// Whether there was anything to do it to.
    async fn carry_out(&self, manager: &Manager, word: Word) -> Result<bool, ManagerError> {
        let (customer, admin) = (&self.stage.template.customer, &self.stage.template.admin);
        match word {
            Word::Cancel { which, by_admin } => {
                let all = self.unfinished(|_| true);
                let Some((id, _)) = all.get(which % all.len().max(1)) else { return Ok(false) };
                manager.operation_cancel(if by_admin { admin } else { customer }, *id).await?;
            }
            Word::CancelMoves => {
                if self.relocations().is_empty() {
                    return Ok(false);
                }
                let mut cancelled = manager.rebalance_cancel(admin).await;
                for node in &self.stage.template.nodes {
                    cancelled = cancelled.or(manager.node_drain_cancel(admin, &node.name).await);
                }
                cancelled?;
            }
            Word::Retry | Word::GiveUp => {
                let all = self.unfinished(|it| it.state == OperationState::Waiting);
                let Some((id, _)) = all.first() else { return Ok(false) };
                match word {
                    Word::Retry => manager.operation_retry(admin, *id).await?,
                    _ => manager.operation_give_up(admin, *id).await?,
                }
            }
        }
        Ok(true)
    }

    /// An owner who is asked for a cold move agrees to it; where the answer is lost, once more.
    pub(crate) async fn agree(&self, manager: &Manager) {
        let (owner, vm) = (&self.stage.template.customer, self.stage.template.container);
        if let Ok(Some(asked)) = manager.vm_move_asked(owner, vm).await
            && asked.given.is_none()
        {
            drop(manager.vm_move_consent(owner, vm, asked.relocation, MoveWhen::Now { force_off: true }).await);
        }
    }
}
