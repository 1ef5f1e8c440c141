//! Partial blobs that nobody goes on with.

use std::time::Duration;

use super::fixture::{self, Content, add, new_store};
use crate::digest::{BlobName, Digest, Incarnation};
use crate::key::Key;
use crate::partial::StalePartial;
use crate::store::Store;
use crate::table::Blobs;
use crate::writer::BlobWriter;

const MIB: u64 = 1 << 20;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn writer(store: &std::sync::Arc<Store>, name: BlobName) -> BlobWriter {
    let lease = store.try_lease(&name).unwrap().unwrap();
    store.writer(lease, 5 * MIB, Digest::Sha256(name.0)).unwrap()
}

/// Makes the blob's last write older.
fn age(store: &Store, name: &BlobName, by: Duration) {
    let key = Key::blob(name);
    store
        .write(|t| {
            let mut record = t.get::<Blobs>(&key)?.unwrap();
            record.last_use_ms -= u64::try_from(by.as_millis()).unwrap();
            t.put::<Blobs>(&key, &record)
        })
        .unwrap();
}

#[test]
fn only_old_partials_without_a_writer_are_stale() {
    let (_folder, store) = new_store();
    add(&store, &Content::dense(1, MIB));
    let [fresh, old, written] = [2, 3, 4].map(|n| BlobName([n; 32]));
    for name in [fresh, old] {
        writer(&store, name).write(0, &[7; 1000]).unwrap();
    }
    age(&store, &old, WEEK);
    let alive = writer(&store, written);
    age(&store, &written, WEEK);
    assert!(store.stale_partials(WEEK * 2).unwrap().is_empty());
    let stale = store.stale_partials(WEEK).unwrap();
    assert_eq!(stale, [StalePartial { name: old, downloaded: 1000, size: 5 * MIB }]);
    assert_eq!(store.stale_partials(Duration::ZERO).unwrap().len(), 2);
    assert_eq!(store.remove_partials(&stale, WEEK).unwrap().blobs, 1);
    assert!(store.blob(&old).unwrap().is_none());
    assert!(store.blob(&fresh).unwrap().is_some() && store.blob(&written).unwrap().is_some());
    assert_eq!(store.orphans().unwrap().count(), 1, "the complete blob, which no file uses");
    drop(alive);
}

#[test]
fn a_partial_that_somebody_took_up_again_stays() {
    let (_folder, store) = new_store();
    let name = BlobName([5; 32]);
    writer(&store, name).write(0, &[7; 1000]).unwrap();
    age(&store, &name, WEEK);
    let stale = store.stale_partials(WEEK).unwrap();
    let again = writer(&store, name);
    again.write(2 * MIB, &[8; 1000]).unwrap();
    let busy = store.remove_partials(&stale, WEEK).unwrap();
    assert_eq!((busy.blobs, busy.busy), (0, vec![name]));
    drop(again);
    assert_eq!(store.remove_partials(&stale, WEEK).unwrap().blobs, 0);
    assert_eq!(store.blob(&name).unwrap().unwrap().downloaded, 2000);
}

#[test]
fn what_is_recorded_is_read_while_others_write_and_never_when_it_is_damaged() {
    let (_folder, store) = new_store();
    let name = BlobName([5; 32]);
    assert!(store.read_recorded(&name, 0..10).unwrap().is_empty());
    let writing = writer(&store, name);
    writing.write(0, &vec![1; 100_000]).unwrap();
    // Over the seam of two blocks, and with a gap behind it.
    writing.write(4 * MIB - 1000, &[2; 2000]).unwrap();
    writing.checkpoint().unwrap();
    writing.write(200_000, &[3; 1000]).unwrap();
    let read = |range| store.read_recorded(&name, range).unwrap();
    assert_eq!(read(10..20), [1; 10]);
    assert_eq!(read(99_990..200_000), [1; 10]);
    assert_eq!(read(4 * MIB - 500..4 * MIB + 500), [2; 1000]);
    assert!(read(100_000..100_010).is_empty());
    drop(writing);
    assert_eq!(read(200_000..300_000), [3; 1000]);

    let record = store.read(|t| t.get::<Blobs>(&Key::blob(&name))).unwrap().unwrap();
    fixture::write(&store, &Incarnation(record.incarnation), 5 * MIB, 50_000, &[9]);
    assert!(read(10..20).is_empty(), "the checksum is of the whole segment");
    assert_eq!(read(4 * MIB..4 * MIB + 5), [2; 5]);
}
