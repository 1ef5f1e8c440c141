//! How many connections there are, and how they help each other.

use std::sync::Arc;
use std::time::Duration;

use tabagent_hub::{HubClient, HubError};

use crate::server::{Reply, Request, Step};
use crate::world::{World, request};

/// The correct answer, which stops after `length` bytes without closing.
fn stall(request: &Request, content: &[u8], length: usize) -> Reply {
    let reply = Reply::ranged(request, content);
    let body = reply.body();
    reply.steps([Step::Send(body[..length.min(body.len())].to_vec()), Step::Hang])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_connection_loses_its_rest_to_another() {
    let mut world = World::new(4_000_000, |request, content| {
        (request.index == 0).then(|| stall(request, content, 1_000_000))
    })
    .await;
    // Without the rescue the test would need this long and then fail: no retry is allowed.
    (world.options.stall_timeout, world.options.retries) = (Duration::from_secs(60), 0);
    world.fetch_all().await.unwrap();
    world.assert_complete();
    let requests = world.cdn.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].range().unwrap().end, 4_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_gets_no_answer_loses_all_of_its_piece() {
    let mut world = World::new(100_000, |request, _| (request.index == 0).then(Reply::silence)).await;
    (world.options.stall_timeout, world.options.retries) = (Duration::from_secs(8), 0);
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert_eq!(world.cdn.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_connection_that_stalls_is_replaced_after_the_timeout() {
    let mut world = World::new(4_000_000, |request, content| {
        (request.index == 0).then(|| stall(request, content, 1_000_000))
    })
    .await;
    (world.options.stall_timeout, world.options.connections) = (Duration::from_secs(1), 1);
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert_eq!(world.cdn.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_ends_the_transfer() {
    let mut world = World::new(4_000_000, |request, content| {
        Some(if request.index == 0 { stall(request, content, 1_500_000) } else { Reply::silence() })
    })
    .await;
    (world.options.stall_timeout, world.options.retries) = (Duration::from_secs(1), 0);
    let error = world.fetch_all().await.unwrap_err();
    assert!(matches!(error, HubError::Network { .. }), "{error}");
    let written = world.sink.written();
    world.sink.assert_holds(&world.content, &[0..written]);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_added_where_each_is_throttled() {
    let world = World::new(16 << 20, |request, content| {
        let reply = Reply::ranged(request, content);
        let body = reply.body();
        Some(reply.steps([Step::Throttled(body, 1 << 20)]))
    })
    .await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert!(world.cdn.busiest() > 2, "{}", world.cdn.busiest());
    assert_eq!(world.hub.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_refused_leaves_its_share_to_the_others() {
    let mut world = World::new(12 << 20, |request, content| {
        if request.index == 1 {
            return Some(Reply::new(503, b"one at a time"));
        }
        let reply = Reply::ranged(request, content);
        let body = reply.body();
        Some(reply.steps([Step::Throttled(body, 8 << 20)]))
    })
    .await;
    world.options.retries = 0;
    world.fetch_all().await.unwrap();
    world.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_of_one_client_share_the_connection_limit() {
    let mut world = World::new(200_000, |_, _| None).await;
    world.options.connections = 1;
    let client = HubClient::new(world.options.clone()).unwrap();
    let halves = [request(200_000, &[0..100_000]), request(200_000, &[100_000..200_000])];
    let fetch = |half| {
        let (client, sink, cancel) = (client.clone(), Arc::clone(&world.sink), world.cancel.clone());
        tokio::spawn(async move { client.transfer(&half, sink, &cancel).await })
    };
    for half in halves.map(fetch) {
        half.await.unwrap().unwrap();
    }
    world.assert_complete();
    assert_eq!(world.cdn.busiest(), 1);
}
