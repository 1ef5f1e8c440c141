//! Memory does not grow with the number of files under way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tabagent_hub::{HubClient, RangeSink, SinkError};
use tokio::task::JoinSet;

use crate::world::{World, request};

/// Where the bytes lay that were written.
#[derive(Default)]
struct PlaceSink {
    places: Mutex<HashSet<usize>>,
}

impl RangeSink for PlaceSink {
    fn write(&self, _offset: u64, bytes: Bytes) -> Result<(), SinkError> {
        self.places.lock().unwrap().insert(bytes.as_ptr().addr());
        Ok(())
    }
}

/// Each of the two connections fills one buffer while another is written, whoever's bytes they are.
#[tokio::test(flavor = "multi_thread")]
async fn many_files_share_the_buffers_of_a_few_connections() {
    const SIZE: usize = 3 << 20;
    let mut world = World::new(SIZE, |_, _| None).await;
    world.options.connections = 2;
    let client = HubClient::new(world.options.clone()).unwrap();
    let sink = Arc::new(PlaceSink::default());
    let mut transfers = JoinSet::new();
    for _ in 0..20 {
        let (client, sink, cancel) = (client.clone(), Arc::clone(&sink), world.cancel.clone());
        transfers.spawn(async move { client.transfer(&request(SIZE, &[0..SIZE]), sink, &cancel).await });
    }
    while let Some(ended) = transfers.join_next().await {
        ended.unwrap().unwrap();
    }
    let places = sink.places.lock().unwrap().len();
    assert!((1..=4).contains(&places), "{places} buffers");
}
