//! The making of view models out of what the manager answers. No decisions: what is here is put into words.

pub mod capacity;
pub mod catalogue;
mod choice;
pub mod drift;
pub mod history;
pub mod node;
pub mod operation;
pub mod plan;
pub mod relocation;
pub mod schedule;
pub mod time;
pub mod vm;
pub mod what_if;
