//! The utility management module: a small static program, the only one in the utility VM (or container) of a node.
//! It tells the manager the second set of statistics and carries out its work on the node's pool.
//!
//! As PID 1 ([`init`]) it makes the VM a place to run in and looks after one [`worker`], which does the rest. It
//! opens no port; it calls, the manager answers.

pub mod configuration;
pub mod connection;
pub mod disk_stream;
pub mod files;
pub mod init;
pub mod kernel;
pub mod pool;
pub mod report;
pub mod seed;
pub mod watch;
pub mod work;
pub mod worker;

/// What the module calls itself in its reports.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Tells whoever reads the console. Where nobody does, it fills, and what doesn't fit any more is not said.
pub fn log(line: std::fmt::Arguments<'_>) {
    let line = format!("hostgrid-utility: {line}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// Waits for a lock; what another thread left half done when it died can't be, for a panic ends the program.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
