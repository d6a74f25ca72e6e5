//! What `grid` promises, from outside: readable examples, and properties of any grid. One file mirrors one of `src/`.

#![expect(clippy::panic, reason = "a helper of tests fails a test by it")]

mod any;
mod bad_input;
mod bench_files;
mod explain;
mod fixture;
mod index;
mod map;
mod moves;
mod placement;
mod plan;
mod rates;
mod sanitise;
mod what_if;
