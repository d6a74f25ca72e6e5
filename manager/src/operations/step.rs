//! Steps: what an operation is made of. Each has a do and an undo, and both are idempotent: carried out twice they
//! leave what once leaves, for after a crash the step that was under way is carried out again.

use super::run::Run;
use crate::hypervisor::HypervisorError;
use crate::options::Pace;
use crate::store::StoreError;
use crate::utility::UtilityError;
use async_trait::async_trait;
use grid::work::WorkFailure;
use std::time::Duration;

/// What there is to say about a step that was done.
pub(crate) type Note = Option<String>;

#[async_trait]
pub(crate) trait Step: Send + Sync {
    /// The word that is recorded, and that customers read.
    fn name(&self) -> &'static str;

    /// After this a step that has not ended has failed.
    fn deadline(&self, pace: &Pace) -> Duration {
        pace.short_step
    }

    /// Once this step is done the operation goes forward only: the VM has executed at its destination.
    fn no_return(&self) -> bool {
        false
    }

    /// Of a step of no return that has failed or was cut off: whether what can't be taken back has happened all the
    /// same. Then the step is done, whatever its answer was.
    async fn has_happened(&self, _run: &Run) -> Result<bool, StepError> {
        Ok(false)
    }

    /// Whether it is carried out also where an earlier step has failed past the point of no return.
    fn cleans_up(&self) -> bool {
        false
    }

    /// Whether it can be broken off when the operation is cancelled, and all of it be undone. What records or removes is
    /// carried through; what cleans up comes when it is too late; and a disk that has grown stays so.
    fn can_be_broken_off(&self) -> bool {
        !self.cleans_up()
    }

    /// Whether it leaves the VM itself as it is: it only looks, or makes something beside it. Where no other step was begun,
    /// what became of the VM is known without a look.
    fn prepares(&self) -> bool {
        false
    }

    /// Whether an undo that fails leaves no more behind than what harms nobody, such as a copy that does not run: the
    /// rest is undone all the same, and what is left is found and told of later.
    fn leaves_behind(&self) -> bool {
        false
    }

    /// Whether what the operation is for is done by then: where this fails it has succeeded all the same, and the step
    /// tells what is missing.
    fn may_fail(&self) -> bool {
        false
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError>;

    async fn undo(&self, _run: &Run) -> Result<(), StepError> {
        Ok(())
    }
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepError {
    /// For the customer: no node names, no text from below.
    pub(crate) reason: String,
    /// For the admin: all that is known.
    pub(crate) detail: String,
    /// Whether it may pass: then the step is tried again.
    pub(crate) passes: bool,
    /// Nobody knows whether the VM executes, or where: nothing may be undone and nothing started.
    pub(crate) unknown: bool,
    /// Of an undo: taking it back would take what nobody agreed to. What was done so far stays.
    pub(crate) stays: bool,
}

impl StepError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { detail: reason.clone(), reason, passes: false, unknown: false, stays: false }
    }

    #[must_use]
    pub(crate) fn detail(mut self, detail: impl std::fmt::Display) -> Self {
        self.detail = format!("{}: {detail}", self.reason);
        self
    }

    #[must_use]
    pub(crate) fn passing(mut self) -> Self {
        self.passes = true;
        self
    }

    #[must_use]
    pub(crate) fn lasting(mut self) -> Self {
        self.passes = false;
        self
    }

    #[must_use]
    pub(crate) fn unknown(mut self) -> Self {
        self.unknown = true;
        self
    }

    #[must_use]
    pub(crate) fn staying(mut self) -> Self {
        self.stays = true;
        self
    }
}

impl std::fmt::Display for StepError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.detail)
    }
}

/// Why a live move was given up: what its customer reads, and the next plan is made by.
pub(crate) const NOT_CONVERGING: &str =
    "it changes its memory faster than that can be carried while it runs; with a restart it can be moved";

impl From<HypervisorError> for StepError {
    fn from(error: HypervisorError) -> Self {
        let step = match &error {
            HypervisorError::Unreachable(_) => Self::new("the hypervisor can't be reached").passing(),
            HypervisorError::Deadline => Self::new("the hypervisor gave no answer in time").passing(),
            HypervisorError::NoSuchVm => Self::new("the hypervisor does not know the VM"),
            HypervisorError::PoolFull => Self::new("the node's storage is full"),
            HypervisorError::Guest(_) => Self::new("the guest did not follow"),
            HypervisorError::NotConverging => Self::new(NOT_CONVERGING),
            HypervisorError::Unsupported(_) => Self::new("not possible with this hypervisor kind"),
            HypervisorError::Refused(_) => Self::new("the hypervisor refused"),
        };
        step.detail(error)
    }
}

impl From<UtilityError> for StepError {
    fn from(error: UtilityError) -> Self {
        let step = match &error {
            UtilityError::Silent => Self::new("the node's utility module is silent").passing(),
            UtilityError::Deadline => Self::new("the node's utility module did not finish in time").passing(),
            UtilityError::Busy => Self::new("the node's utility module has too much to do").passing(),
            UtilityError::Failed(failure) => match failure {
                WorkFailure::PoolFull => Self::new("the node's storage is full"),
                WorkFailure::Checksum { .. } => Self::new("what was copied has another checksum").passing(),
                WorkFailure::NoDisk => Self::new("the VM's disk is not there"),
                WorkFailure::NoImage => Self::new("the image is not there"),
                WorkFailure::WouldShrink { .. } => Self::new("a disk never shrinks"),
                WorkFailure::NoAnswer => Self::new("the VM's address gave no answer"),
                WorkFailure::Transfer { .. } => Self::new("the copy broke off").passing(),
                WorkFailure::Io { .. } => Self::new("the node's utility module failed"),
            },
        };
        step.detail(error)
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::new("the database could not do it").detail(error).passing()
    }
}
