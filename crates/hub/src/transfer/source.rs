//! Where a transfer's bytes come from: resolved when first needed, shared by its connections, renewed when it expires.

use std::ops::Range;
use std::sync::Arc;

use reqwest::Response;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::TransferRequest;
use crate::error::HubError;
use crate::http::Http;
use crate::redirect::Trail;
use crate::resolve::{Resolved, resolve};

/// A response to a ranged request.
pub(crate) struct Opened {
    pub(crate) url: Url,
    pub(crate) response: Response,
    /// Names the address it was asked at, for [`Source::expire`].
    pub(crate) generation: u64,
}

/// The address of a file's bytes. Signed addresses live for about an hour and are never stored.
pub(crate) struct Source {
    http: Arc<Http>,
    request: TransferRequest,
    address: Mutex<Address>,
}

#[derive(Default)]
struct Address {
    url: Option<Url>,
    generation: u64,
}

enum Lookup {
    Known(Url, u64),
    Answered(Opened),
}

impl Source {
    pub(crate) fn new(http: Arc<Http>, request: TransferRequest) -> Self {
        Self { http, request, address: Mutex::default() }
    }

    pub(crate) fn request(&self) -> &TransferRequest {
        &self.request
    }

    /// Where the Hub is asked for the file.
    pub(crate) fn page(&self) -> Result<Url, HubError> {
        let TransferRequest { repo, commit, path, .. } = &self.request;
        self.http.endpoint.resolve(repo, commit, path)
    }

    /// Asks for `range`, whatever the answer's status. When the Hub itself answers, that costs one request.
    pub(crate) async fn open(
        &self,
        range: &Range<u64>,
        cancel: &CancellationToken,
    ) -> Result<Opened, HubError> {
        let (mut url, generation) = match self.look_up(range, cancel).await? {
            Lookup::Known(url, generation) => (url, generation),
            Lookup::Answered(opened) => return Ok(opened),
        };
        let mut trail = Trail::default();
        let mut moved = false;
        loop {
            let response = self.http.get(&url, Some(range), cancel).await?;
            let Some(next) = trail.next(&url, &response)? else {
                if moved && response.status().is_success() {
                    self.moved(generation, &url).await;
                }
                return Ok(Opened { url, response, generation });
            };
            (url, moved) = (next, true);
        }
    }

    /// The address of that generation no longer works: the next request resolves again.
    pub(crate) async fn expire(&self, generation: u64) {
        let mut address = self.address.lock().await;
        if address.generation == generation {
            address.url = None;
        }
    }

    /// One connection resolves while the others wait for its result.
    async fn look_up(&self, range: &Range<u64>, cancel: &CancellationToken) -> Result<Lookup, HubError> {
        let mut address = cancel.run_until_cancelled(self.address.lock()).await.ok_or(HubError::Cancelled)?;
        if let Some(url) = &address.url {
            return Ok(Lookup::Known(url.clone(), address.generation));
        }
        let resolved = resolve(&self.http, &self.request, range, cancel).await?;
        address.generation += 1;
        let generation = address.generation;
        Ok(match resolved {
            Resolved::Elsewhere(url) => {
                address.url = Some(url.clone());
                Lookup::Known(url, generation)
            }
            Resolved::Here(url, response) => {
                address.url = Some(url.clone());
                Lookup::Answered(Opened { url, response, generation })
            }
        })
    }

    async fn moved(&self, generation: u64, url: &Url) {
        let mut address = self.address.lock().await;
        if address.generation == generation && address.url.is_some() {
            address.url = Some(url.clone());
        }
    }
}
