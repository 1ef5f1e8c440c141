//! The public API against a real HTTP server with fault switches.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::single_range_in_vec_init,
    reason = "the support code of tests fails like the tests do, and a list of one range is what is meant"
)]

mod cancellation;
mod connections;
mod faults;
mod large;
mod memory;
mod origins;
mod refusals;
mod scan;
mod server;
mod sink;
mod stalls;
mod transfer;
mod world;
