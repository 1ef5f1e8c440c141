//! Stubs: shared while they are used, and gone afterwards.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fixture::new_store;
use crate::error::StorageError;
use crate::lock_file::LockFile;
use crate::store::Store;
use crate::stub::{Stub, StubDraft, StubName};

const CONTENT: &[u8] = b"what a stub holds";

fn name() -> StubName {
    StubName::of([CONTENT])
}

fn draw(draft: &mut StubDraft) -> crate::Result<ControlFlow<()>> {
    // In two pieces, between which others look.
    let (first, second) = CONTENT.split_at(5);
    draft.write(first)?;
    std::thread::yield_now();
    draft.write(second)?;
    Ok(ControlFlow::Continue(()))
}

fn open(store: &Store) -> Stub {
    store.stub(&name(), &mut draw, &|| true).unwrap().unwrap()
}

/// The files of stubs and their locks.
fn files(store: &Store) -> Vec<String> {
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let all = [names(store.chunks.path()), names(store.locks())].concat();
    all.into_iter().filter(|file| file.starts_with("stub-")).collect()
}

#[test]
fn everyone_finds_it_whole_and_the_last_one_removes_it() {
    let (_folder, store) = new_store();
    let drawn = AtomicUsize::new(0);
    let work = || {
        for _ in 0..100 {
            let stub = store.stub(
                &name(),
                &mut |draft| {
                    drawn.fetch_add(1, Ordering::Relaxed);
                    draw(draft)
                },
                &|| true,
            );
            assert_eq!(fs::read(stub.unwrap().unwrap().path()).unwrap(), CONTENT);
        }
    };
    std::thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(work))));
    assert_eq!(files(&store), Vec::<String>::new());
    assert!((1..=600).contains(&drawn.into_inner()));
}

#[test]
fn one_that_is_in_use_is_not_drawn_again() {
    let (_folder, store) = new_store();
    let first = open(&store);
    let second = store.stub(&name(), &mut |_| panic!("it is there"), &|| true).unwrap().unwrap();
    assert_eq!(second.path(), first.path());
    drop(first);
    assert_eq!(fs::read(second.path()).unwrap(), CONTENT);
    drop(second);
    assert_eq!(files(&store), Vec::<String>::new());
}

#[test]
fn one_that_somebody_looks_at_before_its_maker_has_a_part_is_not_drawn_again() {
    let (_folder, store) = new_store();
    let (drawn, look) = (AtomicUsize::new(0), Mutex::new(None));
    let path = store.locks().join(open(&store).path().file_stem().unwrap());
    let stub = store.stub_between(
        &name(),
        &mut |draft| {
            drawn.fetch_add(1, Ordering::Relaxed);
            draw(draft)
        },
        // The look is over before the next turn.
        &|| {
            drop(look.lock().unwrap().take());
            true
        },
        &|| {
            if drawn.load(Ordering::Relaxed) == 1 {
                *look.lock().unwrap() = LockFile::take_once(&path).unwrap();
            }
        },
    );
    assert_eq!(fs::read(stub.unwrap().unwrap().path()).unwrap(), CONTENT);
    assert_eq!(drawn.into_inner(), 1);
    assert_eq!(files(&store), Vec::<String>::new());
}

#[test]
fn what_is_left_of_one_that_nobody_uses_counts_for_nothing() {
    let (_folder, store) = new_store();
    let path = open(&store).path().to_owned();
    let lock = store.locks().join(path.file_stem().unwrap());
    fs::write(&path, "half").unwrap();
    fs::write(path.with_extension("data"), "half").unwrap();
    fs::write(lock, "whole").unwrap();
    assert_eq!(store.orphans().unwrap().count(), 1);
    let stub = open(&store);
    assert_eq!(fs::read(stub.path()).unwrap(), CONTENT);
    assert_eq!(files(&store).len(), 2, "{:?}", files(&store));
    assert_eq!(store.orphans().unwrap().count(), 0);
    drop(stub);
    fs::write(&path, "half").unwrap();
    let other = store.stub(&StubName::of([&b"another"[..]]), &mut draw, &|| true).unwrap();
    assert_eq!(files(&store).len(), 2, "{:?}", files(&store));
    drop(other);
}

#[test]
fn one_that_cannot_be_drawn_leaves_nothing() {
    let (_folder, store) = new_store();
    let refused = store.stub(
        &name(),
        &mut |draft| {
            draft.write(b"half")?;
            Err(StorageError::corrupt("this", "that"))
        },
        &|| true,
    );
    assert!(matches!(refused, Err(StorageError::Corrupt { .. })));
    let given_up = store.stub(&name(), &mut |_| Ok(ControlFlow::Break(())), &|| true);
    assert!(given_up.unwrap().is_none());
    assert!(store.stub(&name(), &mut draw, &|| false).unwrap().is_none());
    assert_eq!(files(&store), Vec::<String>::new());
    drop(open(&store));
}

#[test]
fn names_follow_from_all_parts_and_their_bounds() {
    let name = |parts: &[&str]| StubName::of(parts.iter().map(|part| part.as_bytes()));
    assert_eq!(name(&["a", "b"]), name(&["a", "b"]));
    assert_ne!(name(&["a", "b"]), name(&["ab"]));
    assert_ne!(name(&["a", "b"]), name(&["b", "a"]));
    assert_eq!(name(&[]).side().len() as u64, StubName::SIDE_LENGTH);
}
