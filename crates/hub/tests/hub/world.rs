//! One file on a Hub: resolved on one origin, its bytes on another, as huggingface.co does it for large files.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tabagent_hub::{Digest, HubClient, HubError, HubOptions, TransferRequest};
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Request, Server};
use crate::sink::MemorySink;

pub(crate) const COMMIT: &str = "c5f93f5df8c1b7d9e4a1c5f93f5df8c1b7d9e4a1";
pub(crate) const DIGEST: &str = "abababababababababababababababababababababababababababababababab";
pub(crate) const FILE: &str = "/owner/model/resolve/c5f93f5df8c1b7d9e4a1c5f93f5df8c1b7d9e4a1/onnx/model.onnx";

/// Bytes in which every position is recognizable.
pub(crate) fn content(size: usize) -> Vec<u8> {
    let words = (0_u64..).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    words.flat_map(u64::to_le_bytes).take(size).collect()
}

/// Options for tests: no waiting for things that do not come.
pub(crate) fn options(endpoint: String) -> HubOptions {
    HubOptions {
        endpoint,
        token: Some("hf_secret".to_owned()),
        user_agent: "hub-tests/1".to_owned(),
        connections: 8,
        stall_timeout: Duration::from_secs(20),
        retries: 3,
        ..HubOptions::default()
    }
}

pub(crate) fn request(size: usize, missing: &[Range<usize>]) -> TransferRequest {
    TransferRequest {
        repo: "owner/model".to_owned(),
        commit: COMMIT.to_owned(),
        path: "onnx/model.onnx".to_owned(),
        size: size as u64,
        digest: Digest::sha256(DIGEST).unwrap(),
        missing: missing.iter().map(|range| range.start as u64..range.end as u64).collect(),
    }
}

/// The Hub's answer for the file: a redirect to `location` that promises size and digest.
pub(crate) fn linked(location: &str, size: usize) -> Reply {
    Reply::redirect(302, location)
        .header("X-Repo-Commit", COMMIT)
        .header("X-Linked-Size", &size.to_string())
        .header("X-Linked-Etag", &format!("\"{DIGEST}\""))
        .header("ETag", "\"of-the-redirect\"")
}

pub(crate) struct World {
    pub(crate) hub: Server,
    pub(crate) cdn: Server,
    pub(crate) content: Arc<Vec<u8>>,
    pub(crate) sink: Arc<MemorySink>,
    pub(crate) cancel: CancellationToken,
    pub(crate) options: HubOptions,
}

impl World {
    /// `cdn` answers the requests for bytes; where it says `None`, they are answered correctly.
    pub(crate) async fn new(
        size: usize,
        cdn: impl Fn(&Request, &[u8]) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let content = Arc::new(content(size));
        let bytes = Arc::clone(&content);
        let answer = move |request: &Request| {
            let reply = cdn(request, &bytes).unwrap_or_else(|| Reply::ranged(request, &bytes));
            reply.header("ETag", "\"0101010101010101010101010101010101010101010101010101010101010101\"")
        };
        let cdn = Server::start(answer).await;
        let origin = cdn.url();
        let hub = Server::start(move |request| {
            linked(&format!("{origin}/bytes?Signature=secret{}", request.index), size)
        });
        let hub = hub.await;
        let options = options(hub.url());
        Self {
            hub,
            cdn,
            content,
            sink: Arc::new(MemorySink::new(size)),
            cancel: CancellationToken::new(),
            options,
        }
    }

    /// Fetches these ranges.
    pub(crate) async fn fetch(&self, missing: &[Range<usize>]) -> Result<(), HubError> {
        let client = HubClient::new(self.options.clone()).unwrap();
        let sink = Arc::clone(&self.sink);
        client.transfer(&request(self.content.len(), missing), sink, &self.cancel).await
    }

    /// Fetches the whole file.
    pub(crate) async fn fetch_all(&self) -> Result<(), HubError> {
        self.fetch(&[0..self.content.len()]).await
    }

    pub(crate) fn assert_complete(&self) {
        self.sink.assert_holds(&self.content, &[0..self.content.len()]);
    }
}
