//! The manager against the real world: libvirt nodes of the lab. Mirrors `src/`.
//!
//! `HOSTGRID_LAB` names the lab's `nodes.json`; `make test` gives it. Without it these tests fail and say so.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this crate is tests; what they share is outside of test functions"
)]

mod hypervisor;
