//! What the tests of the writing side share.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part")]
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing unwrap is a failing test; the parent reads what a child prints"
)]

pub(crate) mod child;
pub(crate) mod disk;
pub(crate) mod plain;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tabagent_storage::{
    BlobName, BlobWriter, Digest, Finish, Result, StorageRegistry, Store, StoreOptions, WriteTransaction,
};

/// Opens the store in `folder`.
pub(crate) fn open(folder: &Path) -> Arc<Store> {
    StorageRegistry::new(folder).open("store".as_ref(), StoreOptions::default()).unwrap()
}

/// `length` bytes that no other seed and no other offset gives.
pub(crate) fn content(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.next_multiple_of(8)];
    for (n, word) in (0_u64..).zip(bytes.as_chunks_mut().0) {
        *word = (seed << 48 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    }
    bytes.truncate(length);
    bytes
}

/// The bytes of a complete blob as the store reads them.
pub(crate) fn bytes_on_disk(store: &Arc<Store>, name: &BlobName) -> Vec<u8> {
    let reader = store.reader(name).unwrap().unwrap();
    reader.verify(0..reader.size()).unwrap();
    reader.copy(0..reader.size()).unwrap()
}

/// Finishes a blob whose bytes were all written, and reads all of it back.
#[track_caller]
pub(crate) fn finish(store: &Arc<Store>, writer: &BlobWriter, bytes: &[u8]) {
    let name = BlobName::of(bytes);
    assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(name));
    assert!(bytes_on_disk(store, &name) == bytes);
}

/// Changes one byte, on the disk, of the page that begins with the bytes of `page`.
pub(crate) fn damage(folder: &Path, page: &[u8]) {
    let path = folder.join("store/model_cache_chunks/mdbx.dat");
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut found = [0; 64];
    let at = (0..file.metadata().unwrap().len())
        .step_by(4096)
        .find(|at| file.read_exact_at(&mut found, *at).is_ok() && found == page[..64])
        .unwrap();
    file.write_all_at(&[!page[10]], at + 10).unwrap();
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    BlobName::of(bytes).0
}

pub(crate) fn git_sha1(bytes: &[u8]) -> [u8; 20] {
    let mut whole = format!("blob {}\0", bytes.len()).into_bytes();
    whole.extend_from_slice(bytes);
    (*sha1_checked::Sha1::try_digest(whole).hash()).into()
}

/// Takes the lease of these bytes and a writer for them.
pub(crate) fn writer_for(store: &Arc<Store>, bytes: &[u8]) -> BlobWriter {
    let name = BlobName::of(bytes);
    let lease = store.try_lease(&name).unwrap().unwrap();
    store.writer(lease, bytes.len() as u64, Digest::Sha256(name.0)).unwrap()
}

/// Writes all missing bytes in pieces of 1 MiB from four threads, each its pieces in descending order; two of them as if they came
/// from a network.
pub(crate) fn write_missing(writer: &BlobWriter, bytes: &[u8]) {
    const PIECE: usize = 1 << 20;
    let missing = writer.missing();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (writer, missing) = (writer.clone(), &missing);
            scope.spawn(move || {
                for range in missing {
                    let (start, end) =
                        (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
                    let pieces: Vec<usize> = (start..end).step_by(PIECE).collect();
                    for at in pieces.into_iter().rev().skip(thread).step_by(4) {
                        let piece = &bytes[at..end.min(at + PIECE)];
                        if thread % 2 == 0 {
                            writer.write(at as u64, piece).unwrap();
                        } else {
                            writer.write_received(at as u64, Bytes::copy_from_slice(piece)).unwrap();
                        }
                    }
                }
            });
        }
    });
}

/// For tests that publish nothing else.
#[expect(clippy::unnecessary_wraps, reason = "its type is that of a publish function")]
pub(crate) fn no_publish(_: &WriteTransaction<'_>, _: BlobName) -> Result<()> {
    Ok(())
}
