//! A writer that wants a few ranges only leaves the disk the room of the others, and the next one takes it again.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing unwrap is a failing test"
)]

mod support;

use std::sync::Arc;

use support::disk::SmallDisk;
use support::{bytes_on_disk, content, no_publish, open, write_missing, writer_for};
use tabagent_storage::{BlobName, Digest, Finish, StorageError, Store};

const MIB: usize = 1 << 20;
const SIZE: usize = 250 * MIB;
const HERE: std::ops::Range<usize> = 90 * MIB..120 * MIB + 1;

/// A partial blob that has the bytes of `HERE`, over the seam of two chunks, and room for no others.
fn begin(store: &Arc<Store>, bytes: &[u8]) {
    let writer = writer_for(store, bytes);
    writer.yield_room();
    writer.write(HERE.start as u64, &bytes[HERE]).unwrap();
    assert!(store.usage().unwrap().disk_bytes > SIZE as u64, "while it writes it has room for all");
}

fn on_disk(store: &Store) -> usize {
    usize::try_from(store.usage().unwrap().disk_bytes).unwrap()
}

#[test]
fn a_reservation_without_room_is_gone_on_with_and_gets_its_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(1, SIZE);
    begin(&store, &bytes);
    let left = on_disk(&store);
    assert!((HERE.len()..HERE.len() + 8 * MIB).contains(&left), "{left} bytes on the disk");
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.resumed_from(), HERE.len() as u64);
    assert!(on_disk(&store) > SIZE);
    write_missing(&writer, &bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(BlobName::of(&bytes)));
    assert!(bytes_on_disk(&store, &BlobName::of(&bytes)) == bytes);
}

#[test]
fn where_the_room_is_not_there_any_more_nothing_of_what_came_is_lost() {
    let Some(disk) = SmallDisk::mount("ext4", 1024) else {
        println!("not run: this system does not let the test mount a small file system");
        return;
    };
    let store = open(&disk.mounted);
    let bytes = content(1, SIZE);
    begin(&store, &bytes);
    let filler = disk.fill();
    let name = BlobName::of(&bytes);
    for _ in 0..2 {
        let lease = store.try_lease(&name).unwrap().unwrap();
        let refused = store.writer(lease, SIZE as u64, Digest::Sha256(name.0)).unwrap_err();
        assert!(matches!(refused, StorageError::NoSpace { .. }), "{refused}");
    }
    std::fs::remove_file(filler).unwrap();
    let writer = writer_for(&store, &bytes);
    assert_eq!(writer.resumed_from(), HERE.len() as u64);
    write_missing(&writer, &bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(name));
    assert!(bytes_on_disk(&store, &name) == bytes);
}
