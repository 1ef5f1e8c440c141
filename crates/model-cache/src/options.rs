//! What callers can set. Nothing here reads the environment: the TypeScript and Python layers do that.

use std::path::PathBuf;
use std::time::Duration;

use tabagent_hub::ProxyOptions;

use crate::progress::ProgressCallback;

/// How a cache is opened.
#[derive(Clone)]
pub struct CacheOptions {
    /// URL of the Hub. Default: `https://huggingface.co`.
    pub endpoint: String,
    /// Access token, sent to the endpoint's own origin only. Default: none.
    pub token: Option<String>,
    /// Never open a socket. Default: false.
    pub offline: bool,
    /// Never write; the cache must exist. Default: false.
    pub read_only: bool,
    /// Serve views of the store instead of copies where the system can. Default: true.
    pub zero_copy: bool,
    /// Most connections at once for the whole cache. Default: 8.
    pub connections: usize,
    /// Longest silence of a transfer before it fails. Default: 30 s.
    pub stall_timeout: Duration,
    /// Tries after a failure without progress. Default: 5.
    pub retries: u32,
    /// Most bytes per second that all downloads of the cache receive together. Default: no limit.
    pub max_bytes_per_second: Option<u64>,
    /// Most bytes to store: before a download that would exceed it, least recently used quants go, complete or begun, never one that is
    /// being downloaded, is marked `keep` or has a file open in this process. Default: no limit.
    pub max_size: Option<u64>,
    /// Proxies of all requests. Default: none.
    pub proxy: ProxyOptions,
    /// Files (or folders of files) with certificates in PEM form whose authorities are trusted besides the system's.
    /// Default: none.
    pub certificate_authorities: Vec<PathBuf>,
    /// Name of this program for the Hub's logs.
    pub user_agent: String,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            token: None,
            offline: false,
            read_only: false,
            zero_copy: true,
            connections: 8,
            stall_timeout: Duration::from_secs(30),
            retries: 5,
            max_bytes_per_second: None,
            max_size: None,
            proxy: ProxyOptions::default(),
            certificate_authorities: Vec::new(),
            user_agent: concat!("tabagent-model-cache/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Options of [`crate::ModelCache::scan_repo`].
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// Branch, tag or commit. Default: `main`.
    pub revision: Option<String>,
    /// Ask for the whole listing, of a commit that was scanned before too, whatever is stored. Default: false. Branches are always
    /// asked for, but answered from the store when the Hub says that nothing has changed.
    pub refresh: bool,
    /// Read the headers of files too, where no name says how a quant's weights are stored, and name the quant by that. Default: false.
    pub headers: bool,
}

/// Options of the downloading calls.
#[derive(Clone, Default)]
pub struct DownloadOptions {
    /// Branch, tag or commit. Default: `main`.
    pub revision: Option<String>,
    /// Never evict this quant to make room. Default: false.
    pub keep: bool,
    /// Called at most 20 times a second, once at 100 %, and never after the future is ready.
    pub progress: Option<ProgressCallback>,
}

impl From<Option<ProgressCallback>> for DownloadOptions {
    fn from(progress: Option<ProgressCallback>) -> Self {
        Self { progress, ..Self::default() }
    }
}
