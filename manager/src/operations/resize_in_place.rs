//! Changing a VM's size on its own node: live within its maxima, or with a restart, or while it is off.

use super::step::Step;
use super::steps::answer::AwaitAnswer;
use super::steps::disk::GrowStopped;
use super::steps::hot_plug;
use super::steps::install::Redefine;
use super::steps::power::{ShutDown, Start};
use super::steps::reach::ReachNodes;
use super::steps::settle::{RecordSize, Settle};
use super::steps::verify::Verify;
use super::steps::watch::{MeasureDowntime, WatchStart};
use grid::plan::Plan;

pub(super) fn live(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(ReachNodes), Box::new(WatchStart)];
    steps.extend(hot_plug::steps(plan));
    steps.push(Box::new(RecordSize));
    steps.push(Box::new(Verify { running: true }));
    steps.push(Box::new(AwaitAnswer));
    steps.push(Box::new(Settle { no_return: false }));
    steps.push(Box::new(MeasureDowntime));
    steps
}

pub(super) fn restart(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(ReachNodes)];
    if plan.running {
        steps.push(Box::new(WatchStart));
    }
    steps.extend(restart_larger(plan));
    steps.push(Box::new(Settle { no_return: false }));
    if plan.running {
        steps.push(Box::new(MeasureDowntime));
    }
    steps
}

/// Off, changed, and on again where it ran; at the VM's home.
pub(super) fn restart_larger(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = Vec::new();
    if plan.running {
        steps.push(Box::new(ShutDown));
    }
    steps.push(Box::new(Redefine));
    if plan.to.disk != plan.from.disk {
        steps.push(Box::new(GrowStopped));
    }
    if plan.running {
        steps.push(Box::new(Start { no_return: false }));
    }
    steps.push(Box::new(RecordSize));
    steps.push(Box::new(Verify { running: plan.running }));
    if plan.running {
        steps.push(Box::new(AwaitAnswer));
    }
    steps
}
