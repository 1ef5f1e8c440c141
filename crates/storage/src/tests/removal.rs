//! Removing blobs and giving their space back.

use std::os::unix::fs::MetadataExt as _;

use super::child::Peer;
use super::fixture::{Content, add, add_inline, new_store, open, reserve};
use crate::digest::BlobName;
use crate::key::Key;
use crate::record::{BlobRecord, BlobState, UseRecord};
use crate::scope::{EndpointId, RepoScope};
use crate::store::Store;
use crate::table::{Blobs, Inlines, Uses};

const MIB: u64 = 1 << 20;

fn problems(store: &Store) -> usize {
    crate::raw::problems(store.chunks.environment().unwrap())
}

#[test]
fn a_removed_blob_is_gone_and_its_space_is_given_back() {
    let (_folder, store) = new_store();
    let (kept, removed) = (Content::dense(1, 3 * MIB), Content::dense(2, 20 * MIB));
    add(&store, &kept);
    let incarnation = add(&store, &removed);
    let before = store.usage().unwrap();
    assert_eq!((before.blobs, before.bytes), (2, 23 * MIB));
    let freed = store.remove_blobs(&[removed.name()]).unwrap();
    assert_eq!((freed.blobs, freed.busy.len()), (1, 0));
    assert!(freed.freed >= 20 * MIB, "{freed:?}");
    assert!(store.blob(&removed.name()).unwrap().is_none());
    assert!(store.snapshot().unwrap().runs(&incarnation, removed.size).unwrap().is_none());
    let after = store.usage().unwrap();
    assert_eq!((after.blobs, after.bytes, after.readers, after.views), (1, 3 * MIB, 0, 0));
    assert!(after.disk_bytes + freed.freed <= before.disk_bytes + MIB, "{before:?} {after:?}");
    assert_eq!(freed.reusable, after.reusable);
    assert_eq!(problems(&store), 0);
}

#[test]
fn opening_a_store_takes_no_room_that_removals_gave_back() {
    let (folder, store) = new_store();
    let (kept, removed) = (Content::dense(1, 3 * MIB), Content::dense(2, 60 * MIB));
    add(&store, &removed);
    add(&store, &kept);
    store.remove_blobs(&[removed.name()]).unwrap();
    drop(store);
    let on_disk =
        || folder.path().join("store/model_cache_chunks/mdbx.dat").metadata().unwrap().blocks() * 512;
    drop(open(folder.path()));
    let left = on_disk();
    assert!(left <= kept.size + MIB, "{left} bytes: is libmdbx built as .cargo/config.toml says?");
    let store = open(folder.path());
    let reader = store.reader(&kept.name()).unwrap().unwrap();
    assert!(reader.copy(0..kept.size).unwrap() == kept.bytes(0..kept.size));
}

#[test]
fn live_chunks_beside_punched_spans_stay_intact() {
    let (_folder, store) = new_store();
    let contents: Vec<Content> = (0..12).map(|seed| Content::dense(seed, 3 * MIB + seed * 70_001)).collect();
    for content in &contents {
        add(&store, content);
    }
    let (removed, kept): (Vec<Content>, Vec<Content>) =
        contents.iter().partition(|content| content.seed % 3 != 0);
    for content in &removed {
        assert_eq!(store.remove_blobs(&[content.name()]).unwrap().blobs, 1);
        for content in &kept {
            let reader = store.reader(&content.name()).unwrap().unwrap();
            reader.verify(0..content.size).unwrap();
            assert!(reader.copy(0..content.size).unwrap() == content.bytes(0..content.size), "{content:?}");
        }
        assert_eq!(problems(&store), 0);
    }
    for content in &removed {
        add(&store, content);
        store.reader(&content.name()).unwrap().unwrap().verify(0..content.size).unwrap();
    }
    assert_eq!(problems(&store), 0);
}

#[test]
fn a_blob_that_a_file_uses_stays() {
    let (_folder, store) = new_store();
    let content = Content::dense(1, MIB);
    add(&store, &content);
    let scope = RepoScope {
        endpoint: EndpointId::of("http://hub"),
        repo: "acme/tiny".to_owned(),
        commit: "a".repeat(40),
    };
    let key = Key::usage(&content.name(), &scope, "model.onnx");
    store.write(|t| t.put::<Uses>(&key, &UseRecord { path: "model.onnx".to_owned() })).unwrap();
    let freed = store.remove_blobs(&[content.name()]).unwrap();
    assert_eq!((freed.blobs, freed.busy.len()), (0, 0));
    store.reader(&content.name()).unwrap().unwrap().verify(0..MIB).unwrap();
    store.write(|t| t.delete::<Uses>(&key)).unwrap();
    assert_eq!(store.remove_blobs(&[content.name()]).unwrap().blobs, 1);
}

#[test]
fn a_leased_blob_is_busy_and_the_others_go() {
    let (_folder, store) = new_store();
    let (busy, other) = (Content::dense(1, MIB), Content::dense(2, MIB));
    add(&store, &busy);
    add(&store, &other);
    let lease = store.try_lease(&busy.name()).unwrap().unwrap();
    let freed = store.remove_blobs(&[busy.name(), other.name(), other.name()]).unwrap();
    assert_eq!((freed.blobs, &freed.busy[..]), (1, &[busy.name()][..]));
    drop(lease);
    assert_eq!(store.remove_blobs(&[busy.name()]).unwrap().blobs, 1);
    assert_eq!(store.usage().unwrap().blobs, 0);
}

#[test]
fn partial_and_inline_blobs_and_unknown_names() {
    let (_folder, store) = new_store();
    let small = BlobName::of(b"small");
    add_inline(&store, &small, b"small");
    let partial = Content::dense(3, 120 * MIB);
    let incarnation = reserve(&store, partial.size);
    let record = BlobRecord {
        state: BlobState::Partial,
        size: partial.size,
        incarnation: incarnation.0,
        segments: vec![crate::Segment { start: 0, length: 5, crc: 0 }],
        provisional: false,
        last_use_ms: 0,
    };
    store.write(|t| t.put::<Blobs>(&Key::blob(&partial.name()), &record)).unwrap();
    let usage = store.usage().unwrap();
    assert_eq!((usage.blobs, usage.bytes, usage.partial_bytes), (1, 5, 5));
    let status = store.blob(&partial.name()).unwrap().unwrap();
    assert_eq!((status.size, status.complete, status.downloaded), (120 * MIB, false, 5));
    let freed = store.remove_blobs(&[small, partial.name(), BlobName([9; 32])]).unwrap();
    assert_eq!(freed.blobs, 2);
    assert!(store.read(|t| t.get::<Inlines>(&Key::inline(&small))).unwrap().is_none());
    assert!(store.snapshot().unwrap().runs(&incarnation, partial.size).unwrap().is_none());
}

#[test]
fn the_space_of_a_viewed_blob_is_given_back_only_after_its_view_ended() {
    let (_folder, store) = new_store();
    let content = Content::dense(1, 20 * MIB);
    add(&store, &content);
    let view = store.reader(&content.name()).unwrap().unwrap().map().unwrap();
    let freed = store.remove_blobs(&[content.name()]).unwrap();
    assert_eq!(freed.blobs, 1);
    assert!(freed.freed < MIB && freed.reusable >= 19 * MIB, "{freed:?}");
    assert_eq!(store.release_space().unwrap(), 0);
    let usage = store.usage().unwrap();
    assert_eq!((usage.blobs, usage.readers, usage.views), (0, 1, 1));
    assert!(view[..] == content.bytes(0..content.size)[..], "the view changed");
    drop(view);
    assert!(store.release_space().unwrap() >= 20 * MIB);
    assert_eq!(problems(&store), 0);
}

#[test]
fn another_view_of_the_process_does_not_keep_the_space() {
    let (_folder, store) = new_store();
    let (viewed, removed) = (Content::dense(1, 2 * MIB), Content::dense(2, 20 * MIB));
    add(&store, &viewed);
    add(&store, &removed);
    let view = store.reader(&viewed.name()).unwrap().unwrap().map().unwrap();
    let freed = store.remove_blobs(&[removed.name()]).unwrap();
    assert!(freed.freed >= 20 * MIB, "{freed:?}");
    assert!(view[..] == viewed.bytes(0..viewed.size)[..], "the view changed");
}

#[test]
fn a_view_of_another_process_keeps_its_bytes_and_their_space() {
    let (folder, store) = new_store();
    let content = Content::dense(1, 20 * MIB);
    add(&store, &content);
    let mut peer = Peer::start(folder.path());
    peer.view(&content);
    let freed = store.remove_blobs(&[content.name()]).unwrap();
    assert!(freed.blobs == 1 && freed.freed < MIB, "{freed:?}");
    for seed in 2..6 {
        add(&store, &Content::dense(seed, 20 * MIB));
        store.remove_blobs(&[Content::dense(seed, 0).name()]).unwrap();
        peer.ask("check");
    }
    peer.ask("drop");
    assert!(store.release_space().unwrap() >= 20 * MIB);
    peer.finish();
    assert_eq!(problems(&store), 0);
}

#[test]
fn a_view_stays_right_while_another_process_removes_its_blob_and_reuses_its_space() {
    let (folder, store) = new_store();
    let content = Content::dense(1, 20 * MIB);
    add(&store, &content);
    let view = store.reader(&content.name()).unwrap().unwrap().map().unwrap();
    let mut peer = Peer::start(folder.path());
    peer.remove(&content);
    for seed in 2..6 {
        let other = Content::dense(seed, 20 * MIB);
        peer.add(&other);
        assert!(view[..] == content.bytes(0..content.size)[..], "the view changed after {seed} blobs");
        let reader = store.reader(&other.name()).unwrap().unwrap();
        reader.verify(0..other.size).unwrap();
        peer.remove(&other);
    }
    assert!(store.reader(&content.name()).unwrap().is_none());
    peer.finish();
}

#[test]
fn a_killed_reader_keeps_no_space() {
    let (folder, store) = new_store();
    let content = Content::dense(1, 20 * MIB);
    add(&store, &content);
    let mut peer = Peer::start(folder.path());
    peer.view(&content);
    let freed = store.remove_blobs(&[content.name()]).unwrap();
    assert!(freed.freed < MIB, "{freed:?}");
    peer.kill();
    assert!(store.release_space().unwrap() >= 20 * MIB);
}

#[test]
fn one_at_a_time_gives_space_back() {
    let (_folder, store) = new_store();
    let content = Content::dense(1, 5 * MIB);
    let incarnation = add(&store, &content);
    super::fixture::evict(&store, &content, &incarnation);
    let path = store.locks().join("maintenance");
    let held = crate::lock_file::LockFile::take(&path).unwrap().unwrap();
    assert_eq!(store.release_space().unwrap(), 0);
    held.remove();
    assert!(store.release_space().unwrap() >= 5 * MIB);
}
