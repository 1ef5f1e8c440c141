//! What the tests of the writing side share.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use tabagent_storage::{BlobName, StorageRegistry, Store, StoreOptions};

/// Opens the store in `folder`.
pub fn open(folder: &Path) -> Arc<Store> {
    StorageRegistry::new(folder).open("store".as_ref(), StoreOptions::default()).unwrap()
}

/// `length` bytes that no other seed and no other offset gives.
pub fn content(seed: u64, length: usize) -> Vec<u8> {
    let word = |n: u64| (seed << 48 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    (0..(length as u64).div_ceil(8)).flat_map(word).take(length).collect()
}

/// The bytes of a complete blob as the store reads them.
pub fn bytes_on_disk(store: &Arc<Store>, name: &BlobName) -> Vec<u8> {
    let reader = store.reader(name).unwrap().unwrap();
    reader.verify(0..reader.size()).unwrap();
    reader.copy(0..reader.size()).unwrap()
}

/// Changes one byte, on the disk, of the page that begins with the bytes of `page`.
pub fn damage(folder: &Path, page: &[u8]) {
    let path = folder.join("store/model_cache_chunks/mdbx.dat");
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut found = [0; 64];
    let at = (0..file.metadata().unwrap().len())
        .step_by(4096)
        .find(|at| file.read_exact_at(&mut found, *at).is_ok() && found == page[..64])
        .unwrap();
    file.write_all_at(&[!page[10]], at + 10).unwrap();
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    BlobName::of(bytes).0
}

pub fn git_sha1(bytes: &[u8]) -> [u8; 20] {
    let mut whole = format!("blob {}\0", bytes.len()).into_bytes();
    whole.extend_from_slice(bytes);
    (*sha1_checked::Sha1::try_digest(whole).hash()).into()
}
