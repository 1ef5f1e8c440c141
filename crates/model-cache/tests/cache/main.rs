//! The public interface against a real HTTP server.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing unwrap is a failing test")]

#[cfg(unix)]
mod forking;
mod hub;
#[allow(dead_code, reason = "it has more faults to offer than these tests ask for")]
#[path = "../../../hub/tests/hub/server.rs"]
mod server;

mod names;
mod read_only;
mod same_bytes;
