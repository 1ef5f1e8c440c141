//! Options as Python passes them, in dictionaries. They were checked there: absent means the core's default.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::prelude::*;
use tabagent_model_cache::{CacheOptions, ProxyOptions};

/// Options of `ModelCache`; see `cache.py`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct NativeOpenOptions {
    endpoint: Option<String>,
    token: Option<String>,
    offline: bool,
    read_only: bool,
    zero_copy: bool,
    connections: Option<usize>,
    /// Milliseconds.
    stall_timeout: Option<u64>,
    retries: Option<u32>,
    max_bytes_per_second: Option<u64>,
    max_size: Option<u64>,
    http_proxy: Option<String>,
    https_proxy: Option<String>,
    no_proxy: Option<String>,
    certificate_authorities: Vec<PathBuf>,
    user_agent: String,
}

impl From<NativeOpenOptions> for CacheOptions {
    fn from(options: NativeOpenOptions) -> Self {
        let default = Self::default();
        Self {
            endpoint: options.endpoint.unwrap_or(default.endpoint),
            token: options.token,
            offline: options.offline,
            read_only: options.read_only,
            zero_copy: options.zero_copy,
            connections: options.connections.unwrap_or(default.connections),
            stall_timeout: options.stall_timeout.map_or(default.stall_timeout, Duration::from_millis),
            retries: options.retries.unwrap_or(default.retries),
            max_bytes_per_second: options.max_bytes_per_second,
            max_size: options.max_size,
            proxy: ProxyOptions {
                http: options.http_proxy,
                https: options.https_proxy,
                except: options.no_proxy,
            },
            certificate_authorities: options.certificate_authorities,
            user_agent: options.user_agent,
        }
    }
}
