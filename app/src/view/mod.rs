//! View models: what a page shows, ready to be shown, in types that cross to the browser. Times are texts, made on
//! the server; amounts become texts by [`amounts`], the same on both sides.

pub mod amounts;
pub mod answers;
pub mod capacity;
pub mod catalogue;
pub mod chart;
pub mod drift;
pub mod node;
pub mod operation;
pub mod plan;
pub mod relocation;
pub mod schedule;
pub mod session;
pub mod vm;
pub mod what_if;
