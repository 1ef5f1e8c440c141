//! A disk that does not keep what was written, as a full btrfs does now and then: libmdbx takes no call any more after that, and
//! the store goes on all the same.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
#![expect(unsafe_code, reason = "the C library's fdatasync, which libmdbx calls, is replaced")]

mod support;

use std::ffi::c_void;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::mm::MsyncFlags;
use support::{bytes_on_disk, content, no_publish, open, sha256};
use tabagent_storage::{
    AliasRecord, Aliases, BlobName, Digest, EndpointId, Key, PutOutcome, Result, StorageError, Store,
};

/// Whether M's file is kept, which is synced as a file.
static FAILS: AtomicBool = AtomicBool::new(false);

/// Whether C's is, which is synced as a map.
static FAILS_OF_MAPS: AtomicBool = AtomicBool::new(false);

/// One test at a time: they share the flags.
static ALONE: Mutex<()> = Mutex::new(());

/// Fails as on a full disk.
fn refuse() -> i32 {
    // Leaves ENOSPC in errno.
    assert!(File::options().write(true).open("/dev/full").unwrap().write(&[0]).is_err());
    -1
}

/// What this program, libmdbx in it included, calls instead of the C library's.
///
/// # Safety
/// As there: `file` is open.
// SAFETY: the signature is that of the C library's, and nothing else here has the name.
#[unsafe(no_mangle)]
unsafe extern "C" fn fdatasync(file: i32) -> i32 {
    if FAILS.load(Ordering::Relaxed) {
        return refuse();
    }
    // SAFETY: the caller says that it is open.
    let file = unsafe { BorrowedFd::borrow_raw(file) };
    rustix::fs::fsync(file).map_or(-1, |()| 0)
}

/// As [`fdatasync`].
///
/// # Safety
/// As of the C library's: all pages of the range are mapped.
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn msync(start: *mut c_void, length: usize, flags: i32) -> i32 {
    if FAILS_OF_MAPS.load(Ordering::Relaxed) {
        return refuse();
    }
    let flags = MsyncFlags::from_bits_retain(flags.unsigned_abs());
    // SAFETY: the caller says that the range is mapped.
    unsafe { rustix::mm::msync(start, length, flags) }.map_or(-1, |()| 0)
}

fn key(name: &str) -> Key {
    Key::alias(&EndpointId::of("x"), name)
}

fn put(store: &Store, name: &str) -> Result<()> {
    store.write(|t| t.put::<Aliases>(&key(name), &AliasRecord { repo: name.to_owned() }))
}

fn has(store: &Store, name: &str) -> bool {
    store.read(|t| t.contains::<Aliases>(&key(name))).unwrap()
}

fn put_blob(store: &Arc<Store>, seed: u64) -> Result<PutOutcome> {
    let bytes = content(seed, 200_000);
    store.put_bytes(&bytes, &Digest::Sha256(sha256(&bytes)), no_publish)
}

#[test]
fn after_a_write_that_the_disk_did_not_keep_the_store_goes_on() {
    let _alone = ALONE.lock().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put(&store, "before").unwrap();
    let before = store.version().unwrap();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let store = Arc::clone(&store);
            thread::spawn(move || (0..2000).for_each(|_| assert!(has(&store, "before"))))
        })
        .collect();
    for _ in 0..3 {
        FAILS.store(true, Ordering::Relaxed);
        let failed = put(&store, "lost");
        FAILS.store(false, Ordering::Relaxed);
        assert!(matches!(failed, Err(StorageError::NoSpace { .. })), "{failed:?}");
        assert!(!has(&store, "lost") && has(&store, "before"));
        assert_eq!(store.version().unwrap(), before);
    }
    for reader in readers {
        reader.join().unwrap();
    }
    put(&store, "after").unwrap();
    assert_ne!(store.version().unwrap().mark, before.mark);
    drop(store);
    let store = open(folder.path());
    assert!(has(&store, "after") && has(&store, "before") && !has(&store, "lost"));
}

#[test]
fn after_chunks_that_the_disk_did_not_keep_the_store_is_to_be_opened_again() {
    let _alone = ALONE.lock().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    put_blob(&store, 1).unwrap();
    let (name, bytes) = (BlobName::of(&content(1, 200_000)), content(1, 200_000));
    let view = store.reader(&name).unwrap().unwrap().map().unwrap();
    FAILS_OF_MAPS.store(true, Ordering::Relaxed);
    let failed = put_blob(&store, 2);
    FAILS_OF_MAPS.store(false, Ordering::Relaxed);
    assert!(matches!(failed, Err(StorageError::NoSpace { .. })), "{failed:?}");

    // C cannot be opened anew under those who read in it.
    let told = put_blob(&store, 2);
    assert!(matches!(told, Err(StorageError::Broken { .. })), "{told:?}");
    assert!(**view == *bytes);
    drop((view, store));

    let store = open(folder.path());
    assert!(bytes_on_disk(&store, &name) == bytes);
    put_blob(&store, 2).unwrap();
}
