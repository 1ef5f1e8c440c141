//! Which requests go through which proxy. Nothing here reads the environment or the system's settings.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

use crate::error::HubError;

/// Proxies, as a caller names them. A proxy is a URL, `http://[user:password@]host[:port]`, also with `https`, `socks5` or
/// `socks5h` (which looks names up itself); without a scheme `http` is meant.
#[derive(Clone, Default)]
pub struct ProxyOptions {
    /// For `http` URLs. Default none.
    pub http: Option<String>,
    /// For `https` URLs. Default none.
    pub https: Option<String>,
    /// Hosts that are asked directly, separated by commas: names (with all below them), addresses, networks such as
    /// `10.0.0.0/8`, or `*` for all. Default none: addresses of this machine go through the proxy too.
    pub except: Option<String>,
}

impl std::fmt::Debug for ProxyOptions {
    /// User names and passwords are never shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |proxy: &Option<String>| {
            let proxy = proxy.as_deref().and_then(|text| parse(text).ok());
            proxy.map(|url| format!("{}://{}", url.scheme(), place(&url)))
        };
        f.debug_struct("ProxyOptions")
            .field("http", &shown(&self.http))
            .field("https", &shown(&self.https))
            .field("except", &self.except)
            .finish()
    }
}

/// The proxies of a client.
pub(crate) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    except: String,
    matcher: Matcher,
}

impl Proxies {
    pub(crate) fn new(options: &ProxyOptions) -> Result<Self, HubError> {
        let url = |text: &Option<String>| text.as_deref().map(parse).transpose();
        let except = hosts(options.except.as_deref().unwrap_or_default());
        // The list of exceptions is made for names: its `*` would not hold for addresses.
        let direct = except.split(',').any(|host| host == "*");
        let [http, https] = [url(&options.http)?, url(&options.https)?].map(|url| url.filter(|_| !direct));
        let text = |url: &Option<Url>| url.as_ref().map_or_else(String::new, Url::to_string);
        let matcher = Matcher::builder().http(text(&http)).https(text(&https)).no(except.clone()).build();
        Ok(Self { http, https, except, matcher })
    }

    /// A client that uses these proxies and no others.
    pub(crate) fn apply(&self, builder: ClientBuilder) -> reqwest::Result<ClientBuilder> {
        let mut builder = builder.no_proxy();
        let except = NoProxy::from_string(&self.except);
        if let Some(url) = &self.http {
            builder = builder.proxy(Proxy::http(url.clone())?.no_proxy(except.clone()));
        }
        if let Some(url) = &self.https {
            builder = builder.proxy(Proxy::https(url.clone())?.no_proxy(except));
        }
        Ok(builder)
    }

    /// Whether a request to `url` can meet TLS on its way.
    pub(crate) fn needs_tls(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.http.as_ref().is_some_and(|proxy| proxy.scheme() == "https")
    }

    /// Host and port of the proxy that requests to `url` go through.
    pub(crate) fn place(&self, url: &Url) -> Option<String> {
        let used = self.matcher.intercept(&url.as_str().parse().ok()?).is_some();
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| used).map(place)
    }
}

/// The text is not told: it may hold a password.
fn parse(text: &str) -> Result<Url, HubError> {
    let text = text.trim();
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&text).ok();
    let known = |url: &Url| matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") && url.has_host();
    url.filter(known).ok_or_else(|| HubError::InvalidArgument {
        name: "proxy",
        message: "it must be a URL with a host that begins with http, https, socks5 or socks5h".to_owned(),
    })
}

fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Separated by commas alone; `*.example.com` means what `example.com` does.
fn hosts(list: &str) -> String {
    let hosts = list.split([',', ' ', '\t', '\n']).filter(|host| !host.is_empty());
    hosts.map(|host| host.strip_prefix("*.").unwrap_or(host)).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(http: &str, https: &str, except: &str) -> Proxies {
        let named = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Proxies::new(&ProxyOptions { http: named(http), https: named(https), except: named(except) }).unwrap()
    }

    fn place_of(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.place(&url.parse().unwrap())
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let both = proxies("plain:3128", "socks5h://secure", "");
        assert_eq!(place_of(&both, "http://hub.example/x").as_deref(), Some("plain:3128"));
        assert_eq!(place_of(&both, "https://hub.example/x").as_deref(), Some("secure"));
        assert_eq!(place_of(&both, "http://127.0.0.1/x").as_deref(), Some("plain:3128"));
        assert_eq!(place_of(&proxies("plain", "", ""), "https://hub.example/x"), None);
    }

    #[test]
    fn exceptions_are_asked_directly() {
        let except = proxies("proxy", "proxy", "example.com *.inner  10.0.0.0/8,127.0.0.1 , ::1");
        for direct in ["example.com", "hub.example.com", "a.inner", "10.1.2.3", "127.0.0.1", "[::1]"] {
            assert_eq!(place_of(&except, &format!("https://{direct}/x")), None, "{direct}");
        }
        for through in ["notexample.com", "11.0.0.1", "localhost"] {
            assert!(place_of(&except, &format!("https://{through}/x")).is_some(), "{through}");
        }
        for host in ["127.0.0.1", "hub.example"] {
            assert_eq!(place_of(&proxies("proxy", "proxy", "x, *"), &format!("http://{host}/")), None);
        }
    }

    #[test]
    fn tls_is_met_behind_either_scheme() {
        let needs = |proxies: &Proxies, url: &str| proxies.needs_tls(&url.parse().unwrap());
        assert!(!needs(&proxies("http://p", "https://p", ""), "http://h/"));
        assert!(needs(&proxies("", "", ""), "https://h/"));
        assert!(needs(&proxies("https://p", "", ""), "http://h/"));
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        for text in ["ftp://user:secret@p", "http://", "http://user:secret@", "socks4://p", "user:secret@[x"]
        {
            let error =
                Proxies::new(&ProxyOptions { http: Some(text.to_owned()), ..ProxyOptions::default() });
            let error = error.err().unwrap();
            assert!(matches!(error, HubError::InvalidArgument { name: "proxy", .. }), "{text}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn debug_output_hides_passwords() {
        let options = ProxyOptions { http: Some("user:secret@p:1".to_owned()), ..ProxyOptions::default() };
        let shown = format!("{options:?}");
        assert!(
            shown.contains("http://p:1") && !shown.contains("secret") && !shown.contains("user"),
            "{shown}"
        );
    }
}
