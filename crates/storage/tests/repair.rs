//! Bytes that are not what was expected: which of them are damaged, and repairing the others with bytes fetched again.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges with one element are meant")]

mod support;

use std::sync::mpsc::{TryRecvError, channel};
use std::thread;

use support::{content, finish, no_publish, open, sha256, write_missing, writer_for};
use tabagent_storage::{BLOCK_SIZE, BlobName, BlobWriter, Digest, Finish};

const PIECE: usize = 1 << 20;
const BLOCK: usize = 4 * PIECE;
const SIZE: usize = 5 * BLOCK + 5;

/// The bytes with some of them altered.
fn altered(bytes: &[u8], places: &[usize]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in places {
        out[*at] = !out[*at];
    }
    out
}

/// What `finish` says of `wrong` written in place of `bytes`.
fn mismatch(bytes: &[u8], wrong: &[u8]) -> Finish {
    Finish::Mismatch { expected: Digest::Sha256(sha256(bytes)), actual: Digest::Sha256(sha256(wrong)) }
}

fn compare(writer: &BlobWriter, bytes: &[u8], from: usize) {
    for at in (from..bytes.len()).step_by(PIECE) {
        writer.compare(at as u64, &bytes[at..bytes.len().min(at + PIECE)]).unwrap();
    }
}

#[test]
fn what_differs_is_replaced_from_several_threads_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(1, SIZE);
    let (begin, end) = (2 * BLOCK, 3 * BLOCK);
    let wrong = altered(&bytes, &[7, begin, begin + PIECE, end - 1, end, SIZE - 1]);
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &wrong);
    assert_eq!(writer.finish(|_, _| panic!("published")).unwrap(), mismatch(&bytes, &wrong));
    assert!(!writer.is_right());
    thread::scope(|scope| {
        for from in [0, begin, begin + PIECE, end - PIECE] {
            let (writer, bytes) = (writer.clone(), &bytes);
            scope.spawn(move || compare(&writer, bytes, from));
        }
    });
    assert_eq!(writer.missing(), []);
    finish(&store, &writer, &bytes);
}

#[test]
fn nothing_more_need_be_compared_once_the_bytes_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(2, SIZE);
    let wrong = altered(&bytes, &[BLOCK + 1]);
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &wrong);
    assert_eq!(writer.finish(no_publish).unwrap(), mismatch(&bytes, &wrong));
    let (tell, told) = channel();
    writer.when_right(move || tell.send(()).unwrap());
    assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
    writer.compare(0, &bytes[..BLOCK + PIECE]).unwrap();
    told.recv().unwrap();
    assert!(writer.is_right());
    finish(&store, &writer, &bytes);
}

#[test]
fn bytes_that_are_wrong_again_are_wrong_and_can_be_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(3, SIZE);
    let (wrong, other) = (altered(&bytes, &[BLOCK]), altered(&bytes, &[1, BLOCK]));
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &wrong);
    assert_eq!(writer.finish(no_publish).unwrap(), mismatch(&bytes, &wrong));
    compare(&writer, &other, 0);
    assert_eq!(writer.finish(no_publish).unwrap(), mismatch(&bytes, &other));
    writer.discard().unwrap();
    assert_eq!(writer.missing(), [0..SIZE as u64]);
    assert_eq!(store.blob(writer.name()).unwrap().unwrap().downloaded, 0);
    write_missing(&writer, &bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(BlobName::of(&bytes)));
}

#[test]
fn a_repair_that_was_given_up_can_be_made_by_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(4, SIZE);
    let wrong = altered(&bytes, &[3, 4 * BLOCK]);
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &wrong);
    assert_eq!(writer.finish(no_publish).unwrap(), mismatch(&bytes, &wrong));
    writer.compare(0, &bytes[..PIECE]).unwrap();
    drop((writer, store));
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.missing(), []);
    assert_eq!(writer.finish(no_publish).unwrap(), mismatch(&bytes, &altered(&bytes, &[4 * BLOCK])));
    compare(&writer, &bytes, 0);
    finish(&store, &writer, &bytes);
}

#[test]
fn bytes_that_the_disk_altered_are_missing_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(5, SIZE);
    let writer = writer_for(&store, &bytes);
    writer.write(PIECE as u64, &bytes[PIECE..]).unwrap();
    support::damage(folder.path(), &bytes[3 * BLOCK..]);
    writer.write(0, &bytes[..PIECE]).unwrap();
    let damaged = 3 * BLOCK_SIZE..4 * BLOCK_SIZE;
    assert_eq!(writer.finish(|_, _| panic!("published")).unwrap(), Finish::Missing(vec![damaged.clone()]));
    assert_eq!(writer.missing(), [damaged]);
    write_missing(&writer, &bytes);
    finish(&store, &writer, &bytes);
}
