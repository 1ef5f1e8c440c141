//! Options as JavaScript passes them. They were checked there: absent means the core's default.

use std::path::PathBuf;
use std::time::Duration;

use napi_derive::napi;
use tabagent_model_cache::{
    CacheOptions, DownloadOptions, ProxyOptions, PruneOptions, ScanOptions, VerifyOptions,
};

use crate::progress::{Latest, Nudge};

/// Options of `openCache`.
#[napi(object, object_to_js = false)]
pub struct NativeOpenOptions {
    /// Where repositories are listed and resolved.
    pub endpoint: Option<String>,
    /// Access token.
    pub token: Option<String>,
    /// Never use the network.
    pub offline: Option<bool>,
    /// Open without the right to write.
    pub read_only: Option<bool>,
    /// Map instead of copying.
    pub zero_copy: Option<bool>,
    /// Connections of all downloads together.
    pub connections: Option<u32>,
    /// Milliseconds.
    pub stall_timeout: Option<f64>,
    /// Tries after the first.
    pub retries: Option<u32>,
    /// Bytes per second of all downloads together.
    pub max_bytes_per_second: Option<f64>,
    /// Bytes.
    pub max_size: Option<f64>,
    /// Proxy of `http` URLs.
    pub http_proxy: Option<String>,
    /// Proxy of `https` URLs.
    pub https_proxy: Option<String>,
    /// Hosts that are asked directly.
    pub no_proxy: Option<String>,
    /// Paths of PEM files.
    pub certificate_authorities: Option<Vec<String>>,
    /// Sent with every request.
    pub user_agent: String,
}

impl From<NativeOpenOptions> for CacheOptions {
    fn from(options: NativeOpenOptions) -> Self {
        let default = Self::default();
        Self {
            endpoint: options.endpoint.unwrap_or(default.endpoint),
            token: options.token.or(default.token),
            offline: options.offline.unwrap_or(default.offline),
            read_only: options.read_only.unwrap_or(default.read_only),
            zero_copy: options.zero_copy.unwrap_or(default.zero_copy),
            connections: options.connections.map_or(default.connections, |count| count as usize),
            stall_timeout: options
                .stall_timeout
                .map_or(default.stall_timeout, |ms| Duration::from_millis(from_js(ms))),
            retries: options.retries.unwrap_or(default.retries),
            max_bytes_per_second: options.max_bytes_per_second.map(from_js),
            max_size: options.max_size.map(from_js),
            proxy: ProxyOptions {
                http: options.http_proxy,
                https: options.https_proxy,
                except: options.no_proxy,
            },
            certificate_authorities: options
                .certificate_authorities
                .unwrap_or_default()
                .into_iter()
                .map(PathBuf::from)
                .collect(),
            user_agent: options.user_agent,
        }
    }
}

/// Options of `scanRepo`.
#[napi(object, object_to_js = false)]
pub struct NativeScanOptions {
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// Ask the endpoint even where the answer is known.
    pub refresh: Option<bool>,
    /// Name quants by headers where no name does.
    pub headers: Option<bool>,
}

impl From<NativeScanOptions> for ScanOptions {
    fn from(options: NativeScanOptions) -> Self {
        Self {
            revision: options.revision,
            refresh: options.refresh.unwrap_or_default(),
            headers: options.headers.unwrap_or_default(),
        }
    }
}

/// Options of the downloading calls.
#[napi(object, object_to_js = false)]
pub struct NativeDownloadOptions {
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// Never evict it.
    pub keep: Option<bool>,
}

impl NativeDownloadOptions {
    /// With the reports going to `latest`, where the caller wants to hear of them.
    pub(crate) fn into_core(self, latest: &Latest, nudge: Option<Nudge>) -> DownloadOptions {
        DownloadOptions {
            revision: self.revision,
            keep: self.keep.unwrap_or_default(),
            progress: nudge.map(|nudge| latest.callback(nudge)),
        }
    }
}

/// Options of `verify`.
#[napi(object, object_to_js = false)]
pub struct NativeVerifyOptions {
    /// Only this repository.
    pub repo: Option<String>,
    /// Fetch damaged blocks again.
    pub repair: Option<bool>,
}

impl NativeVerifyOptions {
    /// With the reports going to `latest`, where the caller wants to hear of them.
    pub(crate) fn into_core(self, latest: &Latest, nudge: Option<Nudge>) -> VerifyOptions {
        VerifyOptions {
            repo: self.repo,
            repair: self.repair.unwrap_or_default(),
            progress: nudge.map(|nudge| latest.callback(nudge)),
        }
    }
}

/// Options of `prune`.
#[napi(object, object_to_js = false)]
pub struct NativePruneOptions {
    /// Only tell what would go.
    pub dry_run: Option<bool>,
    /// Bytes the store may hold afterwards.
    pub max_size: Option<f64>,
    /// Milliseconds.
    pub partial_age: Option<f64>,
    /// Also plain files that were to be kept.
    pub plain_files: Option<bool>,
}

impl From<NativePruneOptions> for PruneOptions {
    fn from(options: NativePruneOptions) -> Self {
        Self {
            dry_run: options.dry_run.unwrap_or_default(),
            max_size: options.max_size.map(from_js),
            partial_age: options.partial_age.map(|ms| Duration::from_millis(from_js(ms))),
            plain_files: options.plain_files.unwrap_or_default(),
        }
    }
}

/// A size from JavaScript, where it was checked to be a whole number from 0 to 2^53 - 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked in src/argument.ts; saturates"
)]
pub(crate) fn from_js(number: f64) -> u64 {
    number as u64
}

/// A size for JavaScript: exact up to 2^53, which is 8,192 TiB.
#[expect(clippy::cast_precision_loss, reason = "no store holds 2^53 bytes")]
pub(crate) fn to_js(number: u64) -> f64 {
    number as f64
}
