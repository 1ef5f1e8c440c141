//! Opening, sharing and refusing stores.

use std::ops::ControlFlow;
use std::sync::Arc;

use tabagent_storage::{
    EndpointId, FileMetadata, Files, FormatRecord, Formats, Key, RepoScope, StorageError, StorageRegistry,
    StoreOptions,
};

fn file(path: &str) -> FileMetadata {
    FileMetadata { path: path.to_owned(), blob: [1; 32], size: 3, git_sha1: None, stored_at_ms: 5 }
}

fn scope() -> RepoScope {
    RepoScope { endpoint: EndpointId::of("http://hub"), repo: "acme/tiny".to_owned(), commit: "a".repeat(40) }
}

#[test]
fn one_path_is_one_store_in_a_process() {
    let folder = tempfile::tempdir().unwrap();
    let registry = StorageRegistry::new(folder.path());
    let a = registry.open("store".as_ref(), StoreOptions::default()).unwrap();
    let b = StorageRegistry::new("/").open(&folder.path().join("store"), StoreOptions::default()).unwrap();
    assert!(Arc::ptr_eq(&a, &b));
    drop((a, b));
    registry.open("store".as_ref(), StoreOptions { read_only: true }).unwrap();
}

#[test]
fn records_are_written_scanned_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap();
    store
        .write(|t| {
            t.put::<Files>(&Key::file(&scope(), "b"), &file("b"))?;
            t.put::<Files>(&Key::file(&scope(), "a"), &file("a"))
        })
        .unwrap();
    let mut paths = Vec::new();
    store
        .read(|t| {
            t.scan::<Files>(&Key::files(&scope()), |_, row| {
                paths.push(row.path);
                Ok(ControlFlow::Continue(()))
            })
        })
        .unwrap();
    assert_eq!(paths, ["a", "b"]);
    assert!(store.write(|t| t.delete::<Files>(&Key::file(&scope(), "a"))).unwrap());
    assert_eq!(store.read(|t| t.get::<Files>(&Key::file(&scope(), "a"))).unwrap(), None);
}

#[test]
fn a_failed_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap();
    let failed = store.write(|t| {
        t.put::<Files>(&Key::file(&scope(), "a"), &file("a"))?;
        Err::<(), _>(StorageError::Corrupt { what: "test".to_owned(), reason: "stop".to_owned() })
    });
    assert!(failed.is_err());
    assert_eq!(store.read(|t| t.get::<Files>(&Key::file(&scope(), "a"))).unwrap(), None);
}

#[test]
fn a_newer_format_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let registry = StorageRegistry::new(folder.path());
    let store = registry.open("s".as_ref(), StoreOptions::default()).unwrap();
    store
        .write(|t| {
            t.put::<Formats>(&Key::format(), &FormatRecord { format: 99 })?;
            t.put::<Files>(&Key::file(&scope(), "a"), &file("a"))
        })
        .unwrap();
    drop(store);
    let refused = registry.open("s".as_ref(), StoreOptions::default());
    assert!(matches!(refused, Err(StorageError::VersionMismatch { .. })), "{refused:?}");
}

#[test]
fn a_file_in_place_of_the_folder_is_an_io_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("taken");
    std::fs::write(&path, "mine").unwrap();
    let error = StorageRegistry::new("/").open(&path, StoreOptions::default()).unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_read_only_store_must_exist_and_refuses_writes() {
    let folder = tempfile::tempdir().unwrap();
    let registry = StorageRegistry::new(folder.path());
    let read_only = StoreOptions { read_only: true };
    assert!(registry.open("none".as_ref(), read_only).is_err());
    drop(registry.open("s".as_ref(), StoreOptions::default()).unwrap());
    let store = registry.open("s".as_ref(), read_only).unwrap();
    let refused = store.write(|t| t.delete::<Files>(&Key::file(&scope(), "a")).map(drop));
    assert!(matches!(refused, Err(StorageError::ReadOnly { .. })));
}
