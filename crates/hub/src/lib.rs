//! A client for the Hugging Face Hub that knows nothing about stores: it lists a repository at a pinned commit, moves
//! the missing ranges of a file into a [`RangeSink`], and sorts files into quantization variants ([`quant`]).
//!
//! - [`HubClient::scan`] takes one request for a repository of any size the Hub answers in full, and the paginated tree
//!   in addition where sizes or digests are missing. Everything after it uses the commit it returned.
//! - [`HubClient::transfer`] asks the Hub once where a file's bytes are, compares what the Hub promises there with the
//!   listing, and fetches ranges over as many connections as help: one where the server does not throttle, up to
//!   [`HubOptions::connections`] where it does. Failures are tried again, expired addresses renewed, and a stalled
//!   connection loses its rest to another one.
//! - The token goes to the endpoint's own scheme, host and port, and nowhere else. Redirects are followed by hand, never
//!   from https to http. Messages hold no query of any URL.
//! - Digests of the content are not computed here: whoever stores the bytes checks them.
//!
//! The futures need a tokio runtime with I/O, time and blocking threads. Cancelling the token ends them at once, but for
//! a write that is already under way.
//!
//! ```no_run
//! use std::sync::{Arc, Mutex};
//! use bytes::Bytes;
//! use tabagent_hub::{HubClient, HubOptions, RangeSink, SinkError, TransferRequest};
//! use tokio_util::sync::CancellationToken;
//!
//! struct Memory(Mutex<Vec<u8>>);
//!
//! impl RangeSink for Memory {
//!     fn write(&self, offset: u64, bytes: Bytes) -> Result<(), SinkError> {
//!         let start = usize::try_from(offset)?;
//!         let mut memory = self.0.lock().map_err(|_| "a writer panicked")?;
//!         memory.get_mut(start..start + bytes.len()).ok_or("outside the file")?.copy_from_slice(&bytes);
//!         Ok(())
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = HubClient::new(HubOptions::default())?;
//! let cancel = CancellationToken::new();
//! let listing = client.scan("Xenova/all-MiniLM-L6-v2", "main", &cancel).await?;
//! let file = listing.files.iter().find(|file| file.path == "config.json").ok_or("no configuration")?;
//! let request = TransferRequest {
//!     repo: listing.repo.clone(),
//!     commit: listing.commit.clone(),
//!     path: file.path.clone(),
//!     size: file.size,
//!     digest: file.digest,
//!     missing: vec![0..file.size],
//! };
//! let memory = Arc::new(Memory(Mutex::new(vec![0; usize::try_from(file.size)?])));
//! client.transfer(&request, memory, &cancel).await?;
//! # Ok(())
//! # }
//! ```

mod certificate;
mod client;
mod content_range;
mod endpoint;
mod error;
#[cfg(test)]
mod fuzz;
mod hedge;
mod http;
mod lenient;
mod listing;
mod model_info;
mod name;
mod promise;
mod proxy;
pub mod quant;
mod redirect;
mod refusal;
mod resolve;
mod retry;
mod scan;
mod sibling;
mod transfer;
mod tree;

pub use client::{HubClient, HubOptions};
pub use error::{HubError, SinkError};
pub use listing::{Digest, ListedFile, Listing, is_safe_path};
pub use proxy::ProxyOptions;
pub use transfer::{RangeSink, TransferRequest};
