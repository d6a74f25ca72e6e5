//! What a grid of hosting resources is: sizes, nodes, VMs, samples, the map, placement, plans, the states of
//! operations, and the work orders to a utility module. Every type that crosses a wire lives here.
//!
//! The crate is pure: no I/O, no clock, no async, no randomness. Time comes in as [`UnixMillis`]. It compiles for
//! the server, for the utility module and for the browser.

pub mod amounts;
pub mod explain;
pub mod form;
pub mod identity;
pub mod index;
pub mod kind;
pub mod map;
pub mod moves;
pub mod node;
pub mod offer;
pub mod operation;
pub mod placement;
pub mod plan;
pub mod policy;
pub mod rates;
pub mod relocation;
pub mod resource;
pub mod resources;
pub mod sample;
pub mod sanitise;
pub mod schedule;
pub mod time;
pub mod vm;
pub mod what_if;
pub mod window;
pub mod wording;
pub mod work;

pub use amounts::{Gib, Mbit, Mib, Size, Vcpus};
pub use identity::{NodeId, OperationId, RelocationId, ScheduleId, TenantId, UserId, VmId};
pub use kind::HypervisorKind;
pub use resource::{Resource, Unit};
pub use resources::{PerResource, Resources};
pub use time::UnixMillis;
