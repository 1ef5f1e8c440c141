//! Moving the missing ranges of one file into a sink, over as many connections as help.
//!
//! A [`plan`] holds which bytes nobody fetches yet and who fetches the rest; each connection takes a piece, asks for it
//! in one request, and comes back for more, or takes over half of the slowest piece. The crew that runs the connections
//! measures the rate and decides how many there are.

mod active;
mod bandwidth;
mod buffers;
mod connection;
mod crew;
mod growth;
mod length;
mod pace;
mod piece;
mod plan;
mod pool;
mod response;
mod source;
mod waits;
mod writer;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::error::{HubError, SinkError};
use crate::http::Http;
use crate::listing::Digest;
use crate::name::{check_path, check_repo, check_revision};

pub(crate) use bandwidth::Bandwidth;
use crew::{Crew, Job};
use plan::Plan;
pub(crate) use pool::Pool;
use source::Source;

/// A file to fetch, as a [`Listing`](crate::Listing) described it.
#[derive(Debug, Clone)]
pub struct TransferRequest {
    /// Repository id.
    pub repo: String,
    /// Commit the file belongs to.
    pub commit: String,
    /// Path inside the repository.
    pub path: String,
    /// Size of the whole file in bytes.
    pub size: u64,
    /// Digest of the whole file; compared with what the Hub promises, never with the bytes (that is the sink's part).
    pub digest: Digest,
    /// Ranges to fetch: sorted, disjoint, inside the file. Empty ranges are skipped; none at all means no request.
    pub missing: Vec<Range<u64>>,
}

/// Where fetched bytes go.
pub trait RangeSink: Send + Sync + 'static {
    /// Stores bytes at an offset. Called from a blocking thread and may block, which slows the transfer down. Pieces
    /// have at most 1 MiB; each missing byte comes once; several connections call at once, each one in order. A buffer
    /// is used again once nothing of it is held any more.
    ///
    /// # Errors
    /// Any error ends the transfer and comes back in [`HubError::Sink`].
    fn write(&self, offset: u64, bytes: Bytes) -> Result<(), SinkError>;
}

/// What the transfers of a client share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) http: Arc<Http>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) bandwidth: Arc<Bandwidth>,
    pub(crate) retries: u32,
}

pub(crate) async fn run(
    shared: &Shared,
    request: &TransferRequest,
    sink: Arc<dyn RangeSink>,
    cancel: &CancellationToken,
) -> Result<(), HubError> {
    check(request)?;
    if request.missing.iter().all(Range::is_empty) {
        return Ok(());
    }
    let Shared { http, pool, bandwidth, retries } = shared.clone();
    let job = Arc::new(Job {
        source: Source::new(Arc::clone(&http), request.clone()),
        plan: Arc::new(Plan::new(&request.missing, http.stall_timeout)),
        size: request.size,
        buffers: pool.buffers(),
        http,
        pool,
        bandwidth,
        waits: Arc::default(),
        sink,
        retries,
        stop: cancel.child_token(),
    });
    Crew::new(job).run().await
}

fn check(request: &TransferRequest) -> Result<(), HubError> {
    check_repo(&request.repo)?;
    check_revision(&request.commit)?;
    check_path(&request.path)?;
    let mut end = 0;
    for range in &request.missing {
        if range.start < end || range.end < range.start || range.end > request.size {
            let message = format!("{range:?} is not after {end} and inside a file of {} bytes", request.size);
            return Err(HubError::InvalidArgument { name: "missing", message });
        }
        end = range.end;
    }
    Ok(())
}
