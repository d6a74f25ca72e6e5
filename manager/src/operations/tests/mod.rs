//! Operations on a simulated grid, with a real store: the good way, and every way in which it can go wrong.

mod faults;
mod good;
mod promises;
mod restart;
mod rig;
mod rights;
mod waiting;
mod watching;
