//! Where requests and the token may go, and what the Hub's own headers promise.

use std::sync::Arc;

use tabagent_hub::{HubClient, HubError};
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Request, Server};
use crate::sink::MemorySink;
use crate::world::{World, linked, options, request};

/// Fetches from a Hub that answers like this.
async fn fetch_from(
    size: usize,
    hub: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> (Server, HubError) {
    let hub = Server::start(hub).await;
    let client = HubClient::new(options(hub.url())).unwrap();
    let sink = Arc::new(MemorySink::new(size));
    let whole = request(size, &[0..size]);
    let error = client.transfer(&whole, Arc::clone(&sink) as _, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(sink.written(), 0);
    (hub, error)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_stays_at_the_endpoint() {
    let world = World::new(1000, |_, _| None).await;
    world.fetch_all().await.unwrap();
    assert_eq!(world.hub.requests()[0].header("authorization"), Some("Bearer hf_secret"));
    assert_eq!(world.cdn.requests()[0].header("authorization"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_redirect_between_other_origins_is_followed_and_remembered() {
    let last = Server::start(|request| Reply::ranged(request, &crate::world::content(100_000))).await;
    let target = format!("{}/final?Signature=other", last.url());
    let world = World::new(100_000, move |_, _| Some(Reply::redirect(302, &target))).await;
    world.fetch(&[0..10, 50_000..50_010]).await.unwrap();
    world.sink.assert_holds(&world.content, &[0..10, 50_000..50_010]);
    assert_eq!((world.hub.requests().len(), world.cdn.requests().len(), last.requests().len()), (1, 1, 2));
    assert!(last.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_repository_is_followed_with_the_token() {
    let world = World::new(1000, |_, _| None).await;
    let bytes = format!("{}/bytes", world.cdn.url());
    let hub = Server::start(move |request| {
        if request.target.starts_with("/owner/model/") {
            return Reply::redirect(307, &request.target.replace("/owner/model/", "/new-owner/model/"));
        }
        linked(&bytes, 1000)
    });
    let hub = hub.await;
    let client = HubClient::new(options(hub.url())).unwrap();
    let sink = Arc::clone(&world.sink);
    client.transfer(&request(1000, &[0..1000]), sink, &CancellationToken::new()).await.unwrap();
    world.assert_complete();
    assert_eq!(hub.requests().len(), 2);
    assert_eq!(hub.requests()[1].header("authorization"), Some("Bearer hf_secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_behind_a_prefix_is_asked_below_it() {
    let world = World::new(1000, |_, _| None).await;
    let client = HubClient::new(options(format!("{}/mirror/hub//", world.hub.url()))).unwrap();
    assert_eq!(client.endpoint(), format!("{}/mirror/hub", world.hub.url()));
    let sink = Arc::clone(&world.sink);
    client.transfer(&request(1000, &[0..1000]), sink, &CancellationToken::new()).await.unwrap();
    assert!(world.hub.requests()[0].target.starts_with("/mirror/hub/owner/model/resolve/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_loop_ends() {
    let (hub, error) = fetch_from(10, |request| match request.target.as_str() {
        "/a" => Reply::redirect(302, "/b"),
        _ => Reply::redirect(302, "/a"),
    })
    .await;
    assert!(error.to_string().contains("loop"), "{error}");
    assert_eq!(hub.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_chain_of_redirects_ends() {
    let (hub, error) =
        fetch_from(10, |request| Reply::redirect(302, &format!("/hop/{}", request.index))).await;
    assert!(error.to_string().contains("loop"), "{error}");
    assert!(hub.requests().len() < 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_to_nowhere_are_refused() {
    for location in ["file:///etc/passwd", "ftp://hub.example/x", "http://[bad", "data:text/plain,x"] {
        let (hub, error) = fetch_from(10, move |_| Reply::redirect(302, location)).await;
        assert!(matches!(error, HubError::Http { status: 302, .. }), "{error}");
        assert_eq!(hub.requests().len(), 1);
    }
    let (_, error) = fetch_from(10, |_| Reply::new(302, b"")).await;
    assert!(matches!(error, HubError::Http { status: 302, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_that_contradict_the_listing_end_the_transfer_before_any_byte() {
    let other = "cd".repeat(32);
    let git = "cd".repeat(20);
    for (header, value) in [
        ("X-Linked-Size", "999"),
        ("X-Linked-Etag", other.as_str()),
        ("X-Linked-Etag", git.as_str()),
        ("X-Repo-Commit", git.as_str()),
    ] {
        let value = value.to_owned();
        let (hub, error) =
            fetch_from(1000, move |_| linked("http://127.0.0.1:1/x", 1000).header(header, &value)).await;
        assert!(matches!(error, HubError::Integrity { .. }), "{header}: {error}");
        assert_eq!(hub.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promises_of_another_form_are_ignored() {
    let world = World::new(1000, |_, _| None).await;
    let bytes = format!("{}/bytes", world.cdn.url());
    let hub = Server::start(move |_| {
        linked(&bytes, 1000).header("X-Linked-Etag", "W/\"17-of-a-mirror\"").header("X-Linked-Size", "many")
    });
    let hub = hub.await;
    let client = HubClient::new(options(hub.url())).unwrap();
    let sink = Arc::clone(&world.sink);
    client.transfer(&request(1000, &[0..1000]), sink, &CancellationToken::new()).await.unwrap();
    world.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_would_leave_their_place_in_the_url_are_refused() {
    let world = World::new(10, |_, _| None).await;
    let client = HubClient::new(world.options.clone()).unwrap();
    let good = request(10, &[0..10]);
    for (repo, commit, path) in [
        ("../admin", good.commit.as_str(), "a"),
        ("owner/model", "../../x", "a"),
        ("owner/model", good.commit.as_str(), "../../secret"),
        ("owner/model", good.commit.as_str(), "/etc/passwd"),
    ] {
        let bad = tabagent_hub::TransferRequest {
            repo: repo.to_owned(),
            commit: commit.to_owned(),
            path: path.to_owned(),
            ..good.clone()
        };
        let sink = Arc::clone(&world.sink);
        let error = client.transfer(&bad, sink, &world.cancel).await.unwrap_err();
        assert!(matches!(error, HubError::InvalidArgument { .. }), "{error}");
    }
    assert_eq!(world.hub.requests().len(), 0);
}
