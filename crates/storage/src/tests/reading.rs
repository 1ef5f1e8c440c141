//! Readers, views and copies.

use std::sync::Arc;

use super::fixture::{Content, add, add_inline, delete_chunks, evict, new_store, publish, reserve, write};
use crate::digest::BlobName;
use crate::error::StorageError;
use crate::key::Key;
use crate::layout::{BLOCK_SIZE, CHUNK_SIZE};
use crate::platform;
use crate::table::Blobs;

const MIB: u64 = 1 << 20;

#[test]
fn a_view_shows_the_bytes_of_a_full_chunk_and_an_odd_tail() {
    let (_folder, store) = new_store();
    let content = Content::dense(1, CHUNK_SIZE + 3 * MIB + 17);
    add(&store, &content);
    let view = store.reader(&content.name()).unwrap().unwrap().map().unwrap();
    assert!(view.zero_copy());
    assert_eq!(view.len() as u64, content.size);
    assert!(view[..] == content.bytes(0..content.size)[..], "the bytes differ");
    assert_eq!(view.as_ptr().addr() as u64 % platform::page_size(), 0);
}

#[test]
fn a_view_of_three_chunks_has_right_seams() {
    let (_folder, store) = new_store();
    let content = Content::sparse(2, 2 * CHUNK_SIZE + 70 * MIB + 1);
    add(&store, &content);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    let view = reader.map().unwrap();
    for seam in [0, CHUNK_SIZE, 2 * CHUNK_SIZE, content.size] {
        let around = seam.saturating_sub(MIB)..content.size.min(seam + MIB);
        let shown = &view[usize::try_from(around.start).unwrap()..usize::try_from(around.end).unwrap()];
        assert!(*shown == content.bytes(around.clone())[..], "around {seam}");
        assert!(reader.copy(around.clone()).unwrap() == content.bytes(around), "copied around {seam}");
    }
    reader.verify(0..content.size).unwrap();
}

#[test]
fn windows_show_any_range_and_nothing_past_the_end() {
    let (_folder, store) = new_store();
    let content = Content::dense(3, CHUNK_SIZE + 100_001);
    add(&store, &content);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    for range in [
        0..1,
        4095..4097,
        CHUNK_SIZE - 5..CHUNK_SIZE + 5,
        CHUNK_SIZE - 70_000..content.size,
        CHUNK_SIZE..CHUNK_SIZE + 64,
        content.size - 1..content.size + 50,
    ] {
        let window = reader.window(range.clone()).unwrap();
        let expected = content.bytes(range.start..range.end.min(content.size));
        assert_eq!(window.to_vec(), expected, "window {range:?}");
        assert!(window.zero_copy());
        assert_eq!(reader.copy(range.clone()).unwrap(), expected, "copy {range:?}");
        assert_eq!(window.as_ptr().addr() as u64 % 64, range.start % 64, "alignment of {range:?}");
    }
    assert!(reader.window(content.size..content.size + 9).unwrap().is_empty());
    assert!(reader.window(7..7).unwrap().is_empty());
}

#[test]
fn inline_and_empty_blobs_are_copied_out() {
    let (_folder, store) = new_store();
    for bytes in [&b""[..], b"{\"model_type\":\"tiny\"}"] {
        let name = BlobName::of(bytes);
        add_inline(&store, &name, bytes);
        let reader = store.reader(&name).unwrap().unwrap();
        let view = reader.map().unwrap();
        assert_eq!((&view[..], view.zero_copy()), (bytes, false));
        assert!(Arc::ptr_eq(&view, &reader.map().unwrap()));
        let end = bytes.len().min(7);
        assert_eq!(reader.window(2..7).unwrap().to_vec(), bytes[end.min(2)..end]);
        assert_eq!(reader.copy(0..99).unwrap(), bytes);
        assert_eq!(reader.extents(), Vec::new());
        reader.verify(0..u64::MAX).unwrap();
    }
}

#[test]
fn a_damaged_inline_blob_is_found() {
    let (_folder, store) = new_store();
    let name = BlobName::of(b"right");
    add_inline(&store, &name, b"wrong");
    let refused = store.reader(&name).unwrap().unwrap().verify(0..1);
    assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "{refused:?}");
}

#[test]
fn absent_and_partial_blobs_have_no_reader() {
    let (_folder, store) = new_store();
    let content = Content::dense(4, MIB);
    assert!(store.reader(&content.name()).unwrap().is_none());
    add(&store, &content);
    store
        .write(|t| {
            let key = Key::blob(&content.name());
            let mut record = t.get::<Blobs>(&key)?.unwrap();
            record.state = crate::BlobState::Partial;
            t.put::<Blobs>(&key, &record)
        })
        .unwrap();
    assert!(store.reader(&content.name()).unwrap().is_none());
}

#[test]
fn one_reader_and_one_mapping_are_shared() {
    let (_folder, store) = new_store();
    let content = Content::dense(5, MIB);
    add(&store, &content);
    let a = store.reader(&content.name()).unwrap().unwrap();
    let b = store.reader(&content.name()).unwrap().unwrap();
    assert!(Arc::ptr_eq(&a, &b));
    let (first, second) = (a.map().unwrap(), b.map().unwrap());
    assert!(Arc::ptr_eq(&first, &second));
}

#[test]
fn a_blob_stored_again_gets_a_reader_of_its_own() {
    let (_folder, store) = new_store();
    let content = Content::dense(6, MIB);
    let incarnation = add(&store, &content);
    let old = store.reader(&content.name()).unwrap().unwrap();
    evict(&store, &content, &incarnation);
    assert!(store.reader(&content.name()).unwrap().is_none());
    let other = Content { seed: 6, size: 2 * MIB, sparse: false };
    add(&store, &other);
    let new = store.reader(&content.name()).unwrap().unwrap();
    assert!(!Arc::ptr_eq(&old, &new));
    assert_eq!(old.map().unwrap().to_vec(), content.bytes(0..MIB));
    assert_eq!(new.map().unwrap().to_vec(), other.bytes(0..2 * MIB));
}

#[test]
fn a_write_into_a_view_reaches_neither_the_store_nor_another_view() {
    let (_folder, store) = new_store();
    let content = Content::dense(7, MIB + 5);
    add(&store, &content);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    let (view, other) = (reader.map().unwrap(), reader.window(0..content.size).unwrap());
    super::poke(&view, 4_096, 0xEE);
    assert_ne!(content.bytes(4_096..4_097), [0xEE]);
    assert_eq!(view[4_096], 0xEE);
    assert_eq!(other[..], content.bytes(0..content.size));
    assert_eq!(reader.copy(0..content.size).unwrap(), content.bytes(0..content.size));
    reader.verify(0..content.size).unwrap();
}

#[test]
fn a_loaded_blob_is_a_copy_of_its_own() {
    let (_folder, store) = new_store();
    let content = Content::dense(8, MIB + 5);
    add(&store, &content);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    let (a, b) = (reader.load().unwrap(), reader.load().unwrap());
    super::poke(&a, 9, 0xEE);
    assert!(!a.zero_copy());
    assert_eq!(a[9], 0xEE);
    assert_eq!(b[..], content.bytes(0..content.size));
    assert_eq!(a.as_ptr().addr() % 64, 0);
}

#[test]
fn a_damaged_block_is_found_and_named_and_the_others_are_fine() {
    let (_folder, store) = new_store();
    let content = Content::dense(9, 3 * BLOCK_SIZE + 10);
    let incarnation = add(&store, &content);
    let damaged = BLOCK_SIZE + 1234;
    let byte = content.bytes(damaged..damaged + 1)[0] ^ 1;
    write(&store, &incarnation, content.size, damaged, &[byte]);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    reader.verify(0..BLOCK_SIZE).unwrap();
    reader.verify(2 * BLOCK_SIZE..content.size).unwrap();
    let message = reader.verify(BLOCK_SIZE..BLOCK_SIZE + 1).unwrap_err().to_string();
    let expected = crate::block::crc32c(&content.bytes(BLOCK_SIZE..2 * BLOCK_SIZE));
    for part in [content.name().to_hex(), format!("offset {BLOCK_SIZE} "), format!("expected {expected:08x}")]
    {
        assert!(message.contains(&part), "{message}");
    }
    write(&store, &incarnation, content.size, damaged, &content.bytes(damaged..damaged + 1));
    reader.verify(0..content.size).unwrap();
}

#[test]
fn of_many_damaged_blocks_the_first_is_told_whoever_finds_it() {
    let (_folder, store) = new_store();
    let content = Content::dense(31, 60 * MIB);
    let incarnation = add(&store, &content);
    for at in [13 * MIB, 29 * MIB, 55 * MIB] {
        write(&store, &incarnation, content.size, at, &[!content.bytes(at..at + 1)[0]]);
    }
    let reader = store.reader(&content.name()).unwrap().unwrap();
    for _ in 0..3 {
        let message = reader.verify(0..content.size).unwrap_err().to_string();
        assert!(message.contains(&format!("at offset {}", 3 * BLOCK_SIZE)), "{message}");
    }
    reader.verify(0..12 * MIB).unwrap();
    reader.verify(32 * MIB..52 * MIB).unwrap();
}

#[test]
fn a_block_is_checked_once_per_reader() {
    let (_folder, store) = new_store();
    let content = Content::dense(10, BLOCK_SIZE + 10);
    let incarnation = add(&store, &content);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    reader.verify(0..1).unwrap();
    write(&store, &incarnation, content.size, 0, &[!content.bytes(0..1)[0]]);
    reader.verify(0..content.size).unwrap();
    drop(reader);
    assert!(store.reader(&content.name()).unwrap().unwrap().verify(0..1).is_err());
}

#[test]
fn extents_are_readable_by_a_plain_file_read() {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let (_folder, store) = new_store();
    let content = Content::sparse(11, CHUNK_SIZE + 5 * MIB + 3);
    add(&store, &content);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    let extents = reader.extents();
    assert_eq!(extents.iter().map(|extent| extent.length).sum::<u64>(), content.size);
    let mut bytes = Vec::new();
    for extent in &extents {
        let mut file = std::fs::File::open(&extent.path).unwrap();
        file.seek(SeekFrom::Start(extent.offset)).unwrap();
        file.take(extent.length).read_to_end(&mut bytes).unwrap();
    }
    assert!(bytes == content.bytes(0..content.size), "the bytes differ");
}

/// Between the look-up in M and the one in C another process removes the blob and stores it again, or begins to.
#[test]
fn a_blob_replaced_between_both_look_ups_is_never_served_wrong() {
    let (_folder, store) = new_store();
    let content = Content::dense(12, 2 * MIB);
    let old = add(&store, &content);
    let mut first = true;
    let reader = store.reader_between(&content.name(), || {
        if std::mem::take(&mut first) {
            evict(&store, &content, &old);
            // The space is reused by other bytes first: what the old record points to is wrong now.
            add(&store, &Content::dense(13, 2 * MIB));
            add(&store, &content);
        }
    });
    let view = reader.unwrap().unwrap().map().unwrap();
    assert_eq!(view.to_vec(), content.bytes(0..content.size));
}

#[test]
fn a_blob_being_fetched_again_has_no_reader() {
    let (_folder, store) = new_store();
    let content = Content::dense(14, 2 * MIB);
    let old = add(&store, &content);
    let mut first = true;
    let reader = store.reader_between(&content.name(), || {
        if std::mem::take(&mut first) {
            evict(&store, &content, &old);
            reserve(&store, content.size);
        }
    });
    assert!(reader.unwrap().is_none());
}

#[test]
fn chunks_that_stay_missing_are_corruption_after_three_attempts() {
    let (_folder, store) = new_store();
    let content = Content::dense(15, 2 * MIB);
    let incarnation = add(&store, &content);
    delete_chunks(&store, &incarnation, content.size);
    let mut attempts = 0;
    let refused = store.reader_between(&content.name(), || attempts += 1);
    assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "{refused:?}");
    assert_eq!(attempts, 3);
    let again = reserve(&store, content.size);
    publish(&store, &content, &again);
    assert!(store.reader(&content.name()).unwrap().is_some());
}

#[test]
fn opening_records_the_last_use() {
    let (_folder, store) = new_store();
    let content = Content::dense(16, MIB);
    add(&store, &content);
    let last_use = || store.read(|t| t.get::<Blobs>(&Key::blob(&content.name()))).unwrap().unwrap();
    assert_eq!(last_use().last_use_ms, 0);
    let reader = store.reader(&content.name()).unwrap().unwrap();
    store.record_uses().unwrap();
    let recorded = last_use();
    assert!(recorded.last_use_ms > 0);
    assert_eq!(recorded.segments.len(), 1);
    drop(reader);
    drop(store.reader(&content.name()).unwrap().unwrap());
    store.record_uses().unwrap();
    assert_eq!(last_use(), recorded, "recorded again within a minute");
}
