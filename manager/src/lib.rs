//! The hypervisor management module: all that touches the world.
//!
//! Use cases (`vms`, `nodes`, `operations`, `capacity`, one file a resource) call `operations`, `collector` and
//! `accounts`; these call `store`, `hypervisor` and `utility`, which don't know each other. Each use case takes the
//! signed-in [`accounts::Principal`] first and decides by itself whether that person may.

pub mod accounts;
pub mod error;
pub mod hypervisor;
pub mod store;
