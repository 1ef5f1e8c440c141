//! A full file system: an error with the figures, no signal, nothing complete lost, and on it goes when there is room.
//!
//! The file system is a loop mount, for which the system must let this test mount (root). Elsewhere the test says so and ends.
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing unwrap is a failing test"
)]

mod support;

use std::time::Duration;

use support::disk::SmallDisk;
use support::{bytes_on_disk, content, no_publish, open, write_missing, writer_for};
use tabagent_storage::{BlobName, Digest, Finish, StorageError, StorageRegistry, StoreOptions};

const MIB: usize = 1 << 20;

fn no_space<T: std::fmt::Debug>(outcome: Result<T, StorageError>) -> (u64, u64) {
    match outcome {
        Err(StorageError::NoSpace { needed, available, .. }) => (needed, available),
        other => panic!("not a full disk: {other:?}"),
    }
}

#[test]
fn a_full_disk_is_an_error_and_writing_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("ext4", 1024) else {
        println!("not run: this system does not let the test mount a small file system");
        return;
    };
    let store = open(&disk.mounted);
    let (complete, begun, new) = (content(1, 30 * MIB), content(2, 60 * MIB), content(3, 40 * MIB));
    store.put_bytes(&complete, &Digest::Sha256(support::sha256(&complete)), no_publish).unwrap();
    let writer = writer_for(&store, &begun);
    writer.write(0, &begun[..10 * MIB]).unwrap();
    writer.checkpoint().unwrap();
    drop((writer, store));

    // The first to open the store gives the unused end of its data file back to the disk, which is then filled.
    let store = open(&disk.mounted);
    let filler = disk.fill();
    let name = BlobName::of(&new);
    let lease = store.try_lease(&name).unwrap().unwrap();
    let (needed, available) = no_space(store.writer(lease, new.len() as u64, Digest::Sha256(name.0)));
    assert!(needed > new.len() as u64 && available < MIB as u64, "{needed} needed, {available} available");
    no_space(store.check_room(1));
    assert_eq!(store.blob(&name).unwrap(), None);

    // What was reserved has its room: its bytes can be written to the full disk.
    let writer = writer_for(&store, &begun);
    assert_eq!(writer.resumed_from(), 10 * MIB as u64);
    write_missing(&writer, &begun);
    assert_eq!(writer.missing(), []);
    assert!(bytes_on_disk(&store, &BlobName::of(&complete)) == complete);

    std::fs::remove_file(filler).unwrap();
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(BlobName::of(&begun)));
    let writer = writer_for(&store, &new);
    write_missing(&writer, &new);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(name));
    for bytes in [complete, begun, new] {
        assert!(bytes_on_disk(&store, &BlobName::of(&bytes)) == bytes);
    }
}

#[test]
fn a_file_larger_than_the_disk_changes_nothing() {
    let Some(disk) = SmallDisk::mount("ext4", 512) else {
        println!("not run: this system does not let the test mount a small file system");
        return;
    };
    let store = open(&disk.mounted);
    let name = BlobName([1; 32]);
    for _ in 0..2 {
        let lease = store.try_lease(&name).unwrap().unwrap();
        let (needed, available) = no_space(store.writer(lease, 2 << 30, Digest::Sha256(name.0)));
        assert!(needed > 2 << 30 && available > 100 * MIB as u64, "{needed} needed, {available} available");
        assert_eq!(store.blob(&name).unwrap(), None);
    }
}

/// A store on a disk without a free block: it opens, what is complete is read, and removing gives the disk its room back.
fn open_on_a_full_disk(kind: &str) {
    let Some(disk) = SmallDisk::mount(kind, 700) else {
        println!("not run on {kind}: this system does not let the test mount a small file system");
        return;
    };
    let store = open(&disk.mounted);
    let (complete, begun, piece) = (content(1, 30 * MIB), content(2, 60 * MIB), content(2, MIB));
    store.put_bytes(&complete, &Digest::Sha256(support::sha256(&complete)), no_publish).unwrap();
    let writer = writer_for(&store, &begun);
    writer.write(0, &piece).unwrap();
    drop((writer, store));
    disk.fill();
    let store = open(&disk.mounted);
    assert!(bytes_on_disk(&store, &BlobName::of(&complete)) == complete);
    let partials = store.stale_partials(Duration::ZERO).unwrap();
    assert_eq!(store.remove_partials(&partials, Duration::ZERO).unwrap().blobs, 1, "on {kind}");
    let freed = store.remove_blobs(&[BlobName::of(&complete)]).unwrap();
    assert!(freed.blobs == 1 && freed.freed >= 30 * MIB as u64, "on {kind}: {freed:?}");
    disk.fill();
    no_space(store.check_tree_room());
    let new = StorageRegistry::new(&disk.mounted);
    no_space(new.open("new".as_ref(), StoreOptions::default()));
}

#[test]
fn a_full_ext4_is_opened_and_gets_its_room_back() {
    open_on_a_full_disk("ext4");
}

#[test]
fn a_full_xfs_is_opened_and_gets_its_room_back() {
    open_on_a_full_disk("xfs");
}

#[test]
fn a_full_btrfs_is_opened_and_gets_its_room_back() {
    open_on_a_full_disk("btrfs");
}

/// Room is not taken twice: once at the end of the file and once where the chunks come to lie.
#[test]
fn chunks_that_replace_removed_ones_need_no_more_disk() {
    let Some(disk) = SmallDisk::mount("ext4", 1024) else {
        println!("not run: this system does not let the test mount a small file system");
        return;
    };
    let store = open(&disk.mounted);
    let mut used = Vec::new();
    for seed in 10..16 {
        let bytes = content(seed, 150 * MIB);
        let name = BlobName::of(&bytes);
        store.put_bytes(&bytes, &Digest::Sha256(name.0), no_publish).unwrap();
        used.push(store.usage().unwrap().disk_bytes);
        assert_eq!(store.remove_blobs(&[name]).unwrap().blobs, 1);
    }
    let (first, last) = (used[0], used[used.len() - 1]);
    assert!(last <= first + 32 * MIB as u64, "disk used: {used:?}");
}
