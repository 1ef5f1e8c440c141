//! The Node-API addon over `tabagent-model-cache`: convert, call, convert. It holds no logic; the public API, its checks
//! and its documentation are the TypeScript files of the same names in `src/`.
#![expect(
    unreachable_pub,
    reason = "what JavaScript reaches by registration must be `pub`, though no Rust path leads there"
)]
#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

mod buffer;
mod cache;
mod cached_file;
mod error;
mod export;
mod import;
mod inspection;
mod manifest;
mod onnx_model;
mod operation;
mod options;
mod plain_files;
mod progress;
mod report;
mod watch;

use napi_derive::napi;

/// Version of the addon. The TypeScript half refuses any other than its own.
#[napi(catch_unwind)]
#[must_use]
pub fn binding_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Every code that an error of the core can carry.
#[napi(catch_unwind)]
#[must_use]
pub fn error_codes() -> Vec<&'static str> {
    tabagent_model_cache::ERROR_CODES.to_vec()
}
