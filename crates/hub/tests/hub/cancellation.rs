//! Cancelling ends everything at once, except a write that is under way: that one is waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tabagent_hub::{HubClient, HubError, RangeSink, SinkError};

use crate::server::{Reply, Step};
use crate::world::{World, request};

/// Says that a write began, and ends it when told.
struct GateSink {
    entered: tokio::sync::mpsc::UnboundedSender<()>,
    release: Mutex<Receiver<()>>,
    writing: AtomicBool,
}

impl RangeSink for GateSink {
    fn write(&self, _offset: u64, _bytes: Bytes) -> Result<(), SinkError> {
        self.writing.store(true, Ordering::SeqCst);
        self.entered.send(())?;
        self.release.lock().unwrap().recv()?;
        self.writing.store(false, Ordering::SeqCst);
        Ok(())
    }
}

fn gate() -> (Arc<GateSink>, tokio::sync::mpsc::UnboundedReceiver<()>, Sender<()>) {
    let (entered, entries) = tokio::sync::mpsc::unbounded_channel();
    let (releases, release) = channel();
    let sink = GateSink { entered, release: Mutex::new(release), writing: AtomicBool::new(false) };
    (Arc::new(sink), entries, releases)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_under_way_ends_before_the_transfer_does() {
    let world = World::new(4_000_000, |request, content| {
        let reply = Reply::ranged(request, content);
        let body = reply.body();
        Some(reply.steps([Step::Send(body[..1_100_000].to_vec()), Step::Hang]))
    })
    .await;
    let (sink, mut entries, releases) = gate();
    let client = HubClient::new(world.options.clone()).unwrap();
    let (cancel, target) = (world.cancel.clone(), Arc::clone(&sink));
    let mut transfer =
        tokio::spawn(
            async move { client.transfer(&request(4_000_000, &[0..4_000_000]), target, &cancel).await },
        );
    entries.recv().await.unwrap();
    world.cancel.cancel();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
        assert!(!transfer.is_finished(), "the transfer ended during a write");
    }
    releases.send(()).unwrap();
    let outcome = (&mut transfer).await.unwrap();
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");
    assert!(!sink.writing.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_an_answer_ends() {
    let asked = Arc::new(tokio::sync::Notify::new());
    let signal = Arc::clone(&asked);
    let world = World::new(1000, move |_, _| {
        signal.notify_one();
        Some(Reply::silence())
    })
    .await;
    let (outcome, ()) = tokio::join!(world.fetch_all(), async {
        asked.notified().await;
        world.cancel.cancel();
    });
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_the_next_try_ends() {
    let asked = Arc::new(tokio::sync::Notify::new());
    let signal = Arc::clone(&asked);
    let world = World::new(1000, move |_, _| {
        signal.notify_one();
        Some(Reply::new(429, b"").header("Retry-After", "50"))
    })
    .await;
    let (outcome, ()) = tokio::join!(world.fetch_all(), async {
        asked.notified().await;
        world.cancel.cancel();
    });
    assert!(matches!(outcome, Err(HubError::Cancelled)), "{outcome:?}");
    assert_eq!(world.cdn.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_cancelled_before_sends_nothing() {
    let world = World::new(1000, |_, _| None).await;
    world.cancel.cancel();
    let client = HubClient::new(world.options.clone()).unwrap();
    let scan = client.scan("owner/model", "main", &world.cancel).await;
    assert!(matches!(scan, Err(HubError::Cancelled)));
    assert!(matches!(world.fetch_all().await, Err(HubError::Cancelled)));
    assert_eq!(world.hub.requests().len(), 0);
}

/// Refuses the second write.
struct FullSink(AtomicBool);

impl RangeSink for FullSink {
    fn write(&self, _offset: u64, _bytes: Bytes) -> Result<(), SinkError> {
        if self.0.swap(true, Ordering::SeqCst) { Err("the disk is full".into()) } else { Ok(()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_refuses_ends_the_transfer_without_a_retry() {
    let world = World::new(4_000_000, |_, _| None).await;
    let client = HubClient::new(world.options.clone()).unwrap();
    let sink = Arc::new(FullSink(AtomicBool::new(false)));
    let outcome = client.transfer(&request(4_000_000, &[0..4_000_000]), sink, &world.cancel).await;
    let Err(HubError::Sink(source)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(source.to_string(), "the disk is full");
    assert_eq!(world.cdn.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_refuses_the_last_bytes_before_a_failure_is_told() {
    let mut world = World::new(4_000_000, |request, content| {
        let reply = Reply::ranged(request, content);
        let body = reply.body();
        Some(reply.steps([Step::Send(body[..1_100_000].to_vec()), Step::Close]))
    })
    .await;
    world.options.retries = 0;
    let client = HubClient::new(world.options.clone()).unwrap();
    let sink = Arc::new(FullSink(AtomicBool::new(false)));
    let outcome = client.transfer(&request(4_000_000, &[0..4_000_000]), sink, &world.cancel).await;
    assert!(matches!(outcome, Err(HubError::Sink(_))), "{outcome:?}");
}
