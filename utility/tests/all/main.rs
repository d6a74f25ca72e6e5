//! The module against its two outsides: a pool's folder, and a manager that speaks plain HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on fails")]

mod connection;
mod full_pool;
mod manager;
mod pools;
mod work;
mod worker;
