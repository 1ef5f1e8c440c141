//! Each way to say no becomes the error that says what to do.

use std::sync::Arc;
use std::time::Duration;

use tabagent_hub::{HubClient, HubError, HubOptions};
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Server};
use crate::sink::MemorySink;
use crate::world::{options, request};

struct Refused {
    scan: HubError,
    transfer: HubError,
    requests: usize,
}

async fn refused_by(reply: Reply, change: impl Fn(&mut HubOptions)) -> Refused {
    let server = Server::start(move |_| reply.clone()).await;
    let mut options = options(server.url());
    options.retries = 1;
    change(&mut options);
    let client = HubClient::new(options).unwrap();
    let cancel = CancellationToken::new();
    let scan = client.scan("owner/model", "main", &cancel).await.unwrap_err();
    let sink = Arc::new(MemorySink::new(10));
    let transfer = client.transfer(&request(10, &[0..10]), sink, &cancel).await.unwrap_err();
    for error in [&scan, &transfer] {
        assert!(!error.to_string().contains("hf_secret"));
    }
    Refused { scan, transfer, requests: server.requests().len() }
}

async fn refused(status: u16, headers: &[(&str, &str)]) -> Refused {
    let reply = Reply::new(status, b"{\"error\":\"because\"}");
    refused_by(headers.iter().fold(reply, |reply, (name, value)| reply.header(name, value)), |_| ()).await
}

#[tokio::test]
async fn a_missing_repository() {
    for (status, headers) in [
        (401, vec![("X-Error-Code", "RepoNotFound"), ("X-Error-Message", "Repository not found")]),
        (404, vec![("X-Error-Code", "RepoNotFound")]),
        (401, vec![("X-Error-Message", "Invalid username or password.")]),
    ] {
        let refused = refused(status, &headers).await;
        assert!(matches!(&refused.scan, HubError::RepoNotFound { repo, .. } if repo == "owner/model"));
        assert!(matches!(refused.transfer, HubError::RepoNotFound { .. }));
        assert_eq!(refused.requests, 2);
    }
}

#[tokio::test]
async fn a_missing_revision() {
    let refused = refused(404, &[("X-Error-Code", "RevisionNotFound")]).await;
    assert!(matches!(&refused.scan, HubError::RevisionNotFound { revision, .. } if revision == "main"));
    assert!(matches!(refused.transfer, HubError::RevisionNotFound { .. }));
}

#[tokio::test]
async fn a_missing_file() {
    let refused = refused(404, &[("X-Error-Code", "EntryNotFound")]).await;
    assert!(matches!(&refused.transfer, HubError::FileNotFound { path, .. } if path == "onnx/model.onnx"));
}

#[tokio::test]
async fn a_server_that_gives_no_codes() {
    let refused = refused(404, &[]).await;
    assert!(matches!(refused.scan, HubError::RepoNotFound { .. }));
    assert!(matches!(refused.transfer, HubError::FileNotFound { .. }));
}

#[tokio::test]
async fn a_gated_repository() {
    for status in [401, 403] {
        let refused = refused(status, &[("X-Error-Code", "GatedRepo")]).await;
        assert!(matches!(&refused.scan, HubError::Gated { page, .. } if page.ends_with("/owner/model")));
        assert!(matches!(refused.transfer, HubError::Gated { .. }));
    }
}

#[tokio::test]
async fn a_bad_token() {
    let refused = refused(401, &[("X-Error-Message", "Invalid credentials in Authorization header")]).await;
    assert!(matches!(refused.scan, HubError::Unauthorized { .. }));
    assert!(matches!(refused.transfer, HubError::Unauthorized { .. }));
}

#[tokio::test]
async fn a_token_without_the_permission() {
    let refused = refused(403, &[]).await;
    assert!(matches!(&refused.scan, HubError::Unauthorized { message, .. } if message == "because"));
    assert!(matches!(refused.transfer, HubError::Unauthorized { .. }));
}

#[tokio::test]
async fn a_disabled_repository() {
    let refused = refused(403, &[("X-Error-Message", "Access to this resource is disabled.")]).await;
    assert!(
        matches!(&refused.scan, HubError::Http { status: 403, message, .. } if message.contains("disabled"))
    );
    assert!(matches!(refused.transfer, HubError::Http { status: 403, .. }));
}

#[tokio::test]
async fn a_rate_limit_that_is_too_long_to_wait_for() {
    let refused = refused(429, &[("RateLimit", "\"resolvers\";r=0;t=290")]).await;
    let wait = Some(Duration::from_secs(290));
    assert!(matches!(refused.scan, HubError::RateLimited { retry_after, .. } if retry_after == wait));
    assert!(matches!(refused.transfer, HubError::RateLimited { retry_after, .. } if retry_after == wait));
    assert_eq!(refused.requests, 2);
}

#[tokio::test]
async fn a_failing_server_is_asked_again_and_then_reported() {
    let refused = refused(503, &[]).await;
    assert!(matches!(&refused.scan, HubError::Http { status: 503, message, .. } if message == "because"));
    assert!(matches!(refused.transfer, HubError::Http { status: 503, .. }));
    assert_eq!(refused.requests, 4);
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let change = |options: &mut HubOptions| {
        options.stall_timeout = Duration::from_millis(50);
        options.retries = 0;
    };
    let refused = refused_by(Reply::silence(), change).await;
    assert!(refused.scan.to_string().contains("no byte came for 50ms"), "{}", refused.scan);
    assert!(matches!(refused.transfer, HubError::Network { .. }));
    assert!(refused.transfer.is_transient());
}

#[tokio::test]
async fn no_server_at_all() {
    let gone = Server::start(|_| Reply::new(200, b"")).await.url();
    let client = HubClient::new(HubOptions { retries: 0, ..options(gone) }).unwrap();
    let error = client.scan("owner/model", "main", &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, HubError::Network { .. }), "{error}");
}

#[test]
fn options_that_cannot_be_used() {
    let refuses = |name: &str, change: fn(&mut HubOptions)| {
        let mut options = options("https://hub.example".to_owned());
        change(&mut options);
        let error = HubClient::new(options).unwrap_err();
        assert!(matches!(error, HubError::InvalidArgument { name: n, .. } if n == name), "{error}");
        assert!(!error.to_string().contains("secret"));
    };
    refuses("endpoint", |options| options.endpoint = "hub.example".to_owned());
    refuses("token", |options| options.token = Some("a\nsecret".to_owned()));
    refuses("user_agent", |options| options.user_agent = "a\nb".to_owned());
    refuses("connections", |options| options.connections = 0);
    refuses("proxy", |options| options.proxy.http = Some("ftp://user:secret@host".to_owned()));
    refuses("certificate authority", |options| options.certificate_authorities.push("/nowhere".into()));
    refuses("certificate authority", |options| options.certificate_authorities.push("Cargo.toml".into()));
    refuses("stall_timeout", |options| options.stall_timeout = Duration::ZERO);
}

#[test]
fn debug_output_hides_the_token() {
    let options = options("https://hub.example".to_owned());
    assert!(!format!("{options:?} {:?}", HubClient::new(options.clone()).unwrap()).contains("hf_secret"));
}
