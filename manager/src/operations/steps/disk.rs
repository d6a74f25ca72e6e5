//! Disks, through the utility modules: fetched, made, grown, carried.

use super::remove::delete_disk;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::options::Pace;
use crate::utility::CarriedDisk;
use async_trait::async_trait;
use grid::plan::Estimate;
use grid::sample::DiskSample;
use grid::work::{Image, ImageFamily, Work};
use grid::{NodeId, Size};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The image is in the pool of the VM's place.
pub(in crate::operations) struct FetchImage;

#[async_trait]
impl Step for FetchImage {
    fn name(&self) -> &'static str {
        "fetch-image"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.long_step
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let image = image(run).await?;
        run.order(run.place().await?, Work::FetchImage { image }, run.pace().long_step).await?;
        Ok(None)
    }
    // No undo: the image stays for the next VM.
}

/// A VM's disk is made from the image.
pub(in crate::operations) struct CreateDisk;

#[async_trait]
impl Step for CreateDisk {
    fn name(&self) -> &'static str {
        "create-disk"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.long_step
    }

    /// A disk that can't be removed now is found by its module's next report.
    fn leaves_behind(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (vm, image) = (run.vm().await?, image(run).await?);
        let work = Work::CreateDisk { vm: vm.id, image, size: vm.size };
        run.order(run.place().await?, work, run.pace().long_step).await?;
        Ok(Some(vm.size.disk.to_string()))
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        delete_disk(run, run.place().await?).await
    }
}

/// The image as it was chosen; it may have been replaced since.
async fn image(run: &Run) -> Result<Image, StepError> {
    let vm = run.vm().await?;
    let found = run.shared.images.find(ImageFamily::of(vm.kind), &vm.image);
    found.ok_or_else(|| StepError::new("the image is not there any more"))
}

/// A stopped VM's disk grows.
pub(in crate::operations) struct GrowStopped;

#[async_trait]
impl Step for GrowStopped {
    fn name(&self) -> &'static str {
        "grow-disk"
    }

    fn can_be_broken_off(&self) -> bool {
        false
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let plan = run.plan()?;
        let work = Work::GrowDisk { vm: plan.vm, disk: plan.to.disk };
        run.order(run.place().await?, work, run.pace().short_step).await?;
        Ok(Some(format!("{} to {}", plan.from.disk, plan.to.disk)))
    }
    // No undo: a disk never shrinks. What it has become is recorded.
}

/// An empty disk of the same length at the destination, for a live move to fill.
pub(in crate::operations) struct PrepareDisk;

#[async_trait]
impl Step for PrepareDisk {
    fn name(&self) -> &'static str {
        "prepare-disk"
    }

    /// A disk that can't be removed now is found by its module's next report.
    fn leaves_behind(&self) -> bool {
        true
    }

    fn prepares(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let plan = run.plan()?;
        let size = plan.arrives_with();
        let work = Work::PrepareDisk { vm: plan.vm, bytes: length(run, plan.source, size), size };
        run.order(run.destination()?, work, run.pace().short_step).await?;
        Ok(None)
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        super::remove::remove(run, run.destination()?).await
    }
}

/// The disk's exact length: as its module says, else as its size says.
fn length(run: &Run, node: NodeId, size: Size) -> u64 {
    disk(run, node).map_or(0, |disk| disk.virtual_bytes).max(size.disk.bytes())
}

/// What the disk takes at its node, as its module has last said it; holes are not carried.
fn of_all(run: &Run, node: NodeId) -> String {
    disk(run, node).map_or_else(String::new, |disk| format!(" of about {} MiB", disk.real_bytes >> 20))
}

/// The VM's disk as a node's module has last told of it.
fn disk(run: &Run, node: NodeId) -> Option<DiskSample> {
    let map = run.collector.map();
    let disks = &map.get(node)?.utility.as_ref()?.sample.disks;
    disks.iter().find(|disk| disk.vm == run.vm_id()).copied()
}

/// The disk is carried from the source's module to the destination's, and gets its new size there.
pub(in crate::operations) struct CopyDisk {
    pub(in crate::operations) expected: Estimate,
}

#[async_trait]
impl Step for CopyDisk {
    fn name(&self) -> &'static str {
        "copy-disk"
    }

    fn deadline(&self, pace: &Pace) -> Duration {
        pace.carrying(self.expected)
    }

    /// A disk that can't be removed now is found by its module's next report.
    fn leaves_behind(&self) -> bool {
        true
    }

    fn prepares(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let (plan, destination, deadline) = (run.plan()?, run.destination()?, self.deadline(run.pace()));
        let carried = Arc::new(AtomicU64::new(0));
        let carrying = run.shared.hub.disk_carry(plan.vm, plan.source, destination, plan.to, deadline, &carried);
        let all = of_all(run, plan.source);
        let how_far = || format!("{} MiB carried{all}", carried.load(Ordering::Relaxed) >> 20);
        let CarriedDisk { bytes, .. } = run.telling(carrying, how_far).await?;
        Ok(Some(format!("{} MiB carried", bytes >> 20)))
    }

    async fn undo(&self, run: &Run) -> Result<(), StepError> {
        super::remove::remove(run, run.destination()?).await
    }
}
