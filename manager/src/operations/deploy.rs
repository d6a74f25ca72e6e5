//! Deploying a VM: its node's utility module makes disk and seed, its hypervisor defines and starts it.

use super::step::Step;
use super::steps::disk::{CreateDisk, FetchImage};
use super::steps::install::{Define, WriteSeed};
use super::steps::power::Start;
use super::steps::settle::Settle;
use super::steps::verify::Verify;

pub(super) fn steps() -> Vec<Box<dyn Step>> {
    vec![
        Box::new(FetchImage),
        Box::new(CreateDisk),
        Box::new(WriteSeed),
        Box::new(Define),
        Box::new(Start { no_return: false }),
        Box::new(Verify { running: true }),
        Box::new(Settle { no_return: false }),
    ]
}
