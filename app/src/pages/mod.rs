//! The pages, one file each: the doors that it needs, and what it shows. A page is wiring.

mod address;
pub mod admin;
pub mod admin_drift;
pub mod admin_node;
pub mod admin_node_drain;
pub mod admin_node_fence;
pub mod admin_nodes;
pub mod admin_operations;
pub mod admin_rebalance;
pub mod admin_what_if;
pub mod home;
pub mod login;
pub mod not_found;
pub mod operation;
pub mod session;
pub mod vm;
pub mod vm_delete;
pub mod vm_move;
pub mod vm_new;
pub mod vm_rebuild;
pub mod vm_resize;
pub mod vm_resize_later;
pub mod vms;
