//! What only the server does: the router, the doors' shared half, and the making of view models.

pub mod door;
mod events;
mod policy;
pub mod present;
mod refusals;
mod router;
pub mod session;
mod shell;

pub use router::{AppState, router};
pub use shell::shell;
