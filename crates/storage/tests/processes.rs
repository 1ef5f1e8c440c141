//! Several processes that write into one store, and their sudden death.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing unwrap is a failing test"
)]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use support::child::{self, Peer};
use support::{bytes_on_disk, content, finish, no_publish, open, write_missing, writer_for};
use tabagent_storage::{BlobName, Digest, Finish, Store};

const MIB: usize = 1 << 20;

/// The file of `megabytes` MiB that both processes know.
fn file(megabytes: usize) -> Vec<u8> {
    content(megabytes as u64, megabytes * MIB)
}

/// Writes the missing pieces from the end of the file to its start, with a checkpoint after every eighth, and answers how
/// many bytes are durable after each.
fn write_backwards(store: &Arc<Store>, bytes: &[u8]) {
    let writer = writer_for(store, bytes);
    let pieces: Vec<usize> = (0..bytes.len() / MIB)
        .filter(|n| {
            let at = (n * MIB) as u64;
            writer.missing().iter().any(|range| range.start < at + MIB as u64 && at < range.end)
        })
        .collect();
    for (n, piece) in pieces.into_iter().rev().enumerate() {
        let at = piece * MIB;
        writer.write(at as u64, &bytes[at..at + MIB]).unwrap();
        if n % 8 == 7 {
            let durable = writer.written();
            writer.checkpoint().unwrap();
            child::answer(&durable.to_string());
        }
    }
    child::answer("written");
}

/// Writes the missing pieces in order and answers after each, with no checkpoint of its own.
fn write_forwards(store: &Arc<Store>, bytes: &[u8]) {
    let writer = writer_for(store, bytes);
    let from = usize::try_from(writer.written()).unwrap();
    for at in (from..bytes.len()).step_by(MIB) {
        let piece = Bytes::copy_from_slice(&bytes[at..at + MIB]);
        writer.write_received(at as u64, piece).unwrap();
        child::answer(&writer.written().to_string());
    }
}

fn run(store: &Arc<Store>, command: &str) {
    let (verb, megabytes) = command.split_once(' ').unwrap();
    let bytes = file(megabytes.parse().unwrap());
    match verb {
        "write" => write_backwards(store, &bytes),
        "write-forwards" => write_forwards(store, &bytes),
        "put" => {
            store.put_bytes(&bytes, &Digest::Sha256(support::sha256(&bytes)), no_publish).unwrap();
            child::answer("put");
        }
        other => panic!("unknown command {other}"),
    }
}

#[test]
#[ignore = "the other tests start it as their second process"]
fn peer() {
    let store = open(&child::folder());
    for command in std::io::stdin().lines() {
        run(&store, &command.unwrap());
    }
}

#[test]
fn a_killed_writer_loses_nothing_that_was_durable() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file(120);
    let name = BlobName::of(&bytes);
    let mut durable = 0;
    for round in 0..4 {
        let mut peer = Peer::start("peer", folder.path());
        peer.send("write 120");
        for _ in 0..2 {
            durable = peer.answer().parse().unwrap();
        }
        // It goes on writing until the signal reaches it.
        peer.kill();
        let store = open(folder.path());
        let status = store.blob(&name).unwrap().unwrap();
        assert!(!status.complete);
        assert!(status.downloaded >= durable, "round {round}: {} of {durable}", status.downloaded);
        let writer = writer_for(&store, &bytes);
        assert!(writer.resumed_from() >= status.downloaded, "round {round}");
    }
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    assert!(writer.resumed_from() >= durable);
    assert!(!writer.missing().is_empty(), "the last child was killed too late to test anything");
    write_missing(&writer, &bytes);
    // The hasher has compared every recorded block with its checksum: had one been damaged, it would be missing now.
    finish(&store, &writer, &bytes);
}

#[test]
fn a_killed_writer_loses_at_most_the_write_under_way_checkpoint_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file(64);
    let mut written = 0;
    for pieces in [1, 3, 5, 2] {
        let mut peer = Peer::start("peer", folder.path());
        peer.send("write-forwards 64");
        for _ in 0..pieces {
            written = peer.answer().parse().unwrap();
        }
        peer.kill();
    }
    assert!(written >= 11 * MIB as u64, "each continues where the one before was killed");
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    assert!(writer.resumed_from() >= written, "{} of {written}", writer.resumed_from());
    write_missing(&writer, &bytes);
    let name = BlobName::of(&bytes);
    finish(&store, &writer, &bytes);
    drop(writer);
    let journal = format!("{name}.written");
    assert!(!store.root().join("locks").join(journal).exists(), "nothing is left behind");
}

#[test]
fn what_a_killed_writer_claims_counts_only_when_the_disk_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file(64);
    let mut peer = Peer::start("peer", folder.path());
    peer.send("write-forwards 64");
    for _ in 0..6 {
        peer.answer();
    }
    peer.kill();
    // As after a power failure: the claim reached the disk, the bytes did not.
    support::damage(folder.path(), &bytes[MIB..MIB + 4096]);
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &bytes);
    let Finish::Missing(missing) = writer.finish(no_publish).unwrap() else {
        panic!("a damaged block was taken for good");
    };
    let block = 0..4 * MIB as u64;
    assert_eq!(missing, std::iter::once(block).collect::<Vec<_>>(), "the whole block, and no other");
    writer.write(0, &bytes[..4 * MIB]).unwrap();
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(BlobName::of(&bytes)));
}

#[test]
fn two_processes_write_different_blobs_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut peer = Peer::start("peer", folder.path());
    peer.send("put 40");
    let ours = file(41);
    let writer = writer_for(&store, &ours);
    write_missing(&writer, &ours);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(BlobName::of(&ours)));
    assert_eq!(peer.answer(), "put");
    for bytes in [ours, file(40)] {
        assert!(bytes_on_disk(&store, &BlobName::of(&bytes)) == bytes);
    }
}

#[test]
fn all_processes_see_how_much_a_writer_has_before_it_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = file(120);
    let name = BlobName::of(&bytes);
    assert_eq!(store.activity().unwrap().leased_bytes(&name), None);
    let writer = writer_for(&store, &bytes);
    let before = store.activity().unwrap();
    assert_eq!(before.leased_bytes(&name), Some(0));
    writer.write(0, &bytes[..3 * MIB]).unwrap();
    writer.write(5 * MIB as u64, &bytes[5 * MIB..6 * MIB]).unwrap();
    let after = store.activity().unwrap();
    assert_eq!(after.leased_bytes(&name), Some(4 * MIB as u64));
    assert_eq!(store.leased_bytes(&name), Some(4 * MIB as u64));
    assert_eq!(after.moved(&before).collect::<Vec<_>>(), [&name]);
    drop(writer);
    let end = store.activity().unwrap();
    assert_eq!(end.leased_bytes(&name), None);
    assert_eq!(end.moved(&after).collect::<Vec<_>>(), [&name]);
    assert_eq!(end.moved(&end).count(), 0);
    assert_eq!(writer_for(&store, &bytes).resumed_from(), 4 * MIB as u64);
    let mut peer = Peer::start("peer", folder.path());
    peer.send("write 120");
    let durable: u64 = peer.answer().parse().unwrap();
    assert!(store.leased_bytes(&name).unwrap() >= durable);
}
