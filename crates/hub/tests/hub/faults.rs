//! Servers that break off, lie or expire: the transfer continues where it was, or ends without a wrong byte.

use tabagent_hub::HubError;

use crate::server::{Reply, Request, Step};
use crate::world::World;

const SIZE: usize = 3_000_000;

/// The correct answer, cut off by closing the connection after `length` bytes.
fn cut(request: &Request, content: &[u8], length: usize) -> Reply {
    let reply = Reply::ranged(request, content);
    let body = reply.body();
    reply.steps([Step::Send(body[..length.min(body.len())].to_vec()), Step::Close])
}

/// A transfer whose first answer for bytes is this one.
async fn after_first(reply: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static) -> World {
    World::new(SIZE, move |request, content| (request.index == 0).then(|| reply(request, content))).await
}

async fn integrity(reply: impl Fn(&Request, &[u8]) -> Reply + Send + Sync + 'static) -> World {
    let world = World::new(SIZE, move |request, content| Some(reply(request, content))).await;
    let error = world.fetch_all().await.unwrap_err();
    assert!(matches!(error, HubError::Integrity { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_continued_where_it_ended() {
    let world = after_first(|request, content| cut(request, content, 1_700_000)).await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    let asked: Vec<_> = world.cdn.requests().iter().map(|request| request.range().unwrap()).collect();
    assert_eq!(asked[1].end, SIZE);
    assert!((1..=1_700_000).contains(&asked[1].start), "{asked:?}");
    assert_eq!((asked.len(), world.hub.requests().len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_restores_the_retries() {
    let world = World::new(SIZE, |request, content| Some(cut(request, content, 400_000))).await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert!(world.cdn.requests().len() > 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_the_last_failure_stays_written() {
    let mut world = World::new(SIZE, |request, content| {
        Some(if request.index == 0 { cut(request, content, 1_500_000) } else { Reply::new(500, b"") })
    })
    .await;
    world.options.retries = 1;
    let error = world.fetch_all().await.unwrap_err();
    assert!(matches!(error, HubError::Http { status: 500, .. }), "{error}");
    let written = world.sink.written();
    assert!(written > 0);
    world.sink.assert_holds(&world.content, &[0..written]);
    assert_eq!(world.cdn.requests()[1].range(), Some(written..SIZE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_tried_again() {
    let world = after_first(|_, _| Reply::new(500, b"oops")).await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert_eq!(world.cdn.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_for() {
    for (name, value) in [("Retry-After", "0"), ("RateLimit", "\"resolvers\";r=0;t=0")] {
        let world = after_first(move |_, _| Reply::new(429, b"").header(name, value)).await;
        world.fetch_all().await.unwrap();
        world.assert_complete();
        assert_eq!(world.cdn.requests().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_address_is_resolved_again() {
    for status in [401, 403, 410] {
        let world = World::new(SIZE, move |request, content| {
            let expired = request.target.ends_with("secret0");
            match request.index {
                0 => Some(cut(request, content, 1_000_000)),
                _ => expired.then(|| Reply::new(status, b"Request has expired")),
            }
        });
        let world = world.await;
        world.fetch_all().await.unwrap();
        world.assert_complete();
        let asked: Vec<_> = world.cdn.requests().iter().map(|request| request.target.clone()).collect();
        assert_eq!(
            asked,
            ["/bytes?Signature=secret0", "/bytes?Signature=secret0", "/bytes?Signature=secret1"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_always_refused_is_given_up() {
    let world = World::new(SIZE, |_, _| Some(Reply::new(403, b"denied"))).await;
    let error = world.fetch_all().await.unwrap_err();
    assert!(matches!(error, HubError::Http { status: 403, .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!((world.hub.requests().len(), world.cdn.requests().len()), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_sends_the_whole_file_once() {
    let world = World::new(SIZE, |_, content| Some(Reply::new(200, content))).await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert_eq!(world.cdn.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_is_used_for_several_missing_ranges() {
    let world = World::new(SIZE, |_, content| Some(Reply::new(200, content))).await;
    let missing = [100_000..100_001, 500_000..2_000_000, 2_500_000..2_600_000];
    world.fetch(&missing).await.unwrap();
    world.sink.assert_holds(&world.content, &missing);
    assert_eq!(world.cdn.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_of_another_length_is_refused() {
    let world = integrity(|_, content| Reply::new(200, &content[1..])).await;
    assert_eq!((world.sink.written(), world.cdn.requests().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_another_range_is_refused() {
    for value in [
        "bytes 1-2999999/3000000",
        "bytes 0-2999999/3000001",
        "bytes 0-3000000/3000001",
        "bytes 0-1999999/3000000",
        "bytes */3000000",
        "nonsense",
    ] {
        let world =
            integrity(move |request, content| Reply::ranged(request, content).header("Content-Range", value))
                .await;
        assert_eq!((world.sink.written(), world.cdn.requests().len()), (0, 1), "{value}");
    }
    integrity(|_, content| Reply::new(206, content)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_range_than_asked_is_taken_and_the_rest_asked() {
    let world = World::new(SIZE, |request, content| {
        let asked = request.range()?;
        let end = asked.end.min(asked.start + 1_000_000);
        let value = format!("bytes {}-{}/{SIZE}", asked.start, end - 1);
        Some(Reply::new(206, &content[asked.start..end]).header("Content-Range", &value))
    });
    let world = world.await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert_eq!(world.cdn.requests().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_body_without_length_what_was_announced_is_taken() {
    let world = World::new(SIZE, |request, content| {
        let mut reply = Reply::ranged(request, content);
        let mut body = reply.body();
        body.extend_from_slice(b"more");
        reply.headers.retain(|(name, _)| name != "Content-Length");
        Some(reply.steps([Step::Send(body), Step::Close]))
    });
    let world = world.await;
    world.fetch_all().await.unwrap();
    world.assert_complete();
    assert_eq!(world.cdn.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_shorter_than_listed_is_told() {
    let world =
        World::new(SIZE, |_, _| Some(Reply::new(416, b"").header("Content-Range", "bytes */17"))).await;
    let error = world.fetch_all().await.unwrap_err();
    assert!(matches!(&error, HubError::Integrity { actual, .. } if actual == "17 bytes"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bytes_are_refused() {
    let world =
        integrity(|request, content| Reply::ranged(request, content).header("Content-Encoding", "gzip"))
            .await;
    assert_eq!(world.sink.written(), 0);
}
