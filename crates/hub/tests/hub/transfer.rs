//! Healthy servers: what is asked, how often, and what arrives.

use std::collections::HashSet;
use std::sync::Arc;

use tabagent_hub::{HubClient, HubError};
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Server};
use crate::sink::MemorySink;
use crate::world::{COMMIT, FILE, World, content, options, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_behind_a_redirect_takes_two_requests() {
    let world = World::new(300_000, |_, _| None).await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    let (hub, cdn) = (world.hub.requests(), world.cdn.requests());
    assert_eq!((hub.len(), cdn.len()), (1, 1));
    assert_eq!(hub[0].target, FILE);
    assert_eq!(cdn[0].target, "/bytes?Signature=secret0");
    assert_eq!(cdn[0].range(), Some(0..300_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_the_hub_sends_itself_takes_one_request() {
    let bytes = content(100_000);
    let served = bytes.clone();
    let hub = Server::start(move |request| Reply::ranged(request, &served)).await;
    let client = HubClient::new(options(hub.url())).unwrap();
    let sink = Arc::new(MemorySink::new(bytes.len()));
    let whole = request(bytes.len(), &[0..bytes.len()]);
    client.transfer(&whole, Arc::clone(&sink) as _, &CancellationToken::new()).await.unwrap();
    sink.assert_holds(&bytes, &[0..bytes.len()]);
    assert_eq!(hub.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_git_file_is_answered_from_the_relative_redirect() {
    let bytes = content(612);
    let served = bytes.clone();
    let hub = Server::start(move |request| {
        if request.target.starts_with("/api/resolve-cache/") {
            return Reply::ranged(request, &served);
        }
        let location = format!("/api/resolve-cache/models/owner/model/{COMMIT}/config.json?etag=%22x%22");
        Reply::redirect(307, &location).header("X-Repo-Commit", COMMIT)
    });
    let hub = hub.await;
    let client = HubClient::new(options(hub.url())).unwrap();
    let sink = Arc::new(MemorySink::new(bytes.len()));
    let whole = request(bytes.len(), &[0..bytes.len()]);
    client.transfer(&whole, Arc::clone(&sink) as _, &CancellationToken::new()).await.unwrap();
    sink.assert_holds(&bytes, &[0..bytes.len()]);
    let requests = hub.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.header("authorization") == Some("Bearer hf_secret")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_missing_ranges_are_asked_and_written() {
    let world = World::new(1_000_000, |_, _| None).await;
    let missing = [10..20, 400_000..400_000, 500_000..700_001, 999_999..1_000_000];
    world.fetch(&missing).await.unwrap();
    world.sink.assert_holds(&world.content, &missing);
    let asked: Vec<_> = world.cdn.requests().iter().map(|request| request.range().unwrap()).collect();
    assert_eq!(asked, [10..20, 500_000..700_001, 999_999..1_000_000]);
    assert_eq!(world.hub.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_missing_takes_no_request() {
    let world = World::new(10, |_, _| None).await;
    world.fetch(&[]).await.unwrap();
    world.fetch(&[3..3]).await.unwrap();
    assert_eq!(world.hub.requests().len() + world.cdn.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_make_no_sense_are_refused() {
    let world = World::new(10, |_, _| None).await;
    let backwards = std::ops::Range { start: 3, end: 2 };
    for missing in [vec![0..11], vec![5..6, 0..1], vec![0..5, 4..6], vec![backwards]] {
        let error = world.fetch(&missing).await.unwrap_err();
        assert!(matches!(error, HubError::InvalidArgument { name: "missing", .. }), "{error}");
    }
    assert_eq!(world.hub.requests().len(), 0);
}

/// The HTTP client may open a connection while the last one is about to become idle, so not each request reuses one.
#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again_for_further_pieces() {
    let mut world = World::new(1_000_000, |_, _| None).await;
    world.options.connections = 1;
    let missing: Vec<_> = (0..40).map(|n| n * 20_000..n * 20_000 + 10_000).collect();
    world.fetch(&missing).await.unwrap();
    world.sink.assert_holds(&world.content, &missing);
    let requests = world.cdn.requests();
    let connections: HashSet<_> = requests.iter().map(|request| request.connection).collect();
    assert_eq!((requests.len(), world.hub.requests().len()), (40, 1));
    assert!(connections.len() < requests.len(), "{connections:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_asks_for_plain_bytes_under_the_given_name() {
    let world = World::new(1000, |_, _| None).await;
    world.fetch_all().await.unwrap();
    for request in world.hub.requests().iter().chain(&world.cdn.requests()) {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        assert_eq!(request.header("user-agent"), Some("hub-tests/1"));
    }
}
