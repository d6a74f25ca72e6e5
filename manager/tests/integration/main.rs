//! The manager against the real world: libvirt nodes of the lab. Mirrors `src/`.
//!
//! `HOSTGRID_LAB` names the lab's `nodes.json`; `make test` gives it. Without it these tests fail and say so.

mod hypervisor;
