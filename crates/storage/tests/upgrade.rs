//! Stores that earlier versions have left in `__test__/upgrade`, one for each format there was.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{bytes_on_disk, content, no_publish, open, write_missing, writer_for};
use tabagent_storage::{
    Aliases, BlobName, BlobState, Blobs, Files, Formats, Imports, Inlines, Key, Manifests, Quants, Refs,
    Store, Table, Uses,
};

fn archives() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../__test__/upgrade");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with(".tar.gz")).collect()
}

/// The readable records of a table.
fn records<T: Table>(store: &Store) -> Vec<T::Value> {
    let mut found = Vec::new();
    let all = Key::stored(b"");
    store
        .read(|t| {
            t.scan::<T>(&all, |_, record| {
                found.push(record);
                Ok(ControlFlow::Continue(()))
            })
        })
        .unwrap();
    found
}

#[test]
fn every_kind_of_record_of_every_format_is_read_and_added_to() {
    assert!(!archives().is_empty());
    for archive in archives() {
        let folder = tempfile::tempdir().unwrap();
        let tar = Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(folder.path()).status();
        assert!(tar.unwrap().success());
        let store = open(folder.path());
        assert_eq!(store.damaged_records().unwrap(), []);
        let counts = [
            records::<Formats>(&store).len(),
            records::<Inlines>(&store).len(),
            records::<Uses>(&store).len(),
            records::<Refs>(&store).len(),
            records::<Manifests>(&store).len(),
            records::<Imports>(&store).len(),
            records::<Quants>(&store).len(),
            records::<Aliases>(&store).len(),
        ];
        assert!(counts.iter().all(|count| *count > 0), "{}: {counts:?}", archive.display());
        let states: Vec<BlobState> = records::<Blobs>(&store).iter().map(|blob| blob.state).collect();
        for state in [BlobState::Partial, BlobState::Complete, BlobState::Inline] {
            assert!(states.contains(&state), "{}: no blob is {state:?}", archive.display());
        }
        for file in records::<Files>(&store) {
            assert!(BlobName::of(&bytes_on_disk(&store, &file.blob_name())) == file.blob_name());
        }
        let bytes = content(1, 200_000);
        let writer = writer_for(&store, &bytes);
        write_missing(&writer, &bytes);
        writer.finish(no_publish).unwrap();
        assert!(bytes_on_disk(&store, &BlobName::of(&bytes)) == bytes);
    }
}
