//! How many connections there are, and how they help each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tabagent_hub::HubClient;

use crate::server::Reply;
use crate::sink::MemorySink;
use crate::world::{World, request};

/// Bytes per second that are no limit.
const FAST: usize = 1 << 40;

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_added_where_each_is_throttled() {
    // However slow this machine is: the throttle ends only when a third connection was there.
    let (open, three) = (Arc::new(()), Arc::new(AtomicBool::new(false)));
    let world = World::new(32 << 20, move |request, content| {
        let (open, three) = (Arc::clone(&open), Arc::clone(&three));
        let rate = move || {
            let now = Arc::strong_count(&open) > 3;
            if three.fetch_or(now, Ordering::SeqCst) || now { FAST } else { 256 << 10 }
        };
        Some(Reply::ranged(request, content).paced(rate))
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
        Some(Reply::ranged(request, content).paced(|| 8 << 20))
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

/// A file that would take an hour holds all connections until a small file has come over the same client.
async fn a_small_file_comes_through(connections: usize) {
    const SIZE: usize = 16 << 20;
    let done = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&done);
    let mut world = World::new(SIZE, move |request, content| {
        let small = request.range()?.end == 1000;
        let seen = Arc::clone(&seen);
        let rate = move || if seen.load(Ordering::SeqCst) { FAST } else { 4 << 10 };
        (!small).then(|| Reply::ranged(request, content).paced(rate))
    })
    .await;
    world.options.connections = connections;
    let client = HubClient::new(world.options.clone()).unwrap();
    let small = request(SIZE, &[0..1000]);
    let big = request(SIZE, &[1000..SIZE]);
    let (sink, cancel, other) = (Arc::clone(&world.sink), world.cancel.clone(), client.clone());
    let transfer = tokio::spawn(async move { other.transfer(&big, sink, &cancel).await });
    while world.cdn.busiest() < connections {
        tokio::task::yield_now().await;
    }
    let sink = Arc::new(MemorySink::new(SIZE));
    client.transfer(&small, Arc::clone(&sink) as _, &world.cancel).await.unwrap();
    sink.assert_holds(&world.content, &[0..1000]);
    assert!(!transfer.is_finished());
    done.store(true, Ordering::SeqCst);
    transfer.await.unwrap().unwrap();
    world.sink.assert_holds(&world.content, &[1000..SIZE]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_gets_one_of_several_connections_of_a_big_one() {
    a_small_file_comes_through(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_gets_the_only_connection_of_a_big_one() {
    a_small_file_comes_through(1).await;
}
