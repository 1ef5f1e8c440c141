//! One GET at a time: which headers go where, timeouts, and no surprises (no automatic redirect, no decompression).

use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderValue, IF_NONE_MATCH, RANGE};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::certificate;
use crate::client::HubOptions;
use crate::endpoint::{Endpoint, redacted};
use crate::error::{HubError, SinkError};
use crate::hedge::Hedge;
use crate::proxy::Proxies;

/// Shorter values of a query (`true`, a number) are no secrets.
const SHORTEST_SECRET: usize = 8;
/// What a `Content-Encoding` can name that makes other bytes of a file.
const COMPRESSIONS: [&str; 9] =
    ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long whoever has an answer already waits for news of it.
const NEWS_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends requests for one endpoint. The token is attached per request and only for the endpoint's own origin;
/// no client has default headers that could carry it elsewhere.
pub(crate) struct Http {
    pub(crate) endpoint: Endpoint,
    pub(crate) stall_timeout: Duration,
    authorization: Option<HeaderValue>,
    user_agent: HeaderValue,
    connections: usize,
    hedge: Hedge,
    proxies: Proxies,
    authorities: Vec<PathBuf>,
    secure: OnceLock<Result<Client, String>>,
    plain: OnceLock<Result<Client, String>>,
}

impl Http {
    pub(crate) fn new(options: HubOptions) -> Result<Self, HubError> {
        certificate::check(&options.certificate_authorities)?;
        Ok(Self {
            endpoint: Endpoint::parse(&options.endpoint)?,
            stall_timeout: options.stall_timeout,
            authorization: authorization(options.token.as_deref())?,
            user_agent: HeaderValue::try_from(options.user_agent).map_err(|error| {
                HubError::InvalidArgument { name: "user_agent", message: error.to_string() }
            })?,
            connections: options.connections,
            hedge: Hedge::new(options.stall_timeout),
            proxies: Proxies::new(&options.proxy)?,
            authorities: options.certificate_authorities,
            secure: OnceLock::new(),
            plain: OnceLock::new(),
        })
    }

    /// Whether requests to the endpoint carry a token.
    pub(crate) fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    /// What a server said, without the secrets that were sent to it: the token and the values of a signed query, also where
    /// the answer holds whole addresses.
    pub(crate) fn without_secrets(&self, text: &str, url: &Url) -> String {
        let token =
            self.authorization.as_ref().and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let sent =
            url.query().unwrap_or_default().split('&').filter_map(|pair| Some(pair.split_once('=')?.1));
        let values = url.query_pairs().map(|(_, value)| value.into_owned()).chain(sent.map(str::to_owned));
        let secrets = values.filter(|value| value.len() >= SHORTEST_SECRET).chain(token.map(str::to_owned));
        let text = secrets.fold(text.to_owned(), |text, secret| text.replace(&secret, "(hidden)"));
        let words = text.split(' ').map(|word| match word.split_once('?') {
            Some((address, _)) if address.contains("://") => format!("{address}?(hidden)"),
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The response head, whatever its status; redirects are not followed. A request for a range is sent again where the
    /// answer does not begin.
    pub(crate) async fn get(
        &self,
        url: &Url,
        range: Option<&Range<u64>>,
        cancel: &CancellationToken,
    ) -> Result<Response, HubError> {
        let client = self.client_for(url)?;
        let request = || self.request(client, url, range).send();
        let response = match range {
            Some(_) => self.in_time(url, self.hedge.send(request), self.stall_timeout, cancel).await?,
            None => self.in_time(url, request(), self.stall_timeout, cancel).await?,
        };
        as_it_is(url, response)
    }

    /// As [`get`](Self::get), for whoever has an answer already: 304 when `etag` is still that of the answer, and no long wait.
    pub(crate) async fn get_news(
        &self,
        url: &Url,
        etag: Option<&str>,
        cancel: &CancellationToken,
    ) -> Result<Response, HubError> {
        let mut request = self.request(self.client_for(url)?, url, None);
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        as_it_is(url, self.in_time(url, request.send(), self.news_timeout(), cancel).await?)
    }

    /// How long a server may be silent for whoever has an answer already.
    pub(crate) fn news_timeout(&self) -> Duration {
        self.stall_timeout.min(NEWS_TIMEOUT)
    }

    fn request(&self, client: &Client, url: &Url, range: Option<&Range<u64>>) -> RequestBuilder {
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(range) = range {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        }
        match self.authorization.as_ref().filter(|_| self.endpoint.owns(url)) {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }

    /// The next bytes of a body, `None` at its end.
    pub(crate) async fn chunk(
        &self,
        url: &Url,
        response: &mut Response,
        cancel: &CancellationToken,
    ) -> Result<Option<Bytes>, HubError> {
        self.in_time(url, response.chunk(), self.stall_timeout, cancel).await
    }

    async fn in_time<T>(
        &self,
        url: &Url,
        step: impl Future<Output = reqwest::Result<T>>,
        limit: Duration,
        cancel: &CancellationToken,
    ) -> Result<T, HubError> {
        let step = tokio::time::timeout(limit, step);
        match cancel.run_until_cancelled(step).await {
            None => Err(HubError::Cancelled),
            Some(Err(_)) => Err(self.silent(url, limit)),
            Some(Ok(Err(error))) => Err(self.unreachable(url, error.without_url().into())),
            Some(Ok(Ok(value))) => Ok(value),
        }
    }

    fn client_for(&self, url: &Url) -> Result<&Client, HubError> {
        let client = if self.proxies.needs_tls(url) {
            self.secure.get_or_init(|| {
                let authorities = certificate::read(&self.authorities)?;
                self.build(self.builder().tls_certs_merge(authorities))
            })
        } else {
            // Reading the system's certificates takes longer than many a download from this machine.
            self.plain.get_or_init(|| self.build(self.builder().tls_certs_only([])))
        };
        client.as_ref().map_err(|message| self.unreachable(url, message.clone().into()))
    }

    /// The server said nothing for all this time.
    pub(crate) fn silent(&self, url: &Url, time: Duration) -> HubError {
        self.unreachable(url, format!("no byte came for {time:?}").into())
    }

    /// The server said as good as nothing for all this time.
    pub(crate) fn slow(&self, url: &Url, time: Duration) -> HubError {
        self.unreachable(url, format!("hardly any bytes came for {time:?}").into())
    }

    fn unreachable(&self, url: &Url, source: SinkError) -> HubError {
        HubError::Network { url: redacted(url), proxy: self.proxies.place(url), source }
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .user_agent(self.user_agent.clone())
            .connect_timeout(CONNECT_TIMEOUT.min(self.stall_timeout))
            .pool_max_idle_per_host(self.connections)
    }

    /// Built on first use: reading the system's certificates takes milliseconds, and machines without any can still
    /// use what is stored.
    fn build(&self, builder: ClientBuilder) -> Result<Client, String> {
        // Err means that another part of the process installed its provider first, which serves as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        self.proxies.apply(builder).and_then(ClientBuilder::build).map_err(|error| {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
            format!("no TLS client could be made ({error}{cause}); install the system's CA certificates")
        })
    }
}

/// Refuses a response whose body is not the resource itself.
fn as_it_is(url: &Url, response: Response) -> Result<Response, HubError> {
    let encodings = response.headers().get_all(CONTENT_ENCODING).iter();
    let mut encodings = encodings.map(|encoding| encoding.to_str().unwrap_or("(not text)"));
    match encodings.find(|encoding| compresses(encoding)) {
        Some(encoding) if response.status().is_success() => Err(HubError::Integrity {
            url: redacted(url),
            expected: "the bytes as they are (Content-Encoding: identity)".to_owned(),
            actual: format!("Content-Encoding: {encoding}"),
        }),
        _ => Ok(response),
    }
}

/// Whether a `Content-Encoding` names a compression. Storage servers also send names that change nothing (`aws-chunked`, of
/// how the file was uploaded): the digest decides about these bytes.
fn compresses(encoding: &str) -> bool {
    let mut names = encoding.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.any(|name| COMPRESSIONS.contains(&name.as_str()))
}

fn authorization(token: Option<&str>) -> Result<Option<HeaderValue>, HubError> {
    let Some(token) = token.map(str::trim).filter(|token| !token.is_empty()) else { return Ok(None) };
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| HubError::InvalidArgument {
            name: "token",
            message: "it holds characters that no HTTP header can carry".to_owned(),
        })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// An exchange that broke after the way to the server was found.
pub(crate) fn network(url: &Url, source: SinkError) -> HubError {
    HubError::Network { url: redacted(url), proxy: None, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_compresses_makes_other_bytes() {
        for encoding in ["gzip", "GZip", "br", "aws-chunked, gzip", "identity,zstd", "x-gzip"] {
            assert!(compresses(encoding), "{encoding}");
        }
        for encoding in ["", "identity", "Identity", "none", "aws-chunked", "utf-8", "binary"] {
            assert!(!compresses(encoding), "{encoding}");
        }
    }

    #[test]
    fn what_servers_say_is_told_without_secrets() {
        let options = HubOptions { token: Some("hf_secret".to_owned()), ..HubOptions::default() };
        let http = Http::new(options).unwrap();
        let url = "https://cdn.example/x?Signature=abcdefgh&Expires=17".parse().unwrap();
        let told = |text| http.without_secrets(text, &url);
        assert_eq!(told("no token hf_secret, 17 s ago"), "no token (hidden), 17 s ago");
        assert_eq!(told("the signature \"abcdefgh\" is wrong?"), "the signature \"(hidden)\" is wrong?");
        assert_eq!(told("see https://cdn.example/y?Policy=x now"), "see https://cdn.example/y?(hidden) now");
        let url = "https://cdn.example/x?sig=abc%2Bdefg%3D".parse().unwrap();
        for sig in ["abc%2Bdefg%3D", "abc+defg="] {
            assert_eq!(http.without_secrets(&format!("sig {sig} is wrong"), &url), "sig (hidden) is wrong");
        }
    }
}
