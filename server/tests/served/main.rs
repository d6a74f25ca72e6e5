//! The program itself, as browsers, utility modules and operators meet it: served on a simulated grid.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic, and so may what it is made of")]

mod browser;
mod cookie;
mod database;
mod fence;
mod forms;
mod lease;
mod log;
mod metrics;
mod operator;
mod origin;
mod pages;
mod people;
mod program;
mod reports;
mod resize;
mod restart;
mod rights;
mod schedule;
mod server;
mod stands_still;
mod stop;
mod story;
