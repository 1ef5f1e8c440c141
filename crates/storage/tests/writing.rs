//! Writing blobs: out of order, resumed, checked, published.
#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges with one element are meant")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{bytes_on_disk, content, finish, no_publish, open, sha256, write_missing, writer_for};
use tabagent_storage::{
    BLOCK_SIZE, BlobName, BlobState, Blobs, CHUNK_SIZE, Digest, Finish, Key, PutOutcome, StorageError,
};

const PIECE: usize = 1 << 20;

#[test]
fn pieces_written_out_of_order_from_threads_are_read_back_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // Two chunks, odd sizes, one seam.
    let bytes = content(1, usize::try_from(CHUNK_SIZE).unwrap() + 3_333_333);
    let name = BlobName::of(&bytes);
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.resumed_from(), 0);
    assert_eq!(writer.missing(), [0..bytes.len() as u64]);
    write_missing(&writer, &bytes);
    assert_eq!(writer.missing(), []);
    assert!(!store.blob(&name).unwrap().unwrap().complete);
    finish(&store, &writer, &bytes);
    let record = store.read(|t| t.get::<Blobs>(&Key::blob(&name))).unwrap().unwrap();
    assert_eq!(record.state, BlobState::Complete);
    assert_eq!(record.segments.len() as u64, record.size.div_ceil(BLOCK_SIZE));
}

#[test]
fn a_writer_continues_in_a_new_store_where_the_last_one_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(2, 9 << 20);
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    writer.write(5 << 20, &bytes[5 << 20..7 << 20]).unwrap();
    writer.write(100, &bytes[100..200]).unwrap();
    drop((writer, store));
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.resumed_from(), (2 << 20) + 100);
    assert_eq!(writer.missing(), [0..100, 200..5 << 20, 7 << 20..9 << 20]);
    write_missing(&writer, &bytes);
    finish(&store, &writer, &bytes);
}

#[test]
fn a_block_damaged_on_disk_is_found_on_resume_and_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(3, 3 * usize::try_from(BLOCK_SIZE).unwrap() + 5);
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &bytes);
    drop(writer);
    support::damage(folder.path(), &bytes[usize::try_from(BLOCK_SIZE).unwrap()..]);
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.resumed_from(), bytes.len() as u64);
    let damaged = BLOCK_SIZE..2 * BLOCK_SIZE;
    assert_eq!(writer.finish(|_, _| panic!("published")).unwrap(), Finish::Missing(vec![damaged.clone()]));
    assert_eq!(writer.missing(), [damaged]);
    write_missing(&writer, &bytes);
    finish(&store, &writer, &bytes);
}

#[test]
fn wrong_bytes_are_dropped_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, wrong) = (content(4, 5 << 20), content(5, 5 << 20));
    let name = BlobName::of(&bytes);
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &wrong);
    let found = writer.finish(|_, _| panic!("published")).unwrap();
    let (expected, actual) = (Digest::Sha256(sha256(&bytes)), Digest::Sha256(sha256(&wrong)));
    assert_eq!(found, Finish::Mismatch { expected, actual });
    writer.discard().unwrap();
    assert_eq!(store.blob(&name).unwrap().unwrap().downloaded, 0);
    drop((writer, store));
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.missing(), [0..bytes.len() as u64]);
    write_missing(&writer, &bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(name));
}

#[test]
fn bytes_written_again_replace_the_first_ones_although_they_were_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, wrong) = (content(6, 6 << 20), content(7, 6 << 20));
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &wrong);
    for at in (0..bytes.len()).step_by(PIECE) {
        writer.write(at as u64, &bytes[at..at + PIECE]).unwrap();
    }
    // The first rewrite of a block made the rest of it missing; it was written again, too.
    finish(&store, &writer, &bytes);
}

#[test]
fn bytes_in_order_are_hashed_from_memory_and_checked_when_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(21, 9 << 20);
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    // Small and large pieces, some of them over the seam of two blocks.
    let (mut at, mut lengths) = (0, [5, PIECE, 300_000, 3 * PIECE].into_iter().cycle());
    while at < bytes.len() {
        let end = bytes.len().min(at + lengths.next().unwrap());
        writer.write(at as u64, &bytes[at..end]).unwrap();
        at = end;
    }
    support::damage(folder.path(), &bytes[5 << 20..]);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(BlobName::of(&bytes)));
    let reader = store.reader(&BlobName::of(&bytes)).unwrap().unwrap();
    reader.verify(0..BLOCK_SIZE).unwrap();
    assert!(matches!(reader.verify(0..reader.size()), Err(StorageError::Corrupt { .. })));
}

#[test]
fn two_writers_of_neighbouring_ranges_give_the_digest_of_all_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for (seed, stride) in [(22, PIECE), (23, 100_000), (24, 5 * PIECE)] {
        let bytes = content(seed, 23 << 20);
        let writer = writer_for(&store, &bytes);
        std::thread::scope(|scope| {
            for first in 0..2 {
                let (writer, bytes) = (&writer, &bytes);
                scope.spawn(move || {
                    for at in (first * stride..bytes.len()).step_by(2 * stride) {
                        writer.write(at as u64, &bytes[at..bytes.len().min(at + stride)]).unwrap();
                    }
                });
            }
        });
        finish(&store, &writer, &bytes);
    }
}

#[test]
fn damage_in_a_block_that_two_runs_wrote_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(25, 9 << 20);
    let store = open(folder.path());
    let writer = writer_for(&store, &bytes);
    writer.write(0, &bytes[..5 << 20]).unwrap();
    drop(writer);
    support::damage(folder.path(), &bytes[4 << 20..]);
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &bytes);
    let damaged = BLOCK_SIZE..2 * BLOCK_SIZE;
    // The damage may be found before the rest of the block comes, which then need not be written again.
    let Finish::Missing(missing) = writer.finish(|_, _| panic!("published")).unwrap() else {
        panic!("the damage was not found");
    };
    assert!(missing.iter().all(|range| damaged.start <= range.start && range.end <= damaged.end));
    write_missing(&writer, &bytes);
    finish(&store, &writer, &bytes);
}

#[test]
fn a_blob_known_by_its_git_sha1_gets_its_sha256_as_name() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(8, 2 << 20);
    let expected = Digest::GitSha1(support::git_sha1(&bytes));
    let store = open(folder.path());
    for round in 0..2 {
        let lease = store.try_lease(&expected.blob_name()).unwrap().unwrap();
        let writer = store.writer(lease, bytes.len() as u64, expected).unwrap();
        write_missing(&writer, &bytes);
        let mut published = None;
        let outcome = writer.finish(|_, name| {
            published = Some(name);
            Ok(())
        });
        assert_eq!(outcome.unwrap(), Finish::Complete(BlobName::of(&bytes)), "round {round}");
        assert_eq!(published, Some(BlobName::of(&bytes)), "round {round}");
        assert_eq!(store.blob(&expected.blob_name()).unwrap(), None, "round {round}");
        assert!(bytes_on_disk(&store, &BlobName::of(&bytes)) == bytes, "round {round}");
    }
}

#[test]
fn a_wrong_git_sha1_names_what_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, wrong) = (content(9, 1 << 20), content(10, 1 << 20));
    let expected = Digest::GitSha1(support::git_sha1(&bytes));
    let store = open(folder.path());
    let lease = store.try_lease(&expected.blob_name()).unwrap().unwrap();
    let writer = store.writer(lease, bytes.len() as u64, expected).unwrap();
    write_missing(&writer, &wrong);
    let actual = Digest::GitSha1(support::git_sha1(&wrong));
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Mismatch { expected, actual });
}

#[test]
fn bytes_in_memory_are_stored_inline_or_in_chunks_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for size in [0, 1, 65_535, 65_536, 5 << 20] {
        let bytes = content(11, size);
        let name = BlobName::of(&bytes);
        for expected in [Digest::Sha256(name.0), Digest::GitSha1(support::git_sha1(&bytes))] {
            let published = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&published);
            let outcome = store.put_bytes(&bytes, &expected, move |_, published_as| {
                assert_eq!(published_as, name);
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            assert_eq!(outcome.unwrap(), PutOutcome::Complete(name), "{size} bytes");
            assert_eq!(published.load(Ordering::Relaxed), 1, "{size} bytes");
        }
        let record = store.read(|t| t.get::<Blobs>(&Key::blob(&name))).unwrap().unwrap();
        assert_eq!(record.state == BlobState::Inline, size < 65_536, "{size} bytes");
        assert!(bytes_on_disk(&store, &name) == bytes, "{size} bytes");
    }
}

#[test]
fn wrong_bytes_in_memory_are_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(12, 1000);
    let expected = Digest::Sha256([1; 32]);
    let outcome = store.put_bytes(&bytes, &expected, |_, _| panic!("published")).unwrap();
    assert_eq!(outcome, PutOutcome::Mismatch { expected, actual: Digest::Sha256(sha256(&bytes)) });
    assert_eq!(store.blob(&BlobName::of(&bytes)).unwrap(), None);
}

#[test]
fn a_failed_publish_leaves_the_blob_partial_and_finish_can_be_called_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(13, 1 << 20);
    let name = BlobName::of(&bytes);
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &bytes);
    let stop = StorageError::Corrupt { what: "test".to_owned(), reason: "stop".to_owned() };
    assert!(writer.finish(|_, _| Err(stop)).is_err());
    assert!(!store.blob(&name).unwrap().unwrap().complete);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(name));
    assert!(writer.write(0, &bytes[..10]).is_err(), "a complete blob was written to");
    assert!(store.blob(&name).unwrap().unwrap().complete);
}

#[test]
fn a_complete_blob_needs_nothing_and_is_only_published() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(14, 1 << 20);
    let name = BlobName::of(&bytes);
    assert!(!store.publish_existing(&name, |_, _| panic!("published")).unwrap());
    store.put_bytes(&bytes, &Digest::Sha256(name.0), no_publish).unwrap();
    let mut published = 0;
    assert!(
        store
            .publish_existing(&name, |_, _| {
                published += 1;
                Ok(())
            })
            .unwrap()
    );
    let writer = writer_for(&store, &bytes);
    assert_eq!((writer.missing(), writer.written()), (vec![], bytes.len() as u64));
    let outcome = writer.finish(|_, _| {
        published += 1;
        Ok(())
    });
    assert_eq!(outcome.unwrap(), Finish::Complete(name));
    assert_eq!(published, 2);
}

#[test]
fn a_partial_blob_of_another_size_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(15, 1 << 20);
    let name = BlobName::of(&bytes);
    let lease = store.try_lease(&name).unwrap().unwrap();
    let writer = store.writer(lease, 2 << 20, Digest::Sha256(name.0)).unwrap();
    writer.write(0, &bytes).unwrap();
    drop(writer);
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.resumed_from(), 0);
    write_missing(&writer, &bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(name));
}

#[test]
fn an_abandoned_blob_is_gone_and_a_complete_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(16, 1 << 20);
    let name = BlobName::of(&bytes);
    drop(writer_for(&store, &bytes));
    assert!(store.abandon(store.try_lease(&name).unwrap().unwrap()).unwrap());
    assert_eq!(store.blob(&name).unwrap(), None);
    assert!(!store.abandon(store.try_lease(&name).unwrap().unwrap()).unwrap());
    store.put_bytes(&bytes, &Digest::Sha256(name.0), no_publish).unwrap();
    assert!(!store.abandon(store.try_lease(&name).unwrap().unwrap()).unwrap());
    assert!(store.blob(&name).unwrap().unwrap().complete);
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(17, 1 << 20);
    let writer = writer_for(&store, &bytes);
    assert!(matches!(writer.write(1 << 20, &[1]), Err(StorageError::InvalidArgument { .. })));
    assert!(matches!(writer.write(u64::MAX, &[1]), Err(StorageError::InvalidArgument { .. })));
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Missing(vec![0..1 << 20]));
    let lease = store.try_lease(&BlobName([1; 32])).unwrap().unwrap();
    let other = store.writer(lease, 1 << 20, Digest::Sha256([2; 32]));
    assert!(matches!(other, Err(StorageError::InvalidArgument { .. })));
}
