//! A store of a format that this version does not know.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use support::{content, no_publish, open, write_missing, writer_for};
use tabagent_storage::{FormatRecord, Formats, Key, StorageError, StorageRegistry, StoreOptions};

/// Every file of the store with its bytes, but for libmdbx's own lock files: whoever looks at a store takes a place in them.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(files(&path));
        } else if path.file_name().unwrap() != "mdbx.lck" {
            // C is a quarter of a GiB, nearly all of it a hole.
            let bytes = fs::read(&path).unwrap();
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            let length = bytes.len() as u64;
            let mut kept = bytes.get(..end).unwrap_or_default().to_vec();
            kept.extend(length.to_le_bytes());
            found.insert(path, kept);
        }
    }
    found
}

#[test]
fn a_newer_format_is_refused_and_not_a_byte_of_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(1, 100_000);
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &bytes);
    writer.finish(no_publish).unwrap();
    drop(writer);
    store.write(|t| t.put::<Formats>(&Key::format(), &FormatRecord { format: 2 })).unwrap();
    drop(store);
    let root = folder.path().join("store");
    // A later version may not have this folder at all.
    fs::remove_dir_all(root.join("locks")).unwrap();
    let before = files(&root);
    assert!(before.len() >= 4);
    for read_only in [false, true, false] {
        let refused = StorageRegistry::new(folder.path()).open("store".as_ref(), StoreOptions { read_only });
        let error = refused.unwrap_err();
        assert!(matches!(error, StorageError::VersionMismatch { .. }), "{error}");
        assert!(error.to_string().contains("format 2"), "{error}");
        assert!(files(&root) == before, "the store was changed, read-only: {read_only}");
    }
}
