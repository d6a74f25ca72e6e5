//! Changing a VM's size by moving it to a second node: live with its disk, and growing there; the same and a restart;
//! or cold, with the modified configuration installed on the second node.

use super::resize_in_place::restart_larger;
use super::step::Step;
use super::steps::answer::{AwaitAnswer, StillAnswers};
use super::steps::disk::{CopyDisk, PrepareDisk};
use super::steps::hot_plug;
use super::steps::install::{Define, WriteSeed};
use super::steps::migrate::MigrateLive;
use super::steps::power::{ShutDown, Start};
use super::steps::reach::ReachNodes;
use super::steps::remove::RemoveSource;
use super::steps::settle::{RecordSize, Settle, SettleHome};
use super::steps::verify::Verify;
use super::steps::watch::{MeasureDowntime, WatchStart};
use grid::plan::Plan;

pub(super) fn live(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps = to_destination(plan, hot_plug::shrinking(plan));
    steps.extend(hot_plug::growing(plan));
    steps.push(Box::new(RecordSize));
    steps.push(Box::new(Verify { running: true }));
    steps.push(Box::new(AwaitAnswer));
    steps.extend(ending(plan, false));
    steps
}

pub(super) fn live_restart(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps = to_destination(plan, Vec::new());
    steps.extend(restart_larger(plan));
    steps.extend(ending(plan, false));
    steps
}

pub(super) fn cold(plan: &Plan) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(ReachNodes)];
    if plan.running {
        steps.push(Box::new(WatchStart));
        steps.push(Box::new(ShutDown));
    }
    steps.push(Box::new(CopyDisk { expected: plan.estimate }));
    steps.push(Box::new(WriteSeed));
    steps.push(Box::new(Define));
    if plan.running {
        steps.push(Box::new(Start { no_return: true }));
    }
    steps.push(Box::new(Verify { running: plan.running }));
    if plan.running {
        steps.push(Box::new(AwaitAnswer));
    }
    steps.extend(ending(plan, !plan.running));
    steps
}

/// The live move, after what shrinks. What only prepares comes before that: where it fails, no guest was asked for anything.
fn to_destination(plan: &Plan, shrinking: Vec<Box<dyn Step>>) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> =
        vec![Box::new(ReachNodes), Box::new(WatchStart), Box::new(PrepareDisk), Box::new(WriteSeed)];
    if !shrinking.is_empty() {
        steps.extend(shrinking);
        steps.push(Box::new(StillAnswers));
    }
    steps.push(Box::new(ReachNodes));
    steps.push(Box::new(MigrateLive { expected: plan.estimate }));
    steps.push(Box::new(SettleHome));
    steps
}

/// What is recorded and removed in the end.
fn ending(plan: &Plan, no_return: bool) -> Vec<Box<dyn Step>> {
    let mut steps: Vec<Box<dyn Step>> = vec![Box::new(Settle { no_return })];
    if plan.running {
        steps.push(Box::new(MeasureDowntime));
    }
    steps.push(Box::new(RemoveSource));
    steps
}
