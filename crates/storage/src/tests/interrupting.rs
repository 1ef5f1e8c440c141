//! Finishing a blob that its caller gives up in the middle.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use bytes::Bytes;

use super::fixture::{Content, new_store};
use crate::digest::{BlobName, Digest};
use crate::error::StorageError;
use crate::finish::Finish;
use crate::store::Store;
use crate::writer::BlobWriter;

const SIZE: u64 = 9 << 20;

/// Far more than an answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn writer(store: &Arc<Store>, name: BlobName) -> BlobWriter {
    let lease = store.try_lease(&name).unwrap().unwrap();
    store.writer(lease, SIZE, Digest::Sha256(name.0)).unwrap()
}

fn finish(writer: &BlobWriter) -> Finish {
    writer.finish(|_, _| Ok(())).unwrap()
}

#[test]
fn who_waits_for_hashes_is_told_at_once_and_the_next_writer_has_all_bytes() {
    let (_folder, store) = new_store();
    let bytes = Content::dense(1, SIZE).bytes(0..SIZE);
    let name = BlobName::of(&bytes);
    let first = writer(&store, name);
    let hashing = first.inner.work.as_ref().unwrap().hasher.hashed.lock();
    first.write_received(0, Bytes::copy_from_slice(&bytes)).unwrap();
    let (told, outcome) = channel();
    std::thread::scope(|scope| {
        let waiting = first.clone();
        scope.spawn(move || told.send(waiting.finish(|_, _| panic!("published")).unwrap()).unwrap());
        outcome.recv_timeout(Duration::from_millis(50)).unwrap_err();
        first.interrupt();
        assert_eq!(outcome.recv_timeout(PATIENCE), Ok(Finish::Ended));
        assert_eq!(finish(&first), Finish::Ended, "a later one waits no more either");
        drop(hashing);
    });
    drop(first);
    let second = writer(&store, name);
    assert_eq!((second.resumed_from(), second.missing()), (SIZE, Vec::new()));
    assert_eq!(finish(&second), Finish::Complete(name));
}

#[test]
fn the_search_for_damage_is_given_up_too() {
    let (_folder, store) = new_store();
    let bytes = Content::dense(2, SIZE).bytes(0..SIZE);
    let name = BlobName([2; 32]);
    let first = writer(&store, name);
    first.write(0, &bytes).unwrap();
    let mismatch =
        Finish::Mismatch { expected: Digest::Sha256(name.0), actual: Digest::Sha256(BlobName::of(&bytes).0) };
    assert_eq!(finish(&first), mismatch);
    first.interrupt();
    assert_eq!(finish(&first), Finish::Ended);
    drop(first);
    assert_eq!(finish(&writer(&store, name)), mismatch, "nothing was dropped");
}

#[test]
fn bytes_that_are_known_to_be_right_are_published_all_the_same() {
    let (_folder, store) = new_store();
    let bytes = Content::dense(3, SIZE).bytes(0..SIZE);
    let name = BlobName::of(&bytes);
    let writer = writer(&store, name);
    writer.write(0, &bytes).unwrap();
    let (told, right) = channel();
    writer.when_right(move || told.send(()).unwrap());
    right.recv_timeout(PATIENCE).unwrap();
    writer.interrupt();
    assert_eq!(finish(&writer), Finish::Complete(name));
}

#[test]
fn bytes_are_not_dropped_under_a_finish_nor_after_it() {
    let (_folder, store) = new_store();
    let bytes = Content::dense(4, SIZE).bytes(0..SIZE);
    let name = BlobName::of(&bytes);
    let writer = writer(&store, name);
    writer.write(0, &bytes).unwrap();
    let refused = |outcome| matches!(outcome, Err(StorageError::InvalidArgument { .. }));
    let finished = writer.finish(|_, _| {
        assert!(refused(writer.discard()) && refused(writer.write(0, &[0])));
        Ok(())
    });
    assert_eq!(finished.unwrap(), Finish::Complete(name));
    assert!(refused(writer.discard()));
    let reader = store.reader(&name).unwrap().unwrap();
    reader.verify(0..SIZE).unwrap();
}
