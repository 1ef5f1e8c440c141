//! Files past 4 GiB: only what is asked for moves, so their size costs nothing here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tabagent_hub::{HubClient, RangeSink, SinkError, TransferRequest};
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Request, Server, Step};
use crate::world::{linked, options, request};

const FOUR_GIB: usize = 1 << 32;
const SIZE: usize = (5 << 30) + 1;

/// Bytes of the file; those 4 GiB apart differ.
fn content(range: Range<usize>) -> Vec<u8> {
    let word = |at: usize| (at as u64 / 8).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    range.map(|at| word(at)[at % 8]).collect()
}

fn answer(request: &Request) -> Reply {
    let Range { start, end } = request.range().unwrap();
    let header = format!("bytes {start}-{}/{SIZE}", end - 1);
    let reply = Reply::new(206, b"").header("Content-Range", &header);
    let length = (end - start).to_string();
    // The first body of the second piece breaks off, so that the offset of a continuation is past 4 GiB, too.
    let first = request.index == 1;
    let body = content(start..if first { start + (end - start) / 2 } else { end });
    let close = first.then_some(Step::Close);
    reply.header("Content-Length", &length).steps(std::iter::once(Step::Send(body)).chain(close))
}

#[derive(Default)]
struct Pieces(Mutex<BTreeMap<u64, Vec<u8>>>);

impl RangeSink for Pieces {
    fn write(&self, offset: u64, bytes: Bytes) -> Result<(), SinkError> {
        self.0.lock().unwrap().insert(offset, bytes.to_vec());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_past_4_gib_are_asked_for_and_written_where_they_belong() {
    let cdn = Server::start(answer).await;
    let origin = format!("{}/bytes", cdn.url());
    let hub = Server::start(move |_| linked(&origin, SIZE)).await;
    let mut options = options(hub.url());
    options.connections = 1;
    let missing = [FOUR_GIB - 70_000..FOUR_GIB + 70_000, SIZE - 50_001..SIZE];
    let request = TransferRequest { size: SIZE as u64, ..request(SIZE, &missing) };
    let sink = Arc::<Pieces>::default();
    let client = HubClient::new(options).unwrap();
    client.transfer(&request, Arc::clone(&sink) as _, &CancellationToken::new()).await.unwrap();
    let pieces = sink.0.lock().unwrap();
    let mut written = missing.map(|range| range.start);
    for (offset, bytes) in pieces.iter() {
        let at = usize::try_from(*offset).unwrap();
        let place = written.iter_mut().find(|next| **next == at).unwrap();
        assert!(*bytes == content(at..at + bytes.len()), "other bytes at {at}");
        *place += bytes.len();
    }
    assert_eq!(written, [FOUR_GIB + 70_000, SIZE]);
    assert!(cdn.requests().len() >= 3);
}
