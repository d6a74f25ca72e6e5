//! Operations on a simulated grid, with a real store: the good way, and every way in which it can go wrong.

mod answers;
mod cancel;
mod converging;
mod deadlines;
mod faults;
mod fencing;
mod good;
mod late;
mod network;
mod promises;
mod reconciler;
mod restart;
mod revert;
pub(crate) mod rig;
mod rights;
mod stands_still;
mod turns;
mod twice;
mod versions;
mod waiting;
mod watching;
