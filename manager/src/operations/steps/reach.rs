//! A look at all nodes of a resize before anything is begun, and right before what disturbs the VM or can't be given up:
//! a hypervisor that hangs would keep a live move's call waiting for as long as it hangs, let a VM be stopped for a
//! move that can't be ended, keep what was made there from being taken back, and leave it unknown what became of the
//! VM. Nor is what is left at the destination of a VM that was rebuilt written over, or a copy that runs there.

use super::cut_off::runs_nowhere_else;
use crate::operations::run::Run;
use crate::operations::step::{Note, Step, StepError};
use crate::operations::was_rebuilt_from;
use async_trait::async_trait;
use futures::future::try_join_all;
use grid::NodeId;
use grid::sample::DomainState;

pub(in crate::operations) struct ReachNodes;

#[async_trait]
impl Step for ReachNodes {
    fn name(&self) -> &'static str {
        "reach-nodes"
    }

    fn prepares(&self) -> bool {
        true
    }

    async fn run(&self, run: &Run) -> Result<Note, StepError> {
        let plan = run.plan()?;
        let nodes = [Some(plan.source), plan.destination].into_iter().flatten();
        let seen = try_join_all(nodes.map(|node| run.observe(node))).await?;
        runs_nowhere_else(run).await?;
        let Some(destination) = plan.destination else { return Ok(None) };
        if seen.last().is_some_and(|there| there.as_ref().is_some_and(|it| it.state != DomainState::ShutOff)) {
            return Err(StepError::new("the VM runs at the other node already").detail(destination));
        }
        if holds_old_data(run, destination).await? {
            return Err(StepError::new("the VM's old disk is left at the other node").detail(destination));
        }
        Ok(None)
    }
}

/// Whether the node's module lists a disk of the VM from before the node was fenced and the VM rebuilt.
async fn holds_old_data(run: &Run, node: NodeId) -> Result<bool, StepError> {
    let map = run.collector.map();
    let lists = map.get(node).and_then(|entry| entry.utility.as_ref()).into_iter();
    let is_there = lists.flat_map(|reading| &reading.sample.disks).any(|disk| disk.vm == run.vm_id());
    Ok(is_there && was_rebuilt_from(run.shared.store.as_ref(), run.vm_id(), node).await?)
}
