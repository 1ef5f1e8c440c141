//! A process that forks while it has a store open: leases die with their owner, and its child opens the store anew.
#![cfg(unix)]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
#![expect(unsafe_code, reason = "forking")]

mod support;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use support::child::{self, Peer};
use support::{bytes_on_disk, content, no_publish, open, sha256, write_missing, writer_for};
use tabagent_storage::{BlobName, BlobWriter, Digest, Finish, Mapping, StorageError, Store};

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

/// Runs `work` with `state` in a fork child, which ends without a word to the test harness. The parent keeps its own.
fn fork_to<T>(state: T, work: impl FnOnce(T)) -> (i32, T) {
    // SAFETY: the child runs `work` on its only thread and ends with `_exit`.
    let process = unsafe { fork() };
    if process == 0 {
        let done = catch_unwind(AssertUnwindSafe(|| work(state))).is_ok();
        // SAFETY: it ends the process.
        unsafe { _exit(i32::from(!done)) };
    }
    assert!(process > 0);
    (process, state)
}

/// Waits for a fork child; true when its work succeeded.
fn succeeded(process: i32) -> bool {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { waitpid(process, &raw mut status, 0) }, process);
    status == 0
}

const NAME: &str = "something to own";

/// Takes a lease, announces a download, and forks a child that lives until the parent's end of its input is closed.
#[test]
#[ignore = "the other tests start it as their second process"]
fn owner() {
    let store = open(&child::folder());
    let _lease = store.try_lease(&BlobName::of(NAME.as_bytes())).unwrap().unwrap();
    let _presence = store.hold_presence(NAME).unwrap();
    fork_to((), |()| {
        child::answer("forked");
        std::io::copy(&mut File::open("/dev/stdin").unwrap(), &mut std::io::sink()).unwrap();
    });
    std::thread::park();
}

#[test]
fn a_lease_dies_with_its_owner_although_a_fork_child_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let (store, name) = (open(folder.path()), BlobName::of(NAME.as_bytes()));
    let mut peer = Peer::start("owner", folder.path());
    assert_eq!(peer.answer(), "forked");
    assert!(store.try_lease(&name).unwrap().is_none(), "the owner lives");
    assert!(store.is_present(NAME).unwrap());
    peer.kill();
    assert!(store.try_lease(&name).unwrap().is_some());
    assert!(!store.is_present(NAME).unwrap());
}

/// What a child has of its parent.
struct Inherited {
    store: Arc<Store>,
    view: Arc<Mapping>,
    writer: BlobWriter,
}

impl Inherited {
    /// The view is still right; everything else says what to do.
    fn check(&self, stored: &[u8]) {
        let Self { store, view, writer } = self;
        assert!(view[..] == *stored);
        for error in [
            store.read(|_| Ok(())).unwrap_err(),
            store.write(|_| Ok(())).unwrap_err(),
            store.reader(view.reader().name()).unwrap_err(),
            store.try_lease(view.reader().name()).unwrap_err(),
            store.usage().unwrap_err(),
            store.release_space().unwrap_err(),
            view.reader().copy(0..10).unwrap_err(),
            view.reader().window(0..10).unwrap_err(),
            writer.write(0, b"x").unwrap_err(),
            writer.checkpoint().unwrap_err(),
            writer.finish(no_publish).unwrap_err(),
        ] {
            assert!(matches!(error, StorageError::Forked { .. }), "{error}");
            assert!(error.to_string().contains("open it again"), "{error}");
        }
    }
}

#[test]
fn a_fork_child_opens_the_store_anew_and_leaves_its_parent_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (stored, written, added) = (content(1, 200_000), content(2, 9_000_000), content(3, 100_000));
    let digest = |bytes: &[u8]| Digest::Sha256(sha256(bytes));
    let store = open(folder.path());
    store.put_bytes(&stored, &digest(&stored), no_publish).unwrap();
    let view = store.reader(&BlobName::of(&stored)).unwrap().unwrap().map().unwrap();
    let writer = writer_for(&store, &written);
    writer.write(0, &written[..5_000_000]).unwrap();
    let (process, parents) = fork_to(Inherited { store, view, writer }, |inherited| {
        inherited.check(&stored);
        drop(inherited);
        let store = open(folder.path());
        assert!(bytes_on_disk(&store, &BlobName::of(&stored)) == stored);
        store.put_bytes(&added, &digest(&added), no_publish).unwrap();
        assert!(store.try_lease(&BlobName::of(&written)).unwrap().is_none(), "its parent has it");
    });
    assert!(succeeded(process));
    let Inherited { store, writer, .. } = parents;
    assert!(store.try_lease(writer.name()).unwrap().is_none());
    write_missing(&writer, &written);
    assert!(matches!(writer.finish(no_publish).unwrap(), Finish::Complete(_)));
    for bytes in [&stored, &written, &added] {
        assert!(bytes_on_disk(&store, &BlobName::of(bytes)) == *bytes);
    }
}

/// Only who took a part in a lock gives it up: the child's copy of the handle removes nothing.
#[test]
fn a_fork_child_has_no_part_in_the_plain_files_of_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(9, 100_000);
    let name = BlobName::of(&bytes);
    store.put_bytes(&bytes, &Digest::Sha256(name.0), no_publish).unwrap();
    let files = std::collections::BTreeMap::from([("model.gguf".to_owned(), name)]);
    let writer = store.plain_set(&files).unwrap().unwrap().begin().unwrap();
    let reader = store.reader(&name).unwrap().unwrap();
    writer.add("model.gguf", &reader, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    let (process, set) = fork_to(writer.publish().unwrap(), drop);
    assert!(succeeded(process));
    let file = set.folder().join("model.gguf");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    drop(set);
    assert!(!file.exists());
}
