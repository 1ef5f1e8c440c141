//! Servers that fall silent, or nearly: another connection goes on, and the whole ends in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tabagent_hub::{HubClient, HubError};
use tokio::net::TcpListener;

use crate::server::{Reply, Request, Step};
use crate::world::{World, options, request};

const SIZE: usize = 4_000_000;

/// The correct answer, which stops after `length` bytes without closing.
fn stall(request: &Request, content: &[u8], length: usize) -> Reply {
    let reply = Reply::ranged(request, content);
    let body = reply.body();
    reply.steps([Step::Send(body[..length.min(body.len())].to_vec()), Step::Hang])
}

/// A world whose first answer for bytes is this one. Only a rescue ends the transfer: nothing times out, no failure is
/// forgiven.
async fn rescued(first: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static) -> World {
    let mut world =
        World::new(SIZE, move |request, content| (request.index == 0).then(|| first(request, content))).await;
    (world.options.stall_timeout, world.options.retries) = (Duration::from_secs(600), 0);
    world
}

/// Fetches all; the requests after the first ask for what its answer did not bring, each byte once. Returns where that begins.
async fn fetch_rescued(world: World) -> usize {
    world.fetch_all().await.unwrap();
    world.assert_complete();
    let asked: Vec<_> = world.cdn.requests().iter().map(|request| request.range().unwrap()).collect();
    let (first, others) = asked.split_first().unwrap();
    assert_eq!((first, world.hub.requests().len()), (&(0..SIZE), 1));
    let begins = others.iter().map(|range| range.start).min().unwrap();
    let bytes: usize = others.iter().map(|range| range.end - range.start).sum();
    assert_eq!(begins + bytes, SIZE, "{asked:?}");
    begins
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_is_continued_over_another_connection() {
    let world = rescued(|request, content| stall(request, content, 1_000_000)).await;
    assert_eq!(fetch_rescued(world).await, 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_is_where_one_connection_is_all_there_may_be() {
    let mut world = rescued(|request, content| stall(request, content, 1_000_000)).await;
    world.options.connections = 1;
    assert_eq!(fetch_rescued(world).await, 1_000_000);
}

/// Nobody would see them as progress, and a kill would lose them.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_stored_although_none_follow_them() {
    let mut world = World::new(SIZE, |request, content| {
        Some(if request.index == 0 { stall(request, content, 1_500_000) } else { Reply::silence() })
    })
    .await;
    world.options.stall_timeout = Duration::from_secs(600);
    let stored = async {
        while world.sink.written() < 1_500_000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(world.fetch_all(), stored);
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_begins_is_asked_for_again() {
    let world = rescued(|request, content| stall(request, content, 0)).await;
    assert_eq!(fetch_rescued(world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickle_is_left_for_another_connection() {
    let world = rescued(|request, content| Reply::ranged(request, content).paced(|| 50)).await;
    assert!((1..10_000).contains(&fetch_rescued(world).await), "what trickled in is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_never_begins_is_asked_for_again() {
    let world = rescued(|_, _| Reply::silence()).await;
    assert_eq!(fetch_rescued(world).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_is_asked_again_where_it_does_not_answer() {
    let world = World::new(SIZE, |_, _| None).await;
    let location = format!("{}/bytes", world.cdn.url());
    let hub = crate::server::Server::start(move |request| match request.index {
        0 => Reply::silence(),
        _ => Reply::redirect(302, &location),
    });
    let hub = hub.await;
    let mut options = options(hub.url());
    (options.stall_timeout, options.retries) = (Duration::from_secs(600), 0);
    let client = HubClient::new(options).unwrap();
    client.transfer(&request(SIZE, &[0..SIZE]), Arc::clone(&world.sink) as _, &world.cancel).await.unwrap();
    world.assert_complete();
    assert_eq!((hub.requests().len(), world.cdn.requests().len()), (2, 1));
}

/// Three connections, then none of them brings anything any more.
#[tokio::test(flavor = "multi_thread")]
async fn all_connections_may_stall_at_once() {
    let (open, stalled) = (Arc::new(()), Arc::new(AtomicBool::new(false)));
    let mut world = World::new(16 << 20, move |request, content| {
        let (open, stalled, index) = (Arc::clone(&open), Arc::clone(&stalled), request.index);
        let rate = move || {
            stalled.fetch_or(Arc::strong_count(&open) > 3, Ordering::SeqCst);
            match stalled.load(Ordering::SeqCst) {
                false => 256 << 10,
                true if index < 4 => 0,
                true => 1 << 40,
            }
        };
        Some(Reply::ranged(request, content).paced(rate))
    })
    .await;
    (world.options.stall_timeout, world.options.retries) = (Duration::from_secs(600), 0);
    world.fetch_all().await.unwrap();
    world.assert_complete();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_ends_the_transfer_however_many_retries_there_are() {
    let mut world = World::new(SIZE, |request, content| {
        Some(if request.index == 0 { stall(request, content, 1_500_000) } else { Reply::silence() })
    })
    .await;
    (world.options.stall_timeout, world.options.retries) = (Duration::from_secs(1), 1000);
    let error = world.fetch_all().await.unwrap_err();
    assert!(matches!(error, HubError::Network { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    world.sink.assert_holds(&world.content, &[0..1_500_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_trickles_is_silence() {
    let mut world =
        World::new(SIZE, |request, content| Some(Reply::ranged(request, content).paced(|| 50))).await;
    (world.options.stall_timeout, world.options.retries) = (Duration::from_secs(1), 1000);
    let error = world.fetch_all().await.unwrap_err();
    assert!(matches!(error, HubError::Network { .. }), "{error}");
}

/// It takes connections and says nothing: no TLS, no answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_speaks_ends_the_transfer() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::new(SIZE, |_, _| None).await;
    for scheme in ["https", "http"] {
        let mut options = options(format!("{scheme}://{address}"));
        (options.stall_timeout, options.retries) = (Duration::from_secs(1), 1000);
        let client = HubClient::new(options).unwrap();
        let (whole, sink) = (request(SIZE, &[0..SIZE]), Arc::clone(&world.sink));
        let error = client.transfer(&whole, sink, &world.cancel).await.unwrap_err();
        assert!(matches!(error, HubError::Network { .. }), "{error}");
    }
}
