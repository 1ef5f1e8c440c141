//! Reading and removing what the public writer stored.

mod support;

use std::sync::Arc;

use support::{content, no_publish, open, write_missing, writer_for};
use tabagent_storage::{
    BlobName, CHUNK_SIZE, Digest, Finish, INLINE_LIMIT, StorageError, StorageRegistry, Store, StoreOptions,
};

#[expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
fn store_bytes(store: &Arc<Store>, bytes: &[u8]) -> BlobName {
    let writer = writer_for(store, bytes);
    write_missing(&writer, bytes);
    let name = BlobName::of(bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(name));
    name
}

#[test]
fn a_written_file_of_two_chunks_is_one_contiguous_view() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(1, usize::try_from(CHUNK_SIZE).unwrap() + 1_234_567);
    let name = store_bytes(&store, &bytes);
    let reader = store.reader(&name).unwrap().unwrap();
    let view = reader.map().unwrap();
    assert!(view.zero_copy());
    assert!(view[..] == bytes[..], "the bytes differ");
    reader.verify(0..reader.size()).unwrap();
    let usage = store.usage().unwrap();
    assert_eq!((usage.blobs, usage.bytes, usage.views), (1, bytes.len() as u64, 1));
}

#[test]
fn the_limit_between_inline_and_chunks_is_seen_only_by_zero_copy() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let limit = usize::try_from(INLINE_LIMIT).unwrap();
    for length in [0, 1, limit - 1, limit, limit + 1] {
        let bytes = content(2, length);
        let name = BlobName::of(&bytes);
        store.put_bytes(&bytes, &Digest::Sha256(name.0), no_publish).unwrap();
        let reader = store.reader(&name).unwrap().unwrap();
        let view = reader.map().unwrap();
        assert_eq!((&view[..], view.zero_copy()), (&bytes[..], length >= limit), "length {length}");
        assert_eq!(reader.extents().is_empty(), length < limit);
        reader.verify(0..reader.size()).unwrap();
    }
}

#[test]
fn a_store_opened_read_only_is_read_and_never_changed() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = content(3, 3_000_000);
    let name = store_bytes(&open(folder.path()), &bytes);
    let store =
        StorageRegistry::new(folder.path()).open("store".as_ref(), StoreOptions { read_only: true }).unwrap();
    assert!(store.is_read_only());
    let reader = store.reader(&name).unwrap().unwrap();
    assert!(reader.map().unwrap()[..] == bytes[..], "the bytes differ");
    reader.verify(0..reader.size()).unwrap();
    store.record_uses().unwrap();
    assert_eq!(store.refresh_pins().unwrap(), 0);
    assert_eq!(store.usage().unwrap().bytes, bytes.len() as u64);
    assert!(matches!(store.remove_blobs(&[name]), Err(StorageError::ReadOnly { .. })));
    assert!(matches!(store.release_space(), Err(StorageError::ReadOnly { .. })));
}

#[test]
fn a_removed_file_is_written_again_into_the_same_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(4, 20_000_000);
    let name = store_bytes(&store, &bytes);
    let view = store.reader(&name).unwrap().unwrap().map().unwrap();
    let freed = store.remove_blobs(&[name]).unwrap();
    assert_eq!((freed.blobs, freed.freed < 1 << 20), (1, true), "{freed:?}");
    store_bytes(&store, &bytes);
    let again = store.reader(&name).unwrap().unwrap().map().unwrap();
    assert!(view[..] == bytes[..] && again[..] == bytes[..], "the bytes differ");
    drop(view);
    assert!(store.release_space().unwrap() >= bytes.len() as u64);
    assert!(again[..] == bytes[..], "giving space back changed a view");
}

#[test]
fn a_blob_being_written_is_busy_for_a_removal() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(5, 5_000_000);
    let writer = writer_for(&store, &bytes);
    writer.write(0, &bytes[..1_000_000]).unwrap();
    let freed = store.remove_blobs(&[BlobName::of(&bytes)]).unwrap();
    assert_eq!((freed.blobs, &freed.busy[..]), (0, &[BlobName::of(&bytes)][..]));
    assert!(store.reader(&BlobName::of(&bytes)).unwrap().is_none());
    write_missing(&writer, &bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(BlobName::of(&bytes)));
}

#[test]
fn views_outlive_every_other_handle_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(6, 1_000_000);
    let name = store_bytes(&store, &bytes);
    let view = store.reader(&name).unwrap().unwrap().map().unwrap();
    drop(store);
    assert!(view[..] == bytes[..], "the bytes differ");
    assert!(Arc::ptr_eq(view.reader().store(), &open(folder.path())));
}

#[test]
fn large_payloads_and_their_views_begin_on_boundaries_of_a_mebibyte() {
    const MIB: u64 = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for (seed, length) in [(31, 16 * MIB - 1), (32, 16 * MIB), (33, CHUNK_SIZE + 17 * MIB)] {
        let bytes = content(seed, usize::try_from(length).unwrap());
        let writer = writer_for(&store, &bytes);
        write_missing(&writer, &bytes);
        writer.finish(no_publish).unwrap();
        let reader = store.reader(&BlobName::of(&bytes)).unwrap().unwrap();
        let first = reader.extents()[0].offset;
        let large = length >= 16 * MIB;
        assert!(!large || reader.extents().iter().all(|extent| extent.offset.is_multiple_of(MIB)));
        let view = reader.map().unwrap();
        assert!(view[..] == bytes[..]);
        assert!(!large || (view.as_mut_ptr() as u64).is_multiple_of(2 * MIB));
        let window = reader.window(5 * MIB + 70_000..9 * MIB).unwrap();
        assert!(window[..] == bytes[5 * (1 << 20) + 70_000..9 << 20]);
        let (address, offset) = (window.as_mut_ptr() as u64, first + 5 * MIB + 70_000);
        assert_eq!(address % MIB, offset % MIB);
    }
}
