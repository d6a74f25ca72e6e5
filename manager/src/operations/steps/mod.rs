//! The steps that several kinds of operations share.

pub(super) mod answer;
pub(super) mod cut_off;
pub(super) mod disk;
pub(super) mod hot_plug;
pub(super) mod install;
pub(super) mod migrate;
pub(super) mod power;
pub(super) mod reach;
pub(super) mod remove;
pub(super) mod settle;
pub(super) mod verify;
pub(super) mod watch;
