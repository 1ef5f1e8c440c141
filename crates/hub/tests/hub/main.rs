//! The public API against a real HTTP server with fault switches.

mod server;
mod sink;
mod transfer;
mod world;
