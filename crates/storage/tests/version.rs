//! Which state of the records somebody saw: whoever remembers what was read in one must never take another for it.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::path::Path;

use support::open;
use tabagent_storage::{
    AliasRecord, Aliases, EndpointId, Key, ReadTransaction, StorageError, Store, Version,
};

fn key(name: &str) -> Key {
    Key::alias(&EndpointId::of("x"), name)
}

fn put(store: &Store, name: &str) {
    store.write(|t| t.put::<Aliases>(&key(name), &AliasRecord { repo: name.to_owned() })).unwrap();
}

fn seen(store: &Store) -> Version {
    let version = store.version().unwrap();
    assert_eq!(store.read(|t: &ReadTransaction<'_>| ReadTransaction::version(t)).unwrap(), version);
    version
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() { copy(&path, &to) } else { std::fs::copy(&path, &to).map(drop).unwrap() }
    }
}

#[test]
fn a_version_lasts_until_something_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "first");
    let before = seen(&store);
    let failed = store.write(|t| {
        t.put::<Aliases>(&key("lost"), &AliasRecord { repo: String::new() })?;
        Err::<(), _>(StorageError::ReadOnly { path: folder.path().to_owned(), reason: "a test".to_owned() })
    });
    assert!(failed.is_err());
    assert_eq!(seen(&store), before);

    put(&store, "first");
    let after = seen(&store);
    assert!(after.number > before.number && after.mark != before.mark);
    assert!(!store.write(|t| t.delete::<Aliases>(&key("absent"))).unwrap());
    assert_eq!(seen(&store).mark, after.mark);
    assert!(store.write(|t| t.delete::<Aliases>(&key("first"))).unwrap());
    assert!(seen(&store).number > after.number && seen(&store).mark != after.mark);

    drop(store);
    let store = open(folder.path());
    put(&store, "second");
    assert_ne!(seen(&store).mark, after.mark);
}

/// What a disk that takes a transaction back does to those who saw it: the next one gets its number.
#[test]
fn states_of_one_number_that_hold_different_things_differ() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    std::fs::create_dir_all(&one).unwrap();
    let store = open(&one);
    put(&store, "both");
    drop(store);
    copy(&one, &other);
    let (one, other) = (open(&one), open(&other));
    put(&one, "here");
    put(&other, "there");
    let (one, other) = (seen(&one), seen(&other));
    assert_eq!(one.number, other.number);
    assert_ne!(one, other);
}
